"""A network whose speed is known, on a clock that passes only when it works."""

from __future__ import annotations

import numpy as np

from liveclf.bench.network import Network

CLASSES = ("BPSK", "QPSK", "noise")
FAMILIES = {"BPSK": "PSK", "QPSK": "PSK", "noise": "noise"}


class FakeEngine:
    """Takes so long for a batch, and so much more in the whole path, on its own clock."""

    name = "fake"

    def __init__(self, windows_per_s: float, batch_size: int = 128) -> None:
        self.batch_size = batch_size
        self._windows_per_s = windows_per_s
        self.now_s = 0.0
        self.batches: list[int] = []

    def clock(self) -> float:
        return self.now_s

    def predict(self, x: np.ndarray) -> np.ndarray:
        self.now_s += len(x) / self._windows_per_s
        self.batches.append(len(x))
        return np.zeros((len(x), len(CLASSES)), np.float32)


def network(engine: FakeEngine) -> Network:
    return Network("fake", engine, "int8", CLASSES, FAMILIES)
