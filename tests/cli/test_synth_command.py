"""`liveclf synth`: its flags, what it refuses before the work, and how it is broken off."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, get_args, get_type_hints

import h5py
import msgspec
import pytest
from command_line import LIMIT_S, run, start

from liveclf.cli import main
from liveclf.config import SynthSettings, load, to_toml
from liveclf.signals import dataset


def never(*_: Any, **__: Any) -> None:
    pytest.fail("work was begun")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "my set.hdf5"


# -- flags ---------------------------------------------------------------------------------


def test_every_setting_has_its_flag_its_help_and_its_default(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["synth", "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    for kind in get_type_hints(SynthSettings).values():
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            (meta,) = [m for m in get_args(hints[field.name])[1:] if isinstance(m, msgspec.Meta)]
            assert meta.extra
            assert meta.extra["flags"]
            assert all(re.search(rf"(?<![\w-]){f}(?![\w-])", text) for f in meta.extra["flags"])
            default = f" (default: {field.default})" if field.default != "" else ""
            shown = re.sub(r"\.0\)$", ")", default)  # -6.0 is shown as -6
            assert f"{meta.description}{shown}" in text


def test_without_flags_the_defaults_are_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", "set.hdf5", "--show-config"]) == 0
    assert capfd.readouterr().out == to_toml(SynthSettings())


def test_every_flag_is_shown_and_read_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    flags = (
        "--windows 2M --seed 9 --snr-min -20 --snr-max 30.5 --snr-step 2.5 "
        "--classes-only OOK,CW --dtype float16 --workers 3"
    )
    assert main(["synth", "set.hdf5", *flags.split(), "--show-config"]) == 0
    text = capfd.readouterr().out
    file = tmp_path / "synth.toml"
    file.write_text(text)
    settings = load(SynthSettings, file, {})
    assert [*msgspec.structs.astuple(settings.data), settings.work.workers] == [
        *(2_000_000, 9, -20.0, 30.5, 2.5, "OOK,CW", "float16", 3)
    ]
    assert main(["synth", "set.hdf5", "--config", str(file), "--show-config"]) == 0
    assert capfd.readouterr().out == text


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--windows 0", "argument --windows/-n: expected a count"),
        ("--snr-min 10 --snr-max 5", "snr_min_db 10 is above snr_max_db 5"),
        ("--snr-min nan", "argument --snr-min: expected"),
        ("--snr-max 1e9", "argument --snr-max: expected `float` <= 100.0"),
        ("--snr-step -2", "argument --snr-step: expected `float` >= 0.0"),
        ("--snr-step 0.001 --windows 100", "makes 36,001 levels of SNR, more than the 100 --win"),
        ("--dtype int8", "dtype 'int8' is not known, choose one of float32, float16"),
        ("--classes-only OOK,PSK", "'PSK' is not known; choose from OOK, 4ASK"),
        ("--workers -1", "argument --workers: expected `int` >= 0"),
    ],
)
def test_wrong_use_is_one_sentence_and_leaves_nothing(
    flags: str, words: str, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", str(out), *flags.split()]) == 2
    *_, said = capfd.readouterr().err.splitlines()
    assert said.startswith("liveclf: ")
    assert words in said
    assert os.listdir(out.parent) == []


# -- the file ------------------------------------------------------------------------------


def test_it_writes_the_file_and_says_what_is_in_it(out: Path) -> None:
    flags = "--windows 50 --classes-only FM,CW --snr-min 3 --snr-max 9 --seed 4 --workers 1"
    done = run("synth", out, *flags.split())
    assert done.returncode == 0, done.stderr.decode()
    size = f"{out.stat().st_size / 1e6:.1f} MB"
    assert done.stdout.decode() == f"{out}: 50 windows of 2 classes, 3 to 9 dB, seed 4, {size}\n"
    assert "50/50 windows" in done.stderr.decode()
    assert os.listdir(out.parent) == [out.name]
    with h5py.File(out) as file:
        assert file["X"].shape == (50, 1024, 2)
        assert 3 <= file["Z"][:].min() < file["Z"][:].max() <= 9


def test_a_file_in_the_way_is_replaced_only_if_that_is_asked_for(
    out: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out.write_text("precious")
    monkeypatch.setattr(dataset, "write_dataset", never)
    assert main(["synth", str(out)]) == 2
    assert f"{out} is there already; choose another name, or add --force." in capfd.readouterr().err
    assert out.read_text() == "precious"
    monkeypatch.setattr(dataset, "write_dataset", lambda path, *_: path.write_text("new"))
    assert main(["synth", str(out), "--force"]) == 0
    assert out.read_text() == "new"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_a_folder_is_never_replaced(
    force: list[str],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dataset, "write_dataset", never)
    assert main(["synth", str(tmp_path), *force]) == 2
    assert f"{tmp_path} is a folder; name a file in it." in capfd.readouterr().err


def test_without_h5py_it_says_what_to_install(
    out: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr(dataset, "make_parts", never)
    assert main(["synth", str(out)]) == 3
    assert 'Writing HDF5 needs h5py; install it with: pip install "' in capfd.readouterr().err
    assert os.listdir(out.parent) == []


# -- broken off ----------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_broken_off_it_leaves_neither_files_nor_processes(number: str, out: Path) -> None:
    program = start(
        *("synth", out, "--windows", "50k", "--dtype", "float16", "--workers", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    beside = out.with_name(f"{out.name}.part")
    try:
        until = time.monotonic() + LIMIT_S
        while not beside.exists() and time.monotonic() < until:
            assert program.poll() is None, program.communicate()[1].decode()
            time.sleep(0.02)
        time.sleep(1)  # the workers are on their way
        if number == "SIGINT":
            os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        else:
            os.kill(program.pid, signal.SIGTERM)
        # Its pipes end when the last of its processes has.
        _, said = program.communicate(timeout=LIMIT_S)
    finally:
        program.kill()
    assert program.returncode == {"SIGINT": 130, "SIGTERM": 143}[number]
    assert "Traceback" not in said.decode(), said.decode()
    if number == "SIGINT":
        assert said.decode().splitlines()[-1] == "liveclf: interrupted"
    assert os.listdir(out.parent) == []
