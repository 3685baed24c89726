"""What the classes of a data set are called."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import TrainingError, UsageError
from liveclf.signals.classes import RADIOML_2018_CLASSES

ATTRIBUTE = "classes"

# The list that was published with RadioML 2018.01A. It does not match the data: column 0
# of Y is OOK. Source: radioML/dataset issue 25.
RADIOML_2018_PUBLISHED = (
    *("32PSK", "16APSK", "32QAM", "FM", "GMSK", "32APSK", "OQPSK", "8ASK"),
    *("BPSK", "8PSK", "AM-SSB-SC", "4ASK", "16PSK", "64APSK", "128QAM", "128APSK"),
    *("AM-DSB-SC", "AM-SSB-WC", "64QAM", "QPSK", "256QAM", "AM-DSB-WC", "OOK", "16QAM"),
)

# A list as Python writes it, with or without the name it is given.
_LITERAL = re.compile(r"(?:\w+\s*=\s*)?([\[(].*[\])])", re.DOTALL)
_SHOWN = 6


def name_classes(
    path: Path,
    attribute: Any,
    class_file: Path | None,
    y: NDArray[np.int32],
    n_columns: int | None,
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find the names that labels index.

    Args:
        path: The data set.
        attribute: Its attribute `classes`, text as in a class file or an array, or None.
        class_file: Comes before the attribute.
        y: Labels, shape (n,).
        n_columns: Classes of a one-hot `Y`, None if it holds indices.

    Returns:
        The names, and sentences that a user should see.

    Raises:
        UsageError: The class file cannot be read.
        TrainingError: Labels and names do not fit, a name is given twice, or it is the
            wrong list of RadioML 2018.01A.
    """
    n_classes = n_columns if n_columns is not None else int(y.max()) + 1
    if class_file is None and attribute is None:
        names, note = _unnamed(path, n_classes, y)
        return names, (note, *_without_windows(path, names, y))
    if class_file is not None:
        names, origin = read_class_file(class_file), f"class file {class_file}"
    else:
        names, origin = _from_attribute(attribute), f"its attribute '{ATTRIBUTE}'"
    if n_columns is None and n_classes > len(names) > 0:
        raise TrainingError(
            f"Data set {path}: label {n_classes - 1} at row {int(np.argmax(y))} of Y is outside "
            f"the class list: {origin} has {len(names)} names, for 0 to {len(names) - 1}."
        )
    _refuse_misfit(path, names, origin, n_classes, n_columns is not None)
    _refuse_published_list(path, names, origin, class_file is not None)
    return names, _without_windows(path, names, y)


def read_class_file(path: Path) -> tuple[str, ...]:
    """Read names: a JSON list, a list as Python writes it, or one name a line.

    Raises:
        UsageError: It cannot be read, or is no text.
    """
    try:
        return _from_text(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"Class file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(
            f"Class file {path} is no text; list the names in JSON, or one a line."
        ) from None


def _from_text(text: str) -> tuple[str, ...]:
    text = text.strip()
    if literal := _LITERAL.fullmatch(text):
        listed = _evaluated(literal[1])
        is_names = isinstance(listed, list | tuple) and all(isinstance(k, str) for k in listed)
        return tuple(k.strip() for k in listed) if is_names else ()
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _evaluated(literal: str) -> Any:
    """Return what a list says in JSON or, failing that, in Python; None if in neither."""
    for evaluate in (json.loads, ast.literal_eval):
        try:
            return evaluate(literal)
        except (ValueError, SyntaxError):
            continue
    return None


def _from_attribute(value: Any) -> tuple[str, ...]:
    """Return the names in an attribute, none if it holds something else."""
    values = np.asarray(value).ravel().tolist()
    names = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in values]
    if not all(isinstance(name, str) for name in names):
        return ()
    return _from_text(names[0]) if np.ndim(value) == 0 else tuple(n.strip() for n in names)


def _unnamed(path: Path, n_classes: int, y: NDArray[np.int32]) -> tuple[tuple[str, ...], str]:
    if n_classes == len(RADIOML_2018_CLASSES):
        return RADIOML_2018_CLASSES, (
            f"Data set {path} does not name its {n_classes} classes; they are taken for those of "
            "RadioML 2018.01A in their true order, OOK first."
        )
    if n_classes > len(y):  # what counts further than the windows is no number of a class
        raise TrainingError(
            f"Data set {path}: Y has {n_classes} classes for {len(y)} windows, the last at row "
            f"{int(np.argmax(y))}; number them 0, 1, 2, ... or name them with --classes FILE."
        )
    names = tuple(f"class {k}" for k in range(n_classes))
    return names, (
        f"Data set {path} does not name its {n_classes} classes; they are called {names[0]} to "
        f"{names[-1]}; give names with --classes FILE."
    )


def _without_windows(path: Path, names: tuple[str, ...], y: NDArray[np.int32]) -> tuple[str, ...]:
    counts = np.bincount(y, minlength=len(names))
    absent = [name for name, count in zip(names, counts, strict=True) if not count]
    if not absent:
        return ()
    shown = ", ".join(absent[:_SHOWN])
    more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
    return (
        f"Data set {path} has no windows of {len(absent)} of its {len(names)} classes: "
        f"{shown}{more}.",
    )


def _refuse_misfit(
    path: Path, names: tuple[str, ...], origin: str, n_classes: int, is_exact: bool
) -> None:
    """Refuse names that are too many, too few or not different."""
    if not names or (is_exact and len(names) != n_classes):
        raise TrainingError(
            f"Data set {path}: Y has {n_classes} classes, {origin} names {len(names)}; "
            "give as many, as a JSON list or one a line."
        )
    if "" in names:
        raise TrainingError(f"Data set {path}: {origin} has an empty name; name every class.")
    if again := next((name for k, name in enumerate(names) if name in names[:k]), None):
        raise TrainingError(f"Data set {path}: {origin} has the name {again} twice.")


def _refuse_published_list(
    path: Path, names: tuple[str, ...], origin: str, is_from_file: bool
) -> None:
    if tuple(map(str.upper, names)) != RADIOML_2018_PUBLISHED:
        return
    instead = (
        "leave --classes out, the right order is built in"
        if is_from_file
        else "put that into a file and name it with --classes"
    )
    raise TrainingError(
        f"Data set {path}: {origin} is the list published with RadioML 2018.01A, which does not "
        f"match its data (radioML/dataset issue 25); the right order is "
        f"{', '.join(RADIOML_2018_CLASSES)}: {instead}."
    )
