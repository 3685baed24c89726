"""Messages to stretches: what is lost, what breaks, what rate and centre hold where."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.sources.zeromq.gnuradio_stream import NEW_SEGMENT, MessageReader
from liveclf.sources.zeromq.gnuradio_tags import Tag, build

NAN = math.nan


def reader(size: int = 8, rate: float = NAN, center: float = NAN, headed: bool | None = None):
    return MessageReader(size, rate, center, headed)


def push(to: MessageReader, *messages: bytes) -> list[tuple]:
    """Return (samples, lost, is_new, rate, centre) of each stretch, NaN as None."""
    return [
        (
            len(s.data) // to._size,
            s.lost,
            s.is_new,
            *(None if math.isnan(x) else x for x in (s.sample_rate_hz, s.center_hz)),
        )
        for message in messages
        for s in to.push(memoryview(message))
    ]


def message(offset: int, n: int, *tags: Tag, size: int = 8) -> bytes:
    return build(offset, tags) + bytes(n * size)


def test_messages_that_follow_each_other_are_one_stream():
    assert push(reader(), message(100, 5), message(105, 3)) == [
        (5, 0, False, None, None),
        (3, 0, False, None, None),
    ]


def test_a_jump_is_what_was_lost_exactly():
    found = push(reader(), message(0, 5), message(12, 3), message(15, 1), message(2**40 + 16, 1))
    assert [s[1] for s in found] == [0, 7, 0, 2**40]


@pytest.mark.parametrize("offset", [0, 4, 2**40 + 6, 2**64 - 1])
def test_back_or_beyond_belief_is_another_stream(offset):
    found = push(reader(rate=1e6), message(0, 5), message(offset, 3), message(offset + 3, 1)) if (
        offset < 2**64 - 3
    ) else push(reader(rate=1e6), message(0, 5), message(offset, 3))  # fmt: skip
    assert found[1] == (3, 0, True, 1e6, None)
    assert all(s[1:3] == (0, False) for s in found[2:])


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=20))
def test_received_and_lost_are_what_was_produced(steps):
    at, messages = 0, [message(0, 1)]
    at = 1
    for skipped, n in steps:
        messages.append(message(at + skipped, n))
        at += skipped + n
    found = push(reader(), *messages)
    assert sum(s[0] + s[1] for s in found) == at
    assert not any(s[2] for s in found)


# -- tags ----------------------------------------------------------------------------------


def test_rate_and_centre_hold_from_the_sample_that_they_tag():
    first = message(10, 8, Tag(10, "rx_rate", 1e6), Tag(10, "rx_freq", 433e6))
    second = message(20, 8, Tag(23, "rx_freq", 868e6), Tag(26, "rx_rate", 2_000_000))
    found = push(reader(), first, second)
    assert found == [
        (8, 0, True, 1e6, 433e6),
        (3, 2, False, 1e6, 433e6),
        (3, 0, True, 1e6, 868e6),
        (2, 0, True, 2e6, 868e6),
    ]


def test_tags_that_say_what_is_known_break_nothing():
    tags = (Tag(0, "rx_rate", 1e6), Tag(0, "rx_freq", 433e6), Tag(3, "burst", True))
    found = push(reader(), message(0, 5, *tags), message(5, 5, *tags))
    assert [s[:3] for s in found] == [(5, 0, True), (5, 0, False)]


def test_flags_go_over_tags():
    to = reader(rate=250e3, center=1e9)
    found = push(to, message(0, 5, Tag(0, "rx_rate", 1e6), Tag(0, "rx_freq", 433e6)))
    assert found == [(5, 0, False, 250e3, 1e9)]
    assert to.told_rate_hz == 1e6


@pytest.mark.parametrize(
    "value", [0.0, -1.0, NAN, math.inf, 1e300, "fast", None, True, (1.0,), 1 + 0j]
)
def test_a_rate_that_is_none_changes_nothing(value):
    found = push(reader(), message(0, 5, Tag(0, "rx_rate", value)))
    assert found == [(5, 0, False, None, None)]


@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf, 1e300, "here", None, True])
def test_a_centre_that_is_none_changes_nothing(value):
    found = push(reader(), message(0, 5, Tag(0, "rx_freq", value)))
    assert found == [(5, 0, False, None, None)]


@pytest.mark.parametrize("position", [0, 3, 8, 99])
def test_a_tag_at_the_edge_or_outside_loses_no_sample(position):
    found = push(reader(), message(0, 8, Tag(position, "rx_freq", 1e6)), message(8, 4))
    assert sum(s[0] for s in found) == 12
    breaks = [sum(s[0] for s in found[:k]) for k, s in enumerate(found) if s[2]]
    assert breaks == [min(position, 8)]
    assert found[-1][4] == 1e6


def test_a_break_that_the_publisher_marks_is_one_and_false_is_none():
    marked = message(5, 5, Tag(5, NEW_SEGMENT, True))
    found = push(reader(), message(0, 5), marked, message(10, 5, Tag(10, NEW_SEGMENT, False)))
    assert [s[2] for s in found] == [False, True, False]


# -- with and without headers --------------------------------------------------------------


def test_what_begins_without_a_header_stays_without():
    to = reader()
    later = message(7, 3)  # 43 bytes: as samples of 8 bytes it would not do
    assert push(to, bytes(80)) == [(10, 0, False, None, None)]
    assert to.headed is False
    with pytest.raises(ValueError, match="43 bytes of samples, not a multiple of 8"):
        push(to, later)


def test_what_begins_with_a_header_has_to_go_on_with_them():
    to = reader()
    push(to, message(0, 5))
    assert to.headed is True
    with pytest.raises(ValueError, match="begins with 000000"):
        push(to, bytes(80))


SAMPLES = np.random.default_rng(3)


@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_samples_that_begin_like_a_header_are_no_header(size):
    """A header without tags has 19 bytes, so a message of whole samples is never one."""
    data = build(0) + SAMPLES.bytes(19 * size)
    whole = data[: len(data) // size * size]
    to = reader(size)
    assert push(to, whole) == [(len(whole) // size, 0, False, None, None)]
    assert to.headed is False


@given(st.binary(min_size=13, max_size=93), st.sampled_from([2, 4, 8, 16]))
def test_samples_that_begin_like_tags_are_no_header(data, size):
    whole = (b"\xf0\x5f\x01" + data)[: (3 + len(data)) // size * size]
    to = reader(size)
    push(to, whole)
    assert to.headed is False


@pytest.mark.parametrize("headed", [True, False])
def test_what_the_user_says_of_headers_is_not_asked_again(headed):
    to = reader(2, headed=headed)
    if headed:
        with pytest.raises(ValueError, match="begins with"):
            push(to, bytes(80))
    else:
        assert push(to, build(0) + bytes(21)) == [(20, 0, False, None, None)]


def test_a_rest_of_a_sample_is_an_error_and_not_kept():
    with pytest.raises(ValueError, match="41 bytes of samples, not a multiple of 8"):
        push(reader(headed=True), message(0, 5) + b"x")


@given(st.lists(st.binary(max_size=80), max_size=5), st.booleans())
def test_hostile_messages_are_taken_or_refused_and_count_no_more_than_came(datas, headed):
    to = reader(2, headed=headed)
    start = build(2**40 - 3, [Tag(0, "rx_rate", 1.0)])[:3] if headed else b""
    for data in datas:
        try:
            found = push(to, start + data)
        except ValueError:
            continue
        assert sum(s[0] for s in found) <= len(start + data) // 2
        assert all(0 <= s[1] <= 2**40 for s in found)
