"""The stuck guard: it names the cause where a training is stuck, and is silent elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest
from keras import layers

from liveclf.errors import UsageError
from liveclf.learn import guard as guard_module
from liveclf.learn.guard import StuckGuard, warn_of_monitors
from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Finding
from liveclf.learn.stuck.look import Observer
from liveclf.learn.stuck.probe import draw
from liveclf.learn.stuck.progress import Progress, uninformed_loss
from liveclf.learn.stuck.relation import relation, share_in_order
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

CHECKS = (40, 60, 100)
BATCH = 16
N = 1600  # an epoch is a whole run, unless a test says otherwise


def windows(
    n: int = N, n_classes: int = 3, noise: float = 0.3, samples: int = 32
) -> tuple[Any, Any]:
    """Tones whose modulation depth is the class: rows I and Q, about unit power."""
    rng = np.random.default_rng(n + n_classes)
    y = rng.permutation(np.arange(n) % n_classes)
    t = np.arange(samples)
    depth = (y / n_classes)[:, None]
    turn = 2 * np.pi * (rng.random((n, 1)) + rng.uniform(-0.1, 0.1, (n, 1)) * t)
    z = (1 + depth * np.cos(0.4 * t + 6 * rng.random((n, 1)))) * np.exp(1j * turn)
    x = np.stack([z.real, z.imag], 1) + noise * rng.standard_normal((n, 2, samples))
    return (x / np.sqrt(np.mean(x**2))).astype(np.float32), y.astype(np.int32)


def scrambled(x: Any) -> Any:
    return np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(x.shape)


def network(
    n_classes: int = 3,
    depth: int = 1,
    initializer: Any = "he_normal",
    activation: Any = None,
    batch_norm: bool = True,
    bias: float = 0.0,
) -> keras.Model:
    made: list[Any] = [keras.Input((2, 32)), layers.Permute((2, 1))]
    for _ in range(depth):
        start = {
            "kernel_initializer": initializer,
            "bias_initializer": keras.initializers.Constant(bias),
        }
        made.append(layers.Conv1D(8, 3, padding="same", **start))
        made += [layers.BatchNormalization(momentum=0.9)] * batch_norm
        made += [layers.ReLU(), layers.MaxPooling1D(2) if len(made) < 5 else layers.Identity()]
    made += [layers.Flatten(), layers.Dense(n_classes, activation, kernel_initializer=initializer)]
    return keras.Sequential(made)


class Fit:
    """One training under guard.

    Attributes:
        guard: As it was left.
        said: What it said.
        steps: That were made.
        model: As trained.
    """

    def __init__(
        self,
        model: keras.Model,
        x: Any,
        y: Any,
        *,
        optimizer: Any = None,
        loss: Any = None,
        probe: bool = True,
        on_stuck: str = "stop",
        epochs: int = 1,
        callbacks: tuple[Any, ...] = (),
        compiled: dict[str, Any] | None = None,
        **fit: Any,
    ) -> None:
        self.said: list[str] = []
        self.guard = StuckGuard(
            (x, y) if probe else None,
            on_stuck=on_stuck,
            check_steps=CHECKS,
            callbacks=callbacks,
            say=self.said.append,
        )
        self.model = model
        keras.utils.set_random_seed(7)
        model.compile(
            optimizer=keras.optimizers.Adam(1e-2) if optimizer is None else optimizer,
            loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,  # compiling takes longer than these trainings
            **(compiled or {}),
        )
        # Else the first step makes them, and the graph is made twice.
        if model.built:
            model.optimizer.build(model.trainable_variables)
        every = [*callbacks, self.guard]
        model.fit(x, y, batch_size=BATCH, epochs=epochs, callbacks=every, verbose=0, **fit)
        self.steps = int(model.optimizer.iterations)

    @property
    def causes(self) -> list[str]:
        """What it found, the likeliest first."""
        found = self.guard.diagnosis
        return [finding.cause for finding in found.findings] if found else []


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises for a thousand steps."""

    def __call__(self, step: Any) -> Any:
        return 1e-3 * keras.ops.cast(step, "float32") / 1000


def imbalanced(x: Any, y: Any) -> tuple[Any, Any]:
    rare = (y == 0) | (np.arange(len(y)) % 8 == 0)
    return np.tile(x[rare], (3, 1, 1)), np.tile(y[rare], 3)


