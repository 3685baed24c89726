"""The two stages that make a bundle that ships, on a network that is small."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from liveclf.config import DataSettings, NetworkSettings, TrainSettings, to_toml
from liveclf.learn.fit.teaching import networks_in, with_students
from liveclf.model.bundle import KERAS_FILE, load_bundle
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.vgg16 import build_vgg16

SCRIPT = Path(__file__).parents[2] / "tools" / "reference.py"
# The training takes the least with the network as it was posted, whose graph is small.
SMALLEST = [
    "--preset",
    "vgg16-classic",
    "--width",
    "0.03125",
    "--steps",
    "2",
    "--epoch-steps",
    "1",
    "--batch",
    "128",
    "--pool",
    "1024",
    "--workers",
    "1",
    "--heldout",
    "512",
    "--average",
    "0",
    "--noise-share",
    "1",
]


def reference(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, SCRIPT, *map(str, arguments)],
        capture_output=True, text=True, timeout=240, check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def stages() -> Iterator[Any]:
    """Return the script as a module, that stays in this process and leaves its alarm alone."""
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(SCRIPT.parent))
        script = import_module(SCRIPT.stem)
        patched.setattr(script, "with_jemalloc", lambda: None)
        patched.setattr(script, "interrupted_after", lambda _: nullcontext())
        yield script


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, stages: Any) -> Path:
    folder = tmp_path_factory.mktemp("reference")
    said = io.StringIO()
    tf.config.run_functions_eagerly(True)  # graphs take longer to make than two steps
    try:
        with redirect_stdout(said):
            flags = ["--run", str(folder / "run"), "--out", str(folder / "out"), *SMALLEST]
            assert stages.main(["train", *flags]) == 0
    finally:
        tf.config.run_functions_eagerly(False)
    assert json.loads(said.getvalue().splitlines()[-1]) == {"step": 2, "of": 2}
    return folder


def test_what_is_left_to_finish_is_half_precision_settings_and_history(trained: Path) -> None:
    assert {f.name for f in (trained / "out").iterdir()} == {
        "weights.npz", "config.toml", "history.csv",
    }  # fmt: skip
    with np.load(trained / "out" / "weights.npz", allow_pickle=False) as halves:
        assert {w.dtype for w in halves.values()} == {np.dtype(np.float16)}


def test_the_second_stage_makes_a_bundle_of_them(
    trained: Path, stages: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, folder = trained / "out", trained / "bundle"
    assert stages.main(["finish", "--weights", str(weights), "--bundle", str(folder)]) == 0
    said = capsys.readouterr().out
    bundle = load_bundle(str(folder))
    assert bundle.info.width == 0.03125
    x = np.random.default_rng(1).standard_normal((4, 2, 1024)).astype(np.float32)
    for precision in ("fp32", "int8"):
        engine = OnnxEngine(bundle.file(f"model.{precision}.onnx"), precision, 4)
        assert engine.predict(x).shape == (4, len(bundle.info.classes))
        assert f"{precision}: " in said
    # The weights that the first stage has left, in the places that they came from.
    network = keras.models.load_model(folder / KERAS_FILE)
    with np.load(weights / "weights.npz") as halves:
        wanted = [halves[key].astype(np.float32) for key in sorted(halves)]
    assert all(map(np.array_equal, network.get_weights(), wanted))


def test_students_and_the_average_travel_too(
    tmp_path: Path, stages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the second stage builds has the average that the first has left, in every part."""
    settings = TrainSettings(
        network=NetworkSettings(preset="vgg16", width=0.03125, students=(0.0625, 0.03125)),
        data=DataSettings(heldout_windows=1024),
    )
    model = with_students(build_vgg16(30, "vgg16", 0.03125), settings.network.students)
    stages.write_halves(model, tmp_path / "weights.npz")
    rng = np.random.default_rng(1)
    model.set_weights([w + rng.uniform(0, 1, w.shape) for w in model.get_weights()])
    stages.write_halves(model, tmp_path / "average.npz")
    (tmp_path / "config.toml").write_text(to_toml(settings))

    def better(model: Any, average: Any, chunks: Any, check: Any, tell: Any) -> None:
        assert len(check.x) == 1024
        model.set_weights(average)

    written: dict[str, Any] = {}

    def write(network: Any, folder: Path, *_: Any, student: float | None = None) -> Any:
        written[folder.name] = network, student
        return SimpleNamespace(accuracy=())

    monkeypatch.setattr("liveclf.learn.fit.average.choose", better)
    monkeypatch.setattr("liveclf.learn.export.bundling.write_bundle", write)
    flags = ["--weights", str(tmp_path), "--bundle", str(tmp_path / "b"), "--heldout", "1024"]
    assert stages.main(["finish", *flags]) == 0
    assert {name: width for name, (_, width) in written.items()} == {
        "b": None, "b-0.0625": 0.0625, "b-0.03125": 0.03125,
    }  # fmt: skip
    for (network, _), wanted in zip(written.values(), networks_in(model), strict=True):
        for layer in ("conv1_1", "norm5_3", "symbols", "logits"):
            pairs = zip(
                network.get_layer(layer).get_weights(),
                wanted.get_layer(layer).get_weights(),
                strict=True,
            )
            for mine, theirs in pairs:
                assert mine == pytest.approx(theirs, abs=2e-3)  # they have been halves


def test_flags_of_a_training_have_no_meaning_for_the_second_stage() -> None:
    done = reference("finish", "--weights", "x", "--bundle", "y", "--steps", "3")
    assert done.returncode == 2
    assert "finish takes no --steps 3" in done.stderr


def test_the_script_begins_as_a_program_and_refuses_a_training_before_there_is_a_run(
    tmp_path: Path,
) -> None:
    done = reference("train", "--run", tmp_path / "run", "--out", tmp_path / "out", "--lr", "-1")
    assert done.returncode != 0
    assert "expected `float` > 0.0" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_training_is_interrupted_when_its_time_is_up() -> None:
    code = "import reference, time\nwith reference.interrupted_after(0.01): time.sleep(60)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=SCRIPT.parent, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert "KeyboardInterrupt" in done.stderr
