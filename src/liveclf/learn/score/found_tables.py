"""The tables of what was found: the same on a terminal and in the report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from liveclf.learn.score.found import HIGH_SNR_DB, LEAST_S, FoundScore, FoundTally
from liveclf.learn.score.matching import MatchRule
from liveclf.learn.score.tables import TextTable, number, percent

MOST_LINES_SHOWN = 20


def found_headline(score: FoundScore) -> str:
    """Return the result in one line."""
    return (
        f"emissions: {score.n_matched} of {score.n_there} found, recall {percent(score.recall)}; "
        f"{score.n_found} told, precision {percent(score.precision)}; label right "
        f"{percent(score.whole.label)}, family {percent(score.whole.family)} of those found"
    )


def found_tables(score: FoundScore) -> Iterator[TextTable]:
    """Yield recall and labels by SNR, length and family, and what went wrong."""
    whole = {"all": score.whole}
    if score.strong:
        name = f"{HIGH_SNR_DB:g} dB and above, {LEAST_S * 1e3:g} ms and longer"
        whole[name] = score.strong
    yield _tallies("emissions", whole)
    if score.by_snr:
        yield _tallies("SNR in the band", score.by_snr)
    if score.by_duration:
        yield _tallies("length", score.by_duration)
    yield _tallies("family of emissions", score.by_family)
    yield faults(score)


def faults(score: FoundScore) -> TextTable:
    """Return what was missed, and what was told that was not there, by cause."""
    rows = {
        "there, cut into several": score.n_fragmented,
        "there, lost in one with others": score.n_merged,
        "told, covers several": score.n_merges,
        "told, a piece of one": score.n_fragments,
        "told, of another that was found better": score.n_doubles,
        "told, nothing there": score.n_nothing_there,
        "told, on a spur or image (not counted)": score.n_on_artefacts,
    }
    return TextTable(("faults", "emissions"), [(what, str(n)) for what, n in rows.items()])


def found_remarks(score: FoundScore) -> Iterator[str]:
    """Yield what is said in sentences."""
    rule = MatchRule()
    yield (
        f"Found: intersection over union of {rule.least_time_iou:g} in time and "
        f"{rule.least_frequency_iou:g} in frequency; in the mean {number(score.time_iou)} and "
        f"{number(score.frequency_iou)}."
    )
    if math.isfinite(score.snr_error_db):
        yield f"SNR told less the true one: {score.snr_error_db:+.1f} dB in the mean."
    yield from score.notes


def fault_lines(score: FoundScore) -> Iterator[str]:
    """Yield a line on each that was missed or wrongly told, the first of them."""
    for what, lines in (("not found", score.missed), ("not there", score.false)):
        yield from (f"{what}: {line}" for line in lines[:MOST_LINES_SHOWN])
        if len(lines) > MOST_LINES_SHOWN:
            yield f"{what}: and {len(lines) - MOST_LINES_SHOWN} more"


def _tallies(what: str, tallies: Mapping[str, FoundTally]) -> TextTable:
    head = (what, "there", "found", "label right", "family right")
    rows = [
        (key, str(t.n), percent(t.recall), percent(t.label), percent(t.family))
        for key, t in tallies.items()
    ]
    return TextTable(head, rows)
