"""The report: whole in one file, escaped, and the figures that were measured."""

from __future__ import annotations

import base64
import struct
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from liveclf.errors import MissingExtraError, SinkError
from liveclf.learn.score.measure import Evaluation, evaluate
from liveclf.learn.score.plots import draw
from liveclf.learn.score.report import FIGURES, PAGE, page, prepare, write_report
from liveclf.learn.score.verdicts import Answers, Network

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src="http://example.org/x.png" onerror=alert(1)>',
    "$\\frac{1}{$",
    "a & b ${title}\x1b[31m",
    "long " * 40,
    "正弦波",
)
PNG = b"\x89PNG\r\n\x1a\n"


def network(classes: tuple[str, ...]) -> Network:
    families = {name: f"f{k // 2}" for k, name in enumerate(classes)}
    return Network("<b>bundle</b>", "engine", "int8", classes, families, 1.0, 0.3)


def measured(
    classes: tuple[str, ...] = ("A", "B", "C", "D"),
    snrs_db: tuple[float, ...] = (0, 10),
    truths: tuple[str, ...] = (),
    **groups: Any,
) -> Evaluation:
    rng = np.random.default_rng(6)
    truths, n = truths or classes, 240
    y = rng.integers(len(truths), size=n)
    logits = rng.normal(0, 1, (n, len(classes))).astype(np.float32)
    logits[np.arange(n), y % len(classes)] += 2
    snr_db = rng.choice(np.array(snrs_db, np.float32), n)
    columns = {
        name: np.array(values)[np.arange(n) % len(values)] for name, values in groups.items()
    }
    answers = Answers("set.hdf5", logits, y, snr_db, truths, columns)
    return evaluate(answers, network(classes), ["A <note> & more."])


class Seen(HTMLParser):
    """What a browser would see."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def plain() -> Evaluation:
    return measured(channel=("flat", "multipath"))


@pytest.fixture(scope="module")
def pictures(plain: Evaluation) -> dict[str, bytes]:
    return draw(plain)


def test_everything_is_drawn_as_png(pictures: dict[str, bytes]) -> None:
    assert set(pictures) == {
        *("accuracy.png", "classes.png", "reliability.png", "coverage.png"),
        *("confusion-classes.png", "confusion-classes-10db.png"),
        *("confusion-families.png", "confusion-families-10db.png"),
    }
    for content in pictures.values():
        assert content.startswith(PNG)
        width, height = struct.unpack(">II", content[16:24])
        assert 200 < width < 3000
        assert 200 < height < 3000


def test_pictures_show_the_figures(plain: Evaluation, pictures: dict[str, bytes]) -> None:
    """The same figures, the same bytes; another share right at 10 dB, another curve alone."""
    n, right, family = plain.by_snr[10.0]
    other = replace(plain, by_snr=plain.by_snr | {10.0: (n, right / 2, family)})
    changed = {name for name, content in draw(other).items() if content != pictures[name]}
    assert changed == {"accuracy.png"}


def test_what_there_is_nothing_of_is_not_drawn() -> None:
    """Recordings have no SNR; of a name of a family no label is right or wrong."""
    assert set(draw(measured(snrs_db=(np.nan,)))) == {
        *("reliability.png", "coverage.png", "confusion-classes.png", "confusion-families.png")
    }
    assert set(draw(measured(truths=("f0",), snrs_db=(np.nan,)))) == {"confusion-families.png"}


def test_a_report_is_written_whole(tmp_path: Path, plain: Evaluation) -> None:
    folder = tmp_path / "new" / "report"
    prepare(folder)
    assert write_report(plain, folder) == folder / PAGE
    written = {path.name for path in folder.iterdir()}
    assert {FIGURES, PAGE, "accuracy.png", "confusion-classes.png"} <= written
    figures = msgspec.json.decode((folder / FIGURES).read_bytes())
    assert figures["overall"] == plain.overall
    assert figures["classes"]["truth"] == list("ABCD")
    seen = Seen((folder / PAGE).read_text(encoding="utf-8"))
    embedded = {
        base64.b64decode(value.removeprefix("data:image/png;base64,"))
        for name, value in seen.attributes
        if name == "src"
    }
    assert embedded == {path.read_bytes() for path in folder.glob("*.png")}


def test_the_page_shows_the_figures(plain: Evaluation, pictures: dict[str, bytes]) -> None:
    text = Seen(page(plain, pictures)).text
    assert f"{plain.overall:.1%} right, family {plain.family:.1%}" in text
    assert f"{plain.calibration.ece:.3f}" in text
    assert "A <note> & more." in text
    for name, (_, right, _) in plain.by_class.items():
        assert name in text
        assert f"{right:.1%}" in text
    for score in plain.by_group["channel"].values():
        assert f"{score.by_snr[10.0][1]:.1%}" in text


@pytest.fixture(scope="module")
def hostile() -> str:
    evaluation = measured(HOSTILE, truths=(*HOSTILE, "<i>odd</i>"), channel=HOSTILE[:2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the font has no Chinese, and nobody needs to hear of it
        return page(evaluation, draw(evaluation))


def test_hostile_names_stay_text_in_page_and_pictures(hostile: str) -> None:
    """Names of classes and groups come from data files."""
    seen = Seen(hostile)
    assert seen.tags.isdisjoint({"script", "i", "b", "a", "link", "iframe", "object"})
    assert [name for name, _ in seen.attributes if name.startswith("on")] == []
    for name in (*HOSTILE, "<i>odd</i>", "<b>bundle</b>"):
        assert name in seen.text


def test_the_page_asks_for_nothing_outside_itself(hostile: str) -> None:
    seen = Seen(hostile)
    references = [value for name, value in seen.attributes if name in ("src", "href", "srcset")]
    assert references
    assert all(value.startswith("data:image/png;base64,") for value in references)
    assert "url(" not in hostile
    assert "@import" not in hostile
    plain_page = page(measured(), {})
    assert "http" not in plain_page.replace("http-equiv", "")
    assert "default-src 'none'" in plain_page


def test_a_report_without_matplotlib_says_what_to_install(
    tmp_path: Path, plain: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    for attempt in (lambda: prepare(tmp_path / "x"), lambda: write_report(plain, tmp_path)):
        with pytest.raises(MissingExtraError, match=r"Pictures need matplotlib.*pip install"):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_named(
    tmp_path: Path, plain: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveclf.learn.score.report.draw", lambda _: {})
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="file cannot be made"):
        prepare(tmp_path / "file")
    (tmp_path / PAGE).mkdir()
    with pytest.raises(SinkError, match=r"report\.html cannot be written: Is a directory"):
        write_report(plain, tmp_path)
