"""Students beside a teacher: what they see, what they learn, and that it costs the teacher nothing."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from tones import CLASSES, Tones

from liveclf.config import FitSettings, NetworkSettings, TrainSettings, load
from liveclf.errors import UsageError
from liveclf.learn.fit import teaching as teaching_module
from liveclf.learn.fit.average import estimate_statistics
from liveclf.learn.fit.optimiser import compile_model, name_of
from liveclf.learn.fit.teaching import TEMPERATURE, Teaching, networks_in, with_students
from liveclf.learn.fit.train import check_run


def little(n_classes: int, preset: str, width: float | None = None) -> keras.Model:
    """Build in no time what has the named layers of a joint network."""
    inputs = keras.Input((2, 1024), name="iq")
    matched = layers.Activation("linear", name="matched")(inputs)
    seen = layers.Flatten(name="constellation")(layers.AveragePooling1D(2)(matched))
    x = layers.Permute((2, 1))(layers.Concatenate(axis=1)([inputs, matched]))
    x = layers.Conv1D(round(64 * (width or 1)), 16, strides=8, use_bias=False, name="conv")(x)
    x = layers.Activation("relu")(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    x = layers.Concatenate()([layers.GlobalAveragePooling1D()(x), seen])
    logits = layers.Dense(n_classes, dtype="float32", name="logits")(x)
    return keras.Model(inputs, logits, name=preset.replace("-", "_"))


@pytest.fixture(autouse=True)
def _little_students(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teaching_module, "build_vgg16", little)


def compiled(model: keras.Model, learning_rate: float = 0.01) -> keras.Model:
    fit = FitSettings(steps=200, warmup_steps=1, learning_rate=learning_rate, average=0.0)
    compile_model(model, TrainSettings(fit=fit))
    return model


def windows(n: int = 64) -> tuple[np.ndarray, np.ndarray]:
    made = Tones()(0)
    return made.x[:n].astype(np.float32), made.y[:n].astype(np.int32)


def answers(model: keras.Model, x: np.ndarray) -> list[np.ndarray]:
    """Return the logits of the teacher and of each student."""
    given = model.get_layer("teaching").input
    return [np.asarray(a) for a in keras.Model(model.input, given)(x, training=False)]


def log_softmax(z: np.ndarray) -> np.ndarray:
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def test_the_answer_is_that_of_the_teacher() -> None:
    x, _ = windows()
    teacher = little(3, "vgg16")
    alone = np.asarray(teacher(x))
    assert np.array_equal(np.asarray(with_students(teacher, (0.5, 0.25))(x)), alone)


def test_what_is_added_to_the_loss_is_how_far_each_student_is_from_its_teacher() -> None:
    rng = np.random.default_rng(1)
    logits = [rng.normal(0, 2, (20, 5)).astype(np.float32) for _ in range(3)]
    layer = Teaching()
    layer(logits)
    wanted = log_softmax(logits[0] / TEMPERATURE)
    found = [float(loss) for loss in layer.losses]
    for loss, student in zip(found, logits[1:], strict=True):
        got = log_softmax(student / TEMPERATURE)
        divergence = np.sum(np.exp(wanted) * (wanted - got), axis=1).mean()
        assert loss == pytest.approx(TEMPERATURE**2 * divergence, rel=1e-5)
    layer([logits[0], logits[0]])
    assert [float(loss) for loss in layer.losses] == pytest.approx([0.0], abs=1e-6)


def test_the_teacher_learns_as_it_would_alone() -> None:
    x, y = windows()
    keras.utils.set_random_seed(3)
    alone = compiled(little(3, "vgg16"))
    beside = compiled(with_students(keras.models.clone_model(alone), (0.5,)))
    for name in ("conv", "norm", "logits"):
        beside.get_layer(name).set_weights(alone.get_layer(name).get_weights())
    for _ in range(3):
        alone.train_on_batch(x, y)
        beside.train_on_batch(x, y)
    for name in ("conv", "norm", "logits"):
        pairs = zip(
            beside.get_layer(name).get_weights(), alone.get_layer(name).get_weights(), strict=True
        )
        for mine, wanted in pairs:
            assert mine == pytest.approx(wanted, abs=1e-5)


def test_a_student_comes_to_answer_as_its_teacher_does() -> None:
    x, y = windows(256)
    keras.utils.set_random_seed(4)
    model = compiled(with_students(little(3, "vgg16"), (0.25,)))
    for _ in range(60):
        model.train_on_batch(x, y)
    estimate_statistics(model, [x])
    teacher, student = (a.argmax(axis=1) for a in answers(model, x))
    assert np.mean(teacher == y) > 0.9
    assert np.mean(student == teacher) > 0.9


def test_each_network_has_its_own_layers_by_their_names() -> None:
    model = with_students(little(3, "vgg16"), (0.5, 0.25))
    networks = networks_in(model)
    assert [n.get_layer("conv").filters for n in networks] == [64, 32, 16]
    assert len({id(n.get_layer("logits")) for n in networks}) == 3


def test_statistics_of_students_are_estimated_too() -> None:
    x, _ = windows()
    model = with_students(little(3, "vgg16"), (0.5,))
    before = [n.get_layer("norm").get_weights()[2] for n in networks_in(model)]
    estimate_statistics(model, [x])
    after = [n.get_layer("norm").get_weights()[2] for n in networks_in(model)]
    assert all(np.abs(b - a).max() > 1e-3 for b, a in zip(before, after, strict=True))


def test_they_survive_a_checkpoint(tmp_path: Path) -> None:
    x, y = windows()
    model = compiled(with_students(little(3, "vgg16"), (0.5, 0.25)))
    model.train_on_batch(x, y)
    model.save(tmp_path / "checkpoint.keras")
    copy = keras.models.load_model(tmp_path / "checkpoint.keras")
    for mine, wanted in zip(answers(copy, x), answers(model, x), strict=True):
        assert np.array_equal(mine, wanted)
    assert copy.train_on_batch(x, y) == pytest.approx(model.train_on_batch(x, y), rel=1e-4)


def test_a_run_begun_before_there_were_students_goes_on() -> None:
    """The name of its optimiser, in its checkpoint, is that of the version before."""
    assert name_of(TrainSettings()) == "settings_87279944dcbb8dee"
    with_one = TrainSettings(network=NetworkSettings(students=(0.5,)))
    assert name_of(with_one) != name_of(TrainSettings())


def test_what_does_not_see_what_students_see_does_not_teach() -> None:
    for network in ({"preset": "vgg16-classic"}, {"preset": "vgg16", "recipe": "as-posted"}):
        with pytest.raises(UsageError, match=r"students 0\.5 .*only vgg16 and vgg16-slim"):
            load(TrainSettings, None, {"network": {**network, "students": [0.5]}})


def test_two_students_of_one_width_would_be_one_bundle() -> None:
    with pytest.raises(UsageError, match=r"students 0\.5, 0\.25, 0\.5 name one twice"):
        load(TrainSettings, None, {"network": {"preset": "vgg16", "students": [0.5, 0.25, 0.5]}})


def test_dense_layers_alone_have_no_students(tmp_path: Path) -> None:
    settings = TrainSettings(
        network=NetworkSettings(students=(0.5,), start="vgg16-slim"), fit=FitSettings(freeze=True)
    )
    with pytest.raises(UsageError, match=r"--freeze and --student 0\.5 conflict"):
        check_run(settings, tmp_path / "run", resume=False)


def test_classes_are_those_of_the_teacher() -> None:
    model = with_students(little(len(CLASSES), "vgg16"), (0.5,))
    assert networks_in(model)[1].output.shape == (None, len(CLASSES))
