"""Outputs: one file per sink, one table of them.

To add one: a file with a class that has `write` and `close` (`protocols.Sink`),
a function here that imports and opens it, and a line in `SINKS`. One that writes
bytes gets them a place from `_stream`; one that connects does that itself, and
tells what did not arrive (`worker.Remote`).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from liveclf.emissions import Emission, Emissions
from liveclf.errors import UsageError
from liveclf.protocols import Sink
from liveclf.records import Detection, Detections, StreamInfo
from liveclf.sinks.stream import ByteStream, open_file, standard_output
from liveclf.sinks.worker import REPLAY_WAIT_S, FanOut, SinkReport, Worker

if TYPE_CHECKING:
    from liveclf.sinks.broker import Broker
    from liveclf.sinks.zeromq import Endpoint

__all__ = ["SINKS", "FanOut", "OutputSpec", "Reports", "SinkReport", "open_sinks", "parse_outputs"]

AUTO = "auto"

Reports = type[Detections] | type[Emissions]
"""What will be told: windows, or emissions."""


def _jsonl(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.jsonl import JsonlSink

    return JsonlSink(_stream("jsonl", target))


def _csv(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.csv import CsvSink

    return CsvSink(_stream("csv", target), Emission if reports is Emissions else Detection)


def _table(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.table import open_table

    stream = _stream("table", target)
    if reports is Emissions:
        from liveclf.sinks.emission_rows import EmissionRows

        return open_table(stream, info, EmissionRows)
    from liveclf.sinks.window_rows import WindowRows

    return open_table(stream, info, WindowRows)


def _sigmf(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.sigmf import SigmfSink
    from liveclf.sinks.sigmf_metadata import dataset_of

    name = f"sigmf:{target}"
    if reports is not Emissions:
        raise UsageError(
            f"--output {name} annotates emissions, and this run tells windows; leave out"
            " --no-detect."
        )
    return SigmfSink(_path(target or ""), dataset_of(info, name), name)


def _null(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.null import NullSink

    return NullSink()


def _endpoint(target: str) -> Endpoint:
    from liveclf.sinks.zeromq import endpoint_of

    return endpoint_of(target)


def _zmq(target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.zeromq import ZeroMqSink

    return ZeroMqSink(_endpoint(target or ""), waits=not info.is_live)


def _broker(scheme: str, target: str) -> Broker:
    from liveclf.sinks.broker import broker_of

    return broker_of(scheme, target)


def _mqtt(scheme: str, target: str | None, info: StreamInfo, reports: Reports) -> Sink[Any]:
    from liveclf.sinks.mqtt import MqttSink

    return MqttSink(_broker(scheme, target or ""))


def _stream(kind: str, target: str | None) -> ByteStream:
    """Open the file that is the target, or standard output where there is none."""
    if target is None:
        return standard_output(kind)
    return open_file(f"{kind}:{target}", _path(target))


def _path(target: str) -> Path:
    return Path(os.path.expanduser(target))  # no shell expands ~ after a colon


@dataclass(frozen=True, slots=True)
class SinkKind:
    """One line of the table of sinks.

    Attributes:
        open: Imports the sink's module and opens the sink, given what follows the
            colon (None: nothing), the stream, and what will be told of it. Raises a
            LiveclfError.
        target: What may follow the colon: a "file"; an "address", which has to be given
            and means what the sink says; or nothing.
        uses_stdout: Whether it writes to standard output where no target is given; a
            file has else to be given.
        extends: Whether it may be given a file that is read, as it keeps what is there.
        check: Reads an address, so that a wrong one is told before anything is opened.
            Raises a UsageError.
    """

    open: Callable[[str | None, StreamInfo, Reports], Sink[Any]]
    target: Literal["file", "address"] | None
    uses_stdout: bool
    extends: bool = False
    check: Callable[[str], object] | None = None


SINKS: Mapping[str, SinkKind] = MappingProxyType(
    {
        "csv": SinkKind(_csv, target="file", uses_stdout=True),
        "jsonl": SinkKind(_jsonl, target="file", uses_stdout=True),
        "mqtt": SinkKind(
            partial(_mqtt, "mqtt"),
            target="address",
            uses_stdout=False,
            check=partial(_broker, "mqtt"),
        ),
        "mqtts": SinkKind(
            partial(_mqtt, "mqtts"),
            target="address",
            uses_stdout=False,
            check=partial(_broker, "mqtts"),
        ),
        "null": SinkKind(_null, target=None, uses_stdout=False),
        "sigmf": SinkKind(_sigmf, target="file", uses_stdout=False, extends=True),
        "table": SinkKind(_table, target=None, uses_stdout=True),
        "zmq": SinkKind(_zmq, target="address", uses_stdout=False, check=_endpoint),
    }
)


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One `--output`, taken apart.

    Attributes:
        kind: A key of `SINKS`.
        target: What follows the colon; None for standard output, or for none at all.
    """

    kind: str
    target: str | None

    @property
    def name(self) -> str:
        """As messages call it: KIND or KIND:TARGET."""
        return self.kind if self.target is None else f"{self.kind}:{self.target}"

    @property
    def is_stdout(self) -> bool:
        """Whether it writes to standard output."""
        return self.target is None and SINKS[self.kind].uses_stdout

    @property
    def file(self) -> Path | None:
        """The file that is written, if it is one."""
        if self.target is None or SINKS[self.kind].target != "file":
            return None
        return _path(self.target)

    @property
    def place(self) -> tuple[str, str] | None:
        """Where it writes: what no two outputs may share, and how messages call it."""
        if self.file is not None:
            return os.path.realpath(self.file), f"the file {self.file}"
        if self.target is not None:
            return self.target, self.target
        return ("", "standard output") if self.is_stdout else None


