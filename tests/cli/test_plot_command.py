"""`liveclf plot`: what it reads, what it draws, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import ENVIRONMENT, LIMIT_S, iq_bytes, record, run, sigmf, start

from liveclf.cli import main
from liveclf.cli import plot as plot_command
from liveclf.emissions import Emission

pytest.importorskip("matplotlib")
from PIL import Image

SMALL = ("--size", "640x400")
posix = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def said_by(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> str:
    assert main(["plot", *map(str, arguments)]) == code
    captured = capsys.readouterr()
    assert not captured.out
    return captured.err


def an_emission(**fields: Any) -> dict[str, Any]:
    return {
        "id": 1, "state": "closed", "time": None, "elapsed_s": 0.001, "sample": 1000,
        "n_samples": 2000, "duration_s": 0.002, "center_hz": 433.1e6, "offset_hz": 1e5,
        "bandwidth_hz": 5e4, "snr_db": 12.0, "power_dbfs": -10.0, "label": "CW", "family": "CW",
        "probability": 0.9, "family_probability": 0.9, "top": [["CW", 0.9]],
        "symbol_rate_hz": None, "n_windows": 2, "note": None, "latency_s": 0.1, "truth": None,
        "stream": 0, "source": "rec.sigmf-meta",
    } | fields  # fmt: skip


def lines(path: Path, *records: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_the_recording_of_the_package_with_its_annotations(tmp_path, capsys):
    out = tmp_path / "demo.png"
    said = said_by(capsys, "--annotations", "-o", out, *SMALL)
    assert Image.open(out).size == (640, 400)
    assert f"{out}: 286,720 samples, 11 boxes" in said


def test_the_picture_is_named_after_the_recording(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    path = record(tmp_path / "there" / "$g%s_433.92M_250k.cu8")
    said = said_by(capsys, path, "--no-detect", *SMALL)
    assert said.startswith("$g%s_433.92M_250k.png: 10,000 samples")
    assert (tmp_path / "$g%s_433.92M_250k.png").exists()


def test_any_name_gets_a_png(tmp_path, capsys):
    out = tmp_path / "picture.svg"
    said_by(capsys, record(tmp_path / "a.cu8"), "-o", out, *SMALL)
    assert Image.open(out).format == "PNG"


def test_start_duration_and_format_are_those_of_run(tmp_path, capsys):
    path = tmp_path / "a.bin"
    path.write_bytes(iq_bytes(10_000, "cs16"))
    span = ("--format", "cs16", "--rate", "1M", "--start", "2ms", "--duration", "5ms")
    said = said_by(capsys, path, "-o", tmp_path / "a.png", *span, *SMALL)
    assert ": 5,000 samples" in said


def test_decimation_moves_annotations_with_the_samples(tmp_path, capsys):
    annotations = [{"core:sample_start": 9000, "core:sample_count": 1000, "core:label": "CW"}]
    path = sigmf(tmp_path, annotations=annotations)
    flags = ("--annotations", "--decimate", 4, "-o", tmp_path / "a.png")
    assert ": 2,500 samples, 1 box" in said_by(capsys, path, *flags, *SMALL)


def test_of_an_emission_told_twice_the_last_counts(tmp_path, capsys):
    told = lines(tmp_path / "e.jsonl", an_emission(state="open", sample=10**6), an_emission())
    flags = ("--emissions", told, "-o", tmp_path / "a.png")
    said = said_by(capsys, sigmf(tmp_path), *flags, *SMALL)
    assert "1 box" in said
    assert "outside" not in said


def test_emissions_and_annotations_are_drawn_side_by_side(tmp_path, capsys):
    told = lines(tmp_path / "e.jsonl", an_emission(), an_emission(id=2, sample=10**6))
    annotations = [{"core:sample_start": 10, "core:sample_count": 1000, "core:label": "CW"}]
    path = sigmf(tmp_path, annotations=annotations)
    flags = ("--emissions", told, "--annotations", "-o", tmp_path / "a.png")
    said = said_by(capsys, path, *flags, *SMALL)
    assert "2 boxes" in said
    assert "1 emissions or annotations outside of it" in said


@pytest.mark.parametrize(
    ("flags", "is_asked"),
    [((), True), (("--no-detect",), False), (("--annotations",), False)],
)
def test_emissions_are_found_where_nothing_else_says_which(
    tmp_path, capsys, monkeypatch, flags, is_asked
):
    def found(settings: object) -> list[Emission]:
        return [Emission(**an_emission())]

    monkeypatch.setattr(plot_command, "found_emissions", found)
    said = said_by(capsys, sigmf(tmp_path), *flags, "-o", tmp_path / "a.png", *SMALL)
    assert ("1 box" in said) == is_asked


def test_gaps_are_told(tmp_path, capsys):
    captures = [
        {"core:sample_start": 0, "core:frequency": 433e6},
        {"core:sample_start": 4000, "core:frequency": 433e6, "core:global_index": 9000},
    ]
    said = said_by(capsys, sigmf(tmp_path, captures=captures), "-o", tmp_path / "a.png", *SMALL)
    assert "5,000 samples lost" in said


def test_standard_input_is_drawn(tmp_path):
    out = tmp_path / "a.png"
    done = run("plot", "-", "--format", "cu8", "-o", out, *SMALL, data=iq_bytes(50_000))
    assert done.returncode == 0, done.stderr
    assert Image.open(out).size == (640, 400)
    assert b"50,000 samples" in done.stderr


def test_quiet_says_nothing(tmp_path, capsys):
    assert not said_by(capsys, record(tmp_path / "a.cu8"), "-q", "-o", tmp_path / "a.png", *SMALL)


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (["--size", "big"], 2, "size 'big' is no WxH such as 1280x720"),
        (["--size", "10x10"], 2, "size 10x10 is not between 480x320 and 4096x4096"),
        (["--size", "1280x99999999999"], 2, "is not between"),
        (["--db-range", "-5"], 2, "--db-range"),
        (["-n", "20"], 1, "a.cu8 cannot be drawn: 20 samples came and none of them fill"),
        (["--bins", "7"], 2, "bins 7 is less than 16"),
        (["--emissions", "{tmp}/none.jsonl"], 1, "none.jsonl cannot be read: No such file"),
        (["-o", "{tmp}/none/a.png"], 2, "there is no folder"),
        (["-o", "{tmp}"], 2, "is a folder; name the picture in it"),
        (["-o", "{tmp}/a.cu8"], 2, "is what is read; choose another name"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path, capsys, monkeypatch, flags, code, sentence):
    monkeypatch.chdir(tmp_path)
    path = record(tmp_path / "a.cu8")
    before = path.read_bytes()
    flags = [flag.replace("{tmp}", str(tmp_path)) for flag in flags]
    said = said_by(capsys, path, *flags, code=code)
    assert sentence in said
    assert said.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.cu8"]
    assert path.read_bytes() == before


def test_plain_windows_are_no_emissions(tmp_path, capsys):
    told = lines(tmp_path / "e.jsonl", {"time": None, "sample": 0, "label": "CW"})
    flags = ("--emissions", told, "-o", tmp_path / "a.png")
    said = said_by(capsys, sigmf(tmp_path), *flags, code=1)
    assert "e.jsonl, line 1 is no emission" in said
    assert "missing required field `id`" in said


def test_without_matplotlib_the_exit_code_is_3(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = said_by(capsys, record(tmp_path / "a.cu8"), "-o", tmp_path / "a.png", code=3)
    assert (
        said == 'liveclf: Pictures need matplotlib; install it with: pip install "liveclf[plot]"\n'
    )


def test_a_resolved_configuration_is_read_back(tmp_path, capsys):
    assert main(["plot", "a.cu8", "--size", "640x400", "--db-floor", "-90", "--show-config"]) == 0
    text = capsys.readouterr().out
    file = tmp_path / "plot.toml"
    file.write_text(text)
    assert main(["plot", "--config", str(file), "--show-config"]) == 0
    assert capsys.readouterr().out == text


def test_memory_does_not_grow_with_the_recording(tmp_path):
    """80 MB of samples, most of them a hole in the file, in well under as much memory."""
    path = tmp_path / "long.cu8"
    path.write_bytes(iq_bytes(100_000))
    os.truncate(path, 80_000_000)
    peaks = []
    for n in (2_000_000, 40_000_000):
        program = (
            "import resource, sys\nfrom liveclf.cli import main\n"
            f"code = main(['plot', {str(path)!r}, '-n', '{n}', '-o', {str(tmp_path / 'a.png')!r},"
            " '--size', '480x320', '-q'])\n"
            "print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, check=True, timeout=LIMIT_S, env=ENVIRONMENT,
        )  # fmt: skip
        code, peak = map(int, done.stdout.split())
        assert code == 0
        peaks.append(peak * (1 if sys.platform == "darwin" else 1024))
    assert peaks[1] - peaks[0] < 20e6


@posix
def test_a_signal_ends_the_reading_and_what_came_is_drawn(tmp_path):
    out = tmp_path / "a.png"
    flags = ("--format", "cu8", "--rate", "1M", "-o", out, *SMALL)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with start("plot", "-", *flags, **pipes) as program:
        # More than a pipe holds: when it is written, the program reads.
        program.stdin.write(iq_bytes(500_000))
        program.stdin.flush()
        program.send_signal(signal.SIGINT)
        said = program.stderr.read()
    assert program.returncode == 130
    assert Image.open(out).size == (640, 400)
    assert int(re.search(rb": ([\d,]+) samples", said)[1].replace(b",", b"")) > 100_000