# Each layer passes on a tenth, as many of Glorot's do together.
SHRINKS: dict[str, Any] = {
    "depth": 4,
    "initializer": keras.initializers.RandomNormal(stddev=0.05, seed=1),
    "batch_norm": False,
}
HEALTHY: dict[str, Callable[[], Fit]] = {
    "logits": lambda: Fit(network(), *windows()),
    "no probe": lambda: Fit(network(), *windows(), probe=False),
    "softmax, one-hot": lambda: Fit(
        network(activation="softmax"), windows()[0], np.eye(3)[windows()[1]],
        loss="categorical_crossentropy",
    ),
    "Adam 1e-5": lambda: Fit(network(), *windows(), optimizer=keras.optimizers.Adam(1e-5)),
    "SGD 1e-4": lambda: Fit(network(), *windows(), optimizer=keras.optimizers.SGD(1e-4)),
    "warm-up longer than the run": lambda: Fit(
        network(), *windows(), optimizer=keras.optimizers.Adam(WarmUp())
    ),
    "a plateau before it starts": lambda: Fit(
        network(depth=3, initializer="glorot_uniform", batch_norm=False), *windows(),
        optimizer=keras.optimizers.Adam(1e-3),
    ),
    "30 classes": lambda: Fit(network(30), *windows(n_classes=30)),
    "below the noise": lambda: Fit(network(), *windows(noise=3.0)),
    "imbalanced": lambda: Fit(network(), *imbalanced(*windows())),
    "imbalanced, no probe": lambda: Fit(network(), *imbalanced(*windows()), probe=False),
    "smoothed labels": lambda: Fit(
        network(), windows()[0], np.eye(3)[windows()[1]],
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.3),
    ),
    "epochs of 10 steps": lambda: Fit(network(), *windows(160), epochs=10),
    "several steps at once": lambda: Fit(
        network(), *windows(), compiled={"steps_per_execution": 4}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
def test_it_is_silent_where_a_network_learns_or_may_yet(name: str) -> None:
    fit = HEALTHY[name]()
    assert fit.said == []
    assert fit.guard.diagnosis is None
    assert fit.steps >= 100
    assert len(fit.guard.losses) >= 100


@pytest.fixture(scope="module")
def shrinking() -> Fit:
    """Train what fails as the post did."""
    return Fit(network(**SHRINKS), *windows(), optimizer=keras.optimizers.Adam(1e-3))


def test_a_signal_that_shrinks_is_named_with_what_was_measured(shrinking: Fit) -> None:
    assert shrinking.causes[0] == diagnosis.SHRINKING
    found = shrinking.guard.diagnosis
    assert found is not None
    assert found.uninformed == pytest.approx(np.log(3), abs=1e-3)
    assert found.loss == pytest.approx(np.log(3), abs=0.02)
    text = shrinking.said[-1]
    assert "stuck: loss 1.1" in text or "stuck: loss 1.0" in text
    assert "1.0986 (3 classes)" in text
    assert "batch normalisation before every ReLU" in text
    assert text.count("Change:") == len(found.findings)


def test_it_stops_the_training_at_the_first_check_that_shows_the_cause(shrinking: Fit) -> None:
    assert shrinking.guard.diagnosis is not None
    assert shrinking.guard.diagnosis.step == shrinking.steps == CHECKS[0]


def test_told_to_warn_it_says_so_once_and_the_training_goes_on() -> None:
    fit = Fit(
        network(**SHRINKS), *windows(), on_stuck="warn", epochs=2,
        optimizer=keras.optimizers.SGD(1e-3),
    )  # fmt: skip
    assert len(fit.said) == 1
    assert fit.steps == 200


def test_without_a_probe_noise_shows_the_layers() -> None:
    sgd = keras.optimizers.SGD(1e-3)
    fit = Fit(network(**SHRINKS), *windows(), probe=False, optimizer=sgd)
    assert fit.causes[0] == diagnosis.SHRINKING


def test_dead_units_are_named_with_their_layer() -> None:
    model = network(batch_norm=False, bias=-100.0)
    fit = Fit(model, *windows())
    assert fit.causes == [diagnosis.DEAD]
    assert model.layers[2].name in fit.said[-1]


@pytest.mark.parametrize("how", ["rate", "trainable"])
def test_weights_that_do_not_change_are_named_with_the_learning_rate(how: str) -> None:
    model = network()
    model.trainable = how != "trainable"
    rate = 0.0 if how == "rate" else 1e-3
    fit = Fit(model, *windows(), optimizer=keras.optimizers.Adam(rate))
    assert fit.causes == [diagnosis.FROZEN]
    assert f"learning rate {rate:.1e}" in fit.said[-1]


def test_labels_that_are_shuffled_are_named() -> None:
    x, y = windows(3200)
    fit = Fit(network(), x, np.random.default_rng(1).permutation(y))
    assert fit.causes == [diagnosis.UNRELATED]
    assert fit.steps in (100, 160)  # the second if the loss had not yet come down


def test_labels_that_are_shuffled_are_named_though_a_network_learns_them_by_heart() -> None:
    x, y = windows(160)
    y = np.random.default_rng(2).permutation(y)
    others = windows(300)
    fit = Fit(network(), x, y, epochs=10, validation_data=others)
    assert fit.guard.losses[-1] < 0.9  # it did
    assert fit.causes == [diagnosis.UNRELATED]
    assert fit.said[-1].startswith("This training learns by heart: loss 0.")


@pytest.mark.parametrize(
    ("cause", "spoil"),
    [
        (diagnosis.CONSTANT_INPUT, lambda x, y: (np.full_like(x, 0.5), y)),
        (diagnosis.NOT_FINITE, lambda x, y: (np.where(x > 2, np.nan, x), y)),
        (diagnosis.ONE_SIDED, lambda x, y: (x, np.full_like(y, 2))),
    ],
)
def test_data_that_nothing_can_learn_from_end_it_at_once(
    cause: str, spoil: Callable[[Any, Any], Any]
) -> None:
    fit = Fit(network(), *spoil(*windows()))
    assert fit.causes[0] == cause
    assert fit.steps == 1  # Keras asks after a step
    assert len(fit.said) == 1
    assert fit.said[0].startswith("This training cannot learn its 3 classes.")


def test_told_to_warn_of_such_data_it_says_so_and_no_more() -> None:
    x, y = windows()
    fit = Fit(network(), np.full_like(x, 0.5), y, on_stuck="warn")
    assert fit.steps == 100
    assert len(fit.said) == 1


@pytest.mark.parametrize(
    ("cause", "spoil"),
    [
        (diagnosis.SCRAMBLED, lambda x, y: (scrambled(x), y)),
        (diagnosis.UNSCALED, lambda x, y: (0.05 * x, y)),
        (diagnosis.ONE_SIDED, lambda x, y: (x, np.where(np.arange(len(y)) % 32 == 0, y, 0))),
    ],
)
def test_data_that_one_would_change_are_told_and_do_not_end_it(
    cause: str, spoil: Callable[[Any, Any], Any]
) -> None:
    fit = Fit(network(), *spoil(*windows()))
    assert [note.cause for note in fit.guard.notes] == [cause]
    assert len(fit.said) == 1
    assert fit.said[0].startswith(f"Before the first step, {cause}")
    assert fit.steps == 100


def test_an_unscaled_input_comes_first_where_it_keeps_a_network_from_learning() -> None:
    x, y = windows()
    fit = Fit(network(**SHRINKS), 1e-4 * x, y, optimizer=keras.optimizers.SGD(1e-2))
    assert fit.causes[:2] == [diagnosis.UNSCALED, diagnosis.SHRINKING]


def test_a_loss_that_is_not_finite_ends_it_at_that_step() -> None:
    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 9:
                self.model.layers[-1].kernel.assign(np.full((128, 3), np.nan, np.float32))

    fit = Fit(network(depth=1), *windows(), callbacks=(Poison(),))
    assert fit.causes == [diagnosis.NOT_FINITE]
    assert fit.steps == 11


def test_it_leaves_the_training_as_it_is() -> None:
    """The weights are the same to the bit with and without it."""
    x, y = windows(800)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    models = [network(), network()]
    models[1].set_weights(models[0].get_weights())
    for k, model in enumerate(models):
        model.compile("adam", loss, jit_compile=False)
        watching = [StuckGuard((x, y), check_steps=(20, 30, 50))] * k
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, callbacks=watching)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert np.array_equal(a, b)


