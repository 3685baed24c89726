"""Labelled windows, endlessly.

    class -> modulator -> channel -> burst -> noise and neighbours -> digitiser

Work comes in chunks, each with a seed of its own, so that the data is the same for
any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.normalise import unit_power
from liveclf.records import FloatArray
from liveclf.signals.analog import am
from liveclf.signals.angle import fm, fsk, lora
from liveclf.signals.channel import add_noise, digitise, propagate
from liveclf.signals.classes import CLASSES
from liveclf.signals.constellations import CONSTELLATIONS
from liveclf.signals.linear import ComplexArray, linear
from liveclf.signals.others import carrier, ofdm, receiver_noise
from liveclf.signals.surroundings import NEVER_BURST, burst, neighbours

CHUNK = 1024  # windows per seed

# Called as modulator(rng, n, length); the length is that of a window if left out.
MODULATORS: dict[str, Callable[..., ComplexArray]] = {
    **{name: partial(linear, name) for name in CONSTELLATIONS},
    **{name: partial(am, name) for name in CLASSES if name.startswith("AM-")},
    **{name: partial(fsk, name) for name in ("GMSK", "2FSK", "4FSK")},
    "FM": fm,
    "LoRa": lora,
    "OFDM": ofdm,
    "CW": carrier,
    "noise": receiver_noise,
}


@dataclass(frozen=True)
class Labelled:
    """Windows and their truth.

    Attributes:
        x: Shape (n, 2, 1024) float16; row 0 is I, row 1 is Q; unit mean power.
        y: Index into the classes, shape (n,), an integer type.
        snr_db: Signal over noise across the sampled band and the whole window, shape (n,)
            float32, NaN where unknown; means nothing for the class noise.
    """

    x: NDArray[np.float16]
    y: NDArray[Any]
    snr_db: FloatArray


def make_chunk(
    seed: int, index: int, snr_db: tuple[float, float], classes: Sequence[str] = CLASSES
) -> Labelled:
    """Make chunk number `index` of the endless data set `seed`.

    Args:
        seed: Which data set.
        index: Which chunk of it.
        snr_db: Lowest and highest SNR; drawn uniformly in between.
        classes: Keys of `MODULATORS`; what `y` indexes.

    Returns:
        `CHUNK` windows, classes equally often, shuffled.
    """
    rng = np.random.default_rng([seed, index])
    y = rng.permutation(np.arange(CHUNK) + rng.integers(len(classes))) % len(classes)
    snr = rng.uniform(*snr_db, CHUNK)
    clean = np.empty((CHUNK, 1024), np.complex64)
    for k, name in enumerate(classes):
        rows = np.flatnonzero(y == k)
        made = MODULATORS[name](rng, len(rows))
        received = propagate(made, rng, paths=name != "noise")
        clean[rows] = received if name in NEVER_BURST else burst(received, rng)
    noise = np.array([name == "noise" for name in classes])[y]
    noisy = neighbours(add_noise(clean, snr, rng), ~noise, rng)
    x, _ = unit_power(to_rows(digitise(noisy, np.where(noise, -np.inf, snr), rng)))
    return Labelled(x.astype(np.float16), y.astype(np.uint8), snr.astype(np.float32))


def to_rows(iq: ComplexArray) -> FloatArray:
    """Lay complex windows (n, window) out as network input (n, 2, window) float32."""
    return np.stack([iq.real, iq.imag], axis=1).astype(np.float32)
