"""What else is known of windows, and several sets as one.

Columns of text group windows by their value (`channel`: flat, multipath), columns of
numbers by octaves (`sps`: 2-4, 4-8, 8-16).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.learn.score.verdicts import Answers

FILE = "file"
"""The column that tells several sets apart."""

_NAMED = 3  # sets; how many more there are is a number


def pooled(parts: Sequence[Answers]) -> Answers:
    """Make one set of several, with a column that says which; one is left as it is."""
    if len(parts) == 1:
        return parts[0]
    classes = tuple(dict.fromkeys(name for part in parts for name in part.classes))
    columns = dict.fromkeys(name for part in parts for name in part.groups)
    groups = {name: _column([_of(part, name) for part in parts]) for name in columns}
    names = _told_apart([part.name for part in parts])
    files = [np.full(len(part.y), name) for part, name in zip(parts, names, strict=True)]
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return Answers(
        name=", ".join(names[:_NAMED]) + more,
        logits=np.concatenate([part.logits for part in parts]),
        y=np.concatenate([_renumbered(part, classes) for part in parts]),
        snr_db=np.concatenate([part.snr_db for part in parts]),
        classes=classes,
        groups={FILE: np.concatenate(files)} | groups,
    )


def group_by(column: NDArray[Any]) -> tuple[NDArray[np.int64], list[str]]:
    """Group windows by what a column says of them.

    Returns:
        The group of each window, -1 where nothing is said, and the names of the groups.
    """
    if _is_number(column):
        return _octaves(column.astype(np.float64))
    keys, index = np.unique(_text(column), return_inverse=True)
    return np.where(keys[index] == "", -1, index), keys.tolist()


def _octaves(values: NDArray[np.float64]) -> tuple[NDArray[np.int64], list[str]]:
    """Group positive numbers by powers of two; the largest group includes its upper end."""
    usable = np.isfinite(values) & (values > 0)
    if not usable.any():
        return np.full(len(values), -1, np.int64), []
    first = np.floor(np.log2(values[usable].min()))
    last = max(np.ceil(np.log2(values[usable].max())), first + 1)
    edges = 2.0 ** np.arange(first, last + 1)
    index = np.searchsorted(edges[1:-1], np.where(usable, values, 1), side="right")
    names = [f"{low:g}-{high:g}" for low, high in pairwise(edges.tolist())]
    return np.where(usable, index, -1), names


def _told_apart(names: Sequence[str]) -> list[str]:
    """Number the names that are the same, as of files in several folders."""
    places = {name: [k for k, other in enumerate(names) if other == name] for name in names}
    return [
        name if len(places[name]) == 1 else f"{name} ({places[name].index(k) + 1})"
        for k, name in enumerate(names)
    ]


def _renumbered(part: Answers, classes: Sequence[str]) -> NDArray[np.int64]:
    numbers: NDArray[np.int64] = np.array([classes.index(name) for name in part.classes])
    return np.asarray(numbers[part.y])


def _of(part: Answers, name: str) -> NDArray[Any]:
    """Return a column of a part; empty text where it has none."""
    return part.groups.get(name, np.full(len(part.y), ""))


def _column(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Join the pieces of a column: numbers if all that say something are."""
    silent = [not _is_number(part) and bool(np.all(_text(part) == "")) for part in parts]
    if all(_is_number(part) or quiet for part, quiet in zip(parts, silent, strict=True)):
        numbers = [part if _is_number(part) else np.full(len(part), np.nan) for part in parts]
        return np.concatenate([part.astype(np.float64) for part in numbers])
    return np.concatenate([_text(part) for part in parts])


def _is_number(column: NDArray[Any]) -> bool:
    return column.dtype.kind in "iuf"


def _text(column: NDArray[Any]) -> NDArray[np.str_]:
    if column.dtype.kind == "S":
        return np.char.decode(column, "utf-8", "replace")
    if column.dtype.kind == "O":
        values = [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in column]
        return np.array(values, np.str_)
    return column.astype(np.str_)
