"""Callbacks that wait for a metric of a name that none has.

Most then never act. A ModelCheckpoint never saved either under older versions of Keras;
Keras 3 lets it save after every epoch, the last over the best.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from typing import Any

ABBREVIATIONS = {"acc": "accuracy", "val_acc": "val_accuracy"}  # Keras before 2.3 said acc


def warn_of_monitors(callbacks: Iterable[Any], metric_names: Collection[str]) -> list[str]:
    """Find callbacks whose monitor matches no metric, so that they do not do their work.

    Args:
        callbacks: Those of a `fit`; what has no `monitor`, or does not use it, is passed over.
        metric_names: Keys of the logs at the end of an epoch.

    Returns:
        A sentence for each, with the name that was meant.
    """
    told = []
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        best_only = getattr(callback, "save_best_only", None)
        unused = best_only is False
        if not isinstance(monitor, str) or unused or monitor in metric_names:
            continue
        meant = meant_metric(monitor, metric_names)
        there = ", ".join(sorted(metric_names))
        change = f"monitor={meant!r}" if meant else f"one of {there}"
        effect = "does not keep the best" if best_only else "never acts"
        told.append(
            f"{type(callback).__name__} monitors {monitor!r}, but no metric is called so "
            f"({there}): it {effect}. Change: {change}."
        )
    return told


def meant_metric(monitor: str, metric_names: Collection[str]) -> str | None:
    """Guess which metric a misspelt monitor means; None if none is near."""
    if (full := ABBREVIATIONS.get(monitor)) in metric_names:
        return full
    val = [name for name in metric_names if name.startswith("val_") == monitor.startswith("val_")]
    return next(iter(difflib.get_close_matches(monitor, val, n=1)), None)
