"""What is seen while training runs."""

from __future__ import annotations

import pytest

from liveclf.learn.fit.progress import TrainingProgress


def test_the_progress_bar_gives_the_terminal_back_when_training_breaks_off() -> None:
    """A bar that is left running hides the cursor and draws over what comes next."""
    progress = TrainingProgress(steps=4, batch=32, first_step=2)

    def broken_off() -> None:
        with progress:
            progress.on_train_begin()
            progress.on_train_batch_end(0, {"loss": 1.0, "accuracy": 0.5})
            assert progress._bar.live.is_started
            assert progress._bar.tasks[0].completed == 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert not progress._bar.live.is_started


def test_an_epoch_leaves_a_line_with_the_share_of_time_spent_waiting(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    logs = {"loss": 1.5, "accuracy": 0.25, "val_loss": 1.25, "val_accuracy": 0.5, "waiting": 0.125}
    TrainingProgress(steps=4, batch=32, first_step=0).on_epoch_end(6, logs)
    (line,) = capfd.readouterr().err.splitlines()
    assert line == (
        "epoch   7: loss 1.5000, accuracy 0.2500; held out: loss 1.2500, accuracy 0.5000; "
        "waited for data 12.5% of the time"
    )
