"""The stuck guard: says early, and why, that a training does not learn.

    from liveclf.learn.guard import StuckGuard

    guard = StuckGuard((x_train, y_train))
    model.fit(x_train, y_train, epochs=100, callbacks=[guard])
    if guard.diagnosis:
        print(guard.diagnosis.cause)

For any Keras 3 classifier: softmax or logits, one-hot or integer labels, every backend.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import keras
import numpy as np

from liveclf.errors import UsageError
from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Diagnosis, Finding
from liveclf.learn.stuck.look import Look, Observer, network_findings, suspicion
from liveclf.learn.stuck.monitors import ABBREVIATIONS, warn_of_monitors
from liveclf.learn.stuck.probe import Probe, count_classes, draw, noise_for
from liveclf.learn.stuck.progress import Progress, accuracy_of, uninformed_loss
from liveclf.learn.stuck.relation import relation
from liveclf.records import FloatArray

__all__ = ["StuckGuard", "warn_of_monitors"]

_ARRIVED = 1.03  # times the uninformed loss: from there on a loss is where a guess is
_EXPLODED = 3  # times the uninformed loss
_OVERFITTED = 0.03  # accuracy in validation, above a guess, that says nothing


class StuckGuard(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
    """Watches the losses of the first steps, and measures why they stay where a guess is.

    A guess is the best answer that does not look at the input; its loss is the entropy of
    the labels, ln K for K balanced classes. At each of `check_steps` the last third of the
    losses is compared with that: what is clearly below learns. If it is not, measurements
    tell the causes apart: inputs and labels of the probe, signal and dead units layer by
    layer, change of the weights. The guard speaks at the first check that shows a cause. It
    waits as long as the loss falls, the learning rate rises, or a constant output begins to
    differ; and twice as long where the network is sound and the labels go with the inputs, or
    where the loss has not yet come down to a guess: those start slowly.

    After the last check it costs nothing; until then a sum a step and, a few times, a look
    at 128 inputs.

    Attributes:
        diagnosis: Set when it has spoken, else None.
        notes: Findings about the data that need not stop a training, said at its beginning.
    """

    def __init__(
        self,
        probe: tuple[Any, Any] | None = None,
        *,
        on_stuck: str = "stop",
        check_steps: Sequence[int] = (200, 300, 500),
        callbacks: Iterable[Any] = (),
        say: Callable[[str], None] | None = None,
    ) -> None:
        """Begin to watch with the next `fit`.

        Args:
            probe: (x, y) as for `fit`, best the whole training set: at most 4096 rows of it
                are drawn. Without it inputs and labels cannot be judged, labels are taken
                for balanced, and the layers are tried with noise.
            on_stuck: "stop" ends the training, "warn" only says it.
            check_steps: Optimiser steps after which to check, ascending.
            callbacks: The others of the same `fit`, whose monitors are to be checked.
            say: Takes what there is to say; None for standard error.

        Raises:
            UsageError: An argument is none of these.
        """
        super().__init__()
        if on_stuck not in ("stop", "warn"):
            raise UsageError(f"on_stuck must be 'stop' or 'warn', not {on_stuck!r}.")
        steps = list(check_steps)
        if not steps or steps != sorted(set(steps)) or steps[0] < 20:
            raise UsageError(f"check_steps must ascend from 20 or more, not {steps}.")
        self._given, self._on_stuck, self._steps = probe, on_stuck, steps
        self._others, self._say = list(callbacks), say or _to_stderr
        self._begin()

    def _begin(self) -> None:
        self.diagnosis: Diagnosis | None = None
        self.notes: list[Finding] = []
        self._progress = Progress(np.ones(1))
        self._looks: list[Look] = []
        self._due = [self._steps[0] // 2, *self._steps]
        self._step = self._epoch_start = 0
        self._validated: float | None = None
        self._probe: Probe | None = None
        self._inputs: FloatArray | None = None

    @property
    def losses(self) -> list[float]:
        """Loss of each step up to the last check."""
        return self._progress.losses

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look at the data, and at the network before it has learnt anything."""
        self._begin()
        n_classes = count_classes(self.model, self._given)
        self._probe = draw(*self._given, n_classes) if self._given else None
        balanced = np.full(n_classes, 1 / n_classes)
        self._progress = Progress(self._probe.share if self._probe else balanced)
        self.notes = self._probe.findings() if self._probe else []
        if any(note.fatal for note in self.notes):
            self._conclude([])
            return
        for note in self.notes:
            self._say(f"Before the first step, {note}")
        self._inputs = self._probe.few() if self._probe else noise_for(self.model)
        if self._inputs is not None:
            self._observer = Observer(self.model)
            self._look()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Expect the running means to begin anew."""
        self._epoch_start = self._step
        self._progress.begin_epoch()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the loss; check when it is time."""
        logs = logs or {}
        self._step = self._epoch_start + batch + 1
        if not math.isfinite(logs.get("loss", 0.0)) and self.diagnosis is None:
            self._conclude([_not_finite(logs["loss"])])
        if not self._due or "loss" not in logs:
            return
        if not self.losses:
            self._tell_monitors({*logs, *(f"val_{name}" for name in logs)}, ABBREVIATIONS)
        self._progress.add(logs, batch + 1)
        if self._step >= self._due[0]:
            self._due.pop(0)
            self._look()
            if self._step >= self._steps[0] and self.diagnosis is None:
                self._check()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Tell of monitors that match no metric; note what validation says."""
        logs = logs or {}
        self._tell_monitors(logs)
        self._validated = accuracy_of(logs, "val_")

    def _look(self) -> None:
        if self._inputs is not None:
            self._looks.append(self._observer.look(self._inputs, self._step))

    def _check(self) -> None:
        """Speak, be done, or wait for the next check."""
        learns, last = self._progress.learns(self._guess()), not self._due
        found = []
        if self._looks and not learns:
            found = network_findings(self._looks[-1], self._looks[0])
        if not found and last:
            found = self._left_to_think_of(learns)
        if found and not self._waits(found, learns):
            self._conclude(found)
        if last and not learns and self.diagnosis is None:
            self._due.append(self._step + self._steps[-1] - self._steps[0])

    def _left_to_think_of(self, learns: bool) -> list[Finding]:
        """Judge a network that is sound: the labels, and where the loss is."""
        most = self._progress.share.max() + _OVERFITTED
        if learns and (self._validated is None or self._validated > most):
            return []
        times = self._progress.loss() / self._guess()
        if times > _EXPLODED and not learns:
            return [_exploded(times)]
        suspected = suspicion(self._looks[-1], self._looks[0]) if self._looks else []
        if suspected and not learns:
            return suspected
        found = relation(self._probe)
        if learns:  # by heart, if nothing but the single windows goes with the labels
            return [found] if found.cause == diagnosis.UNRELATED else []
        early = self._step < 2 * self._steps[-1]
        slow = found.cause == diagnosis.UNKNOWN and self._probe is not None
        return [] if early and (slow or times > _ARRIVED) else [found]

    def _waits(self, found: list[Finding], learns: bool) -> bool:
        """Whether something is on its way that deserves more steps."""
        # With random labels a loss falls too: from above to a guess, or by learning by heart.
        by_chance = learns or self._progress.is_guessing()
        random = found[0].cause == diagnosis.UNRELATED and by_chance
        if self._progress.falls(self._guess()) and not random:
            return True
        if len(self._looks) < 2:
            return False
        before, now = self._looks[-2:]
        lost = any(finding.cause == diagnosis.DEAD or finding.fatal for finding in found)
        rises = now.learning_rate > 1.01 * before.learning_rate
        return (rises and not lost) or (now.is_constant and now.wakes_since(before))

    def _guess(self) -> float:
        return uninformed_loss(self.model, self._progress.share)

    def _conclude(self, found: list[Finding]) -> None:
        """Say it, once, and stop if asked to."""
        # Data first, for they make the rest; but a network can learn from scrambled rows.
        last = [note for note in self.notes if note.cause == diagnosis.SCRAMBLED]
        first = [note for note in self.notes if note not in last]
        findings = (*first, *found, *last)
        n_classes = len(self._progress.share)
        self.diagnosis = Diagnosis(
            self._step, self._progress.loss(), self._guess(), n_classes, findings
        )
        self._say(str(self.diagnosis))
        if self._on_stuck == "stop":
            self.model.stop_training = True

    def _tell_monitors(self, metrics: Collection[str], only: Collection[str] | None = None) -> None:
        """Tell of each monitor that matches no metric, once."""
        for callback in list(self._others):
            if only is None or getattr(callback, "monitor", None) in only:
                for sentence in warn_of_monitors([callback], metrics):
                    self._say(sentence)
                    self._others.remove(callback)


def _exploded(times: float) -> Finding:
    return Finding(
        diagnosis.EXPLODED,
        f"the loss is {times:.0f} times that of a guess: the network is sure of itself and wrong",
        "lower the learning rate to a tenth or less, clip the gradient (clipnorm=1)",
    )


def _not_finite(loss: float) -> Finding:
    return Finding(
        diagnosis.NOT_FINITE,
        f"the loss is {loss}",
        "lower the learning rate, clip the gradient (clipnorm=1), and look for NaN in x",
        fatal=True,
    )


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
