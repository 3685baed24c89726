"""The posted network and training: as it was posted, and stuck as it was."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest

from liveclf.errors import TrainingError
from liveclf.learn.posted.recipe import (
    CHECKPOINT,
    AsPosted,
    build_as_posted,
    posted_callbacks,
    split_as_posted,
    train_as_posted,
)
from liveclf.learn.stuck import diagnosis
from liveclf.model.vgg16 import build_vgg16

WIDTH = 1 / 64  # eight channels everywhere
TOOLS = Path(__file__).parents[2] / "tools"


def test_the_layers_are_those_of_the_post() -> None:
    model = build_as_posted(3, 0.125)
    kinds = [type(layer).__name__ for layer in model.layers]
    blocks = [kind for n in (2, 2, 3, 3, 3) for kind in ["Conv2D"] * n + ["MaxPooling2D"]]
    assert kinds == [*blocks, "Flatten", "Dense", "Dense", "Dense"]
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert [layer.filters * 8 for layer in convolutions] == (
        [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    )
    assert {(layer.kernel_size, layer.padding) for layer in convolutions} == {((1, 3), "same")}
    assert model.layers[-4].output.shape[1] == 2 * 32 * 64  # 2 rows, 1024 / 2^5, channels
    trained = [layer for layer in model.layers if layer.weights]
    assert {type(layer.kernel_initializer).__name__ for layer in trained} == {"GlorotUniform"}
    assert {layer.activation.__name__ for layer in trained[:-1]} == {"relu"}
    assert trained[-1].activation.__name__ == "softmax"
    assert (trained[-3].units, trained[-2].units, trained[-1].units) == (512, 512, 3)


def test_the_split_is_15_percent_and_15_of_the_rest_without_overlap() -> None:
    train, validation, test = split_as_posted(2000, 4)
    assert (len(train), len(validation), len(test)) == (1445, 255, 300)
    assert sorted([*train, *validation, *test]) == list(range(2000))
    again = split_as_posted(2000, 4)
    assert all(np.array_equal(a, b) for a, b in zip((train, validation, test), again, strict=True))
    assert not np.array_equal(test, split_as_posted(2000, 5)[2])


@pytest.mark.parametrize(("x", "y"), [((4, 2, 1024), (4, 3)), ((4, 1024, 2), (3, 3))])
def test_arrays_of_another_layout_are_refused(
    x: tuple[int, ...], y: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"\(n, 1024, 2\) and labels \(n, classes\)"):
        train_as_posted(np.zeros(x, np.float32), np.zeros(y), seed=1, width=WIDTH, out=tmp_path)


@pytest.fixture(scope="module")
def stuck(tmp_path_factory: pytest.TempPathFactory) -> tuple[AsPosted, list[str], Path]:
    """Train as posted until the guard speaks.

    The labels are random: at eight channels, the least there are, the network does learn
    what is easy.
    """
    rng = np.random.default_rng(1)
    n, t = 600, np.arange(1024)
    y = rng.permutation(np.arange(n) % 3)
    turn = 2 * np.pi * (rng.random((n, 1)) + rng.uniform(-0.01, 0.01, (n, 1)) * t)
    z = (1 + 0.5 * np.cos(0.1 * t)) * np.exp(1j * turn)
    said: list[str] = []
    out = tmp_path_factory.mktemp("run")
    done = train_as_posted(
        np.stack([z.real, z.imag], 2).astype(np.float32), np.eye(3, dtype=np.float32)[y],
        seed=1, width=WIDTH, steps_limit=300, batch=8, out=out, say=said.append,
    )  # fmt: skip
    return done, said, out


def test_it_stays_at_ln_3_and_the_guard_says_why(
    stuck: tuple[AsPosted, list[str], Path],
) -> None:
    done, said, _ = stuck
    found = done.guard.diagnosis
    assert found is not None
    assert found.step == 200
    assert found.loss == pytest.approx(np.log(3), abs=0.02)
    assert [finding.cause for finding in found.findings][:1] == [diagnosis.SHRINKING]
    assert [finding.cause for finding in found.findings][-1] == diagnosis.SCRAMBLED
    assert said[-1] == str(found)
    assert len(done.guard.losses) == 200


def test_both_callbacks_wait_for_a_metric_that_does_not_come(
    stuck: tuple[AsPosted, list[str], Path],
) -> None:
    done, said, out = stuck
    told = [sentence for sentence in said if "monitor='val_accuracy'" in sentence]
    assert [sentence.split()[0] for sentence in told] == ["PostedCheckpoint", "EarlyStopping"]
    assert "val_accuracy" in done.history
    assert "val_acc" not in done.history
    assert not (out / CHECKPOINT).exists()


def test_the_checkpoint_would_be_written_if_the_metric_were_there(tmp_path: Path) -> None:
    keep, _ = posted_callbacks(tmp_path)
    keep.set_model(build_as_posted(3, WIDTH))
    keep.on_epoch_end(0, {"val_accuracy": 0.5})
    assert not (tmp_path / CHECKPOINT).exists()
    keep.on_epoch_end(1, {"val_acc": 0.5})
    assert (tmp_path / CHECKPOINT).exists()


@pytest.mark.usefixtures("eagerly")
def test_a_limit_of_steps_ends_it(tmp_path: Path) -> None:
    x = np.random.default_rng(1).standard_normal((60, 1024, 2)).astype(np.float32)
    y = np.eye(3, dtype=np.float32)[np.arange(60) % 3]
    done = train_as_posted(x, y, seed=1, width=WIDTH, steps_limit=3, batch=8, out=tmp_path)
    assert len(done.guard.losses) == 3
    assert done.guard.diagnosis is None


def test_the_recipes_that_are_compared_are_the_networks_they_stand_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import seed_recipes as recipes

    def shapes(model: keras.Model) -> list[tuple[int, ...]]:
        return [tuple(weight.shape) for weight in model.trainable_weights]

    assert shapes(recipes.build(recipes.POSTED, 0.125)) == shapes(build_as_posted(3, 0.125))
    ours = shapes(recipes.build(recipes.OURS, 0.125))
    classic = shapes(build_vgg16(3, "vgg16-classic", 0.125))
    # The posted convolutions have a bias, which the one of batch normalisation makes idle.
    assert [shape for shape in ours if len(shape) > 1] == [s for s in classic if len(s) > 1]
    windows = recipes.make_windows(30, seed=1)
    assert recipes.prepared(windows, recipes.OURS).shape == (30, 2, 1024)
    rows = recipes.prepared(windows, recipes.POSTED)
    assert np.array_equal(rows[:, 0, ::2], windows.x[:, 0, :512])
    assert np.array_equal(rows[:, 1, 1::2], windows.x[:, 1, 512:])
    sys.modules.pop("seed_recipes")
