"""The emissions of a picture: taken as they are told, or read from a file of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from liveclf.emissions import Emission
from liveclf.errors import SourceError

MOST_EMISSIONS = 10_000
_MOST_LINE_BYTES = 1 << 20


class Collection:
    """Keeps the last that was told of each emission.

    Attributes:
        n_over: Emissions that were told of when there was room for no more.
    """

    def __init__(self, most: int = MOST_EMISSIONS) -> None:
        """Begin with none.

        Args:
            most: Emissions that are kept.
        """
        self._most = most
        self._last: dict[tuple[int, int], Emission] = {}
        self._over = 0, 0  # stream and id of the newest that had no room
        self.n_over = 0

    def add(self, emission: Emission) -> None:
        """Take what is told of one: a first time, or again."""
        key = emission.stream, emission.id
        if key in self._last or len(self._last) < self._most:
            self._last[key] = emission
        elif key > self._over:  # ids only grow; told again it is no further one
            self._over = key
            self.n_over += 1

    def records(self) -> list[Emission]:
        """Return the last record of each, in the order in which they were first told."""
        return list(self._last.values())


def read_emissions(path: Path, source: str) -> Collection:
    """Read what `liveclf run -o jsonl:FILE` wrote of a recording.

    Args:
        path: JSON lines; of several lines of one emission the last counts.
        source: Name of the recording: where the file is of several streams, those of that
            name are taken.

    Raises:
        SourceError: It cannot be read, a line is no emission, or several streams are in it
            and none is of that name.
    """
    decoder = msgspec.json.Decoder(Emission)
    mine, all_of_them = Collection(), Collection()
    streams: dict[int, str] = {}
    try:
        with path.open("rb") as file:
            for number, line in enumerate(_lines(file, path), 1):
                if not line.strip():
                    continue
                emission = _decoded(decoder, line, number, path)
                if len(streams) < MOST_EMISSIONS:
                    streams.setdefault(emission.stream, emission.source)
                all_of_them.add(emission)
                if emission.source == source:
                    mine.add(emission)
    except (OSError, ValueError) as error:  # a name with a NUL in it is a ValueError
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise SourceError(f"Emissions {path} cannot be read: {reason}.") from None
    if len(streams) < 2:
        return all_of_them
    if not mine.records():
        names = ", ".join(list(dict.fromkeys(streams.values()))[:5])
        raise SourceError(
            f"Emissions {path} are of {len(streams)} streams ({names}) and none of them is"
            f" {source}; give the recording that they were found in."
        )
    return mine


def _lines(file: Iterable[bytes], path: Path) -> Iterable[bytes]:
    for line in file:
        if len(line) > _MOST_LINE_BYTES:
            raise SourceError(f"Emissions {path} has a line of {len(line):,} bytes: it is none.")
        yield line


def _decoded(
    decoder: msgspec.json.Decoder[Emission], line: bytes, number: int, path: Path
) -> Emission:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SourceError(
            f"Emissions {path}, line {number} is no emission ({error}); give a file that"
            " liveclf run -o jsonl:FILE wrote of emissions."
        ) from None
