"""Time stamps against the count of samples, apart from any device."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from liveclf.sources.soapy.reader import Read, Stamps

RATES_HZ = st.one_of(
    st.integers(10_000, 61_440_000).map(float), st.sampled_from([28.8e6 / 12, 2_399_999.985])
)
READS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(1, 200_000), st.booleans()),
    min_size=1,
    max_size=40,
)


@given(
    rate_hz=RATES_HZ,
    start_ns=st.integers(0, 2 * 10**18),
    reads=READS,
    off=st.floats(-1e-7, 1e-7),
)
def test_what_is_missing_adds_up_to_what_was_left_out(
    rate_hz: float, start_ns: int, reads: list[tuple[int, int, bool]], off: float
) -> None:
    # The radio's own clock is `off` from the rate it tells, and it stamps in whole ns.
    real_hz = Fraction(rate_hz) * (1 + Fraction(off))
    stamps, position, told = Stamps(rate_hz), 0, 0
    left_out = since_stamp = 0
    for i, (gap, n, stamped) in enumerate(reads):
        stamped = stamped or i == 0
        gap = gap if i else 0
        position += gap
        since_stamp += gap
        time_ns = start_ns + int(position * 10**9 / real_hz) if stamped else None
        missing = stamps.missing(Read(n, time_ns, False, False))
        assert (missing is None) == (not stamped or i == 0)
        if stamped:
            left_out, since_stamp = left_out + since_stamp, 0
            told += missing or 0
        position += n
    # A radio off by 1e-7 is off by less than half a sample between two stamps of 40 reads.
    assert told == left_out


def test_a_clock_that_was_set_back_is_no_gain_of_samples() -> None:
    stamps = Stamps(1e6)
    stamps.missing(Read(1000, 10**9, False, False))
    assert (stamps.missing(Read(1000, 0, False, False)) or 0) < 0
    assert stamps.missing(Read(1000, 10**6, False, False)) == 0
