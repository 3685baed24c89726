"""`liveclf run` with several recordings and devices, through the real entry point."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from command_line import FAKE_RADIO, LIMIT_S, WHOLE_BAND, inside, iq_bytes, read, record, run

from liveclf.cli import main

LATE = ("--rate", "250k", "--when-slow", "drop-oldest", "--max-late", "60s", "--buffer", "20s")
PROGRAM = [sys.executable, str(FAKE_RADIO), "run", *LATE]


def starts(records: list[dict], stream: int) -> list[int]:
    return [r["sample"] for r in records if r["stream"] == stream]


def test_records_of_three_files_are_those_of_each_alone(tmp_path, capfd):
    lengths = {"a_433M_250k.cu8": 5000, "b_100M_1000k.cs16": 60_000, "c_1000k.cu8": 1023}
    paths = [record(tmp_path / name, n, seed=n) for name, n in lengths.items()]
    done = inside(capfd, "run", paths[0], *WHOLE_BAND, "-o", "jsonl", *paths[1:])
    assert done.returncode == 0, done.stderr
    records = read(done.stdout)
    said = done.stderr.decode()
    for k, path in enumerate(paths):
        alone = read(inside(capfd, "run", path, *WHOLE_BAND).stdout)
        mine = [r for r in records if r["stream"] == k]
        assert {r["source"] for r in mine} <= {path.name}
        others = {"latency_s": 0, "stream": 0}
        assert [r | others for r in mine] == [r | others for r in alone]
        assert f"stream {k}, {path.name}: " in said
    assert f"{5000 + 60_000 + 1023:,} samples" in said


def test_a_stream_that_breaks_is_named_and_the_others_are_read_to_their_ends(tmp_path):
    path = record(tmp_path / "x.cu8", 200_000)
    data = iq_bytes(5000)[:-1]  # ends within a sample
    flags = ("--format", "cu8", "--rate", "1M", *WHOLE_BAND)
    done = run("run", "-", path, *flags, data=data)
    assert done.returncode == 1
    records = read(done.stdout)
    assert starts(records, 0) == [1024 * k for k in range(4)]
    assert starts(records, 1) == [1024 * k for k in range(195)]
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("liveclf: standard input: The stream standard input ended within")
    assert b"(broke)" in done.stderr
    assert b"standard input has ended: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-", "-"], 2, "Standard input, -, is given more than once"),
        (["a.cu8"] * 65, 2, "65 streams are given, and at most 64"),
        (["a.cu8", "b.cu8", "--save-unknown", "d"], 2, "--save-unknown d keeps the samples of one"),
        (["a.cu8", "b.cu8", "--gain", "3"], 2, "radio.gain = '3' sets a radio"),
        (["a.cu8", "--wrong", "b.cu8"], 2, "unrecognized arguments: --wrong"),
        (["a.cu8", "none.cu8"], 1, "none.cu8 does not exist"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(
    arguments, code, message, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    for name in ("a.cu8", "b.cu8"):
        record(tmp_path / name, 2000)
    assert main(["run", *arguments]) == code
    out, said = capfd.readouterr()
    assert out == ""
    assert message in said
    assert said.count("\n") == 1


def test_two_radios_and_a_file_share_an_engine(tmp_path):
    path = record(tmp_path / "x_1000k.cu8", 50_000)
    flags = ["--device", "fake:0", "--device", "fake:1", "--gain", "3", "-n", "100000", *WHOLE_BAND]
    done = subprocess.run(
        [*PROGRAM, str(path), *flags],
        capture_output=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = read(done.stdout)
    assert starts(records, 0) == [1024 * k for k in range(48)]
    for k in (1, 2):
        assert starts(records, k) == [1024 * n for n in range(100_000 // 1024)]
        assert {r["source"] for r in records if r["stream"] == k} == {"fake radio 7"}


def test_a_radio_that_goes_for_good_leaves_the_others(tmp_path):
    file = tmp_path / "two.toml"
    file.write_text(
        '[radio]\nmax_retries = 0\n[[streams]]\nradio.device = "fake:0"\n'
        'radio.options = ["n=50000", "then=raise"]\n[[streams]]\nradio.device = "fake:1"\n'
    )
    done = subprocess.run(
        [*PROGRAM, "--config", str(file), "-n", "200000", *WHOLE_BAND, "-o", "jsonl"],
        capture_output=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    records = read(done.stdout)
    assert starts(records, 1) == [1024 * n for n in range(200_000 // 1024)]
    assert 0 < len(starts(records, 0)) <= 50_000 // 1024 + 4
    assert b"fake radio 7 has ended: The fake radio was unplugged." in done.stderr


def test_a_signal_ends_all_streams():
    command = [*PROGRAM, "--device", "fake:0", "--device", "fake:1", "-o", "jsonl", *WHOLE_BAND]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        seen: set[int] = set()
        while len(seen) < 2:
            seen.add(json.loads(process.stdout.readline())["stream"])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"0 fake radio 7: " in said
    assert b"1 fake radio 7: " in said
