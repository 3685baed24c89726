"""What keeps a training where a guess is: findings, each with its measurement."""

from __future__ import annotations

from dataclasses import dataclass

_BY_HEART = 0.99  # of the uninformed loss: below that nobody is stuck


@dataclass(frozen=True)
class Finding:
    """One thing that was measured and should be otherwise.

    Attributes:
        cause: What it is, a few words that programs may compare.
        measured: The measurement, a clause.
        change: What to do, a clause.
        fatal: No training can succeed with it, so there is no need to wait for the loss.
    """

    cause: str
    measured: str
    change: str
    fatal: bool = False

    def __str__(self) -> str:
        """Write it as a paragraph."""
        return f"{self.cause}: {self.measured}.\n    Change: {self.change}."


@dataclass(frozen=True)
class Diagnosis:
    """Why a training does not learn.

    Attributes:
        step: Optimiser steps behind it.
        loss: Mean of the last third of them, NaN before the first.
        uninformed: Loss of the best answer that does not look at the input.
        n_classes: Classes of the network.
        findings: The likeliest cause first.
    """

    step: int
    loss: float
    uninformed: float
    n_classes: int
    findings: tuple[Finding, ...]

    @property
    def cause(self) -> str:
        """The likeliest cause."""
        return self.findings[0].cause

    def __str__(self) -> str:
        """Write it for a person: the loss, then each finding."""
        at = f"loss {self.loss:.4f} at step {self.step}"
        if not self.step:
            head = f"This training cannot learn its {self.n_classes} classes."
        elif self.loss < _BY_HEART * self.uninformed:
            head = (
                f"This training learns by heart: {at}, but validated it is no better than a guess."
            )
        else:
            head = (
                f"This training is stuck: {at}, where one answer for every input gets "
                f"{self.uninformed:.4f} ({self.n_classes} classes)."
            )
        numbered = [f"{k}. {finding}" for k, finding in enumerate(self.findings, 1)]
        return "\n  ".join([head, *numbered])


NOT_FINITE = "values that are not finite"
CONSTANT_INPUT = "constant input"
UNSCALED = "unscaled input"
SCRAMBLED = "scrambled input"
ONE_SIDED = "one-sided labels"
UNRELATED = "labels unrelated to the input"
FROZEN = "weights that do not change"
SHRINKING = "a signal that shrinks layer by layer"
DEAD = "dead units"
CONSTANT_OUTPUT = "constant output"
EXPLODED = "exploded output"
UNKNOWN = "no cause that was looked for"
