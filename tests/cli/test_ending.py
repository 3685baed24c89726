"""How a run ends that has no end of its own: signals, and readers that go away."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from subprocess import PIPE

import pytest
from command_line import ENVIRONMENT, LIMIT_S, WHOLE_BAND, read, record, start

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def summary_of(said: bytes) -> str:
    text = said.decode()
    assert "Traceback" not in text
    assert "Exception ignored" not in text
    assert "classified" in text
    return text


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"]
)
def test_a_signal_ends_the_run_with_whole_lines_and_a_summary(number, code, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    with start("run", path, "--loop", *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        first = [program.stdout.readline() for _ in range(100)]
        program.send_signal(number)
        rest, said = program.stdout.read(), program.stderr.read()
    assert program.returncode == code
    records = read(b"".join(first) + rest)
    # A pass has 29 windows and 304 samples left over, and the next counts on.
    expected = [30_000 * (k // 29) + 1024 * (k % 29) for k in range(len(records))]
    assert [r["sample"] for r in records] == expected
    figures = " ".join(summary_of(said).split())
    assert f"{len(records):,} classified" in figures
    assert f"jsonl: {len(records):,} records written" in figures
    assert "interrupted" not in figures


def test_a_signal_ends_a_run_that_waits_for_a_pipe():
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), PIPE)
    with start("run", "-", "--format", "cu8", "--rate", "1M", *WHOLE_BAND, **pipes) as program:
        program.stdin.write(bytes(range(256)) * 16)
        program.stdin.flush()
        first = program.stdout.readline()
        program.send_signal(signal.SIGINT)
        rest, said = program.stdout.read(), program.stderr.read()
    assert program.returncode == 130
    assert [r["sample"] for r in read(first + rest)] == [0, 1024]
    summary_of(said)


def test_a_signal_ends_a_run_whose_reader_has_stopped_reading(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    with start("run", path, "--loop", *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout.readline()
        threading.Event().wait(0.5)  # in which the pipe fills
        program.send_signal(signal.SIGINT)
        said = program.stderr.read()
        assert program.wait(LIMIT_S) == 130
    summary_of(said)


@pytest.mark.parametrize("output", [[], ["-o", "csv"]], ids=["jsonl", "csv"])
def test_head_ends_the_run_quietly(output, tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    with start("run", path, "--loop", *output, *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout.readline()
        program.stdout.close()
        said = program.stderr.read()
        assert program.wait(LIMIT_S) == 0
    assert "was closed by its reader" in summary_of(said)


def test_a_reader_that_goes_away_leaves_the_other_output_alone(tmp_path):
    path = record(tmp_path / "x.cu8", 200_000)
    labels = tmp_path / "labels.jsonl"
    outputs = ["-o", "csv", "-o", f"jsonl:{labels}"]
    with start("run", path, *outputs, *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout.readline()
        program.stdout.close()
        said = program.stderr.read()
        assert program.wait(LIMIT_S) == 0
    summary_of(said)
    assert len(labels.read_text().splitlines()) == 200_000 // 1024


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--show-config"]])
def test_a_reader_that_is_gone_before_anything_was_printed_is_no_error(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    with start(*arguments, stdout=writing, stderr=PIPE) as program:
        os.close(writing)
        said = program.stderr.read()
    assert (program.returncode, said) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [["--help"], ["run", "--show-config"]])
def test_what_cannot_be_printed_is_an_error(arguments):
    with open("/dev/full", "wb") as full, start(*arguments, stdout=full, stderr=PIPE) as program:
        said = program.stderr.read().decode()
    assert program.returncode == 1
    assert said == "liveclf: Standard output cannot be written: No space left on device.\n"


def test_a_closed_standard_error_spoils_neither_the_records_nor_the_code(tmp_path):
    path = record(tmp_path / "x.cu8", 3000)
    command = f'exec "{sys.executable}" -m liveclf run "{path}" {" ".join(WHOLE_BAND)} 2>&-'
    done = subprocess.run(
        ["sh", "-c", command], stdout=PIPE, env=ENVIRONMENT, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0
    assert [r["sample"] for r in read(done.stdout)] == [0, 1024]


def test_a_reader_of_standard_error_that_is_gone_does_not_keep_the_run_from_its_end(tmp_path):
    path = record(tmp_path / "x.cu8", 3000)
    reading, writing = os.pipe()
    os.close(reading)
    with start("run", path, *WHOLE_BAND, stdout=PIPE, stderr=writing) as program:
        os.close(writing)
        out = program.stdout.read()
    assert program.returncode == 0
    assert [json.loads(line)["sample"] for line in out.splitlines()] == [0, 1024]


def test_a_reader_of_standard_error_may_go_before_the_summary(tmp_path):
    path = record(tmp_path / "x_50k.cu8", 20_000)
    with start("run", path, "--realtime", "-o", "null", *WHOLE_BAND, stderr=PIPE) as program:
        assert program.stderr.readline()
        program.stderr.close()
        assert program.wait(LIMIT_S) == 0


def test_help_takes_less_than_half_a_second_of_the_processor():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with start("--help", stdout=PIPE) as program:
        assert b"exit codes" in program.stdout.read()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5
