"""`--engine auto`: a GPU if it is there and usable, and a sentence if it is not usable."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from liveclf.config import ModelSettings
from liveclf.errors import MissingExtraError
from liveclf.model import engines
from liveclf.model.bundle import KERAS_FILE, Bundle, load_bundle
from liveclf.model.engines import choice, keras_engine, onnx_engine


@pytest.fixture
def bundle() -> Bundle:
    return load_bundle("auto")


@pytest.fixture
def opened(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no engine be loaded, and note which would be."""
    names: list[str] = []

    class Nothing:
        def predict(self, x: np.ndarray) -> np.ndarray:
            return np.zeros((1, len(bundle.info.classes)), np.float32)

    for name, module in (("onnx", onnx_engine), ("keras", keras_engine)):
        monkeypatch.setattr(
            module,
            "open_engine",
            lambda *_, name=name: (names.append(name), (Nothing(), "fp32"))[1],
        )
    return names


def choose(bundle: Bundle, **settings: object) -> str:
    told: list[str] = []
    engines.open_engine(bundle, ModelSettings(**settings), told.append)
    assert len(told) < 2
    return told[0] if told else ""


@pytest.mark.parametrize(
    ("place", "there"),
    [
        ("proc/driver/nvidia/gpus/0000:01:00.0", True),
        ("dev/nvidia0", True),
        ("dev/nvidia3", True),
        ("usr/lib/wsl/lib/libcuda.so.1", True),
        ("dev/nvidiactl", False),
        ("proc/driver/nvidia/version", False),
        ("dev/null", False),
    ],
)
def test_a_gpu_is_seen_by_the_files_of_its_driver(
    place: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).touch()
    assert choice.gpu_is_visible(tmp_path) == there
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not choice.gpu_is_visible(tmp_path)


def test_without_a_gpu_nobody_is_asked_and_nothing_said(bundle, opened, monkeypatch) -> None:
    monkeypatch.setattr(engines, "gpu_is_visible", lambda: False)
    monkeypatch.setattr(keras_engine, "finds_gpu", lambda: pytest.fail("TensorFlow was loaded"))
    assert choose(bundle) == ""
    assert opened == ["onnx"]


def test_a_gpu_that_keras_finds_is_taken(bundle, opened, monkeypatch) -> None:
    monkeypatch.setattr(engines, "gpu_is_visible", lambda: True)
    monkeypatch.setattr(keras_engine, "finds_gpu", lambda: True)
    assert choose(bundle) == ""
    assert opened == ["keras"]


@pytest.mark.parametrize(
    ("settings", "found", "words"),
    [
        ({"precision": "int8"}, True, "--precision int8 is for CPUs"),
        ({"threads": 2}, True, "--threads 2 is for CPUs"),
        ({}, False, "Keras finds no GPU"),
        ({}, MissingExtraError("--engine keras needs h5py", "pip"), "needs h5py; install it"),
    ],
)
def test_what_keeps_the_network_off_a_gpu_is_said(
    settings, found, words, bundle, opened, monkeypatch
) -> None:
    def finds_gpu() -> bool:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(engines, "gpu_is_visible", lambda: True)
    monkeypatch.setattr(keras_engine, "finds_gpu", finds_gpu)
    assert words in choose(bundle, **settings)
    assert opened == ["onnx"]


def test_a_package_or_a_file_that_is_missing_is_named(bundle, monkeypatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "no_such_backend")
    assert "no_such_backend is not installed" in choice.obstacle(bundle, ModelSettings())
    files = {k: v for k, v in bundle.info.files.items() if k != KERAS_FILE}
    bare = Bundle(bundle.folder, msgspec.structs.replace(bundle.info, files=files))
    assert f"no {KERAS_FILE}" in choice.obstacle(bare, ModelSettings())


@pytest.mark.parametrize(
    ("visible", "found", "settings", "wanted"),
    [
        (True, True, {}, "vgg16"),
        (True, True, {"engine": "keras"}, "vgg16"),
        (True, True, {"engine": "onnx"}, "vgg16-slim"),
        (True, True, {"precision": "int8"}, "vgg16-slim"),  # which no GPU runs
        (True, True, {"bundle": "vgg16-slim"}, "vgg16-slim"),
        (True, False, {}, "vgg16-slim"),
        (False, True, {}, "vgg16-slim"),
        (False, True, {"bundle": "vgg16"}, "vgg16"),
    ],
)
def test_the_wide_network_is_for_who_has_a_gpu(
    visible: bool,
    found: bool,
    settings: dict[str, str],
    wanted: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engines, "gpu_is_visible", lambda: visible)
    monkeypatch.setattr(keras_engine, "finds_gpu", lambda: found)
    assert engines.find_bundle(ModelSettings(**settings)).info.name == wanted


def test_who_has_a_gpu_and_no_keras_gets_the_slim_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> bool:
        raise MissingExtraError("no keras", "pip install keras")

    monkeypatch.setattr(engines, "gpu_is_visible", lambda: True)
    monkeypatch.setattr(keras_engine, "finds_gpu", missing)
    assert engines.find_bundle(ModelSettings()).info.name == "vgg16-slim"
