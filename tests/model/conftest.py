"""One small bundle for all tests of the model: untrained, but no weight at its start value."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest
from filelock import FileLock
from small_network import Small, shake

from liveclf.config import FitSettings, NetworkSettings, TrainSettings
from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.export.bundling import write_bundle
from liveclf.model import engines
from liveclf.model.bundle import BundleInfo
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

SETTINGS = TrainSettings(
    network=NetworkSettings(preset="vgg16-slim", width=0.125),
    fit=FitSettings(steps=77, noise_share=1),
)


@pytest.fixture(autouse=True)
def _openvino_is_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is installed, `auto` would be whichever this machine runs faster."""
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)


@pytest.fixture(scope="session")
def check() -> TruthSet:
    made = make_chunk(1, 1_000_000_000, (-6.0, 30.0))
    x, y = made.x[:192].astype(np.float32), made.y[:192].astype(np.int32)
    return TruthSet("own generator, held out", x, y, made.snr_db[:192], CLASSES)


@pytest.fixture(scope="session")
def material(check: TruthSet) -> Material:
    return Material(Small(), check, fingerprint="f1" * 32)


@pytest.fixture(scope="session")
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = build_vgg16(len(CLASSES), SETTINGS.network.preset, SETTINGS.network.width)
    shake(model)
    return model


@pytest.fixture(scope="session")
def written(
    network: keras.Model, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BundleInfo]:
    """Return the folder of the bundle, not to be changed, and what was written there.

    It is made once, whichever of the processes that run the tests comes first.
    """
    together = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        together = together.parent
    folder, told = together / "bundles" / "small", together / "bundles" / "small.told"
    with FileLock(together / "bundles.lock"):
        if not told.exists():
            told.parent.mkdir()
            told.write_bytes(pickle.dumps(write_bundle(network, folder, SETTINGS, material)))
        return folder, pickle.loads(told.read_bytes())
