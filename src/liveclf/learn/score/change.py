"""What tuning has changed: the same windows before the bundle it began with, and the new one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from liveclf.learn.data.material import Material
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.data.tuning import EMISSION
from liveclf.learn.export.noise import NOISE
from liveclf.learn.score.evaluate import predict
from liveclf.model.bundle import Bundle, Change
from liveclf.model.engines.cpu import engine_of, quickest
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.records import FloatArray

FORGOTTEN = 0.01
"""So much less on the old set is told."""

_BATCH = 128


@dataclass(frozen=True)
class Right:
    """How much of a set a bundle labels right.

    Attributes:
        data: Which set.
        counted: Its windows, or its emissions.
        n: How many.
        precision: Of the weights.
        share: Of them that are right.
    """

    data: str
    counted: str
    n: int
    precision: str
    share: float


def measure(bundle: Bundle, material: Material) -> list[Right]:
    """Measure a bundle on the old set, then on the recordings held out, if there are any.

    Raises:
        BundleError: It has no ONNX file.
    """
    precision = quickest(bundle)  # that which a CPU runs
    engine, _ = engine_of(OnnxEngine, bundle, precision, _BATCH, 0, tell=lambda _: None)
    sets = [material.check]
    if material.tuning and (test := material.tuning.test()):
        sets.append(test)
    found = []
    for truth in sets:
        logits = predict(engine, truth.x)
        for counted, right in _right(bundle, truth, logits, bundle.info.temperature[precision]):
            share = float(np.mean(right))
            found.append(Right(truth.name, counted, len(right), precision, share))
    return found


def changes(before: Sequence[Right], after: Sequence[Right]) -> tuple[Change, ...]:
    """Pair what was measured before and after."""
    return tuple(
        Change(
            data=a.data,
            counted=a.counted,
            n=a.n,
            precision=a.precision,
            before=round(b.share, 4),
            after=round(a.share, 4),
        )
        for b, a in zip(before, after, strict=True)
    )


def _right(
    bundle: Bundle, truth: TruthSet, logits: FloatArray, temperature: float
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield which windows are right and, where they are known, which emissions."""
    yield "windows", np.argmax(logits, axis=1) == truth.y
    if EMISSION not in truth.groups:
        return
    # As `liveclf run` pools windows: what stands out of the noise is none.
    log_p = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    if NOISE in bundle.info.classes:
        noise = bundle.info.classes.index(NOISE)
        log_p[truth.y != noise, noise] = -np.inf
    of = truth.groups[EMISSION]
    right = [np.argmax(log_p[of == k].mean(axis=0)) == truth.y[of == k][0] for k in np.unique(of)]
    yield "emissions", np.array(right)
