"""The history of a run, and what is read from it."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from liveclf.errors import TrainingError
from liveclf.learn import BEST, CHECKPOINT, CURVES, HISTORY
from liveclf.learn.fit.curves import Curves, draw_curves
from liveclf.learn.fit.history import (
    Log,
    Plateau,
    best_epoch,
    is_over,
    read_history,
    write_history,
)

NAN = math.nan


def rows_of(*losses: float) -> list[dict[str, float]]:
    rest = {"loss": 1.0, "accuracy": 0.5, "val_accuracy": 0.4}
    return [{"epoch": float(k), "val_loss": loss} | rest for k, loss in enumerate(losses)]


def test_rows_are_read_back_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / HISTORY
    log = Log(path)
    written = [{"loss": 1 / 3, "val_loss": 1e-17}, {"loss": 2 / 3, "val_loss": 12345.678901234567}]
    for epoch, logs in enumerate(written):
        log.on_epoch_end(epoch, logs)
    assert read_history(path) == [{"epoch": k} | logs for k, logs in enumerate(written)]
    assert path.read_text().splitlines()[0] == "epoch,loss,val_loss"
    assert path.read_text().splitlines()[1].startswith("0,0.33")
    assert [p.name for p in tmp_path.iterdir()] == [HISTORY]


def test_a_value_that_only_later_rows_have_is_no_number_in_the_first(tmp_path: Path) -> None:
    log = Log(tmp_path / HISTORY)
    log.on_epoch_end(0, {"loss": 1.0})
    log.on_epoch_end(1, {"loss": 1.0, "waiting": 0.5})
    first, second = read_history(tmp_path / HISTORY)
    assert math.isnan(first["waiting"])
    assert second["waiting"] == 0.5


def test_no_file_is_no_rows_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    assert read_history(tmp_path / HISTORY) == []
    for text in ("epoch,loss\n0,what\n", "epoch,loss\n0\n"):
        (tmp_path / HISTORY).write_text(text)
        with pytest.raises(TrainingError, match=r"history\.csv cannot be read"):
            read_history(tmp_path / HISTORY)


def test_a_disk_that_cannot_be_written_is_a_training_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"History .*history\.csv cannot be written: No such"):
        write_history(tmp_path / "gone" / HISTORY, rows_of(1.0))


@pytest.mark.parametrize(
    ("losses", "best"),
    [((3.0,), 0), ((3, 2, 1), 2), ((3, 1, 2), 1), ((1, 1, 1), 0), ((NAN, 5, NAN), 1), ((NAN,), 0)],
)
def test_the_best_epoch_is_the_first_with_the_lowest_loss(
    losses: tuple[float, ...], best: int
) -> None:
    assert best_epoch(rows_of(*losses)) == best


@pytest.mark.parametrize(
    ("losses", "patience", "over"),
    [
        ((), 1, False),
        ((3, 2, 1), 1, False),
        ((3, 1, 2), 1, True),
        ((3, 1, 2), 2, False),
        ((3, 1, 2, 1), 2, True),
        ((3, 1, 2, 0.5), 2, False),
        ((1, 9, 9, 9, 9), 0, False),
    ],
)
def test_a_run_is_over_when_it_was_patient_enough(
    losses: tuple[float, ...], patience: int, over: bool, tmp_path: Path
) -> None:
    if losses:
        write_history(tmp_path / HISTORY, rows_of(*losses))
    assert is_over(tmp_path / HISTORY, patience) is over


class Model:
    """What a callback sees of a model."""

    stop_training = False


def test_the_best_checkpoint_is_kept_and_the_training_ended_also_across_a_restart(
    tmp_path: Path,
) -> None:
    losses = (3.0, 1.0, 2.0, 2.0)
    for k in range(len(losses)):
        (tmp_path / CHECKPOINT).write_bytes(b"epoch %d" % k)
        write_history(tmp_path / HISTORY, rows_of(*losses[: k + 1]))
        plateau = Plateau(tmp_path, patience=2)  # nothing is remembered but what is written
        model = Model()
        plateau.set_model(model)
        plateau.on_epoch_end(k)
        assert model.stop_training == (k == 3)
        assert (tmp_path / BEST).read_bytes() == (b"epoch 0" if k == 0 else b"epoch 1")


def test_a_copy_that_a_crash_prevented_is_made_up_for(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"epoch 1")
    (tmp_path / BEST).write_bytes(b"epoch 0")
    write_history(tmp_path / HISTORY, rows_of(3.0, 1.0))
    Plateau(tmp_path, patience=2).on_train_begin()
    assert (tmp_path / BEST).read_bytes() == b"epoch 1"


# ---------------------------------------------------------------- the picture


def test_the_curves_are_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw_curves(rows_of(3.0, NAN, 1.0), tmp_path / CURVES)
    data = (tmp_path / CURVES).read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 5000
    assert [p.name for p in tmp_path.iterdir()] == [CURVES]
    draw_curves(rows_of(1.0, 2.0), tmp_path / CURVES)
    assert (tmp_path / CURVES).read_bytes() != data


def test_without_matplotlib_there_is_one_notice_and_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveclf.learn.fit.curves.find_spec", lambda _: None)
    told: list[str] = []
    curves = Curves(tmp_path, told.append)
    write_history(tmp_path / HISTORY, rows_of(1.0))
    curves.on_epoch_end(0)
    curves.on_epoch_end(1)
    assert told == ["curves.png is not drawn, since matplotlib is not installed"]
    assert not (tmp_path / CURVES).exists()
