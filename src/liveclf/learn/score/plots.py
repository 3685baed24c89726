"""The pictures of an evaluation, as PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from liveclf.errors import MissingExtraError
from liveclf.learn.score.evaluate import Tally
from liveclf.learn.score.measure import MOST_GROUPS, Confusion, Evaluation, Figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
# Names come from files: a dollar sign in one is a dollar sign, not mathematics.
_STYLE: Any = {
    "text.parse_math": False,
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
_LONGEST_NAME = 24
_SMALL = 6.5  # points
_MARKED = (0.5, 0.9)  # thresholds that get a dot
_MOST_WRITTEN = 16  # rows of a matrix, up to which its numbers are written into it


def check_plots() -> None:
    """Make sure that pictures can be drawn.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Pictures need matplotlib", 'pip install "liveclf[train]"'
        ) from error


def draw(evaluation: Evaluation) -> dict[str, bytes]:
    """Draw everything there is something to draw for.

    Returns:
        PNG files by name.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    check_plots()
    pictures: dict[str, Callable[[Figure], None] | None] = {}
    if evaluation.by_snr:
        pictures["accuracy.png"] = _accuracy(evaluation)
        pictures["classes.png"] = _classes(evaluation)
    for title, figures in _all_and_strong(evaluation).items():
        suffix = "" if figures is evaluation else f"-{evaluation.high_snr_db:g}db"
        pictures[f"confusion-classes{suffix}.png"] = _confusion(figures.classes, title)
        pictures[f"confusion-families{suffix}.png"] = _confusion(figures.families, title)
    if sum(evaluation.calibration.n):
        pictures["reliability.png"] = _reliability(evaluation)
        pictures["coverage.png"] = _coverage(evaluation)
    return {name: _png(picture) for name, picture in pictures.items() if picture}


def _png(picture: Callable[[Figure], None]) -> bytes:
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # What the font cannot write is a box in the picture; the tables have the name.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        figure = Figure(layout="constrained", dpi=DPI)
        picture(figure)
        file = io.BytesIO()
        # Without its metadata a picture of the same figures is the same file.
        figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _accuracy(evaluation: Evaluation) -> Callable[[Figure], None]:
    def picture(figure: Figure) -> None:
        figure.set_size_inches(7, 3.8)
        axes = figure.add_subplot()
        _line(axes, evaluation.by_snr, 2, "family", color="0.5")
        _line(axes, evaluation.by_snr, 1, "class", color="black")
        for column, scores in evaluation.by_group.items():
            for name, score in list(scores.items())[:MOST_GROUPS]:
                label = f"class, {column} {_short(name)}"
                if len(score.by_snr) > 1:
                    _line(axes, score.by_snr, 1, label, linewidth=0.9, linestyle="--")
        axes.set(xlabel="SNR, dB", ylabel="share of windows right", ylim=(0, 1.02))
        axes.legend(fontsize=_SMALL + 1, loc="center left", bbox_to_anchor=(1.01, 0.5))

    return picture


def _line(axes: Axes, by_snr: Mapping[float, Tally], what: int, label: str, **style: Any) -> None:
    axes.plot(list(by_snr), [t[what] for t in by_snr.values()], marker=".", label=label, **style)


def _classes(evaluation: Evaluation) -> Callable[[Figure], None]:
    """Draw the share of right labels as a map of class and SNR."""
    cells, snrs_db = evaluation.by_class_and_snr, list(evaluation.by_snr)
    shares = np.full((len(cells), len(snrs_db)), np.nan)
    for row, by_snr in zip(shares, cells.values(), strict=True):
        for snr_db, (_, right, _) in by_snr.items():
            row[snrs_db.index(snr_db)] = right

    def picture(figure: Figure) -> None:
        figure.set_size_inches(2.8 + 0.45 * len(snrs_db), 1.4 + 0.21 * len(cells))
        axes = figure.add_subplot()
        _map(axes, shares, list(cells), [f"{snr_db:g}" for snr_db in snrs_db], turned=False)
        axes.set(xlabel="SNR, dB", title="right label, %")
        if shares.shape[1] <= _MOST_WRITTEN:
            _write(axes, shares)

    return picture


def _confusion(confusion: Confusion, of: str) -> Callable[[Figure], None] | None:
    """Draw a matrix whose rows add up to 100 %."""
    if not confusion.truth:
        return None
    counts = np.array(confusion.counts)
    shares = counts / counts.sum(axis=1, keepdims=True)

    def picture(figure: Figure) -> None:
        rows, columns = shares.shape
        figure.set_size_inches(2.4 + 0.26 * columns, 1.9 + 0.24 * rows)
        axes = figure.add_subplot()
        _map(axes, shares, confusion.truth, confusion.answers, turned=True)
        axes.set(xlabel="label given", ylabel="truth", title=f"% of the truth, {of}")
        _write(axes, shares)

    return picture


def _map(axes: Axes, shares: Any, rows: list[str], columns: list[str], *, turned: bool) -> None:
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(rows)), [_short(name) for name in rows], fontsize=_SMALL + 1)
    axes.set_xticks(
        range(len(columns)),
        [_short(name) for name in columns],
        rotation=90 if turned else 0,
        fontsize=_SMALL + 1,
    )


def _write(axes: Axes, shares: Any) -> None:
    """Write percentages into a map; what rounds to nothing is left empty."""
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.005:  # NaN is not
            color = "white" if share > 0.55 else "black"
            text = f"{100 * share:.0f}"
            axes.text(
                column, row, text, ha="center", va="center", color=color, fontsize=_SMALL - 0.5
            )


def _reliability(evaluation: Evaluation) -> Callable[[Figure], None]:
    def picture(figure: Figure) -> None:
        shown = _all_and_strong(evaluation)
        figure.set_size_inches(4 * len(shown), 4.6)
        grid = figure.subplots(2, len(shown), squeeze=False, height_ratios=(3, 1), sharex=True)
        for (title, figures), (upper, lower) in zip(shown.items(), grid.T, strict=True):
            bins = figures.calibration
            width = 1 / len(bins.n)
            middle = (np.arange(len(bins.n)) + 0.5) * width
            upper.bar(middle, np.nan_to_num(bins.right), 0.94 * width, color="tab:blue")
            upper.plot([0, 1], [0, 1], "--", color="0.4", linewidth=1)
            upper.plot(bins.probability, bins.right, "k.")
            upper.set(ylim=(0, 1), title=f"{title}: ECE {bins.ece:.3f}")
            lower.bar(middle, np.array(bins.n) / max(1, sum(bins.n)), 0.94 * width, color="0.6")
            lower.set(xlim=(0, 1), xlabel="probability of the label")
        grid[0, 0].set_ylabel("share right")
        grid[1, 0].set_ylabel("share of windows")

    return picture


def _coverage(evaluation: Evaluation) -> Callable[[Figure], None]:
    def picture(figure: Figure) -> None:
        figure.set_size_inches(5.6, 3.8)
        axes = figure.add_subplot()
        for title, figures in _all_and_strong(evaluation).items():
            curve = figures.coverage
            (line,) = axes.plot(curve.answered, curve.right, label=title)
            for threshold in _MARKED:
                k = curve.threshold.index(threshold)
                point = curve.answered[k], curve.right[k]
                if curve.answered[k]:
                    axes.plot(*point, "o", color=line.get_color())
                    axes.annotate(f"{threshold:g}", point, (4, 4), textcoords="offset points")
        axes.set(
            xlabel="share of windows with a label (dots: threshold on the probability)",
            ylabel="share of these labels right",
            xlim=(0, 1.02),
            ylim=(0, 1.02),
        )
        axes.legend(loc="lower left")

    return picture


def _all_and_strong(evaluation: Evaluation) -> dict[str, Figures]:
    shown: dict[str, Figures] = {"all windows": evaluation}
    return shown | ({_strong(evaluation): evaluation.high} if evaluation.high else {})


def _strong(evaluation: Evaluation) -> str:
    return f"{evaluation.high_snr_db:g} dB and above"


def _short(name: str) -> str:
    """Return a name as a picture can hold it."""
    text = "".join(c if c.isprintable() else "?" for c in name)
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"
