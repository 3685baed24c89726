"""Training on from a bundle."""

from __future__ import annotations

from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from liveclf.config import NetworkSettings, TrainSettings
from liveclf.errors import BundleError, UsageError
from liveclf.learn import start as start_module
from liveclf.learn.start import start_from
from liveclf.learn.train import train
from liveclf.model.bundle import Bundle, BundleInfo, load_bundle
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import Labelled


def test_a_network_takes_every_weight_of_the_bundle(
    network: keras.Model, written: tuple[Path, BundleInfo]
) -> None:
    model = build_vgg16(len(CLASSES), "vgg16-slim", 0.125)
    start_from(load_bundle(str(written[0])), model, CLASSES)
    for mine, wanted in zip(model.weights, network.weights, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(wanted))


def test_a_bundle_of_other_classes_is_refused(written: tuple[Path, BundleInfo]) -> None:
    folder, info = written
    other = msgspec.structs.replace(info, classes=(*CLASSES[1:], CLASSES[0]))
    with pytest.raises(UsageError, match="its classes are not those"):
        start_from(Bundle(folder, other), build_vgg16(len(CLASSES), "vgg16-slim", 0.125), CLASSES)


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"preset": "vgg16-slim", "width": 0.25}, UsageError, "it is a vgg16-slim of width 0.125"),
        ({"preset": "vgg16-classic", "width": 0.125}, UsageError, "it is a vgg16-slim of width"),
        ({"start": "nothing"}, BundleError, "'nothing' is neither a bundle"),
        ({"preset": "vgg19"}, UsageError, "'vgg19' is not known"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_run_behind(
    asked: dict[str, object],
    error: type[Exception],
    words: str,
    written: tuple[Path, BundleInfo],
    check: Labelled,
    tmp_path: Path,
) -> None:
    """A folder that was begun would be in the way of the next try."""
    settings = TrainSettings(network=NetworkSettings(**({"start": str(written[0])} | asked)))
    with pytest.raises(error, match=words):
        train(settings, tmp_path / "run", check)
    assert not (tmp_path / "run").exists()


def test_a_convolution_and_a_dense_layer_that_see_more_keep_what_they_know(
    written: tuple[Path, BundleInfo],
) -> None:
    """The network before it had a front end: two channels, no second set of convolutions."""
    model = build_vgg16(len(CLASSES), "vgg16-slim", 0.125)
    trained = keras.models.load_model(written[0] / "model.keras", compile=False)
    old = {layer.name: layer.get_weights() for layer in trained.layers if layer.weights}
    old["conv1_1"] = [old["conv1_1"][0][:, :, :2]]
    old["dense1"] = [old["dense1"][0][:128], old["dense1"][1]]
    grown = {n: start_module._fitted(model.get_layer(n), old[n]) for n in ("conv1_1", "dense1")}
    assert np.array_equal(grown["conv1_1"][0][:, :, :2], old["conv1_1"][0])
    assert np.array_equal(grown["dense1"][0][:128], old["dense1"][0])
    for name in grown:
        mine = model.get_layer(name).get_weights()
        assert [w.shape for w in grown[name]] == [w.shape for w in mine]
    own = model.get_layer("dense1").get_weights()[0][128:]
    assert grown["dense1"][0][128:] == pytest.approx(0.3 * own)
    assert start_module._fitted(model.get_layer("conv1_2"), [old["conv1_2"][0][..., :4]]) is None
