"""`liveclf record --device` and `run --save-unknown` over a driver that is a fake.

Every sample of that driver is its own number, so a recording tells by itself whether its
samples are where it says.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import FAKE_RADIO, LIMIT_S

from liveclf.config import SourceSettings
from liveclf.records import Block
from liveclf.sources import open_source

posix = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def command(*arguments: object) -> list[str]:
    return [sys.executable, str(FAKE_RADIO), *map(str, arguments)]


def recorded(out: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    words = command("record", out, "--device", "fake", *arguments)
    return subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--device-option", setting)]


def replayed(path: Path) -> list[Block]:
    return list(open_source(SourceSettings(path=str(path))).blocks())


def in_place(block: Block) -> bool:
    """Tell whether every sample is the one of its place."""
    numbers = np.ascontiguousarray(block.iq).view("<u4")[:, 0].astype(np.int64)
    return np.array_equal(numbers, block.start_sample + np.arange(len(numbers)))


def test_every_sample_is_where_the_recording_says_and_every_loss_a_gap(tmp_path):
    out = tmp_path / "x.sigmf-meta"
    done = recorded(out, "-n", 300_000, "-f", "433.92M", *options("drop=1000"))
    assert done.returncode == 0, done.stderr
    blocks = replayed(out)
    assert all(in_place(b) for b in blocks)
    ends = [0, *(b.start_sample + len(b.iq) for b in blocks)]
    gaps = [b.start_sample - end for b, end in zip(blocks, ends[:-1], strict=True)]
    assert gaps[0] == 0
    assert sum(gaps) + sum(len(b.iq) for b in blocks) == 300_000
    assert 1000 in gaps
    meta = json.loads(out.read_text())
    assert meta["global"]["core:hw"] == "fake radio 7"
    assert "The gain is what it is." in meta["global"]["core:description"]
    assert meta["global"]["core:sample_rate"] == 1e6
    assert {c["core:frequency"] for c in meta["captures"]} == {433.92e6}
    assert all("core:datetime" in c for c in meta["captures"])
    assert f"{sum(gaps):,} samples lost" in done.stdout


def test_hopping_gives_a_capture_for_each_stay(tmp_path):
    out = tmp_path / "x.sigmf-meta"
    hops = ("-f", "433M", "-f", "868M", "--dwell", "0.1s")
    done = recorded(out, "-n", 500_000, *hops)
    assert done.returncode == 0, done.stderr
    centers = [c["core:frequency"] for c in json.loads(out.read_text())["captures"]]
    assert set(centers) == {433e6, 868e6}
    blocks = replayed(out)
    assert all(in_place(b) for b in blocks)


def test_a_device_that_goes_and_comes_is_one_recording(tmp_path):
    out = tmp_path / "x.sigmf-meta"
    flags = options("n=100000", "then=crash", f"lives={tmp_path / 'lives'}")
    done = recorded(out, "-T", "3s", *flags)
    assert done.returncode == 0, done.stderr
    assert "Looking for it again." in done.stderr
    blocks = replayed(out)
    assert len(blocks) >= 2
    assert "of them by the clock" in done.stdout


def test_a_device_that_is_not_there_leaves_nothing(tmp_path):
    done = recorded(tmp_path / "x.sigmf-meta", *options("refuse=source"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@posix
def test_ctrl_c_ends_a_recording_of_a_radio_within_seconds(tmp_path):
    words = command("record", tmp_path / "x.sigmf-meta", "--device", "fake")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(words, text=True, **pipes) as process:
        until_s = time.monotonic() + LIMIT_S
        data = tmp_path / "x.sigmf-data"
        while not data.exists() or data.stat().st_size < 400_000:
            assert time.monotonic() < until_s
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    n = data.stat().st_size // 4
    assert f"{n:,} samples" in out
    blocks = replayed(tmp_path / "x.sigmf-meta")
    assert sum(len(b.iq) for b in blocks) == n
    assert all(in_place(b) for b in blocks)


def test_what_a_radio_sends_and_nobody_knows_is_kept_where_it_was(tmp_path):
    folder = tmp_path / "unknown"
    flags = (
        "--save-unknown",
        folder,
        "--min-probability",
        "1",
        "--max-late",
        "60s",
        "--rate",
        "100k",  # a busy machine writes that too: what it does not is counted and left out
        "-q",
        "--no-detect",
    )
    words = command("run", "--device", "fake", "-n", 100_000, "-o", "jsonl", *flags)
    done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    unknown = {r["sample"] for r in records if r["label"] == "unknown"}
    kept = set()
    for path in folder.glob("*.sigmf-meta"):
        for block in replayed(path):
            assert block.format.name == "cs16"
            assert in_place(block)
            kept |= set(range(block.start_sample, block.start_sample + len(block.iq), 1024))
    assert kept == unknown
    assert unknown
