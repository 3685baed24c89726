"""Outputs: one file per sink, one table of them.

To add one: a file with a class that has `write` and `close` (`protocols.Sink`),
a function here that imports and opens it, and a line in `SINKS`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from liveclf.errors import SinkError, UsageError
from liveclf.protocols import Sink
from liveclf.records import StreamInfo
from liveclf.sinks.stream import ByteStream, open_file, standard_output
from liveclf.sinks.worker import REPLAY_WAIT_S, FanOut, SinkReport, Worker

__all__ = ["SINKS", "FanOut", "OutputSpec", "SinkReport", "open_sinks", "parse_outputs"]

AUTO = "auto"


def _jsonl(stream: ByteStream, info: StreamInfo) -> Sink:
    from liveclf.sinks.jsonl import JsonlSink

    return JsonlSink(stream)


def _csv(stream: ByteStream, info: StreamInfo) -> Sink:
    from liveclf.sinks.csv import CsvSink

    return CsvSink(stream)


def _table(stream: ByteStream, info: StreamInfo) -> Sink:
    from liveclf.sinks.table import open_table

    return open_table(stream, info)


def _null(stream: ByteStream, info: StreamInfo) -> Sink:
    from liveclf.sinks.null import NullSink

    return NullSink()


@dataclass(frozen=True, slots=True)
class SinkKind:
    """One line of the table of sinks.

    Attributes:
        open: Imports the sink's module and makes the sink.
        takes_file: Whether KIND:FILE is meant.
        uses_stdout: Whether it writes to standard output where no file is given.
    """

    open: Callable[[ByteStream, StreamInfo], Sink]
    takes_file: bool
    uses_stdout: bool


SINKS: Mapping[str, SinkKind] = MappingProxyType(
    {
        "csv": SinkKind(_csv, takes_file=True, uses_stdout=True),
        "jsonl": SinkKind(_jsonl, takes_file=True, uses_stdout=True),
        "null": SinkKind(_null, takes_file=False, uses_stdout=False),
        "table": SinkKind(_table, takes_file=False, uses_stdout=True),
    }
)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One `--output`, taken apart.

    Attributes:
        name: As messages call it: KIND or KIND:FILE.
        kind: A key of `SINKS`.
        file: None for standard output, or for no output at all.
    """

    name: str
    kind: str
    file: Path | None


def parse_outputs(outputs: Sequence[str]) -> list[OutputSpec]:
    """Read the values of `--output`, before anything is opened.

    Args:
        outputs: Each KIND or KIND:FILE; `auto` is a table on a terminal and JSON
            lines elsewhere, and the file `-` is standard output.

    Raises:
        UsageError: A value is wrong, or two of them are in conflict.
    """
    parsed: list[OutputSpec] = []
    taken: dict[Path | None, str] = {}
    for text in outputs:
        output = _parse(text)
        parsed.append(output)
        if output.file is None and not SINKS[output.kind].uses_stdout:
            continue
        place = None if output.file is None else Path(os.path.realpath(output.file))
        if place in taken:
            where = "standard output" if place is None else f"the file {output.file}"
            raise UsageError(
                f"--output {text} and --output {taken[place]} both write to {where}; "
                "give one of them a file of its own, as in csv:FILE."
            )
        taken[place] = text
    return parsed


def open_sinks(
    outputs: Sequence[str], *, is_live: bool, info: StreamInfo, wait_s: float = REPLAY_WAIT_S
) -> FanOut:
    """Open every output and start its thread.

    Args:
        outputs: The values of `--output`.
        is_live: Whether the source will not wait for a slow output.
        info: The stream, for the table's title.
        wait_s: Longest wait for a slow output, on a replay.

    Raises:
        UsageError: A value is wrong, or two of them are in conflict.
        SinkError: An output cannot be opened.
    """
    parsed = parse_outputs(outputs)
    for output in parsed:
        _protect_input(output, info)
    streams: list[ByteStream] = []
    try:
        for output in parsed:
            streams.append(_open_stream(output))
    except SinkError:
        for stream in streams:
            with contextlib.suppress(SinkError):
                stream.close()
        raise
    # No thread starts before everything is open.
    sinks = [SINKS[o.kind].open(s, info) for o, s in zip(parsed, streams, strict=True)]
    return FanOut(
        [
            Worker(output.name, sink, is_live=is_live, wait_s=wait_s)
            for output, sink in zip(parsed, sinks, strict=True)
        ]
    )


def _parse(text: str) -> OutputSpec:
    kind, colon, file = text.partition(":")
    if kind == AUTO:
        if colon:
            raise UsageError(
                f"--output {text!r}: auto takes no file; name the kind, as in jsonl:FILE."
            )
        kind = "table" if _stdout_is_terminal() else "jsonl"
        return OutputSpec(kind, kind, None)
    if kind not in SINKS:
        known = ", ".join(sorted([AUTO, *SINKS]))
        raise UsageError(
            f"--output {text!r} is not KIND or KIND:FILE with one of the kinds {known}, "
            "such as jsonl:FILE."
        )
    if not colon:
        return OutputSpec(kind, kind, None)
    if not SINKS[kind].takes_file:
        raise UsageError(f"--output {text!r}: {kind} takes no file; give --output {kind} alone.")
    if not file:
        raise UsageError(f"--output {text!r} has no file name after the colon.")
    if file == "-":
        return OutputSpec(kind, kind, None)
    file = os.path.expanduser(file)  # no shell expands ~ after a colon
    return OutputSpec(text, kind, Path(file))


def _stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _protect_input(output: OutputSpec, info: StreamInfo) -> None:
    if output.file is None:
        return
    for read in info.files:
        with contextlib.suppress(OSError, ValueError):
            if output.file.samefile(read):
                raise UsageError(f"--output {output.name} would overwrite {read}, which is read.")


def _open_stream(output: OutputSpec) -> ByteStream:
    if output.file is not None:
        return open_file(output.name, output.file)
    if SINKS[output.kind].uses_stdout:
        return standard_output(output.name)
    return ByteStream(output.name, -1, owned=False)  # never written to
