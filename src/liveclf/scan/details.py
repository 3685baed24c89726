"""The records of one recording, in a file that is there whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from liveclf.errors import SinkError
from liveclf.protocols import Sink
from liveclf.records import Detection, Detections
from liveclf.sinks.csv import CsvSink
from liveclf.sinks.jsonl import JsonlSink
from liveclf.sinks.stream import ByteStream, open_file

FOLDER = "details"
_KINDS: dict[str, Callable[[ByteStream], Sink[Detections]]] = {
    "jsonl": JsonlSink,
    "csv": lambda stream: CsvSink(stream, Detection),
}
_STEM_CHARACTERS = 80  # with what is added below the 255 bytes that file systems take


def name_of(recording: str, kind: str) -> str:
    """Return the file of a recording's records, below the folder of the results.

    The name of the recording as far as every file system takes it, and the beginning of the
    SHA-256 of its path, so that two recordings of one name do not meet.
    """
    stem = re.sub(r"[^\w.-]", "_", Path(recording).name, flags=re.ASCII)[:_STEM_CHARACTERS]
    digest = hashlib.sha256(os.fsencode(recording)).hexdigest()[:16]
    return f"{FOLDER}/{stem}-{digest}.{kind}"


@contextmanager
def records_at(path: Path, kind: str) -> Iterator[Sink[Detections]]:
    """Yield a sink whose file appears at `path` when all is written.

    Raises:
        SinkError: It cannot be written.
    """
    new = path.with_name(f".{path.stem[-40:]}.{os.getpid()}.tmp")
    sink = _KINDS[kind](open_file(f"Details {path}", new))
    try:
        yield sink
    except BaseException:
        with suppress(SinkError, OSError):
            sink.close({})
        with suppress(OSError):
            new.unlink()
        raise
    try:
        sink.close({})
        os.replace(new, path)
    except OSError as error:
        raise SinkError(f"Details {path} cannot be written: {error.strerror}.") from None


def sweep(folder: Path) -> None:
    """Remove what workers that were killed left half written."""
    for left in folder.glob(".*.tmp"):
        with suppress(OSError):
            left.unlink()