def parse_outputs(outputs: Sequence[str]) -> list[OutputSpec]:
    """Read the values of `--output`, before anything is opened.

    Args:
        outputs: Each KIND or KIND:TARGET; `auto` is a table on a terminal and JSON
            lines elsewhere, and the file `-` is standard output.

    Raises:
        UsageError: A value is wrong, or two of them are in conflict.
    """
    parsed = [_parse(text) for text in outputs]
    taken: dict[str, str] = {}
    for text, output in zip(outputs, parsed, strict=True):
        if output.place is None:
            continue
        place, where = output.place
        if place in taken:
            raise UsageError(
                f"--output {text} and --output {taken[place]} both write to {where}; "
                "give one of them a place of its own, as in csv:FILE."
            )
        taken[place] = text
    return parsed


def open_sinks(
    outputs: Sequence[str],
    *,
    is_live: bool,
    info: StreamInfo,
    reports: Reports = Detections,
    wait_s: float = REPLAY_WAIT_S,
) -> FanOut:
    """Open every output and start its thread.

    Args:
        outputs: The values of `--output`.
        is_live: Whether the source will not wait for a slow output.
        info: The stream, for the table's title.
        reports: What they will be told: windows, or emissions.
        wait_s: Longest wait for a slow output, on a replay.

    Raises:
        UsageError: A value is wrong, or two of them are in conflict.
        SinkError: An output cannot be opened; those already open are closed.
    """
    parsed = parse_outputs(outputs)
    for output in parsed:
        _protect_input(output, info)
    # No thread starts before everything is open. Standard output comes last, so that
    # nothing is printed there if another output cannot be opened.
    sinks: dict[int, Sink[Any]] = {}
    try:
        for k in sorted(range(len(parsed)), key=lambda k: parsed[k].target is None):
            sinks[k] = SINKS[parsed[k].kind].open(parsed[k].target, info, reports)
    except BaseException:
        for sink in sinks.values():
            with contextlib.suppress(Exception):  # the first error is the one that counts
                sink.close({})
        raise
    return FanOut(
        [
            Worker(output.name, sinks[k], is_live=is_live, wait_s=wait_s)
            for k, output in enumerate(parsed)
        ]
    )


def _parse(text: str) -> OutputSpec:
    kind, colon, target = text.partition(":")
    if kind == AUTO:
        if colon:
            raise UsageError(
                f"--output {text!r}: auto takes no file; name the kind, as in jsonl:FILE."
            )
        return OutputSpec("table" if _stdout_is_terminal() else "jsonl", None)
    if kind not in SINKS:
        known = ", ".join(sorted([AUTO, *SINKS]))
        raise UsageError(
            f"--output {text!r} is not KIND or KIND:FILE with one of the kinds {known}, "
            "such as jsonl:FILE."
        )
    takes = SINKS[kind].target
    if takes is None:
        if colon:
            raise UsageError(
                f"--output {text!r}: {kind} takes no file; give --output {kind} alone."
            )
        return OutputSpec(kind, None)
    is_stdout = not colon or (takes == "file" and target == "-")
    if (colon and not target) or (is_stdout and not SINKS[kind].uses_stdout):
        raise UsageError(f"--output {text!r} lacks its {takes}, as in {kind}:{takes.upper()}.")
    if is_stdout:
        return OutputSpec(kind, None)
    if check := SINKS[kind].check:
        check(target)
    return OutputSpec(kind, target)


def _stdout_is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def _protect_input(output: OutputSpec, info: StreamInfo) -> None:
    if output.file is None or SINKS[output.kind].extends:
        return
    for read in info.files:
        with contextlib.suppress(OSError, ValueError):
            if output.file.samefile(read):
                raise UsageError(f"--output {output.name} would overwrite {read}, which is read.")
