"""--output: what is understood, and what is refused before anything runs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from liveclf import sinks
from liveclf.emissions import Emissions
from liveclf.errors import MissingExtraError, SinkError, UsageError
from liveclf.records import Detections, StreamInfo
from liveclf.sinks import SINKS, OutputSpec, SinkKind, open_sinks, parse_outputs


def test_each_form_is_understood():
    assert parse_outputs(["jsonl", "csv:a:b.csv", "null", "null"]) == [
        OutputSpec("jsonl", None),
        OutputSpec("csv", "a:b.csv"),
        OutputSpec("null", None),
        OutputSpec("null", None),
    ]
    assert parse_outputs(["csv:-"]) == [OutputSpec("csv", None)]
    (output,) = parse_outputs(["csv:~/x.csv"])
    assert (output.name, output.file) == ("csv:~/x.csv", Path.home() / "x.csv")
    assert parse_outputs([]) == []


@pytest.mark.parametrize(("is_terminal", "kind"), [(True, "table"), (False, "jsonl")])
def test_auto_is_a_table_for_a_person_and_json_lines_for_a_program(monkeypatch, is_terminal, kind):
    stdout = io.StringIO()
    stdout.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stdout", stdout)
    assert parse_outputs(["auto"]) == [OutputSpec(kind, None)]


@pytest.mark.parametrize(
    "outputs",
    [
        ["xml"],
        ["xml:a.xml"],
        ["out.jsonl"],
        [""],
        ["table:a"],
        ["null:a"],
        ["auto:a"],
        ["jsonl:"],
        ["JSONL"],
    ],
)
def test_what_is_not_understood_is_named(outputs):
    with pytest.raises(UsageError, match="--output") as caught:
        parse_outputs(outputs)
    assert repr(outputs[0]) in str(caught.value)


@pytest.mark.parametrize(
    "outputs",
    [
        ["jsonl", "csv"],
        ["table", "jsonl"],
        ["auto", "table"],
        ["jsonl", "csv:-"],
        ["jsonl:a", "csv:a"],
        ["jsonl:a", "csv:./b/../a"],
    ],
)
def test_two_outputs_to_one_place_are_refused_naming_both(outputs):
    with pytest.raises(UsageError) as caught:
        parse_outputs(["csv:elsewhere", *outputs])
    assert all(f"--output {text}" in str(caught.value) for text in outputs)


class Connected:
    """A sink that opens no file: it connects to an address."""

    def __init__(self, address: str | None) -> None:
        if address == "tcp://nowhere":
            raise MissingExtraError("This needs zmq", "pip install zmq")
        self.address, self.n_records, self.closed = address, 0, 0

    def write(self, detections) -> None:
        self.n_records += len(detections)

    def close(self, summary) -> None:
        self.closed += 1


@pytest.fixture
def connected(monkeypatch) -> list[Connected]:
    """A line more in the table; what it opened."""
    opened: list[Connected] = []

    def connect(target, info, reports) -> Connected:
        opened.append(Connected(target))
        return opened[-1]

    kind = SinkKind(connect, target="address", uses_stdout=False)
    monkeypatch.setattr(sinks, "SINKS", {**SINKS, "zmq": kind})
    return opened


def test_an_output_may_be_an_address_and_open_itself(connected, make, info, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = open_sinks(["zmq:tcp://*:5556", "zmq:tcp://*:5557"], is_live=False, info=info)
    out.write(make(3))
    assert [r.name for r in out.close({})] == ["zmq:tcp://*:5556", "zmq:tcp://*:5557"]
    assert [(c.address, c.n_records, c.closed) for c in connected] == [
        ("tcp://*:5556", 3, 1),
        ("tcp://*:5557", 3, 1),
    ]
    assert list(tmp_path.iterdir()) == []


def test_an_address_has_to_be_given_and_only_once(connected):
    for text in ("zmq", "zmq:"):
        with pytest.raises(UsageError, match="lacks its address, as in zmq:ADDRESS"):
            parse_outputs([text])
    with pytest.raises(UsageError, match="both write to tcp://a"):
        parse_outputs(["zmq:tcp://a", "zmq:tcp://a"])


def test_what_was_open_is_closed_when_another_cannot_be_and_nothing_is_printed(
    connected, info, capfd
):
    outputs = ["csv", "zmq:tcp://a", "zmq:tcp://nowhere"]
    with pytest.raises(MissingExtraError):
        open_sinks(outputs, is_live=False, info=info)
    assert [c.closed for c in connected] == [1]
    assert capfd.readouterr().out == ""


def test_reports_come_in_the_order_of_the_outputs(tmp_path, capfd, info):
    outputs = ["csv", f"jsonl:{tmp_path / 'a'}", "null", f"csv:{tmp_path / 'b'}"]
    reports = open_sinks(outputs, is_live=False, info=info).close({})
    assert [r.name for r in reports] == outputs


def test_what_cannot_be_opened_is_one_sentence(tmp_path, info):
    cases = {
        tmp_path / "no" / "out.jsonl": f"folder {tmp_path / 'no'} does not exist.",
        tmp_path: "it is a folder.",
    }
    for path, reason in cases.items():
        with pytest.raises(SinkError) as caught:
            open_sinks(
                ["null", f"csv:{tmp_path / 'b.csv'}", f"jsonl:{path}"], is_live=False, info=info
            )
        assert str(caught.value) == f"jsonl:{path} cannot be opened for writing: {reason}"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path, info):
    tmp_path.chmod(0o500)
    with pytest.raises(SinkError, match="Permission denied"):
        open_sinks([f"jsonl:{tmp_path / 'x'}"], is_live=False, info=info)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_without_a_reader_is_refused_at_once(tmp_path, info):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    refused = []

    def open_it() -> None:
        with pytest.raises(SinkError) as caught:
            open_sinks([f"jsonl:{fifo}"], is_live=False, info=info)
        refused.append(str(caught.value))

    thread = threading.Thread(target=open_it, daemon=True)
    thread.start()
    thread.join(30)
    assert refused == [
        f"jsonl:{fifo} cannot be opened for writing: nobody reads {fifo}; start the reader first."
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_takes_more_than_it_holds_from_a_slow_reader(tmp_path, make, info):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    out = open_sinks([f"jsonl:{fifo}"], is_live=False, info=info)
    os.set_blocking(reader, True)
    for k in range(20):
        out.write(make(100, seed=k))  # far more than 64 KiB
    lines = []

    def read() -> None:
        with open(reader, "rb") as file:
            lines.extend(file)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    (report,) = out.close({})
    thread.join(30)
    assert (report.n_written, report.n_dropped, report.state) == (2000, 0, "ok")
    assert len([json.loads(line) for line in lines]) == 2000


def test_a_recording_is_not_overwritten_by_its_own_labels(tmp_path):
    recording = tmp_path / "a.cu8"
    recording.write_bytes(b"samples")
    info = StreamInfo("a.cu8", "cu8", 1e6, 0.0, None, False, files=(recording,))
    with pytest.raises(UsageError, match=f"would overwrite {recording}, which is read"):
        open_sinks([f"jsonl:{recording}"], is_live=False, info=info)
    assert recording.read_bytes() == b"samples"


def test_files_are_overwritten_and_whole(tmp_path, make, info):
    jsonl, csv = tmp_path / "a.jsonl", tmp_path / "a.csv"
    jsonl.write_text("old\n" * 1000)
    out = open_sinks([f"jsonl:{jsonl}", f"csv:{csv}", "null"], is_live=False, info=info)
    for k in range(10):
        out.write(make(100, seed=k))
    reports = out.close({})
    assert [(r.n_written, r.state) for r in reports] == [(1000, "ok")] * 3
    assert len([json.loads(line) for line in jsonl.read_text().splitlines()]) == 1000
    assert len(csv.read_text().splitlines()) == 1001


def test_emissions_are_written_by_the_kinds_that_take_them(tmp_path, emission, info):
    jsonl, csv = tmp_path / "a.jsonl", tmp_path / "a.csv"
    outputs = [f"jsonl:{jsonl}", f"csv:{csv}", "null"]
    out = open_sinks(outputs, is_live=False, info=info, reports=Emissions)
    for number in range(1, 11):
        out.write(Emissions((emission(number, state="open"), emission(number))))
    reports = out.close({})
    assert [(r.n_written, r.state) for r in reports] == [(20, "ok")] * 3
    rows = [json.loads(line) for line in jsonl.read_text().splitlines()]
    assert [row["id"] for row in rows] == [number for k in range(1, 11) for number in (k, k)]
    header, *lines = csv.read_text().splitlines()
    assert header.startswith("id,state,time,")
    assert len(lines) == 20


def test_a_replaced_standard_output_is_written_to(capsys, make, info):
    out = open_sinks(["jsonl"], is_live=False, info=info)
    out.write(make(3))
    out.close({})
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_the_descriptor_of_standard_output_is_written_to(capfd, make, info):
    out = open_sinks(["csv"], is_live=False, info=info)
    out.write(make(3))
    out.close({})
    assert len(capfd.readouterr().out.splitlines()) == 4


def test_a_closed_standard_output_is_one_sentence(monkeypatch, info):
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SinkError, match="standard output is closed"):
        open_sinks(["auto"], is_live=False, info=info)


def test_importing_the_sinks_loads_nothing_heavy():
    code = "import sys, liveclf.sinks; print([m for m in ('rich', 'csv', 'scipy', 'onnxruntime') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("reports", [Detections, Emissions])
def test_every_kind_can_be_opened(capfd, info, tmp_path, reports):
    pytest.importorskip("paho", reason="paho-mqtt is not installed")
    pytest.importorskip("zmq", reason="pyzmq is not installed")
    addresses = {"mqtt": ":localhost:9", "mqtts": ":localhost:9", "zmq": f":ipc://{tmp_path}/z"}
    for kind in (name for name, sink in SINKS.items() if sink.target != "file" or sink.uses_stdout):
        output = kind + addresses.get(kind, "")
        (report,) = open_sinks([output], is_live=True, info=info, reports=reports).close({})
        assert (report.name, report.state) == (output, "ok")
