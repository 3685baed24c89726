"""Line codes: what a receiver of pulses and gaps measures."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from liveclf.signals.angle import fsk
from liveclf.signals.line_codes import LINE_CODES, Chips, limit_runs, line_coded
from liveclf.signals.linear import WORK, linear


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def runs(chips: Chips) -> list[tuple[int, int]]:
    """Return (level, length) of what is held, without the first and last, which may be cut."""
    return [(int(level), len(list(held))) for level, held in groupby(chips)][1:-1]


def drawn(n: int = 300) -> list[Chips]:
    r = rng()
    return [line_coded(r, 400, 1000) for _ in range(n)]


@pytest.mark.parametrize("longest", [2, 3, 7])
def test_no_level_is_held_for_longer_than_is_allowed(longest: int) -> None:
    r = rng()
    for _ in range(50):
        chips = line_coded(r, 200, longest)
        assert set(chips) == {0, 1}
        assert max(length for _, length in runs(chips)) <= longest


def test_runs_that_are_short_enough_are_left_alone() -> None:
    chips = np.array([0, 0, 1, 1, 0, 1, 1, 1], np.int8)
    assert limit_runs(chips, 3).tolist() == chips.tolist()
    assert limit_runs(np.zeros(7, np.int8), 3).tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_manchester_has_a_change_within_every_bit() -> None:
    ((zero, one),) = LINE_CODES["Manchester"]
    assert sorted([zero, one]) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(("code", "varying"), [("PWM", 1), ("PPM", 0)])
def test_pulse_width_and_pulse_position_carry_the_bit_where_their_names_say(
    code: str, varying: int
) -> None:
    for zero, one in LINE_CODES[code]:
        assert zero[0] == one[0] == 1  # each bit begins with its pulse
        lengths = [sum(bit) if varying else len(bit) - sum(bit) for bit in (zero, one)]
        assert lengths[0] < lengths[1]
        pulses = sum(zero), sum(one)
        assert (pulses[0] == pulses[1]) is (varying == 0)


def test_every_code_is_drawn() -> None:
    """Told apart by the share of time that is on, and by the lengths held."""
    longest = [max(length for _, length in runs(chips)) for chips in drawn()]
    on = np.array([chips.mean() for chips in drawn()])
    assert np.mean(np.array(longest) <= 2) > 0.1  # Manchester
    assert np.mean(np.array(longest) >= 6) > 0.1  # NRZ
    assert np.mean(on < 0.45) > 0.15  # PWM and PPM are mostly off
    assert np.mean(on > 0.55) > 0.02  # some with the levels exchanged


def test_on_off_keying_shows_both_levels_in_every_window() -> None:
    """At up to 128 samples a chip: a window that is all on would be a bare carrier."""
    x = np.abs(linear("OOK", rng(), 400))[:, WORK // 4 : 3 * WORK // 4]
    low, high = np.quantile(x, (0.02, 0.98), axis=1)
    assert np.all(low < 0.35 * high)


def test_slow_on_off_keying_holds_its_levels_for_up_to_128_samples() -> None:
    longest = 0.0
    for x in np.abs(linear("OOK", rng(), 200)):
        on = (x > 0.5 * x.max()).astype(np.int8)
        shortest = np.quantile([length for _, length in runs(on)] or [0], 0.1)
        longest = max(longest, float(shortest))
    assert 90 < longest <= 130


def test_2fsk_in_a_line_code_is_high_less_often_than_low_or_the_reverse() -> None:
    x = fsk("2FSK", rng(), 200)
    f = np.angle(x[:, 1:] * x[:, :-1].conj())
    share = np.mean(f > 0, axis=1)
    assert np.mean((share < 0.4) | (share > 0.6)) > 0.08
    assert np.all((share > 0.1) & (share < 0.9))