def test_after_the_last_check_it_looks_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = Observer.look
    monkeypatch.setattr(
        Observer, "look", lambda self, x, step: looks.append(step) or real(self, x, step)
    )
    fit = Fit(network(depth=2), *windows(noise=0.1), epochs=2)
    assert looks == [0, CHECKS[0] // 2, *CHECKS]
    assert len(fit.guard.losses) == CHECKS[-1]


def test_a_model_of_its_own_class_needs_a_probe_and_is_watched_with_one() -> None:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.flat, self.dense = layers.Flatten(), layers.Dense(3)

        def call(self, x: Any) -> Any:
            return self.dense(self.flat(x))

    assert Fit(Own(), *windows()).said == []
    fit = Fit(Own(), *windows(), optimizer=keras.optimizers.Adam(0.0))
    assert fit.causes == [diagnosis.FROZEN]
    with pytest.raises(UsageError, match="a model of its own class needs a probe"):
        Fit(Own(), *windows(), probe=False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"on_stuck": "shout"}, "on_stuck must be 'stop' or 'warn', not 'shout'"),
        ({"check_steps": ()}, "check_steps must ascend"),
        ({"check_steps": (300, 200)}, r"check_steps must ascend from 20 or more, not \[300, 200\]"),
        ({"check_steps": (5,)}, "check_steps must ascend from 20"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        StuckGuard(**arguments)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((4, 2, 32)), np.zeros(3), "4 inputs and 3 labels"),
        (np.zeros((0, 2, 32)), np.zeros(0), "0 inputs and 0 labels"),
        (np.zeros((4, 2, 32)), np.full(4, 3), "up to class 3, the network 3 outputs"),
        (np.zeros((4, 2, 32)), np.eye(4), r"labels of shape \(4, 4\)"),
        (np.zeros((4, 2, 32)), np.full(4, -1), "labels as in fit"),
    ],
)
def test_a_probe_that_does_not_fit_is_refused(x: Any, y: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        draw(x, y, 3)


def test_the_example_of_its_docstring_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = guard_module.__doc__ or ""
    example = "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))
    x, y = windows(160)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    x[:] = 1.0
    exec(example, {"x_train": x, "y_train": y, "model": model})
    assert capsys.readouterr().out.endswith(f"\n{diagnosis.CONSTANT_INPUT}\n")


def test_a_monitor_that_no_metric_is_called_is_told_with_the_right_name() -> None:
    stop = keras.callbacks.EarlyStopping(monitor="val_acc", mode="max")
    keep = keras.callbacks.ModelCheckpoint("x.keras", monitor="val_acc", save_best_only=True)
    fine = keras.callbacks.EarlyStopping(monitor="val_loss")
    every = keras.callbacks.ModelCheckpoint("x.keras", monitor="val_acc")  # saves whatever it is
    other = keras.callbacks.ReduceLROnPlateau(monitor="val_los")
    lost = keras.callbacks.EarlyStopping(monitor="f1")
    plain = keras.callbacks.Callback()
    names = {"loss", "accuracy", "val_loss", "val_accuracy"}
    told = warn_of_monitors([stop, keep, fine, every, other, lost, plain], names)
    assert [sentence.split()[0] for sentence in told] == [
        "EarlyStopping", "ModelCheckpoint", "ReduceLROnPlateau", "EarlyStopping",
    ]  # fmt: skip
    assert "monitors 'val_acc', but no metric is called so" in told[0]
    assert told[0].endswith("it never acts. Change: monitor='val_accuracy'.")
    assert told[1].endswith("it does not keep the best. Change: monitor='val_accuracy'.")
    assert told[2].endswith("Change: monitor='val_loss'.")
    assert told[3].endswith("one of accuracy, loss, val_accuracy, val_loss.")


def test_the_guard_tells_of_the_monitors_of_its_own_fit_once() -> None:
    stop = keras.callbacks.EarlyStopping(monitor="val_acc", mode="max")
    data = windows(160)
    with pytest.warns(UserWarning, match="val_acc"):  # Keras's own, after a whole epoch
        fit = Fit(network(), *data, epochs=3, callbacks=(stop,), validation_data=data)
    assert len(fit.said) == 1
    assert "EarlyStopping monitors 'val_acc'" in fit.said[0]
    assert "monitor='val_accuracy'" in fit.said[0]


def test_steps_are_recovered_from_running_means() -> None:
    rng = np.random.default_rng(1)
    losses, right = rng.random(50), rng.random(50)
    progress = Progress(np.full(3, 1 / 3))
    for first, last in ((0, 20), (20, 50)):
        progress.begin_epoch()
        for k in range(first, last):
            means = {"loss": losses[first : k + 1].mean(), "acc": right[first : k + 1].mean()}
            progress.add(means, k + 1 - first)
    assert progress.losses == pytest.approx(losses.tolist())
    assert progress.loss() == pytest.approx(losses[-16:].mean())


@pytest.mark.parametrize(
    ("slope", "noise", "falls"),
    [(0, 0.05, False), (-2e-4, 0.05, True), (2e-4, 0.05, False), (-1e-7, 1e-6, False)],
)
def test_a_loss_falls_if_it_does_so_beyond_chance_and_by_an_amount(
    slope: float, noise: float, falls: bool
) -> None:
    rng = np.random.default_rng(4)
    progress = Progress(np.full(3, 1 / 3))
    progress.losses = (1.1 + slope * np.arange(500) + noise * rng.standard_normal(500)).tolist()
    assert progress.falls(np.log(3)) == falls


def test_a_guess_has_the_entropy_of_the_labels_as_they_are_smoothed() -> None:
    share = np.array([0.7, 0.2, 0.1])
    regularizer = keras.regularizers.L2(0.5)
    model = keras.Sequential([
        keras.Input((2,)),
        layers.Dense(3, kernel_regularizer=regularizer, kernel_initializer="ones"),
    ])  # fmt: skip
    model.compile("sgd", "categorical_crossentropy")
    plain = -np.sum(share * np.log(share))
    assert uninformed_loss(model, share) == pytest.approx(plain + 0.5 * 6)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(label_smoothing=0.3))
    smooth = 0.7 * share + 0.1
    wanted = min(
        float(-np.sum(smooth * np.log(q)))
        for q in np.random.default_rng(1).dirichlet([7, 3, 2], 20000)
    )
    assert uninformed_loss(model, share) - 3 == pytest.approx(wanted, abs=1e-3)


