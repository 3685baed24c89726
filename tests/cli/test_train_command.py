"""`liveclf train`: what is known before hours of work, and how it is broken off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import h5py
import keras
import numpy as np
import pytest
from command_line import LIMIT_S, start

from liveclf.cli import main
from liveclf.config import FitSettings
from liveclf.errors import TrainingError
from liveclf.learn import CHECKPOINT, CONFIG, HISTORY, SPLIT
from liveclf.learn.data import material
from liveclf.learn.export import bundling as export
from liveclf.learn.fit import average
from liveclf.learn.fit import train as training
from liveclf.learn.fit.history import read_history
from liveclf.learn.posted import run as posted_run
from liveclf.model.bundle import load_bundle

# Compiled in seconds.
SMALL = ("--preset", "vgg16-classic", "--width", "0.03125", "--batch", "32", "--warmup", "4")


def never(*_: Any, **__: Any) -> None:
    pytest.fail("work was begun")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "my run"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "vgg19"], "Preset 'vgg19' is not known"),
        (["--steps", "750"], "--steps 750 is no multiple of --epoch-steps 500"),
        (["--from", "vgg99"], "Model 'vgg99' is neither a bundle"),
        (["--recipe", "theirs"], "recipe 'theirs' is not known, choose one of ours, as-posted"),
        (["--mixed", "maybe"], "mixed 'maybe' is not known, choose one of auto, on, off"),
        (["--on-stuck", "cry"], "on_stuck 'cry' is not known, choose one of stop, warn"),
        (["--classes", "a.txt"], "names classes of no file"),
        (["--test-share", "1"], "expected `float` < 1"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_windows_are_made(
    arguments: list[str],
    words: str,
    run: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(material, "gather", never)
    assert main(["train", "--run", str(run), *arguments]) in (1, 2)
    assert words in capfd.readouterr().err
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [([], "holds a run already"), (["--resume"], "has no checkpoint yet")],
)
def test_a_run_that_cannot_begin_or_go_on_is_refused_before_windows_are_made(
    arguments: list[str],
    words: str,
    run: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run.mkdir()
    (run / CONFIG).write_text("")
    monkeypatch.setattr(material, "gather", never)
    assert main(["train", "--run", str(run), *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_missing_exporter_is_named_before_windows_are_made(
    run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setattr(material, "gather", never)
    assert main(["train", "--run", str(run)]) == 3
    assert "Export to ONNX needs tf2onnx; install it with: pip" in capfd.readouterr().err
    assert not run.exists()


def test_on_another_backend_it_says_first_and_last_how_the_bundle_is_written(
    run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said_before: list[str] = []

    def train(*_: Any, **__: Any) -> None:
        said_before.extend(capfd.readouterr().err.splitlines())

    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # nor is it asked for
    monkeypatch.setattr(material, "gather", lambda *_, **__: None)
    monkeypatch.setattr(training, "train", train)
    monkeypatch.setattr(export, "write_bundle", never)
    assert main(["train", "--run", str(run)]) == 0
    (line,) = said_before
    assert f"KERAS_BACKEND=tensorflow liveclf train --run '{run}' --resume" in line
    assert capfd.readouterr().err.splitlines() == [line]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_an_interrupted_run_says_how_to_go_on_if_it_can(
    checkpoint: bool,
    run: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(*_: Any, **__: Any) -> None:
        run.mkdir()
        if checkpoint:
            (run / CHECKPOINT).touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(material, "gather", lambda *_, **__: None)
    monkeypatch.setattr(training, "train", train)
    assert main(["train", "--run", str(run)]) == 130
    (line,) = capfd.readouterr().err.splitlines()
    how = f"; go on with: liveclf train --run '{run}' --resume"
    assert line == "liveclf: interrupted" + (how if checkpoint else "")


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
def test_ctrl_c_reaches_the_workers_too_and_none_of_them_complains(run: Path) -> None:
    program = start(
        *("train", "--run", run, *SMALL, "--steps", "100000", "--epoch-steps", "2"),
        *("--pool", "1024", "--heldout", "512", "--workers", "2"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        until = time.monotonic() + LIMIT_S
        while not (run / CHECKPOINT).exists() and time.monotonic() < until:
            assert program.poll() is None, program.communicate()[1].decode()
            time.sleep(0.1)
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        _, said = program.communicate(timeout=LIMIT_S)
    finally:
        program.kill()
    lines = said.decode().splitlines()
    assert program.returncode == 130
    assert "Traceback" not in said.decode(), said.decode()
    assert lines[-1] == f"liveclf: interrupted; go on with: liveclf train --run '{run}' --resume"


# ---------------------------------------------------------------- a file of windows


def write_set(path: Path, n: int = 2048) -> Path:
    """Write tones in noise, which a network learns in a few steps, sorted by class."""
    rng = np.random.default_rng(1)
    y = np.sort(rng.integers(3, size=n))
    phase = 2 * np.pi * (np.array([0.02, 0.1, 0.3])[y, None] * np.arange(1024) + rng.random((n, 1)))
    x = np.stack([np.cos(phase), np.sin(phase)], axis=2) + rng.normal(0, 0.2, (n, 1024, 2))
    with h5py.File(path, "w") as file:
        file["X"], file["Y"] = x.astype(np.float32), np.eye(3)[y]
        file.attrs["classes"] = json.dumps(["slow", "BPSK", "fast"])
    return path


def test_a_file_is_trained_on_and_becomes_a_bundle_of_its_classes(
    run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And a run that has ended is bundled again by --resume, from any folder."""
    monkeypatch.setattr(average, "_BATCHES", 8)
    write_set(tmp_path / "mine.hdf5")
    monkeypatch.chdir(tmp_path)
    steps = ("--steps", "30", "--epoch-steps", "15", "--pool", "2048", "--average", "0.8")
    assert main(["train", "--run", str(run), "--data", "mine.hdf5", *SMALL, *steps]) == 0
    written = capfd.readouterr()
    assert "waited for data" in written.err
    info = load_bundle(str(run / "bundle")).info
    assert info.classes == ("slow", "BPSK", "fast")
    assert info.families == {"slow": "slow", "BPSK": "PSK", "fast": "fast"}
    assert info.split_seed == FitSettings().seed
    assert len(info.data_sha256) == 64
    assert info.training["data"]["file"] == str(tmp_path / "mine.hdf5")
    assert info.accuracy[0].overall > 0.6
    assert f"fp32: {info.accuracy[0].overall:.1%} on mine.hdf5, held out" in written.out
    assert (run / SPLIT).exists()
    monkeypatch.chdir("/")
    assert main(["train", "--run", str(run), "--resume"]) == 0
    again = load_bundle(str(run / "bundle")).info
    assert again.accuracy == info.accuracy
    assert again.data_sha256 == info.data_sha256
    # Another data set under the same name.
    write_set(tmp_path / "mine.hdf5", 1024)
    assert main(["train", "--run", str(run), "--resume"]) == 2
    assert "give the data set it was made for" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [(None, 1, "mine.hdf5 is not there"), (b"no HDF5" * 100, 1, "mine.hdf5 is not readable")],
)
def test_a_file_that_is_none_is_refused_and_leaves_no_run_behind(
    content: bytes | None,
    code: int,
    words: str,
    run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "mine.hdf5"
    if content is not None:
        path.write_bytes(content)
    assert main(["train", "--run", str(run), "--data", str(path)]) == code
    (line,) = capfd.readouterr().err.splitlines()
    assert words in line
    assert not run.exists()


# ---------------------------------------------------------------- as posted


@pytest.mark.usefixtures("eagerly")
def test_as_posted_trains_the_network_of_the_question_on_a_file(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write_set(tmp_path / "ask.hdf5")
    posted = ("--recipe", "as-posted", "--width", "0.02", "--steps", "2")
    assert main(["train", "--run", str(run), "--data", str(path), *posted]) == 0
    written = capfd.readouterr()
    assert written.out.splitlines()[0].startswith("as posted: loss 1.")
    assert "val_acc" in written.err  # a monitor that matches no metric
    (row,) = read_history(run / HISTORY)
    assert row["loss"] == pytest.approx(np.log(3), abs=0.05)
    assert {path.name for path in run.iterdir()} >= {CONFIG, HISTORY}


def test_as_posted_without_a_file_takes_generated_windows_of_the_posted_classes(
    monkeypatch: pytest.MonkeyPatch, run: Path
) -> None:
    given: dict[str, Any] = {}

    def trained(x: Any, y: Any, **options: Any) -> None:
        given.update(x=x, y=y, **options)
        raise TrainingError("enough")

    monkeypatch.setattr(posted_run, "train_as_posted", trained)
    assert main(["train", "--run", str(run), "--recipe", "as-posted", "--pool", "1024"]) == 1
    assert given["x"].shape == (1024, 1024, 2)
    assert given["x"].dtype == np.float32
    assert given["y"].sum(axis=0).tolist() == pytest.approx([341, 341, 341], abs=2)
    assert given["width"] == 1.0


@pytest.mark.parametrize("flags", [("--preset", "vgg16"), ("--lr", "1e-4"), ("--heldout", "600")])
def test_as_posted_refuses_what_the_post_does_not_leave_open(
    flags: tuple[str, ...], run: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--run", str(run), "--recipe", "as-posted", *flags]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert "as-posted has its own" in line
    assert not run.exists()
