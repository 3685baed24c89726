"""Make a network slow to call noise a signal: a band is mostly noise, a training set is not."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from liveclf.learn.data.feed import HELDOUT_CHUNK
from liveclf.records import FloatArray
from liveclf.signals.generator import make_chunk

NOISE = "noise"
# Held-out chunks from here on are noise alone; those before are for validation.
_FIRST_CHUNK = HELDOUT_CHUNK + 500_000_000
_CHUNKS = 4


def noise_windows(seed: int, snr_db: tuple[float, float]) -> FloatArray:
    """Make windows of noise alone that no training sees.

    Args:
        seed: Of the data.
        snr_db: As of the signals: what colours the noise is that much above white noise.

    Returns:
        Shape (n, 2, 1024) float32.
    """
    parts = [make_chunk(seed, _FIRST_CHUNK + k, snr_db, (NOISE,)).x for k in range(_CHUNKS)]
    return np.concatenate(parts).astype(np.float32)


def favour_noise(model: keras.Model, x: FloatArray, noise: int, share: float) -> float:
    """Raise the bias of the class noise until few windows of noise get another label.

    In terms of probabilities the prior of noise is multiplied by exp(what is added).

    Args:
        model: Its last layer is dense and gives logits; changed in place.
        x: Windows of noise alone.
        noise: Index of the class.
        share: Of them that may get another label.

    Returns:
        What was added, 0 if noise was noise already.
    """
    logits = np.asarray(model.predict(x, batch_size=128, verbose=0))
    added = bias_wanted(logits, noise, share)
    kernel, bias = model.layers[-1].get_weights()
    bias[noise] += added
    model.layers[-1].set_weights([kernel, bias])
    return added


def bias_wanted(logits: NDArray[np.float32], noise: int, share: float) -> float:
    """Return the least that has to be added to a column so that it loses `share` of the rows."""
    others = np.delete(logits, noise, axis=1).max(axis=1)
    lead = np.sort(logits[:, noise] - others)
    return max(0.0, float(np.nextafter(-lead[int(share * len(lead))], np.float32(np.inf))))
