"""GNU Radio's polymorphic types (PMT) as bytes: what its tags say, read and written.

A value begins with a byte that tells its kind; numbers are big endian. What arrives may be
anything: every length is checked, nesting and the number of values are bounded, and
whatever does not fit is a ValueError.

Source: GNU Radio 3.10, what its `pmt.serialize_str` writes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A graph tags a burst or a packet, hundreds in a message at most; a value within another
# within another is a dictionary of tuples.
_MOST_VALUES = 50_000
_DEEPEST = 16

_TRUE, _FALSE, _SYMBOL, _INT32, _DOUBLE, _COMPLEX, _NULL = range(7)
_PAIR, _VECTOR, _DICT, _UNIFORM, _UINT64, _TUPLE, _INT64 = range(7, 14)

_UNIFORM_TYPES = tuple(
    np.dtype(code)
    for code in ("u1", "i1", ">u2", ">i2", ">u4", ">i4", ">u8", ">i8", ">f4", ">f8", ">c8", ">c16")
)


class Unsigned(int):
    """A whole number to be written as GNU Radio's uint64, as in the time of a sample."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that does not end a list, as Lisp has it."""

    first: Any
    second: Any


def encode(value: Any) -> bytes:
    """Write a value as PMT.

    Raises:
        ValueError: There is no way to write it here.
    """
    match value:
        case None:
            return bytes([_NULL])
        case bool():
            return bytes([_TRUE if value else _FALSE])
        case Unsigned() if 0 <= value < 2**64:
            return struct.pack(">BQ", _UINT64, value)
        case int() if -(2**31) <= value < 2**31:
            return struct.pack(">Bi", _INT32, value)
        case int() if -(2**63) <= value < 2**63:
            return struct.pack(">Bq", _INT64, value)
        case float():
            return struct.pack(">Bd", _DOUBLE, value)
        case complex():
            return struct.pack(">Bdd", _COMPLEX, value.real, value.imag)
        case str() if len(text := value.encode()) < 2**16:
            return struct.pack(">BH", _SYMBOL, len(text)) + text
        case tuple():
            return struct.pack(">BI", _TUPLE, len(value)) + b"".join(map(encode, value))
    raise ValueError(f"{type(value).__name__} {value!r} cannot be written as a tag")


class Reader:
    """Reads values one after the other, and no more of them than is sane."""

    def __init__(self, data: memoryview, at: int) -> None:
        """Begin at byte `at`."""
        self.at = at
        self._data = data
        self._left = _MOST_VALUES

    def value(self) -> Any:
        """Read the next value.

        Returns:
            None, bool, int, float, complex, str, tuple, list (of a vector, or of a chain of
            pairs that ends in null), dict, `Pair` or an array.

        Raises:
            ValueError: It is none, or goes beyond the end.
        """
        return self._value(0)

    def take(self, size: int) -> memoryview:
        """Read the next bytes.

        Raises:
            ValueError: There are less.
        """
        part = self._data[self.at : self.at + size]
        if len(part) != size:
            raise ValueError("a message ends within its tags")
        self.at += size
        return part

    def _value(self, depth: int) -> Any:
        return self._rest_of(self.take(1)[0], depth)

    def _rest_of(self, kind: int, depth: int) -> Any:
        """Read a value whose first byte has been read."""
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise ValueError(f"a tag has over {_MOST_VALUES} values, or over {_DEEPEST} in another")
        if (read := _READ.get(kind)) is None:
            raise ValueError(f"a tag has a value of the unknown kind {kind}")
        return read(self, depth)

    def _number(self, layout: str) -> Any:
        return struct.unpack(layout, self.take(struct.calcsize(layout)))[0]

    def _symbol(self, _: int) -> str:
        return bytes(self.take(self._number(">H"))).decode("utf-8", "replace")

    def _items(self, depth: int) -> tuple[Any, ...]:
        return tuple(self._value(depth + 1) for _ in range(self._number(">I")))

    def _chain(self, depth: int) -> Any:
        """Read pairs whose second is a pair again, without a call for each."""
        firsts, kind = [self._value(depth + 1)], self.take(1)[0]
        while kind == _PAIR:
            self._left -= 1
            firsts.append(self._value(depth + 1))
            kind = self.take(1)[0]
        end = self._rest_of(kind, depth + 1)
        if end is None:
            return firsts
        if len(firsts) > _DEEPEST:
            raise ValueError("a tag has a long chain of pairs that does not end in null")
        for first in reversed(firsts):
            end = Pair(first, end)
        return end

    def _dict(self, depth: int) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        while True:
            match self._value(depth + 1):
                case Pair(first=key, second=value):
                    pass
                case [key, *value]:  # a list as value makes one longer list of the entry
                    pass
                case _:
                    key = value = None
            if not isinstance(key, str | int | float | complex):
                raise ValueError("a dictionary in a tag has an entry without a usable key")
            found.setdefault(key, value)
            kind = self.take(1)[0]
            if kind == _NULL:
                return found
            if kind != _DICT:
                raise ValueError("a dictionary in a tag has no end")

    def _uniform(self, _: int) -> NDArray[Any]:
        kind, n_items = self._number(">B"), self._number(">I")
        self.take(self._number(">B"))  # bytes that align what follows
        if kind >= len(_UNIFORM_TYPES):
            raise ValueError(f"a tag has an array of the unknown kind {kind}")
        dtype = _UNIFORM_TYPES[kind]
        return np.frombuffer(bytes(self.take(n_items * dtype.itemsize)), dtype)


_READ: dict[int, Callable[[Reader, int], Any]] = {
    _TRUE: lambda reader, depth: True,
    _FALSE: lambda reader, depth: False,
    _NULL: lambda reader, depth: None,
    _INT32: lambda reader, depth: reader._number(">i"),
    _INT64: lambda reader, depth: reader._number(">q"),
    _UINT64: lambda reader, depth: reader._number(">Q"),
    _DOUBLE: lambda reader, depth: reader._number(">d"),
    _COMPLEX: lambda reader, depth: complex(reader._number(">d"), reader._number(">d")),
    _SYMBOL: Reader._symbol,
    _PAIR: Reader._chain,
    _DICT: Reader._dict,
    _VECTOR: lambda reader, depth: list(reader._items(depth)),
    _TUPLE: Reader._items,
    _UNIFORM: Reader._uniform,
}
