"""The clock of `rx_time`: times of samples, losses between two tags, and values that are none."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.sources.zeromq.gnuradio_stream import NEW_SEGMENT, MessageReader, Stretch
from liveclf.sources.zeromq.gnuradio_tags import Tag, build
from liveclf.sources.zeromq.pmt import Unsigned

SIZE = 2
EPOCH_S = 1_700_000_000


class Sent:
    """A reader, and messages for it that come when they were taken, or later."""

    def __init__(self, rate_hz: float = math.nan, told_hz: float | None = 1e6) -> None:
        self.now_s = 0.0
        self.reader = MessageReader(SIZE, rate_hz, math.nan, True, now=lambda: self.now_s)
        self.first = () if told_hz is None else (("rx_rate", told_hz),)

    def __call__(
        self, offset: int, n: int, *tags: tuple[str, Any], at: int | None = None, now_s: float = 0.0
    ) -> list[Stretch]:
        """Send n samples, the tags at the first of them or at another."""
        self.now_s = now_s
        at = offset if at is None else at
        made = [Tag(at, key, value) for key, value in (*self.first, *tags)]
        self.first = ()
        return list(self.reader.push(memoryview(build(offset, made) + bytes(n * SIZE))))

    @property
    def notes(self) -> list[str]:
        return list(self.reader.clock.notes())


def seconds(time_s: float | Fraction) -> tuple[str, Any]:
    whole = math.floor(time_s)
    return "rx_time", (Unsigned(whole), float(time_s - whole))


def shape(found: list[Stretch]) -> list[tuple[int, int, bool]]:
    return [(len(s.data) // SIZE, s.lost, s.is_new) for s in found]


# -- times ---------------------------------------------------------------------------------


def test_the_first_time_is_that_of_its_sample_and_said_once():
    sent = Sent()
    (stretch,) = sent(40, 10, seconds(EPOCH_S + 0.25))
    assert stretch.is_new
    assert stretch.first_s == EPOCH_S + 0.25
    assert sent.notes == ["The times of the samples are those of the publisher (rx_time)."]
    sent(50, 10, seconds(EPOCH_S + 0.25 + 10e-6))
    assert sent.notes == []


def test_a_time_in_the_middle_of_a_message_begins_another_stretch():
    before, after = Sent()(0, 10, seconds(EPOCH_S), at=4)
    assert (len(before.data), len(after.data)) == (4 * SIZE, 6 * SIZE)
    assert math.isnan(before.first_s)
    assert after.is_new
    assert after.first_s == EPOCH_S


def test_times_that_go_on_with_the_count_change_nothing():
    sent = Sent()
    sent(0, 10, seconds(EPOCH_S))
    (stretch,) = sent(1_000_000, 10, seconds(EPOCH_S + 1), now_s=1)  # 999,990 by the offsets
    assert shape([stretch]) == [(10, 999_990, False)]
    assert math.isnan(stretch.first_s)


@pytest.mark.parametrize("told", [True, False], ids=["with a time", "without"])
def test_behind_a_retune_the_time_goes_on(told):
    sent = Sent()
    sent(0, 500_000, seconds(EPOCH_S))
    tags = [("rx_freq", 868e6), *([seconds(EPOCH_S + 0.5)] if told else [])]
    (stretch,) = sent(500_000, 10, *tags, now_s=0.5)
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == pytest.approx(EPOCH_S + 0.5, abs=1e-6)


@pytest.mark.parametrize("told", [True, False], ids=["with a time", "without"])
def test_behind_a_change_of_rate_the_time_goes_on_and_counts_by_the_new_one(told):
    sent = Sent()
    sent(0, 500_000, seconds(EPOCH_S))
    tags = [("rx_rate", 2e6), *([seconds(EPOCH_S + 0.5)] if told else [])]
    (changed,) = sent(500_000, 1_000_000, *tags, now_s=1)
    assert changed.first_s == pytest.approx(EPOCH_S + 0.5, abs=1e-6)
    (later,) = sent(1_500_000, 10, seconds(EPOCH_S + 1 + 30e-6), now_s=1)
    assert shape([later]) == [(10, 60, False)]


def test_a_break_of_the_publisher_has_a_time_of_its_own():
    """As of a loop, whose times begin again: neither a loss nor a clock that was set."""
    sent = Sent()
    sent(0, 500_000, seconds(EPOCH_S))
    assert sent.notes
    (stretch,) = sent(500_000, 10, seconds(EPOCH_S), (NEW_SEGMENT, True))
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == EPOCH_S
    (unknown,) = sent(500_010, 10, (NEW_SEGMENT, True))
    assert math.isnan(unknown.first_s)
    assert sent.notes == []


def test_offsets_that_begin_again_have_a_time_of_their_own():
    sent = Sent()
    sent(500, 10, seconds(EPOCH_S))
    (stretch,) = sent(0, 10, seconds(EPOCH_S + 100))
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == EPOCH_S + 100


@pytest.mark.parametrize("begins_s", [0.35, 946_684_799.0, 4_102_444_801.0])
def test_a_clock_that_does_not_count_from_1970_tells_losses_alone(begins_s):
    sent = Sent()
    (stretch,) = sent(0, 10_000, seconds(begins_s))
    assert math.isnan(stretch.first_s)
    (note,) = sent.notes
    assert "is not UNIX time: it tells losses" in note
    (stretch,) = sent(10_000, 10, seconds(begins_s + 0.01 + 0.005), now_s=1)
    assert shape([stretch]) == [(10, 5_000, False)]


# -- losses --------------------------------------------------------------------------------


def test_what_a_radio_has_dropped_is_counted_where_it_is_missing():
    """As gr-uhd does it: a time at the first sample, and at the first behind an overflow."""
    sent = Sent()
    sent(0, 490_000, seconds(EPOCH_S + 0.999_999))
    missing = seconds(EPOCH_S + Fraction(1_499_999 + 12_345, 1_000_000))
    before, after = sent(490_000, 20_000, missing, at=500_000, now_s=1)[-2:]
    assert (len(before.data), before.lost) == (10_000 * SIZE, 0)
    assert (len(after.data), after.lost, after.is_new) == (10_000 * SIZE, 12_345, False)
    assert math.isnan(after.first_s)


def test_samples_lost_on_the_way_and_in_the_radio_are_both_counted():
    sent = Sent()
    sent(0, 500_000, seconds(EPOCH_S))
    (stretch,) = sent(500_700, 10, seconds(EPOCH_S + 0.5007 + 0.0003), now_s=1)
    assert shape([stretch]) == [(10, 700 + 300, False)]


@given(
    rate_hz=st.sampled_from([48e3, 250e3, 1e6, 2.4e6, 25e6 / 3, 20e6, 61.44e6]),
    begins=st.fractions(0, 2_000_000_000, max_denominator=10**9),
    steps=st.lists(st.tuples(st.integers(1_000_000, 10**10), st.integers(0, 900_000)), max_size=12),
)
def test_any_losses_are_counted_to_the_sample(rate_hz, begins, steps):
    """Against rational numbers."""
    sent = Sent(told_hz=rate_hz)
    rate, offset, taken = Fraction(rate_hz), 0, 0
    sent(0, 1, seconds(begins))
    for produced, lost in steps:
        lost = lost if lost > 2 + 2 * rate_hz * 1e-6 else 0
        sent.reader._next = offset + produced  # what lies between came too
        offset, taken = offset + produced, taken + produced + lost
        now = begins + Fraction(taken) / rate
        (stretch,) = sent(offset, 1, seconds(now), now_s=float(Fraction(taken) / rate))
        assert (stretch.lost, stretch.is_new) == (lost, False)


def test_a_rate_that_the_user_has_rounded_still_counts_to_the_sample():
    """An RTL-SDR at "2.4M" makes 2,400,000.05 samples/s; after an hour that is some 180."""
    sent = Sent(rate_hz=2.4e6, told_hz=2_400_000.05)
    sent(0, 1, seconds(EPOCH_S))
    n = 2_400_000 * 3600
    sent.reader._next = n
    (stretch,) = sent(n, 1, seconds(EPOCH_S + Fraction(n) / Fraction(2_400_000.05)), now_s=3600)
    assert shape([stretch]) == [(1, 0, False)]


def test_behind_a_decimator_no_false_loss_is_counted():
    """Its tags have the rate before it, and so ten times the samples."""
    sent = Sent(told_hz=10e6)
    sent(0, 1_000_000, seconds(EPOCH_S))
    assert sent.notes
    (stretch,) = sent(1_000_000, 10, seconds(EPOCH_S + 1 + 0.02), now_s=1)
    assert shape([stretch]) == [(10, 0, True)]
    (note,) = sent.notes
    assert "does not fit 10000000 samples/s" in note
    assert "--rate" in note


def test_behind_a_decimator_the_rate_that_the_user_says_counts_right():
    sent = Sent(rate_hz=1e6, told_hz=10e6)
    sent(0, 1_000_000, seconds(EPOCH_S))
    (stretch,) = sent(1_000_000, 10, seconds(EPOCH_S + 1 + 3.0), now_s=4)
    assert shape([stretch]) == [(10, 3_000_000, False)]


def test_without_a_rate_a_time_breaks_the_stream_and_counts_nothing():
    sent = Sent(told_hz=None)
    sent(0, 10, seconds(EPOCH_S))
    (stretch,) = sent(10, 10, seconds(EPOCH_S + 1), now_s=1)
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == EPOCH_S + 1


# -- what is no time, or no count ----------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [1.5, 3, True, None, "now", (), (1,), (1, 0.5, 0), (1.0, 0.5), (-1, 0.5), (1, -0.1), (1, 1.5),
     (1, math.nan), (1, math.inf), (True, 0.5), ("1", "0.5"), (Unsigned(2**64 - 1), 0.5)],
)  # fmt: skip
def test_a_time_that_is_none_is_told_once_and_not_used(value):
    sent = Sent()
    sent(0, 10, seconds(EPOCH_S))
    assert sent.notes
    (stretch,) = sent(10, 10, ("rx_time", value))
    assert shape([stretch]) == [(10, 0, False)]
    (note,) = sent.notes
    assert note.endswith("of the publisher is no time, and not used.")
    sent(20, 10, ("rx_time", value))
    assert sent.notes == []
    (stretch,) = sent(30, 10, seconds(EPOCH_S + 40e-6))  # what was known before still counts
    assert shape([stretch]) == [(10, 10, False)]


def test_a_clock_that_was_set_is_no_loss():
    """From when the radio was started to UNIX time, at once."""
    sent = Sent()
    sent(0, 500_000, seconds(3.0))
    assert sent.notes
    (stretch,) = sent(500_000, 10, seconds(EPOCH_S), now_s=0.5)
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == EPOCH_S
    (note,) = sent.notes
    assert "its clock was set" in note


def test_a_clock_that_was_set_back_breaks_the_stream_and_is_believed():
    sent = Sent()
    sent(0, 500_000, seconds(EPOCH_S))
    assert sent.notes
    (stretch,) = sent(500_000, 10, seconds(EPOCH_S - 1), now_s=0.5)
    assert shape([stretch]) == [(10, 0, True)]
    assert stretch.first_s == EPOCH_S - 1
    (note,) = sent.notes
    assert "goes back by 1.5 s against the count" in note


def test_times_that_do_not_count_samples_are_no_longer_used():
    """As of a program that tags by the clock of its host, now late and now early."""
    sent = Sent()
    found = []
    for k in range(20):
        late_s = 0.004 if k % 2 else 0.0
        found += sent(10_000 * k, 10_000, seconds(EPOCH_S + 0.01 * k + late_s), now_s=0.01 * k)
    assert not any(s.lost or s.is_new for s in found[7:])
    assert sum(s.lost for s in found) <= 3 * 4000
    assert "does not count its samples, and is not used any more" in " ".join(sent.notes)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**64 - 1),
            st.integers(0, 50),
            st.integers(0, 2**64 - 1),
            st.floats() | st.floats(0, 1),
        ),
        max_size=8,
    ),
    st.sampled_from([math.nan, 1e6]),
    st.sampled_from([None, 1e-3, 1e6, 9e11]),
)
def test_whatever_comes_no_sample_is_made_or_lost_without_end(messages, rate_hz, told_hz):
    sent = Sent(rate_hz, told_hz)
    for offset, n, whole_s, rest_s in messages:
        found = sent(offset, n, ("rx_time", (Unsigned(whole_s), rest_s)))
        assert sum(len(s.data) for s in found) == n * SIZE
        assert all(0 <= s.lost <= 2**41 for s in found)
        assert all(math.isnan(s.first_s) or 9e8 < s.first_s < 1e10 for s in found)
