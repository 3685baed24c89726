"""What inputs and labels show before any network has learnt from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.errors import UsageError
from liveclf.learn.stuck import diagnosis
from liveclf.learn.stuck.diagnosis import Finding
from liveclf.records import FloatArray

INPUTS = 128  # of them that a network is tried with
WINDOWS = 4096  # simple features see signals 15 dB below the noise with that many
_VALUES = 2**24  # most numbers of a probe, where inputs are larger than ours
_LEAST, _MOST = 0.1, 10.0  # RMS within which a first layer made for 1 still works
_ONE_SIDED = 0.95  # share of a class above which a guess is hard to beat
_CLEARLY = 0.05  # of a correlation, many times its error over `WINDOWS` windows


@dataclass(frozen=True)
class Probe:
    """A sample of what a network is trained on.

    Attributes:
        x: Inputs, shape (n, ...) float32.
        y: Labels in the form that `fit` gets, n rows.
        label: Class of each, shape (n,).
        count: Labels of each class in all that was given, shape (n_classes,).
    """

    x: FloatArray
    y: NDArray[Any]
    label: NDArray[np.int64]
    count: NDArray[np.int64]

    @property
    def share(self) -> NDArray[np.float64]:
        """How often each class comes, shape (n_classes,)."""
        share: NDArray[np.float64] = self.count / self.count.sum()
        return share

    def few(self) -> FloatArray:
        """Return `INPUTS` inputs from all over the set, which may be sorted by class."""
        return self.x[:: max(1, len(self.x) // INPUTS)][:INPUTS]

    def findings(self) -> list[Finding]:
        """Return what is wrong with the data, the worst first."""
        found = [_not_finite(self.x)]
        if found == [None]:  # of what is not finite nothing else can be measured
            found += [_constant(self.x), _unscaled(self.x), _scrambled(self.x)]
        found.insert(1, _one_sided(self.count))
        return [finding for finding in found if finding]


def draw(x: Any, y: Any, n_classes: int) -> Probe:
    """Draw a probe from arrays, the whole training set or a part of it.

    Args:
        x: Inputs, n rows; an array or an HDF5 data set.
        y: Classes (n,) or (n, 1), or one-hot (n, n_classes).
        n_classes: Of the network.

    Raises:
        UsageError: They do not belong together, or to such a network.
    """
    y = np.asarray(y)
    if len(x) != len(y) or not len(y):
        raise UsageError(
            f"The probe has {len(x)} inputs and {len(y)} labels; give as many of each."
        )
    one_hot = y.ndim == 2 and y.shape[1] > 1
    label = np.argmax(y, axis=1) if one_hot else y.reshape(-1).astype(np.int64)
    if (one_hot and y.shape[1] != n_classes) or label.min() < 0 or label.max() >= n_classes:
        raise UsageError(
            f"The probe has labels of shape {y.shape} up to class {label.max()}, the network "
            f"{n_classes} outputs; give labels as in fit."
        )
    rng = np.random.default_rng(len(y))
    n = min(WINDOWS, max(1, _VALUES // max(1, int(np.prod(x.shape[1:])))))
    rows = np.sort(rng.permutation(len(y))[:n])  # sorted: HDF5 reads in order only
    drawn = np.asarray(x[rows], np.float32)
    return Probe(drawn, y[rows], label[rows], np.bincount(label, minlength=n_classes))


def count_classes(model: Any, given: tuple[Any, Any] | None) -> int:
    """Return how many classes a Keras model tells apart.

    Args:
        model: Of one output.
        given: (x, y) for a model of its own class, which shows its output when called.

    Raises:
        UsageError: It is no such model.
    """
    shapes = [list(output.shape) for output in getattr(model, "outputs", None) or ()]
    if not shapes and given:
        shapes = [list(model(np.asarray(given[0][:1], np.float32), training=False).shape)]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][-1] < 2:
        raise UsageError(
            f"StuckGuard watches classifiers of one output (n, classes), not {shapes}; "
            "a model of its own class needs a probe."
        )
    return int(shapes[0][-1])


def noise_for(model: Any) -> FloatArray | None:
    """Make inputs for a Keras model where none were given, None if it takes no plain ones."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or None in inputs[0].shape[1:] or "float" not in inputs[0].dtype:
        return None
    shape = (INPUTS, *inputs[0].shape[1:])
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def as_iq(x: FloatArray) -> NDArray[np.complex64] | None:
    """Read inputs as complex windows, shape (n, samples); None if they have no such shape.

    Two of the second or last axis are I and Q; axes of one are left out.
    """
    shape = [length for length in x.shape[1:] if length > 1]
    if len(shape) != 2 or 2 not in shape:
        return None
    x = x.reshape(-1, *shape)
    rows = x if shape[0] == 2 else x.transpose(0, 2, 1)
    iq: NDArray[np.complex64] = (rows[:, 0] + 1j * rows[:, 1]).astype(np.complex64)
    return iq


