"""Training on from a bundle."""

from __future__ import annotations

from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from liveclf.config import NetworkSettings, TrainSettings
from liveclf.errors import BundleError, UsageError
from liveclf.learn.data.material import Material
from liveclf.learn.fit.start import start_from
from liveclf.learn.fit.train import train
from liveclf.model.bundle import Bundle, BundleInfo, load_bundle
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES


def small() -> keras.Model:
    return build_vgg16(len(CLASSES), "vgg16-slim", 0.125)


def test_a_network_takes_every_weight_of_the_bundle(
    network: keras.Model, written: tuple[Path, BundleInfo]
) -> None:
    model = small()
    assert start_from(load_bundle(str(written[0])), model, CLASSES) == []
    for mine, wanted in zip(model.weights, network.weights, strict=True):
        assert np.array_equal(np.asarray(mine), np.asarray(wanted))


# ---------------------------------------------------------------- a network that has grown


def before_and_after() -> tuple[keras.Model, keras.Model]:
    """Return a small network, and one that sees more beside what the first one sees."""
    x = keras.Input((8,), name="x")
    seen = keras.layers.Dense(4, name="seen", use_bias=False)(x)
    decided = keras.layers.Dense(5, name="decided")
    old = keras.Model(x, keras.layers.Dense(3, name="logits")(decided(seen)))
    x = keras.Input((8,), name="x")
    seen = keras.layers.Dense(4, name="seen", use_bias=False)(x)
    also = keras.layers.Dense(2, name="also")(x)
    both = keras.layers.Concatenate()([seen, also])
    decided = keras.layers.Dense(5, name="decided")
    return old, keras.Model(x, keras.layers.Dense(3, name="logits")(decided(both)))


def bundle_of(model: keras.Model, info: BundleInfo, folder: Path) -> Bundle:
    model.save(folder / "model.keras")
    return Bundle(folder, msgspec.structs.replace(info, classes=("A", "B", "C")))


def test_layers_are_found_by_name_and_what_the_bundle_lacks_begins_as_it_is(
    written: tuple[Path, BundleInfo], tmp_path: Path
) -> None:
    old, new = before_and_after()
    also = new.get_layer("also").get_weights()
    kernel = new.get_layer("decided").get_weights()[0]
    bundle = bundle_of(old, written[1], tmp_path)
    assert start_from(bundle, new, ("A", "B", "C")) == ["also", "decided"]
    for name in ("seen", "logits"):
        for mine, wanted in zip(
            new.get_layer(name).get_weights(), old.get_layer(name).get_weights(), strict=True
        ):
            assert np.array_equal(mine, wanted)
    for mine, before in zip(new.get_layer("also").get_weights(), also, strict=True):
        assert np.array_equal(mine, before)
    grown, bias = new.get_layer("decided").get_weights()
    learned, learned_bias = old.get_layer("decided").get_weights()
    assert np.array_equal(grown[:4], learned)
    assert grown[4:] == pytest.approx(0.3 * kernel[4:])
    assert np.array_equal(bias, learned_bias)


def test_of_a_class_that_was_appended_the_others_keep_their_logits(
    network: keras.Model, written: tuple[Path, BundleInfo]
) -> None:
    grown = build_vgg16(len(CLASSES) + 2, "vgg16-slim", 0.125)
    initial = grown.get_layer("logits").get_weights()[0]
    bundle = load_bundle(str(written[0]))
    assert start_from(bundle, grown, (*CLASSES, "DMR", "TETRA")) == ["logits"]
    (kernel, bias), (learned, learned_bias) = (
        model.get_layer("logits").get_weights() for model in (grown, network)
    )
    n = len(CLASSES)
    assert np.array_equal(kernel[:, :n], learned)
    assert kernel[:, n:] == pytest.approx(0.3 * initial[:, n:])
    assert np.array_equal(bias[:n], learned_bias)
    assert bias[n:] == pytest.approx(learned_bias.mean())
    x = np.random.default_rng(1).standard_normal((2, 2, 1024), np.float32)
    before, after = (np.asarray(m.predict(x, verbose=0)) for m in (network, grown))
    assert after[:, :n] == pytest.approx(before, abs=1e-4)
    with pytest.raises(UsageError, match="its classes are not those"):
        start_from(bundle, grown, ("DMR", *CLASSES, "TETRA"))


def test_what_the_network_has_no_more_is_left_out_and_what_saw_it_begins_anew(
    written: tuple[Path, BundleInfo], tmp_path: Path
) -> None:
    """Which of the features a dense layer has lost is not known."""
    old, new = before_and_after()
    untouched = old.get_layer("decided").get_weights()
    bundle = bundle_of(new, written[1], tmp_path)
    assert start_from(bundle, old, ("A", "B", "C")) == ["decided"]
    for mine, before in zip(old.get_layer("decided").get_weights(), untouched, strict=True):
        assert np.array_equal(mine, before)
    for name in ("seen", "logits"):
        for mine, wanted in zip(
            old.get_layer(name).get_weights(), new.get_layer(name).get_weights(), strict=True
        ):
            assert np.array_equal(mine, wanted)


def test_the_user_is_told_what_begins_anew(
    written: tuple[Path, BundleInfo],
    material: Material,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("liveclf.learn.fit.train.start_from", lambda *_: ["a", "b", "c", "dense1"])
    monkeypatch.setattr("liveclf.learn.fit.train.compile_model", stop)
    settings = TrainSettings(network=NetworkSettings(start=str(written[0]), width=0.125))
    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train(settings, tmp_path / "run", material, told.append)
    (line,) = told
    assert line.startswith(f"--from {written[0]}: 4 layers begin anew")
    assert line.endswith(": a, b, c, ...")

    assert not (tmp_path / "run").exists()


def stop(*_: object) -> None:
    raise KeyboardInterrupt


# ---------------------------------------------------------------- what does not fit


def test_a_bundle_of_other_classes_is_refused(written: tuple[Path, BundleInfo]) -> None:
    folder, info = written
    other = msgspec.structs.replace(info, classes=(*CLASSES[1:], CLASSES[0]))
    with pytest.raises(UsageError, match="its classes are not those"):
        start_from(Bundle(folder, other), small(), CLASSES)


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
    material: Material,
    tmp_path: Path,
) -> None:
    """A folder that was begun would be in the way of the next try."""
    settings = TrainSettings(network=NetworkSettings(**({"start": str(written[0])} | asked)))
    with pytest.raises(error, match=words):
        train(settings, tmp_path / "run", material, print)
    assert not (tmp_path / "run").exists()