@pytest.mark.parametrize("snr_db", [(-6.0, 30.0), (20.0, 30.0)])
def test_rows_that_were_reshaped_are_told_from_transposed_ones(
    snr_db: tuple[float, float],
) -> None:
    chunk = make_chunk(5, 0, snr_db)
    x, y = chunk.x.astype(np.float32), chunk.y.astype(int)
    n_classes = y.max() + 1
    assert draw(x, y, n_classes).findings() == []
    assert draw(x[..., None], y, n_classes).findings() == []
    assert draw(x.transpose(0, 2, 1), y, n_classes).findings() == []
    (found,) = draw(scrambled(x), y, n_classes).findings()
    assert found.cause == diagnosis.SCRAMBLED
    (found,) = draw(scrambled(x)[..., None], y, n_classes).findings()
    assert "transpose(0, 2, 1)" in found.change


def test_noise_alone_is_not_taken_for_scrambled_rows() -> None:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((600, 2, 128)).astype(np.float32)
    assert draw(x, np.arange(600) % 3, 3).findings() == []


def test_a_probe_reads_a_file_in_order_and_counts_every_label() -> None:
    class Ordered:
        """Like an HDF5 data set: rows in ascending order only."""

        shape = (5000, 2, 32)

        def __len__(self) -> int:
            return 5000

        def __getitem__(self, rows: Any) -> Any:
            assert (np.diff(rows) > 0).all()
            return np.broadcast_to(rows[:, None, None], (len(rows), 2, 32))

    label = np.repeat([0, 1, 2, 2], 1250)
    probe = draw(Ordered(), np.eye(3)[label], 3)
    assert len(probe.x) == 4096
    assert probe.count.tolist() == [1250, 1250, 2500]
    assert np.array_equal(label[probe.x[:, 0, 0].astype(int)], probe.label)
    few = label[probe.few()[:, 0, 0].astype(int)]
    assert np.bincount(few).tolist() == pytest.approx([32, 32, 64], abs=4)


