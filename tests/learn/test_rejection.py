"""Known and unknown, against counts of pairs."""

from __future__ import annotations

import numpy as np
import pytest

from liveclf.learn.score.rejection import auroc, false_positive_rate, judge_noise, judge_strangers
from liveclf.learn.score.verdicts import Answers, Network, Verdicts, judge

NETWORK = Network(
    name="small",
    engine="none",
    precision="fp32",
    classes=("BPSK", "FM", "noise"),
    families={"BPSK": "PSK", "FM": "FM", "noise": "noise"},
    temperature=1.0,
    min_probability=0.5,
)


def verdicts(cases: list[tuple[str, str, float]]) -> Verdicts:
    """Return verdicts on (truth, label, probability of the label)."""
    names = tuple(dict.fromkeys(name for name, _, _ in cases))
    p = np.array([[(1 - q) / 2] * 3 for _, _, q in cases])
    for row, (_, label, q) in zip(p, cases, strict=True):
        row[NETWORK.classes.index(label)] = q
    y = np.array([names.index(name) for name, _, _ in cases])
    snr_db = np.full(len(y), np.nan, np.float32)
    return judge(Answers("set", np.log(p).astype(np.float32), y, snr_db, names), NETWORK)


@pytest.mark.parametrize("decimals", [1, 8])
def test_auroc_is_the_share_of_pairs_in_order(decimals: int) -> None:
    """Rounded to a decimal there are many ties, each of which counts half."""
    rng = np.random.default_rng(1)
    high = rng.normal(0.6, 0.2, 70).round(decimals)
    low = rng.normal(0.4, 0.2, 50).round(decimals)
    pairs = [1.0 if h > k else 0.5 if h == k else 0.0 for h in high for k in low]
    assert auroc(high, low) == pytest.approx(np.mean(pairs))
    assert auroc(low, high) == pytest.approx(1 - np.mean(pairs))


def test_auroc_of_nothing_is_not_a_number() -> None:
    assert np.isnan(auroc(np.ones(3), np.zeros(0)))
    assert np.isnan(auroc(np.zeros(0), np.ones(3)))


def test_false_positives_are_counted_at_the_threshold_that_keeps_95_of_100() -> None:
    known = np.arange(100) / 100  # 0.05 to 0.99 are the upper 95
    strangers = np.array([0.0, 0.04, 0.05, 0.5])
    assert false_positive_rate(np.random.default_rng(1).permutation(known), strangers) == 0.5
    assert false_positive_rate(known, strangers, true_positive_rate=1.0) == 1.0


@pytest.mark.parametrize("n", [1, 2, 19, 20, 21, 40, 1000])
def test_the_threshold_is_the_highest_that_keeps_enough(n: int) -> None:
    known = np.random.default_rng(n).random(n)
    enough = [t for t in known if np.mean(known >= t) >= 0.95 - 1e-12]
    strangers = np.linspace(0, 1, 501)
    assert false_positive_rate(known, strangers) == np.mean(strangers >= max(enough))


def test_strangers_are_told_from_the_known_class_by_class() -> None:
    known = verdicts([("BPSK", "BPSK", 0.9), ("FM", "BPSK", 0.6)])
    strange = verdicts(
        [("chirp", "FM", 0.4), ("chirp", "FM", 0.7), ("chirp", "BPSK", 0.45), ("odd", "FM", 0.95)]
    )
    found = judge_strangers(known, strange, NETWORK.min_probability)
    assert found is not None
    assert found.n == 4
    assert found.unknown == 2 / 4
    # 0.9 is above 0.4, 0.7 and 0.45; 0.6 above 0.4 and 0.45.
    assert found.auroc == pytest.approx(5 / 8)
    assert found.false_positives == 2 / 4  # at or above 0.6
    assert found.by_class == {"chirp": (3, pytest.approx(2 / 3), "FM"), "odd": (1, 0.0, "FM")}


def test_without_strangers_there_is_nothing_to_say() -> None:
    known = verdicts([("BPSK", "BPSK", 0.9)])
    assert judge_strangers(known, known[np.zeros(1, bool)], 0.5) is None


def test_noise_that_is_called_something_is_counted_and_named() -> None:
    cases = [("noise", "noise", 0.9)] * 6 + [("noise", "FM", 0.6), ("noise", "FM", 0.45)]
    cases += [("noise", "BPSK", 0.4), ("noise", "noise", 0.4), ("FM", "noise", 0.9)]
    found = judge_noise(verdicts(cases), NETWORK.min_probability)
    assert found is not None
    assert found.n == 10
    assert found.otherwise == pytest.approx(3 / 10)
    assert found.otherwise_answered == pytest.approx(1 / 10)  # the others are below 0.5: unknown
    assert found.labels == {"FM": 2, "BPSK": 1}
    assert list(found.labels) == ["FM", "BPSK"]


def test_a_set_without_noise_says_nothing_of_it() -> None:
    assert judge_noise(verdicts([("FM", "noise", 0.9)]), 0.5) is None
