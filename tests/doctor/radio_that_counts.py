"""A driver module whose radio sends a counter of 8 bits, with holes as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.errors import SourceError
from liveclf.sources.capture.driver import Opened, Tape

RATE_HZ = 2.4e6
WRITE_BYTES = 4096


class Radio:
    """Sends until it is stopped, or `ends` after a few writes."""

    def __init__(self, fault: str) -> None:
        self.opened = Opened("counting radio", FORMATS["cu8"], RATE_HZ, 433e6, ("Gain is 28 dB.",))
        self._fault = fault
        self._stopped = threading.Event()

    def stream(self, tape: Tape) -> None:
        at = 0
        for k in self._writes():
            if self._fault == "loses" and k in (3, 5):
                at += 20  # bytes, ten samples
            if self._fault == "overflows" and k == 3:
                tape.overflow()
            tape.write((at + np.arange(WRITE_BYTES)).astype(np.uint8))
            at += WRITE_BYTES

    def _writes(self) -> Iterator[int]:
        k = 0
        while not self._stopped.wait(WRITE_BYTES / 2 / RATE_HZ):
            if self._fault == "silent" or (self._fault == "ends" and k > 3):
                if self._fault == "ends":
                    return
                continue
            yield k
            k += 1

    def tune(self, center_hz: float) -> float:
        return center_hz

    def stop(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        """Nothing is held."""


def open_driver(settings: SourceSettings, radio: RadioSettings) -> Radio:
    fault = radio.device.partition(":")[2]
    if fault == "refuses":
        raise SourceError("The radio is in use by another program; end that one first.")
    return Radio(fault)
