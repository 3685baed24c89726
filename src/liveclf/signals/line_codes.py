"""Line codes of remote controls and telemetry: bits as chips, on or off, for OOK and 2FSK.

Chips are the shortest pulse or gap. The codes are those that rtl_433 names NRZ (PCM), MC
(Manchester), PWM (short or long pulse) and PPM (short or long gap), in the proportions of
its common decoders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Chips = NDArray[np.int8]

# Chips of a 0 and of a 1.
LINE_CODES: dict[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]] = {
    "NRZ": (((0,), (1,)),),
    "Manchester": (((0, 1), (1, 0)),),
    "PWM": (
        ((1, 0, 0), (1, 1, 0)),  # 1:2, period constant
        ((1, 0, 0, 0), (1, 1, 1, 0)),  # 1:3, as the encoders EV1527 and PT2262 send
        ((1, 0), (1, 1, 0)),  # gap constant
    ),
    "PPM": (((1, 0), (1, 0, 0)), ((1, 0, 0), (1, 0, 0, 0, 0))),
}


def line_coded(rng: np.random.Generator, n_chips: int, longest_run: int) -> Chips:
    """Encode random bits by a drawn code.

    A third begins with an alternating preamble, as receivers want it. Now and then the
    two levels are exchanged.

    Args:
        rng: Source of all randomness.
        n_chips: How many chips.
        longest_run: No level is held for more chips than this, so that a window that long
            shows both; at least 2.

    Returns:
        Shape (n_chips,), 0 or 1.
    """
    variants = LINE_CODES[list(LINE_CODES)[rng.integers(len(LINE_CODES))]]
    zero, one = variants[rng.integers(len(variants))]
    bits = rng.random(n_chips) < 0.5
    chips = np.concatenate([np.array(one if bit else zero, np.int8) for bit in bits])
    chips = chips[rng.integers(len(zero)) :]
    if rng.random() < 1 / 3:
        preamble = np.arange(rng.integers(8, 33)) % 2
        at = rng.integers(max(1, n_chips - len(preamble)))
        chips = np.concatenate([chips[:at], preamble.astype(np.int8), chips[at:]])
    chips = chips[:n_chips]
    if rng.random() < 0.1:
        chips = (1 - chips).astype(np.int8)
    return limit_runs(np.resize(chips, n_chips), longest_run)


def limit_runs(chips: Chips, longest: int) -> Chips:
    """Change the level wherever it was held for `longest` chips."""
    out = chips.copy()
    held = 0
    for k in range(1, len(out)):
        held = held + 1 if out[k] == out[k - 1] else 0
        if held >= longest:
            out[k], held = 1 - out[k], 0
    return out
