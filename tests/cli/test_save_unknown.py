"""`liveclf run --save-unknown`: the recordings that it leaves."""

from __future__ import annotations

import os
import signal
from subprocess import PIPE

import numpy as np
import pytest
from command_line import LIMIT_S, WHOLE_BAND, inside, read, record, start

from liveclf.cli import main
from liveclf.config import SourceSettings
from liveclf.sources import open_source

ALL_UNKNOWN = ("--min-probability", "1")


def test_what_is_unknown_is_kept_and_nothing_else(tmp_path, capfd):
    path = record(tmp_path / "x_433.92M_1000k.cu8", 50_000)
    folder = tmp_path / "unknown"
    flags = ("--save-unknown", folder, *ALL_UNKNOWN, *WHOLE_BAND)
    assert main(["run", *map(str, (path, *flags))]) == 0
    out, said = capfd.readouterr()
    unknown = [r["sample"] for r in read(out) if r["label"] == "unknown"]
    assert unknown, "the bundle is certain of everything: choose other samples"
    whole = np.fromfile(path, np.uint8).reshape(-1, 2)
    kept = {}
    for meta in folder.glob("*.sigmf-meta"):
        for block in open_source(SourceSettings(path=str(meta))).blocks():
            assert block.format.name == "cu8"
            for start_sample in range(0, len(block.iq), 1024):
                at = block.start_sample + start_sample
                kept[at] = block.iq[start_sample : start_sample + 1024]
    assert sorted(kept) == unknown
    assert all(np.array_equal(iq, whole[at : at + 1024]) for at, iq in kept.items())
    assert f"{len(unknown)} unknown windows kept in" in " ".join(said.split())


def test_a_limit_is_kept_and_said(tmp_path, capfd):
    path = record(tmp_path / "x_1000k.cu8", 200_000)
    folder = tmp_path / "unknown"
    flags = ("--save-unknown", folder, "--save-unknown-max", "20k", *ALL_UNKNOWN)
    done = inside(capfd, "run", path, *flags, *WHOLE_BAND)
    assert done.returncode == 0
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 20_000
    assert b"(--save-unknown-max)" in done.stderr
    assert len(read(done.stdout)) == 195


def test_nothing_is_kept_where_everything_is_known(tmp_path, capfd):
    path = record(tmp_path / "x_1000k.cu8", 5000)
    folder = tmp_path / "unknown"
    done = inside(
        capfd, "run", path, "--save-unknown", folder, "--min-probability", "0", *WHOLE_BAND
    )
    assert done.returncode == 0
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_is_said_before_an_output_is_touched(tmp_path, capfd):
    path = record(tmp_path / "x_1000k.cu8", 5000)
    (tmp_path / "labels.jsonl").write_text("precious")
    flags = ("--save-unknown", path, "-o", f"jsonl:{tmp_path / 'labels.jsonl'}")
    done = inside(capfd, "run", path, *flags, *WHOLE_BAND)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert (tmp_path / "labels.jsonl").read_text() == "precious"


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_ctrl_c_ends_the_recordings_too(tmp_path):
    # Each round is a recording of its own: three a second, of which all are read below.
    path = record(tmp_path / "x_100k.cu8", 30_000)
    folder = tmp_path / "unknown"
    flags = ("--loop", "--realtime", "--save-unknown", folder, *ALL_UNKNOWN)
    with start("run", path, *flags, *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        for _ in range(60):
            assert program.stdout.readline()
        program.send_signal(signal.SIGINT)
        program.stdout.read()
        said = program.stderr.read()
        assert program.wait(LIMIT_S) == 130
    assert b"unknown windows kept" in said
    assert list(folder.glob("*.sigmf-meta"))
    for meta in folder.glob("*.sigmf-meta"):
        assert "core:sha512" in meta.read_text()
        assert list(open_source(SourceSettings(path=str(meta))).blocks())


@pytest.mark.skipif(os.name != "posix", reason="pipes are those of POSIX")
def test_head_ends_a_run_that_keeps_what_is_unknown(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 30_000)
    flags = ("--loop", "--save-unknown", tmp_path / "unknown", "--save-unknown-max", "1M")
    with start("run", path, *flags, *WHOLE_BAND, stdout=PIPE, stderr=PIPE) as program:
        assert program.stdout.readline()
        program.stdout.close()
        program.stderr.read()
        assert program.wait(LIMIT_S) == 0
