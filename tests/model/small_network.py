"""What tests of the model need to make a small network that looks trained."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np

from liveclf.signals.generator import Labelled, make_chunk


def shake(model: keras.Model, seed: int = 1) -> None:
    """Move every weight, the statistics of batch normalisation too, as training would."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = np.asarray(weight)
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.6, 1.6, value.shape)
        elif weight.name in ("beta", "moving_mean", "bias"):
            value = rng.normal(0, 0.3, value.shape)
        weight.assign(value.astype(np.float32))


@dataclass(frozen=True)
class Small:
    """Chunks that are the first windows of one."""

    seed: int = 1

    def __call__(self, index: int) -> Labelled:
        made = make_chunk(self.seed, index, (-6.0, 30.0))
        return Labelled(made.x[:256], made.y[:256], made.snr_db[:256])
