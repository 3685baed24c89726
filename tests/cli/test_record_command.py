"""`liveclf record`: what it writes, what it refuses, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from command_line import LIMIT_S, WHOLE_BAND, iq_bytes, read, record, run, sigmf, start

from liveclf.cli import main
from liveclf.config import SourceSettings
from liveclf.records import Block
from liveclf.sources import open_source

posix = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def replayed(path: Path) -> list[Block]:
    return list(open_source(SourceSettings(path=str(path))).blocks())


def meta_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def said_by(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main(["record", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    return captured.out + captured.err


def wait_for(path: Path, n_bytes: int) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not path.exists() or path.stat().st_size < n_bytes:
        assert time.monotonic() < deadline_s, f"{path} does not grow"
        time.sleep(0.02)


@pytest.mark.parametrize("name", ["cu8", "cs8", "cs16", "cf32"])
def test_a_recording_holds_the_same_bytes_and_what_the_name_told(tmp_path, capsys, name):
    path = record(tmp_path / f"g001_433.92M_250k.{name}", 100_000)
    out = tmp_path / "out.sigmf-meta"
    said = said_by(capsys, out, path)
    assert (tmp_path / "out.sigmf-data").read_bytes() == path.read_bytes()
    assert f"{out}: 100,000 samples" in said
    assert "1 capture, 0 samples lost" in said
    first = replayed(out)[0]
    assert (first.sample_rate_hz, first.center_hz) == (250e3, 433.92e6)
    assert meta_of(out)["global"]["core:recorder"].startswith("liveclf ")


def test_gaps_retunes_and_labels_of_a_recording_are_those_of_its_copy(tmp_path, capsys):
    captures = [
        {"core:sample_start": 0, "core:frequency": 433e6, "core:datetime": "2026-01-31T12:00:00Z"},
        {"core:sample_start": 2500, "core:frequency": 434e6},
        {"core:sample_start": 3500, "core:frequency": 435e6, "core:global_index": 9000},
    ]
    annotations = [{"core:sample_start": 3000, "core:sample_count": 1000, "core:label": "CW"}]
    path = sigmf(tmp_path, 10_000, captures=captures, annotations=annotations)
    out = tmp_path / "out.sigmf-meta"
    said = said_by(capsys, out, path)
    assert "3 captures, 5,500 samples lost" in said
    copy = meta_of(out)
    assert [(c["core:sample_start"], c["core:global_index"]) for c in copy["captures"]] == [
        (0, 0), (2500, 2500), (3500, 9000)
    ]  # fmt: skip
    assert copy["captures"][2]["core:datetime"] == "2026-01-31T12:00:00.009000Z"
    assert copy["annotations"] == annotations
    before, after = (read(run("run", p, "-q", *WHOLE_BAND).stdout) for p in (path, out))
    apart = {"latency_s": 0, "source": ""}
    assert [r | apart for r in after] == [r | apart for r in before]


def test_a_pipe_is_recorded_up_to_the_limit(tmp_path):
    data = iq_bytes(5000, "cs16")
    flags = ("--format", "cs16", "--rate", "1M", "--freq", "868M", "-n", "3k")
    done = run("record", tmp_path / "x.sigmf-meta", "-", *flags, data=data)
    assert done.returncode == 0
    assert (tmp_path / "x.sigmf-data").read_bytes() == data[:12_000]


@pytest.mark.parametrize(("flags", "n"), [(["-n", "5k"], 5000), (["--duration", "4ms"], 4000)])
def test_limits_are_those_of_run(tmp_path, capsys, flags, n):
    path = record(tmp_path / "x_1000k.cu8", 20_000)
    said_by(capsys, tmp_path / "out.sigmf-meta", path, "--start", "5ms", *flags)
    blocks = replayed(tmp_path / "out.sigmf-meta")
    assert blocks[0].start_sample == 5000
    assert sum(len(b.iq) for b in blocks) == n


def test_a_decimated_recording_is_cf32_at_the_lower_rate(tmp_path, capsys):
    path = record(tmp_path / "x_1000k.cu8", 20_000)
    said_by(capsys, tmp_path / "out.sigmf-meta", path, "--decimate", "4")
    info = meta_of(tmp_path / "out.sigmf-meta")["global"]
    assert (info["core:datatype"], info["core:sample_rate"]) == ("cf32_le", 250e3)
    assert (tmp_path / "out.sigmf-data").stat().st_size == 5000 * 8


def test_author_and_description_are_kept(tmp_path, capsys):
    path = record(tmp_path / "x.cu8", 2000)
    flags = ("--author", "M. Muster", "--description", "a door bell, grüße")
    said_by(capsys, tmp_path / "out.sigmf-meta", path, *flags)
    info = meta_of(tmp_path / "out.sigmf-meta")["global"]
    assert (info["core:author"], info["core:description"]) == ("M. Muster", "a door bell, grüße")


@pytest.mark.parametrize("there", ["out.sigmf-meta", "out.sigmf-data"])
def test_what_is_there_is_not_written_over(tmp_path, capsys, there):
    (tmp_path / there).write_bytes(b"precious")
    path = record(tmp_path / "x.cu8", 2000)
    said = said_by(capsys, tmp_path / "out.sigmf-meta", path, code=2)
    assert f"{there} is there already; choose another name, or add --overwrite." in said
    assert (tmp_path / there).read_bytes() == b"precious"
    for flag in ("--force", "--overwrite"):
        said_by(capsys, tmp_path / "out.sigmf-meta", path, flag)
    assert len(replayed(tmp_path / "out.sigmf-meta")) == 1


def test_a_recording_is_never_written_over_itself(tmp_path, capsys):
    path = sigmf(tmp_path)
    before = (tmp_path / "rec.sigmf-data").read_bytes()
    said = said_by(capsys, path, path, "--overwrite", code=2)
    assert "is what is recorded from" in said
    assert (tmp_path / "rec.sigmf-data").read_bytes() == before


@pytest.mark.parametrize(
    ("out", "why"), [("out.cu8", "end in .sigmf-meta"), ("no/out.sigmf-meta", "no folder")]
)
def test_a_place_that_cannot_be_is_wrong_use(tmp_path, capsys, out, why):
    assert why in said_by(capsys, tmp_path / out, record(tmp_path / "x.cu8", 2000), code=2)


def test_an_empty_pipe_is_an_error_and_leaves_nothing(tmp_path):
    done = run("record", tmp_path / "x.sigmf-meta", "-", "--format", "cu8", data=b"")
    assert done.returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_a_stream_that_breaks_leaves_what_came_before(tmp_path):
    done = run("record", tmp_path / "x.sigmf-meta", "-", "--format", "cs16", data=bytes(4001))
    assert done.returncode == 1
    assert b"ended within a sample" in done.stderr
    (only,) = replayed(tmp_path / "x.sigmf-meta")
    assert only.iq.shape == (1000, 2)
    assert "core:sha512" in meta_of(tmp_path / "x.sigmf-meta")["global"]


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "kill"]
)
def test_a_signal_ends_it_with_a_valid_recording(tmp_path, number, code):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    flags = ("--loop", "--realtime")
    with start(
        "record", tmp_path / "o.sigmf-meta", path, *flags, stdout=PIPE, stderr=PIPE
    ) as program:
        wait_for(tmp_path / "o.sigmf-data", 100_000)
        program.send_signal(number)
        out, said = program.stdout.read(), program.stderr.read()
    assert program.returncode == code
    assert said == b""
    n = (tmp_path / "o.sigmf-data").stat().st_size // 2
    assert f"{n:,} samples".encode() in out
    assert "core:sha512" in meta_of(tmp_path / "o.sigmf-meta")["global"]
    data = b"".join(b.iq.tobytes() for b in replayed(tmp_path / "o.sigmf-meta"))
    assert data == (path.read_bytes() * (n // 30_000 + 1))[: 2 * n]


@posix
def test_a_signal_before_the_first_sample_leaves_nothing(tmp_path):
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), PIPE)
    with start("record", tmp_path / "o.sigmf-meta", "-", "--format", "cu8", **pipes) as process:
        assert process.stderr.readline()  # that losses on standard input cannot be seen
        process.send_signal(signal.SIGINT)
        out = process.stdout.read()
        process.stderr.read()
    assert process.returncode == 130
    assert b"Nothing was recorded" in out
    assert list(tmp_path.iterdir()) == []


@posix
def test_on_a_terminal_it_shows_how_far_it_has_come(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    flags = ("--loop", "--realtime", "-n", "500k")
    theirs, ours = os.openpty()
    done = start("record", tmp_path / "o.sigmf-meta", path, *flags, stdout=PIPE, stderr=ours)
    os.close(ours)
    shown = b""
    with done, contextlib.suppress(OSError):  # how a terminal ends
        while data := os.read(theirs, 65536):
            shown += data
    os.close(theirs)
    assert done.returncode == 0
    assert b"samples lost" in shown


@posix
def test_what_a_killed_program_leaves_behind_can_be_replayed(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    flags = ("--loop", "--realtime")
    with start(
        "record", tmp_path / "o.sigmf-meta", path, *flags, stdout=PIPE, stderr=PIPE
    ) as program:
        wait_for(tmp_path / "o.sigmf-data", 100_000)
        program.kill()
        program.communicate()
    blocks = replayed(tmp_path / "o.sigmf-meta")
    n = sum(len(b.iq) for b in blocks)
    assert n >= 50_000
    # The joints of the loop are among its captures.
    assert {b.start_sample for b in blocks} >= {0, 30_000}


@posix
@pytest.mark.skipif(sys.platform == "darwin", reason="the limit is not kept there")
def test_a_file_that_cannot_grow_is_one_sentence_and_a_valid_recording(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 600_000)
    limit = 500_001  # within a sample

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with start(
        "record", tmp_path / "o.sigmf-meta", path, stdout=PIPE, stderr=PIPE, preexec_fn=limited
    ) as program:
        _, said = program.communicate(timeout=LIMIT_S)
    assert program.returncode == 1
    assert said.decode().count("\n") == 1
    assert (
        "file too large; the 250,000 samples before are stored and can be replayed" in said.decode()
    )
    assert (tmp_path / "o.sigmf-data").read_bytes() == path.read_bytes()[:500_000]
    assert sum(len(b.iq) for b in replayed(tmp_path / "o.sigmf-meta")) == 250_000


def test_settings_are_shown_and_nothing_is_written(tmp_path, capsys):
    said = said_by(capsys, tmp_path / "o.sigmf-meta", "--author", "me", "--show-config")
    assert 'author = "me"' in said
    assert list(tmp_path.iterdir()) == []
