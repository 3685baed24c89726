"""What a training has learnt, read from the running means that Keras reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ERRORS = 4  # a mean differs if it does by this many standard errors,
_PART = 0.001  # and by this part of the loss of a guess, or
_MORE = 0.01  # accuracy by this
_SLOPE_ERRORS = 3  # to take a loss for falling costs no more than time
_ACCURACIES = ("accuracy", "acc", "categorical_accuracy", "sparse_categorical_accuracy")


class Progress:
    """Losses and accuracies step by step, compared with those of a guess.

    A guess is the best answer that does not look at the input.

    Attributes:
        losses: One a step.
        share: How often each class comes, shape (n_classes,).
    """

    def __init__(self, share: NDArray[np.float64]) -> None:
        """Begin before the first step."""
        self.losses: list[float] = []
        self.share = share
        self._right: list[float] = []
        self.begin_epoch()

    def begin_epoch(self) -> None:
        """Expect the means to begin anew."""
        self._count, self._lost, self._hit = 0, 0.0, 0.0

    def add(self, logs: Mapping[str, float], count: int) -> None:
        """Take the means over the first `count` steps of the epoch."""
        steps = count - self._count
        lost = logs["loss"] * count
        self.losses += [(lost - self._lost) / steps] * steps
        accuracy = accuracy_of(logs)
        if accuracy is not None:
            hit = accuracy * count
            self._right += [(hit - self._hit) / steps] * steps
            self._hit = hit
        self._count, self._lost = count, lost

    def loss(self) -> float:
        """Mean of the last third of the losses, NaN before the third step."""
        recent = _last_third(self.losses)
        return float(recent.mean()) if len(recent) else float("nan")

    def learns(self, guess: float) -> bool:
        """Whether loss or accuracy are clearly better than those of a guess."""
        recent = _last_third(self.losses)
        if guess - recent.mean() > max(_PART * guess, _ERRORS * _error(recent)):
            return True
        right = _last_third(self._right)
        return bool(len(right)) and self._above_guess() > max(_MORE, _ERRORS * _error(right))

    def is_guessing(self) -> bool:
        """Whether the accuracy is known and nothing speaks for more than a guess."""
        right = _last_third(self._right)
        return bool(len(right)) and self._above_guess() < (_ERRORS - 1) * _error(right)

    def falls(self, guess: float) -> bool:
        """Whether a line through the last two thirds of the losses falls."""
        losses = np.array(self.losses[len(self.losses) // 3 :])
        at = np.arange(len(losses)) - (len(losses) - 1) / 2
        slope = np.sum(at * losses) / np.sum(at**2)
        rest = losses - losses.mean() - slope * at
        error = np.sqrt(np.sum(rest**2) / (len(losses) - 2) / np.sum(at**2))
        return bool(-slope > max(_SLOPE_ERRORS * error, _PART * guess / len(losses)))

    def _above_guess(self) -> float:
        return float(_last_third(self._right).mean() - self.share.max())


def accuracy_of(logs: Mapping[str, float], prefix: str = "") -> float | None:
    """Find the accuracy in Keras's logs, by whatever name."""
    return next((logs[prefix + name] for name in _ACCURACIES if prefix + name in logs), None)


def uninformed_loss(model: Any, share: NDArray[np.float64]) -> float:
    """Loss of a guess.

    Args:
        model: A compiled Keras model, for label smoothing and penalties on weights.
        share: How often each class comes, shape (n_classes,).
    """
    smoothing = getattr(model.loss, "label_smoothing", getattr(model.loss, "smoothing", 0.0))
    smooth = (1 - smoothing) * share + smoothing / len(share)
    entropy = -float(np.sum(smooth * np.log(np.maximum(smooth, 1e-30))))
    return entropy + sum(float(penalty) for penalty in model.losses)


def _last_third(values: list[float]) -> NDArray[np.float64]:
    return np.array(values[len(values) - len(values) // 3 :])


def _error(values: NDArray[np.float64]) -> float:
    return float(np.std(values) / np.sqrt(len(values)))
