"""Found emissions against those that were there: cases small enough to be worked out by hand.

Time is in samples at 1 MS/s, so a thousand are a millisecond.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest

from liveclf.emissions import Emission
from liveclf.learn.score.found import FoundScore, score_found
from liveclf.learn.score.matching import MatchRule, Outcome, by_train, last_told, match
from liveclf.signals.scene.truth import Truth

RATE_HZ = 1e6
NAN = math.nan


def there(
    start: int,
    stop: int,
    low_khz: float = 100,
    high_khz: float = 120,
    *,
    label: str = "OOK",
    family: str = "ASK",
    snr_db: float = 20,
    train: int | None = None,
    is_artefact: bool = False,
) -> Truth:
    return Truth(
        start, stop, low_khz * 1e3, high_khz * 1e3, label, family, snr_db,
        train=train, is_artefact=is_artefact,
    )  # fmt: skip


def told(
    start: int,
    stop: int,
    low_khz: float = 100,
    high_khz: float = 120,
    *,
    label: str = "OOK",
    family: str = "ASK",
    snr_db: float = 20,
    number: int = 1,
) -> Emission:
    middle_hz, known = (low_khz + high_khz) / 2 * 1e3, not math.isnan(low_khz)
    return Emission(
        id=number, state="closed", time=None, elapsed_s=start / RATE_HZ, sample=start,
        n_samples=stop - start, duration_s=(stop - start) / RATE_HZ,
        center_hz=middle_hz if known else None, offset_hz=None,
        bandwidth_hz=(high_khz - low_khz) * 1e3 if known else None,
        snr_db=snr_db, power_dbfs=-20, label=label, family=family, probability=0.9,
        family_probability=0.9, top=[(label, 0.9)], symbol_rate_hz=None, n_windows=1, note=None,
        latency_s=0.0, truth=None, stream=0, source="scene",
    )  # fmt: skip


def outcome(truths: Sequence[Truth], found: Sequence[Emission]) -> Outcome:
    return match(truths, found, name="scene", rate_hz=RATE_HZ, n_samples=1_000_000)


def scored(truths: Sequence[Truth], found: Sequence[Emission]) -> FoundScore:
    return score_found([outcome(truths, found)])


# -- one pair ------------------------------------------------------------------------------


def test_the_same_box_is_a_match_of_overlap_1() -> None:
    score = scored([there(1000, 11000)], [told(1000, 11000)])
    assert (score.recall, score.precision) == (1, 1)
    assert (score.time_iou, score.frequency_iou) == (1, 1)
    assert (score.missed, score.false) == ([], [])


@pytest.mark.parametrize(
    ("start", "stop", "iou"),
    [
        (0, 10000, 1),
        (2500, 12500, 7500 / 12500),  # shifted by a quarter
        (0, 20000, 1 / 2),  # twice as long: just enough
        (3334, 13334, 6666 / 13334),  # just too little
        (2000, 7000, 1 / 2),
        (0, 4990, 0.499),
        (10000, 20000, 0),  # one ends where the other begins
    ],
)
def test_time_has_to_overlap_by_half(start: int, stop: int, iou: float) -> None:
    found = outcome([there(0, 10000)], [told(start, stop)])
    assert (found.match[0] == 0) == (iou >= 0.5)
    if iou >= 0.5:
        assert found.time_iou[0] == pytest.approx(iou)


@pytest.mark.parametrize(
    ("low_khz", "high_khz", "iou"),
    [
        (100, 120, 1),
        (105, 125, 15 / 25),
        (80, 140, 20 / 60),  # three times as wide
        (70, 140, 20 / 70),  # just too wide
        (107, 113, 6 / 20),
        (108, 113, 5 / 20),
        (120, 140, 0),
    ],
)
def test_bands_have_to_overlap_by_0_3(low_khz: float, high_khz: float, iou: float) -> None:
    found = outcome([there(0, 10000)], [told(0, 10000, low_khz, high_khz)])
    assert (found.match[0] == 0) == (iou >= 0.3)
    if iou >= 0.3:
        assert found.frequency_iou[0] == pytest.approx(iou)


def test_what_is_narrower_than_a_detector_resolves_is_widened() -> None:
    """Bands of 0.1 kHz, 1 kHz apart, become 4 kHz each: 3 of 5 kHz are in common."""
    found = outcome([there(0, 10000, 100.0, 100.1)], [told(0, 10000, 101.0, 101.1)])
    assert found.frequency_iou[0] == pytest.approx(3 / 5)


@pytest.mark.parametrize("unknown", ["truth", "found", "both"])
def test_without_frequency_time_alone_counts(unknown: str) -> None:
    a = there(0, 10000, NAN, NAN) if unknown != "found" else there(0, 10000)
    b = told(0, 10000, NAN, NAN) if unknown != "truth" else told(0, 10000, 400, 900)
    found = outcome([a], [b])
    assert (found.match[0], found.frequency_iou[0]) == (0, 1)
    late = told(9000, 19000, NAN, NAN)
    assert outcome([a], [late]).match[0] == -1


def test_a_stricter_rule_may_be_asked_for() -> None:
    rule = MatchRule(least_time_iou=0.8)
    assert match([there(0, 10000)], [told(0, 12500)], rule=rule).match[0] == 0
    assert match([there(0, 10000)], [told(0, 13000)], rule=rule).match[0] == -1


# -- several -------------------------------------------------------------------------------


def test_a_split_emission_is_missed_and_its_pieces_are_false() -> None:
    pieces = [told(0, 3000), told(4000, 7000), told(7500, 10000)]
    score = scored([there(0, 10000)], pieces)
    assert (score.recall, score.precision) == (0, 0)
    assert (score.n_fragmented, score.n_fragments) == (1, 3)
    assert score.missed == [
        "scene: fragmented: OOK at sample 0, 10.0 ms, 0.1100 MHz, 20.0 kHz wide, 20.0 dB"
    ]
    assert len(score.false) == 3
    assert score.false[0].startswith("scene: fragment: OOK at sample 0, 3.0 ms")


def test_a_long_piece_is_a_match_and_the_rest_a_fragment() -> None:
    score = scored([there(0, 10000)], [told(0, 6000), told(7000, 10000)])
    assert (score.recall, score.precision) == (1, 1 / 2)
    assert (score.n_fragmented, score.n_fragments, score.n_doubles) == (1, 1, 0)


def test_one_found_over_two_is_a_merge() -> None:
    """In frequency: 20 and 20 kHz in one of 50: each is 0.4 of it, so it is one of them."""
    both = [there(0, 10000, 100, 120), there(0, 10000, 130, 150)]
    score = scored(both, [told(0, 10000, 100, 150)])
    assert (score.recall, score.precision) == (1 / 2, 1)
    assert (score.n_merged, score.n_merges) == (1, 0)
    wide = scored(both, [told(0, 10000, 80, 180)])  # 0.2 each: it is neither
    assert (wide.recall, wide.precision) == (0, 0)
    assert (wide.n_merged, wide.n_merges) == (2, 1)


def test_one_found_over_two_bursts_is_a_merge() -> None:
    bursts = [there(0, 10000), there(20000, 30000)]
    score = scored(bursts, [told(0, 30000)])
    assert (score.recall, score.precision) == (0, 0)
    assert (score.n_merged, score.n_merges) == (2, 1)
    assert all(line.startswith("scene: merged: OOK") for line in score.missed)


def test_of_two_on_one_emission_the_better_is_it_and_the_other_a_double() -> None:
    found = outcome([there(0, 10000)], [told(0, 8000), told(0, 10000, number=2)])
    assert found.match.tolist() == [1]
    assert found.found_fates == ("double", "matched")
    score = score_found([found])
    assert (score.recall, score.precision, score.n_doubles) == (1, 0.5, 1)


def test_what_is_missing_and_what_is_not_there() -> None:
    score = scored([there(0, 10000), there(500000, 510000)], [told(0, 10000), told(800000, 900000)])
    assert (score.recall, score.precision) == (0.5, 0.5)
    assert score.n_nothing_there == 1
    assert score.missed[0].startswith("scene: missed: OOK at sample 500000")
    assert score.false[0].startswith("scene: nothing there: OOK at sample 800000, 100.0 ms")


def test_most_pairs_go_before_the_best_pair() -> None:
    """Greedily the found one at 1000 would take the first, and the other two be left alone."""
    truths = [there(0, 10000), there(6000, 13000)]
    found = [told(1000, 10000), told(0, 5600, number=2)]
    # (0, 0): 0.9; (0, 1): 0.56; (1, 0): 4 / 12 is too little
    assert outcome(truths, found).match.tolist() == [0, -1]
    truths = [there(0, 10000), there(3000, 11000)]
    # (0, 0): 0.9; (0, 1): 0.56; (1, 0): 7 / 10
    assert outcome(truths, found).match.tolist() == [1, 0]


def test_the_order_of_what_is_given_changes_nothing() -> None:
    truths = [there(0, 10000), there(12000, 30000), there(0, 9000, 300, 330)]
    found = [told(500, 9500), told(12000, 20000), told(21500, 30000), told(0, 9000, 290, 340)]
    expected = scored(truths, found)
    for order in permutations(range(4)):
        score = scored(truths, [found[k] for k in order])
        assert (score.n_matched, score.n_fragmented) == (2, 1)
        assert score.n_matched == expected.n_matched
        assert score.time_iou == pytest.approx(expected.time_iou)


def test_pairs_are_found_as_by_comparing_all() -> None:
    """The search along time against the plain double loop, on a hundred of each."""
    rng = np.random.default_rng(1)

    def boxes(n: int) -> list[tuple[int, int, float, float]]:
        start, low = rng.integers(0, 100_000, n), rng.uniform(0, 500, n)
        stop, high = start + rng.integers(100, 40_000, n), low + rng.uniform(5, 90, n)
        return list(zip(start.tolist(), stop.tolist(), low.tolist(), high.tolist(), strict=True))

    a, b = boxes(100), boxes(100)

    def iou(low_a: float, high_a: float, low_b: float, high_b: float) -> float:
        shared = min(high_a, high_b) - max(low_a, low_b)
        return shared / (high_a - low_a + high_b - low_b - shared) if shared > 0 else 0.0

    close = {
        (i, j)
        for i, p in enumerate(a)
        for j, q in enumerate(b)
        if iou(*p[:2], *q[:2]) >= 0.5 and iou(*p[2:], *q[2:]) >= 0.3
    }
    found = outcome([there(*p) for p in a], [told(*q) for q in b])
    chosen = {(i, j) for i, j in enumerate(found.match.tolist()) if j >= 0}
    assert chosen <= close
    assert len({j for _, j in chosen}) == len(chosen)
    # As many as can be: nothing that is left could still be paired.
    left = {i for i, _ in close} - {i for i, _ in chosen}
    assert not {(i, j) for i, j in close if i in left and j not in {k for _, k in chosen}}
    assert len(chosen) > 5


def test_nothing_there_and_nothing_found() -> None:
    score = scored([], [])
    assert (score.n_there, score.n_found, score.n_matched) == (0, 0, 0)
    assert math.isnan(score.recall)
    assert math.isnan(score.precision)
    assert scored([], [told(0, 10)]).precision == 0
    assert scored([there(0, 10)], []).recall == 0


# -- artefacts, trains, records told twice ---------------------------------------------------


def test_what_is_on_a_spur_counts_neither_way_and_the_spike_at_0_hz_does() -> None:
    spur = there(0, 10**6, 300, 302, label="spur", family="artefact", is_artefact=True)
    spike = there(0, 10**6, -1, 1, label="dc", family="artefact", is_artefact=True)
    on_spur, on_spike = told(0, 10**6, 299, 303), told(0, 10**6, -1, 1, number=2)
    score = scored([there(0, 10000), spur, spike], [told(0, 10000), on_spur, on_spike])
    assert (score.n_there, score.n_found, score.n_on_artefacts) == (1, 2, 1)
    assert (score.recall, score.precision) == (1, 0.5)


def test_a_train_may_be_one_emission() -> None:
    packets = [there(0, 10000, train=3), there(50000, 60000), there(20000, 30000, train=3)]
    joined = by_train(packets)
    assert [(t.start_sample, t.stop_sample) for t in joined] == [(0, 30000), (50000, 60000)]
    assert scored(joined, [told(0, 30000), told(50000, 60000)]).recall == 1


def test_what_is_told_again_replaces_what_was_told_before() -> None:
    early, late, other = told(5, 10), told(5, 900), told(0, 10, number=2)
    assert last_told([early, other, late]) == (other, late)


# -- shares --------------------------------------------------------------------------------


def test_labels_and_families_of_what_was_found() -> None:
    truths = [
        there(0, 10000),
        there(20000, 30000, label="QPSK", family="PSK"),
        there(40000, 50000, label="", family="FSK"),  # no more than the family is known
        there(60000, 70000, label="", family=""),  # nothing is
        there(80000, 90000),  # not found
    ]
    found = [
        told(0, 10000),
        told(20000, 30000, label="8PSK", family="PSK"),
        told(40000, 50000, label="GMSK", family="FSK"),
        told(60000, 70000),
    ]
    score = scored(truths, found)
    assert score.whole.recall == 4 / 5
    assert score.whole.label == 1 / 2
    assert score.whole.family == 3 / 3
    assert score.by_family["PSK"].n == 1
    assert score.by_family["ASK"].recall == 1 / 2


def test_bins_of_snr_and_length() -> None:
    truths = [
        there(0, 4000, snr_db=30),  # 4 ms
        there(10000, 15000, snr_db=10),  # 5 ms
        there(20000, 119999, snr_db=9.9),
        there(200000, 900000, snr_db=24),
    ]
    score = scored(truths, [told(10000, 15000, snr_db=12), told(200000, 900000, snr_db=24)])
    shares = {name: (t.n, t.recall) for name, t in score.by_snr.items()}
    assert shares == {
        "5 to 10 dB": (1, 0),
        "10 to 15 dB": (1, 1),
        "20 to 25 dB": (1, 1),
        "25 dB and above": (1, 0),
    }
    lengths = {name: (t.n, t.recall) for name, t in score.by_duration.items()}
    assert lengths == {
        "below 5 ms": (1, 0),
        "5 to 20 ms": (1, 1),
        "20 to 100 ms": (1, 0),
        "500 ms and above": (1, 1),
    }
    assert score.strong
    assert (score.strong.n, score.strong.recall) == (2, 1)
    assert score.snr_error_db == pytest.approx(1)


def test_without_an_snr_there_are_no_bins_of_it() -> None:
    score = scored([there(0, 10000, snr_db=NAN)], [told(0, 10000)])
    assert (score.by_snr, score.strong) == ({}, None)
    assert math.isnan(score.snr_error_db)


def test_recordings_are_counted_together() -> None:
    parts = [
        outcome([there(0, 10000)], [told(0, 10000)]),
        outcome([there(0, 10000), there(20000, 30000)], []),
    ]
    score = score_found(parts)
    assert (score.recordings, score.duration_s) == (2, 2.0)
    assert (score.recall, score.precision) == (1 / 3, 1)
