"""Standard output as a pipe and as a terminal, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("pipe_program.py")
LIMIT_S = 120


def start(*arguments: str, **pipes) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-W", "error", str(PROGRAM), *arguments], **pipes)


def report_of(stderr: bytes) -> dict:
    lines = stderr.decode().splitlines()
    reports = [json.loads(line) for line in lines if line.startswith("{")]
    noise = [
        line for line in lines if not line.startswith("{") and "slower than the stream" not in line
    ]
    (report,) = reports
    # Told at once, with logging as it comes: a quiet run has no summary to tell it.
    assert noise == ([report["message"]] if report["state"] == "stalled" else [])
    assert report["n_written"] + report["n_dropped"] == report["n_submitted"]
    return report


@pytest.mark.parametrize("output", ["jsonl", "csv"])
@pytest.mark.parametrize("pace", ["live", "replay"])
def test_head_ends_the_run_quietly(output, pace):
    program = start(output, pace, "1000000", "60", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout.readline()
    program.stdout.close()
    stderr = program.stderr.read()
    assert program.wait(LIMIT_S) == 0
    program.stderr.close()
    report = report_of(stderr)
    assert (report["state"], report["message"]) == ("closed", f"{output} was closed by its reader.")


@pytest.mark.parametrize("output", ["jsonl", "csv"])
def test_a_pipe_that_nobody_reads_hangs_neither_the_run_nor_the_exit(output):
    program = start(output, "live", "300", "0.2", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stderr = program.stderr.read()
    assert program.wait(LIMIT_S) == 0
    report = report_of(stderr)
    assert report["state"] == "stalled"
    assert report["n_dropped"] > 0
    # What is in the pipe are the records said to be written, and at most a part of the next batch.
    with program.stdout, program.stderr:
        lines = program.stdout.read().decode().splitlines()
    n_whole = len(lines) - (output == "csv")
    assert report["n_written"] <= n_whole <= report["n_written"] + 128


def test_a_replay_into_a_pipe_is_whole():
    program = start("auto", "replay", "300", "60", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stdout, stderr = program.communicate(timeout=LIMIT_S)
    assert program.returncode == 0
    assert report_of(stderr)["n_dropped"] == 0
    samples = [json.loads(line)["sample"] for line in stdout.splitlines()]
    assert samples == [1024 * k for k in range(300 * 128)]


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a pseudo-terminal")
def test_a_terminal_gets_a_table_that_stays():
    ours, theirs = os.openpty()
    program = start(
        "auto",
        "replay",
        "50",
        "60",
        stdout=theirs,
        stderr=theirs,
        stdin=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(ours, 65536):
            shown += data
    except OSError:
        pass  # the other side has ended
    os.close(ours)
    assert program.wait(LIMIT_S) == 0
    text = shown.decode()
    final = text[text.rindex("demo.cu8") :]
    assert "QPSK" in final
    assert "6,400 windows" in final
    assert text.index("\x1b[?25l") < text.index("\x1b[?25h")  # the cursor is back
    assert '"state": "ok"' in final.replace("\r\n", "")
