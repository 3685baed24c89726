"""Linear modulation, and the transmitters that are simpler than it."""

from __future__ import annotations

import numpy as np

from liveclf.signals.linear import pulled


def test_a_pulled_transmitter_settles_on_its_frequency_after_every_key_on() -> None:
    """Far from the edges of long pulses only the slow drift is left."""
    is_on = np.tile(np.repeat([True, False], 4000), 3)
    for seed in range(20):
        phase = np.unwrap(np.angle(pulled(np.random.default_rng(seed), is_on)))
        frequency = np.diff(phase) / (2 * np.pi)
        ends = frequency[[3990, 11990, 19990]]
        begins = frequency[[1, 8001, 16001]]
        assert np.all(np.abs(ends) < 0.15 * np.exp(-3990 / 1500) + 0.051)
        # The same excursion each time, on top of the drift.
        np.testing.assert_allclose(begins - ends, (begins - ends)[0], atol=0.02)
