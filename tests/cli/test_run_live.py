"""`liveclf run --device`, through the real entry point, over a driver that is a fake."""

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
from command_line import FAKE_RADIO

from liveclf import sources

# On a busy machine nothing is to be late: what is lost and when is the question here.
PATIENT = ("--when-slow", "drop-oldest", "--max-late", "60s", "--buffer", "20s")
RUN = ("run", "--device", "fake", "--rate", "250k", "--no-detect", *PATIENT)


def ran(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, FAKE_RADIO, *RUN, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def options(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("--device-option", setting)]


def test_labels_come_with_the_time_and_place_of_their_samples() -> None:
    began_s = time.time()
    done = ran("-n", 200_000, "--freq", "433.92M", "-o", "jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(records) == 200_000 // 1024
    assert {(r["center_hz"], r["sample_rate_hz"]) for r in records} == {(433.92e6, 250e3)}
    assert [r["sample"] for r in records] == [1024 * k for k in range(len(records))]
    stamps = [
        np.datetime64(r["time"].removesuffix("Z")).astype("M8[us]").astype(float) / 1e6
        for r in records
    ]
    assert began_s - 1 < stamps[0] < stamps[-1] < time.time()
    assert "fake radio 7: cs16, 0.25 MS/s, 433.92 MHz" in done.stderr
    assert "The gain is what it is." in done.stderr


def test_losses_are_in_the_records_and_in_the_summary_by_cause() -> None:
    flags = options("drop=1000", "speed=1")
    done = ran("-n", 300_000, "-o", "jsonl", *flags)
    assert done.returncode == 0, done.stderr
    gaps = [json.loads(line)["gap_before"] for line in done.stdout.splitlines()]
    assert set(gaps) == {0, 1000}
    assert "the device dropped them" in done.stderr


def test_a_device_that_goes_and_comes_is_told_and_the_run_goes_on(tmp_path: Path) -> None:
    flags = options("n=100000", "then=crash", f"lives={tmp_path / 'lives'}")
    command = [sys.executable, FAKE_RADIO, *RUN, "-o", "jsonl", *flags]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        # However long it takes to be back.
        gaps = (json.loads(line)["gap_before"] for line in process.stdout)
        assert any(gap > 100_000 for gap in gaps)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "Looking for it again." in said
    assert "fake radio 7 is back after" in said
    assert "the device was away" in said


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("usage", 2, "liveclf: --gain 99 is above 49.6 dB."),
        ("source", 1, "liveclf: No fake radio is there."),
        ("missing", 3, "liveclf: The fake radio needs its driver; install it with: pip install"),
    ],
)
def test_what_does_not_open_is_one_sentence_and_an_exit_code(
    how: str, code: int, said: str
) -> None:
    done = ran(*options(f"refuse={how}"))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_radio_does_not_wait() -> None:
    command = [
        sys.executable,
        FAKE_RADIO,
        "run",
        "--device",
        "fake",
        "--no-detect",
        "--when-slow",
        "block",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "--when-slow block conflicts with fake radio 7, which does not wait" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_soon_with_a_summary(number: int) -> None:
    command = [sys.executable, FAKE_RADIO, *RUN, "-o", "jsonl"]
    with subprocess.Popen(
        [*command, *options("close=hang")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        process.stdout.readline()  # it runs
        process.send_signal(number)
        began_s = time.monotonic()
        _, said = process.communicate(timeout=60)
        assert time.monotonic() - began_s < 6  # 3 s are promised, on a machine that is idle
    assert process.returncode == 128 + number
    assert "samples" in said


def test_a_classifier_that_was_stopped_goes_on_and_says_what_it_missed(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    command = [sys.executable, FAKE_RADIO, *RUN, "-o", f"jsonl:{file}", "--buffer", "200ms"]
    with subprocess.Popen([*command, "-n", "700000"], stderr=subprocess.PIPE, text=True) as process:
        until_s = time.monotonic() + 60
        while not (file.exists() and file.stat().st_size):
            assert time.monotonic() < until_s
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGSTOP)
        time.sleep(1.5)
        os.kill(process.pid, signal.SIGCONT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "the classifier was late" in said
    assert max(json.loads(line)["gap_before"] for line in file.open()) > 200_000


def test_the_table_names_a_driver_for_each_kind() -> None:
    assert sources.driver_module("rtlsdr:00000001") == "liveclf.sources.rtlsdr"
    assert sources.driver_module("rtl_tcp:127.0.0.1:1234") == "liveclf.sources.rtltcp"
