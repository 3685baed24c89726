"""Headers of GNU Radio's ZeroMQ blocks: read as written, and hostile ones refused soon."""

from __future__ import annotations

import struct
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.sources.zeromq.gnuradio_tags import Tag, build, parse
from liveclf.sources.zeromq.pmt import Pair, Unsigned, encode

# What pmt.serialize_str of GNU Radio 3.10.5 printed for the value on the right.
WRITTEN_BY_GNURADIO = [
    ("00", True),
    ("01", False),
    ("06", None),
    ("020003616263", "abc"),
    ("03fffffffb", -5),
    ("0d0000010000000000", 2**40),
    ("0b0000000000000007", 7),
    ("043ff8000000000000", 1.5),
    ("053ff00000000000004000000000000000", 1 + 2j),
    ("0703000000010300000002", Pair(1, 2)),
    ("07030000000107030000000206", [1, 2]),
    ("0c000000020b0000000000000003043fd0000000000000", (3, 0.25)),
    ("09070200016b030000000106", {"k": 1}),
    ("080000000203000000090300000009", [9, 9]),
    (
        "09070200016c0703000000010703000000020609070200016d0609070200016b030000000106",
        {"k": 1, "m": [], "l": [1, 2]},
    ),
]
ARRAYS_BY_GNURADIO = [
    ("0a00000000030100010203", [1, 2, 3]),
    ("0a030000000201000001fffe", [1, -2]),
    ("0a080000000201003f80000040000000", [1, 2]),
    ("0a090000000101003ff0000000000000", [1]),
    ("0a0a0000000101003f80000040000000", [1 + 2j]),
]


def one_tag(value: bytes) -> bytes:
    """Write a message with one tag by the layout, not by our own writer."""
    tag = struct.pack("<Q", 5) + b"\x02\x00\x01k" + value + b"\x01"
    return struct.pack("<HBQQ", 0x5FF0, 1, 3, 1) + tag + b"payload"


@pytest.mark.parametrize(("hexadecimal", "value"), WRITTEN_BY_GNURADIO)
def test_what_gnuradio_writes_is_read(hexadecimal, value):
    found = parse(one_tag(bytes.fromhex(hexadecimal)))
    assert (found.offset, bytes(found.payload)) == (3, b"payload")
    assert found.tags == (Tag(5, "k", value),)
    assert type(found.tags[0].value) is type(value)


@pytest.mark.parametrize(("hexadecimal", "values"), ARRAYS_BY_GNURADIO)
def test_arrays_that_gnuradio_writes_are_read(hexadecimal, values):
    (tag,) = parse(one_tag(bytes.fromhex(hexadecimal))).tags
    assert tag.value.tolist() == values


@pytest.mark.parametrize(
    "number", [0, 1, 2, 3, 4, 5, 6, 7, 11], ids=lambda n: str(WRITTEN_BY_GNURADIO[n][1])
)
def test_what_is_written_is_what_gnuradio_writes(number):
    hexadecimal, value = WRITTEN_BY_GNURADIO[number]
    if hexadecimal.startswith("0b"):
        value = Unsigned(value)
    elif isinstance(value, tuple):
        value = (Unsigned(value[0]), value[1])
    assert encode(value).hex() == hexadecimal


def test_a_header_is_written_by_the_layout():
    message = build(7, [Tag(9, "rx_rate", 1e6)]) + b"xy"
    expected = struct.pack("<HBQQ", 0x5FF0, 1, 7, 1) + struct.pack("<Q", 9)
    expected += b"\x02\x00\x07rx_rate" + b"\x04" + struct.pack(">d", 1e6) + b"\x01"
    assert message == expected + b"xy"
    assert len(build(7)) == 19


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=6,
)
tags = st.builds(Tag, st.integers(0, 2**64 - 1), st.text(max_size=9), values)


@given(st.integers(0, 2**64 - 1), st.lists(tags, max_size=3), st.binary(max_size=64))
def test_what_is_written_is_read(offset, written, payload):
    found = parse(build(offset, written) + payload)
    assert (found.offset, list(found.tags), bytes(found.payload)) == (offset, written, payload)


@pytest.mark.parametrize("value", [2**63, [1], "x" * 2**16, b"x"])
def test_what_cannot_be_written_is_refused(value):
    with pytest.raises(ValueError, match="cannot be written"):
        encode(value)


# -- hostile bytes -------------------------------------------------------------------------


def parsed(data: bytes) -> None:
    """Parse; anything but a result and a ValueError fails the test."""
    try:
        found = parse(data)
    except ValueError:
        return
    assert len(found.payload) <= len(data)


@given(st.binary(max_size=300))
def test_bytes_behind_a_header_are_read_or_refused(data):
    parsed(data)
    for n_tags in (1, 3, 2**64 - 1):
        parsed(struct.pack("<HBQQ", 0x5FF0, 1, 0, n_tags) + data)


@given(st.lists(st.sampled_from(range(14)) | st.integers(0, 255), max_size=200).map(bytes))
def test_bytes_that_look_like_values_are_read_or_refused(data):
    parsed(one_tag(data))


@given(st.sampled_from(WRITTEN_BY_GNURADIO + ARRAYS_BY_GNURADIO), st.data())
def test_a_message_with_any_byte_changed_or_cut_anywhere_is_read_or_refused(written, data):
    message = bytearray(one_tag(bytes.fromhex(written[0])))
    at = data.draw(st.integers(0, len(message) - 1))
    parsed(bytes(message[:at]))
    message[at] = data.draw(st.integers(0, 255))
    parsed(bytes(message))


MIB = 2**20
BOMBS = {
    "nested tuples": b"\x0c\x00\x00\x00\x01" * (4 * MIB // 5),
    "nested pairs": b"\x07" * (4 * MIB),
    "nested dictionaries": b"\x09" * (4 * MIB),
    "a chain of pairs": b"\x07\x06" * (2 * MIB) + b"\x06",
    "a chain without an end": b"\x07\x06" * 40_000 + b"\x00",
    "a dictionary of entries without keys": b"\x09\x07\x06\x06" * MIB,
    "four thousand million items": b"\x0c\xff\xff\xff\xff" + b"\x06" * (4 * MIB),
    "a vector of vectors": b"\x08\xff\xff\xff\xff" * (4 * MIB // 5),
    "an array longer than the message": b"\x0a\x0b\xff\xff\xff\xff\x00" + bytes(4 * MIB),
    "an array of an unknown type": b"\x0a\x0c\x00\x00\x00\x01\x00" + bytes(99),
    "an unknown kind": b"\x0e" * 99,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_soon_and_takes_no_memory(name):
    message = one_tag(BOMBS[name])
    tracemalloc.start()
    try:
        began_s = time.monotonic()
        with pytest.raises(ValueError, match=r"a tag|a message|a dictionary"):
            parse(message)
        assert time.monotonic() - began_s < 10
        assert tracemalloc.get_traced_memory()[1] < 32 * MIB
    finally:
        tracemalloc.stop()


def test_more_tags_than_are_sane_are_refused():
    message = build(0, [Tag(0, "", None)] * 20_000)
    with pytest.raises(ValueError, match="over 50000 values"):
        parse(message)
    assert len(parse(build(0, [Tag(0, "", None)] * 10_000)).tags) == 10_000


def test_an_array_is_a_copy_that_keeps_no_message_alive():
    message = bytearray(one_tag(bytes.fromhex(ARRAYS_BY_GNURADIO[0][0])))
    (tag,) = parse(message).tags
    message[:] = bytes(len(message))
    np.testing.assert_array_equal(tag.value, [1, 2, 3])