def autocorrelation(z: NDArray[Any], lag: int) -> NDArray[Any]:
    """Autocorrelation of each row over its power, shape (n,)."""
    product = np.mean(z[:, lag:] * z[:, :-lag].conj(), axis=1)
    correlation: NDArray[Any] = product / (np.mean(np.abs(z) ** 2, axis=1) + 1e-20)
    return correlation


def _not_finite(x: FloatArray) -> Finding | None:
    bad = ~np.isfinite(x.reshape(len(x), -1)).all(1)
    if not bad.any():
        return None
    return Finding(
        diagnosis.NOT_FINITE,
        f"{bad.sum()} of {len(x)} inputs hold NaN or infinity",
        "leave these windows out, or find where a division by zero made them",
        fatal=True,
    )


def _constant(x: FloatArray) -> Finding | None:
    if x.std(axis=0).max() > 1e-6 * np.abs(x).max():
        return None
    return Finding(
        diagnosis.CONSTANT_INPUT,
        f"{len(x)} inputs are the same, RMS {_rms(x):.3g}",
        "look at how the array is filled: zeros that were never written, or one window repeated",
        fatal=True,
    )


def _one_sided(count: NDArray[np.int64]) -> Finding | None:
    share = count.max() / count.sum()
    if share < _ONE_SIDED:
        return None
    return Finding(
        diagnosis.ONE_SIDED,
        f"class {count.argmax()} holds {share:.1%} of {count.sum()} labels",
        "shuffle before you split a file that is sorted by class, balance the classes, and check "
        "that labels are read as they were written",
        fatal=bool(share == 1),
    )


def _unscaled(x: FloatArray) -> Finding | None:
    if _LEAST <= _rms(x) <= _MOST:
        return None
    return Finding(
        diagnosis.UNSCALED,
        f"the inputs have RMS {_rms(x):.3g}, where initial weights are made for 1",
        "divide each window by the root of its mean power, in training and in use alike",
    )


def _rms(x: FloatArray) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def _scrambled(x: FloatArray) -> Finding | None:
    """Recognise (n, samples, 2) that was reshaped to (n, 2, samples) and not transposed.

    Row 0 is then I0 Q0 I1 Q1 ... of the first half: it resembles itself after two samples
    more than after one, undoing the reshape makes it smoother, and row 1 goes on where
    row 0 ends. None of it depends on the carrier's phase or offset.
    """
    shape = [length for length in x.shape[1:] if length > 1]
    z = as_iq(x)
    if z is None or shape[0] != 2 or shape[1] < 16:
        return None
    pairs = x.reshape(len(x), -1, 2)
    undone = pairs[..., 0] + 1j * pairs[..., 1]  # (n, samples)
    one, two = (float(np.abs(autocorrelation(z, lag)).mean()) for lag in (1, 2))
    smoother = float(np.abs(autocorrelation(undone, 1)).mean())
    middle = undone.shape[1] // 2
    seam = undone[:, middle] * undone[:, middle - 1].conj()
    joined = float(np.abs(seam.mean()) / (np.abs(seam).mean() + 1e-20))
    if two - one < _CLEARLY or smoother - one < _CLEARLY or joined < 4 / np.sqrt(len(x)):
        return None
    return Finding(
        diagnosis.SCRAMBLED,
        f"rows resemble themselves after two samples ({two:.2f}) more than after one "
        f"({one:.2f}), and row 1 goes on where row 0 ends ({joined:.2f}): I and Q alternate "
        "within each row, as after reshape(n, 2, samples) of (n, samples, 2)",
        "x.transpose(0, 2, 1) in place of the reshape",
    )
