"""Training the dense layers alone."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray
from tones import tones

from liveclf.config import DataSettings, FitSettings, NetworkSettings, TrainSettings
from liveclf.learn import CHECKPOINT, HISTORY
from liveclf.learn.fit import train as train_module
from liveclf.learn.fit.checkpoint import load_checkpoint
from liveclf.learn.fit.history import read_history
from liveclf.learn.fit.train import train

SETTINGS = TrainSettings(
    network=NetworkSettings(preset="vgg16-slim", width=0.125),
    fit=FitSettings(
        steps=40, epoch_steps=20, batch=64, warmup_steps=5, learning_rate=5e-3, freeze=True
    ),
    data=DataSettings(pool_windows=1024),
)


def weights_of(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    return {w.path: np.array(np.asarray(w)) for w in model.weights}


def test_a_network_whose_convolutions_have_one_output_learns_too(tmp_path: Path) -> None:
    network = NetworkSettings(preset="vgg16-classic", width=0.03125)
    run = tmp_path / "run"
    train(structs.replace(SETTINGS, network=network), run, tones(), lambda _: None)
    assert float(read_history(run / HISTORY)[-1]["accuracy"]) > 0.8


def test_the_dense_layers_learn_and_the_convolutions_keep_their_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: dict[str, NDArray[np.float32]] = {}
    begin = train_module._begin

    def keep(*given: object) -> keras.Model:
        model = begin(*given)  # type: ignore[arg-type]
        begun.update(weights_of(model))
        return model

    monkeypatch.setattr(train_module, "_begin", keep)
    run, told = tmp_path / "run", []
    trained = weights_of(train(SETTINGS, run, tones(), told.append))
    assert told == ["--freeze: the convolutions see 1,024 windows, once"]
    moved = {path for path, w in trained.items() if not np.array_equal(w, begun[path])}
    assert {path.split("/")[0] for path in moved} == {"symbols", "dense1", "logits"}
    rows = read_history(run / HISTORY)
    assert len(rows) == 2
    assert float(rows[-1]["val_accuracy"]) > 0.8

    monkeypatch.setattr(train_module, "fit_head", None)  # it is not trained again
    assert int(load_checkpoint(run / CHECKPOINT).optimizer.iterations) == 40
    resumed = weights_of(train(SETTINGS, run, tones(), print, resume=True))
    assert all(np.array_equal(resumed[path], w) for path, w in trained.items())
