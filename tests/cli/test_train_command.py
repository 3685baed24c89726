"""`liveclf train`: what is known before hours of work, and how it is broken off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import pytest
from command_line import LIMIT_S, start

from liveclf.cli import main
from liveclf.learn import CHECKPOINT, CONFIG, export, feed
from liveclf.learn import train as training


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
    ],
)
def test_what_cannot_be_trained_is_refused_before_windows_are_made(
    arguments: list[str],
    words: str,
    run: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "heldout", never)
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
    monkeypatch.setattr(feed, "heldout", never)
    assert main(["train", "--run", str(run), *arguments]) == 2
    assert words in capfd.readouterr().err


def test_a_missing_exporter_is_named_before_windows_are_made(
    run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    monkeypatch.setattr(feed, "heldout", never)
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
    monkeypatch.setattr(feed, "heldout", lambda *_: None)
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

    monkeypatch.setattr(feed, "heldout", lambda *_: None)
    monkeypatch.setattr(training, "train", train)
    assert main(["train", "--run", str(run)]) == 130
    (line,) = capfd.readouterr().err.splitlines()
    how = f"; go on with: liveclf train --run '{run}' --resume"
    assert line == "liveclf: interrupted" + (how if checkpoint else "")


@pytest.mark.skipif(os.name != "posix", reason="signals to a group of processes")
def test_ctrl_c_reaches_the_workers_too_and_none_of_them_complains(run: Path) -> None:
    program = start(
        *("train", "--run", run, "--width", "0.125", "--steps", "100000", "--epoch-steps", "2"),
        *("--batch", "32", "--pool", "1024", "--heldout", "512", "--workers", "2"),
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