def test_simple_features_tell_labels_that_go_with_the_input_from_others() -> None:
    x, y = windows(1000)
    found, error = share_in_order(draw(x, y, 3))
    assert found > 0.5 + 8 * error
    rng = np.random.default_rng(6)
    for _ in range(5):
        found, error = share_in_order(draw(x, rng.permutation(y), 3))
        assert abs(found - 0.5) < 4 * error


def test_labels_are_called_random_only_of_windows_enough_to_tell() -> None:
    x, y = windows(1000)
    y = np.random.default_rng(6).permutation(y)
    assert relation(draw(x, y, 3)).cause == diagnosis.UNRELATED
    assert relation(draw(x[:60], y[:60], 3)).cause == diagnosis.UNKNOWN


def test_a_class_of_one_window_does_not_disturb_the_others() -> None:
    x, y = windows(1000)
    y[0] = 3
    found, error = share_in_order(draw(x, y, 4))
    assert found > 0.5 + 4 * error


def test_weak_signals_of_all_classes_are_told_from_random_labels() -> None:
    chunk = make_chunk(1, 0, (-15.0, 0.0), CLASSES)
    x, y = chunk.x[..., :128].astype(np.float32), chunk.y.astype(np.int32)
    found, error = share_in_order(draw(x, y, len(CLASSES)))
    assert found > 0.5 + 6 * error


def test_a_finding_reads_as_what_was_measured_and_what_to_change() -> None:
    finding = Finding("cold", "it has -3 degrees", "heat it")
    assert str(finding) == "cold: it has -3 degrees.\n    Change: heat it."
