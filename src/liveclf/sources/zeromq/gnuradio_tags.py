"""The header that GNU Radio's ZeroMQ blocks put before the samples when they pass tags.

    u16 0x5FF0, u8 version 1, u64 offset, u64 number of tags,
    then for each tag: u64 offset, and key, value and source as PMT,
    then the samples

The numbers of the header are as the machine stores them, little endian wherever GNU Radio
is met today; those within a PMT are big endian. `offset` is the absolute index of the first
sample, so that a jump tells exactly how many were lost.

What arrives may be anything; whatever is no such message is a ValueError, soon.

Source: GNU Radio 3.10, gr-zeromq tag_headers.h and what its `pmt.serialize_str` writes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from liveclf.sources.zeromq.pmt import Reader, encode

MAGIC = 0x5FF0
VERSION = 1
START = struct.pack("<HB", MAGIC, VERSION)
"""What a message with tags begins with."""

_HEADER = struct.Struct("<HBQQ")
_OFFSET = struct.Struct("<Q")
_LEAST_TAG_BYTES = 8 + 3  # an offset and three values of a byte


@dataclass(frozen=True, slots=True)
class Tag:
    """Something said about a sample.

    Attributes:
        offset: Absolute index of the sample.
        key: What it is about, such as "rx_rate".
        value: As `pmt.Reader.value` reads it.
    """

    offset: int
    key: str
    value: Any


@dataclass(frozen=True, slots=True)
class Headed:
    """A message that was taken apart.

    Attributes:
        offset: Absolute index of the first sample.
        tags: As they came.
        payload: The samples.
    """

    offset: int
    tags: tuple[Tag, ...]
    payload: memoryview


def parse(message: bytes | memoryview) -> Headed:
    """Take a message with tags apart.

    Raises:
        ValueError: It is none.
    """
    data = memoryview(message).cast("B")
    if len(data) < _HEADER.size:
        raise ValueError(f"a message of {len(data)} bytes is too short for a tag header")
    magic, version, offset, n_tags = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION:
        raise ValueError(f"a message begins with {bytes(data[:3]).hex()}, not {START.hex()}")
    if n_tags * _LEAST_TAG_BYTES > len(data) - _HEADER.size:
        raise ValueError(f"a message of {len(data)} bytes cannot hold the {n_tags} tags it claims")
    reader = Reader(data, _HEADER.size)
    tags = tuple(_tag(reader) for _ in range(n_tags))
    return Headed(offset, tags, data[reader.at :])


def build(offset: int, tags: Iterable[Tag] = ()) -> bytes:
    """Write the header that goes before the samples.

    Args:
        offset: Absolute index of the first sample.
        tags: With values that `pmt.encode` can write.
    """
    parts = [
        _OFFSET.pack(tag.offset) + encode(tag.key) + encode(tag.value) + encode(False)
        for tag in tags
    ]
    return b"".join([_HEADER.pack(MAGIC, VERSION, offset, len(parts)), *parts])


def _tag(reader: Reader) -> Tag:
    """Read a tag; what made it is not kept."""
    (offset,) = _OFFSET.unpack(reader.take(_OFFSET.size))
    key, value, _ = reader.value(), reader.value(), reader.value()
    if not isinstance(key, str):
        raise ValueError("the key of a tag is no symbol")
    return Tag(offset, key, value)
