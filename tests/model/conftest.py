"""One small bundle for all tests of the model: untrained, but no weight at its start value."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest

from liveclf.config import FitSettings, NetworkSettings, TrainSettings
from liveclf.learn.export import write_bundle
from liveclf.model.bundle import BundleInfo
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import Labelled, make_chunk

SETTINGS = TrainSettings(
    network=NetworkSettings(preset="vgg16-slim", width=0.125), fit=FitSettings(steps=77)
)


def shake(model: keras.Model, seed: int = 1) -> None:
    """Move every weight, the statistics of batch normalisation too, as training would."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        value = np.asarray(weight)
        if weight.name in ("gamma", "moving_variance"):
            value = rng.uniform(0.6, 1.6, value.shape)
        elif weight.name in ("beta", "moving_mean", "bias"):
            value = rng.normal(0, 0.3, value.shape)
        weight.assign(value.astype(np.float32))


@pytest.fixture(scope="session")
def check() -> Labelled:
    made = make_chunk(1, 1_000_000_000, (-6.0, 30.0))
    return Labelled(made.x[:704], made.y[:704], made.snr_db[:704])


@pytest.fixture(scope="session")
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    model = build_vgg16(len(CLASSES), SETTINGS.network.preset, SETTINGS.network.width)
    shake(model)
    return model


@pytest.fixture(scope="session")
def written(
    network: keras.Model, check: Labelled, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, BundleInfo]:
    """Return the folder of the bundle, not to be changed, and what was written there."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return folder, write_bundle(network, folder, SETTINGS, check)
