"""The constants of what is estimated blindly in front of the network.

Beside no code, because two need them: the Keras layers (`frontend`, `symbols`) and the same
compiled (the rest of this package), which runs where Keras is not installed.
"""

from __future__ import annotations

from liveclf.model import WINDOW_SAMPLES

# Of a window. Kernels want the number itself: a loop of unknown length takes twice the time.
SAMPLES = WINDOW_SAMPLES

SMOOTHING_BINS = 64  # of the density that the matched filter is the root of
# The least of some sixteen independent means of 64 bins lies 1.8 sigma, sigma = 1/8, below
# the mean that is looked for; half as much again keeps most of the noise under the floor.
FLOOR_OVER_LEAST = 1.35

RATES = (40, 511)  # that are looked for, symbols a window: 25 to 2 samples a symbol
NEIGHBOURHOOD = 64  # bins, on either side, that a line is compared with
STRIDE = 8  # bins of this many are compared alike
# Symbols a window over a measure of the width of the spectrum, seen on signals of the
# generator; and the spread that is allowed, of the logarithm.
RATE_OVER_WIDTH, RATE_SPREAD = 854.0, 0.22

LATEST = 4  # taps of the equaliser before and after the middle one
ROUNDS = 3  # of the equaliser; later ones change little
DOUBT = 25.0  # over the symbols a window: the ridge of the equaliser

ORDERS = (4, 8, 16)  # of the powers whose lines are looked for
LINE_BINS = 4  # that share a line
RINGS = 24  # of the histogram of radii
OUTERMOST = 2.2  # centre of the last ring; the mean power of the symbols is 1

FEATURES = 3 + 2 * (len(ORDERS) + 3 * RINGS)
