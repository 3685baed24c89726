"""All figures of an evaluation, against loops over the windows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from scipy.special import softmax

from liveclf.errors import TrainingError
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.score.measure import HIGH_SNR_DB, MOST_GROUPS, Evaluation, evaluate
from liveclf.learn.score.verdicts import Answers, Network, check_known, rows_to_score

NETWORK = Network(
    name="small",
    engine="none",
    precision="fp32",
    classes=("BPSK", "QPSK", "FM", "CW", "noise"),
    families={"BPSK": "PSK", "QPSK": "PSK", "FM": "FM", "CW": "CW", "noise": "noise"},
    temperature=1.7,
    min_probability=0.4,
)
# Of another order than the network's, with a family, and something that it does not know.
NAMES = ("FM", "QPSK", "BPSK", "PSK", "noise", "chirp")
N = 600


def answers(names: tuple[str, ...] = NAMES, n: int = N, **groups: Any) -> Answers:
    rng = np.random.default_rng(5)
    y = rng.integers(len(names), size=n)
    logits = rng.normal(0, 1.5, (n, len(NETWORK.classes)))
    for row, name in zip(logits, np.array(names)[y], strict=True):
        if name in NETWORK.classes:
            row[NETWORK.classes.index(name)] += 2
    snr_db = rng.choice([0, 10, 20, np.nan], n).astype(np.float32)
    return Answers("set", logits.astype(np.float32), y, snr_db, names, groups)


def rows_of(given: Answers) -> list[dict[str, Any]]:
    """Judge every window in plain Python."""
    rows = []
    for logits, y, snr_db in zip(given.logits, given.y, given.snr_db, strict=True):
        p = softmax(logits / NETWORK.temperature)
        label = NETWORK.classes[int(np.argmax(p))]
        sums: Counter[str] = Counter()
        for name, q in zip(NETWORK.classes, p, strict=True):
            sums[NETWORK.families[name]] += q
        truth = given.classes[y]
        rows.append(
            {
                "truth": truth,
                "family": NETWORK.families.get(truth, truth if truth == "PSK" else None),
                "label": label,
                "label family": NETWORK.families[label],
                "sum family": sums.most_common(1)[0][0],
                "p": max(p),
                "snr": float(snr_db),
            }
        )
    return rows


def shares(rows: list[dict[str, Any]]) -> tuple[int, Any, Any]:
    """Return (windows, right of those with a class, right family), in a form to compare."""
    with_class = [r for r in rows if r["truth"] in NETWORK.classes]
    right = [r["label"] == r["truth"] for r in with_class]
    family = [r["label family"] == r["family"] for r in rows]
    expected = np.mean(right) if right else np.nan
    return len(rows), pytest.approx(expected, nan_ok=True), pytest.approx(np.mean(family))


@pytest.fixture(scope="module")
def measured() -> Evaluation:
    return evaluate(answers(), NETWORK)


@pytest.fixture(scope="module")
def known() -> list[dict[str, Any]]:
    return [row for row in rows_of(answers()) if row["family"]]


def test_shares_are_those_of_a_loop(measured: Evaluation, known: list[dict[str, Any]]) -> None:
    assert (measured.n, measured.overall, measured.family) == shares(known)
    right = [row["sum family"] == row["family"] for row in known]
    assert measured.summed_family == pytest.approx(np.mean(right))
    for key, value in measured.by_class.items():
        assert value == shares([row for row in known if row["truth"] == key])
    for key, value in measured.by_family.items():
        assert value == shares([row for row in known if row["family"] == key])
    for snr_db, value in measured.by_snr.items():
        assert value == shares([row for row in known if row["snr"] == snr_db])
    assert set(measured.by_class) == {"FM", "QPSK", "BPSK", "PSK", "noise"}
    assert set(measured.by_family) == {"PSK", "FM", "noise"}
    assert set(measured.by_snr) == {0.0, 10.0, 20.0}
    for name, by_snr in measured.by_class_and_snr.items():
        for snr_db, value in by_snr.items():
            cell = [row for row in known if row["truth"] == name and row["snr"] == snr_db]
            assert value == shares(cell)


def test_a_name_of_a_family_counts_for_the_family_alone(measured: Evaluation) -> None:
    n, right, family = measured.by_class["PSK"]
    assert n > 50
    assert np.isnan(right)
    assert 0 < family < 1
    assert "PSK" not in measured.classes.truth
    assert msgspec.json.decode(msgspec.json.encode(measured))["by_class"]["PSK"][1] is None


@pytest.mark.parametrize("least_db", [-np.inf, HIGH_SNR_DB])
def test_confusion_counts_every_pair(
    measured: Evaluation, known: list[dict[str, Any]], least_db: float
) -> None:
    figures = measured if least_db < 0 else measured.high
    assert figures is not None
    rows = [row for row in known if least_db < 0 or row["snr"] >= least_db]
    with_class = [row for row in rows if row["truth"] in NETWORK.classes]
    for matrix, pairs in (
        (figures.classes, Counter((row["truth"], row["label"]) for row in with_class)),
        (figures.families, Counter((row["family"], row["label family"]) for row in rows)),
    ):
        found = {
            (truth, answer): n
            for truth, counts in zip(matrix.truth, matrix.counts, strict=True)
            for answer, n in zip(matrix.answers, counts, strict=True)
            if n
        }
        assert found == pairs
    assert figures.classes.truth == ["BPSK", "QPSK", "FM", "noise"]  # nothing of CW
    assert figures.classes.answers == list(NETWORK.classes)


def test_strong_signals_are_those_of_10_db_and_above(
    measured: Evaluation, known: list[dict[str, Any]]
) -> None:
    strong = [row for row in known if row["snr"] >= HIGH_SNR_DB]
    assert measured.high is not None
    assert (measured.high.n, measured.high.overall, measured.high.family) == shares(strong)
    assert set(measured.high.by_snr) == {10.0, 20.0}


def test_without_strong_signals_nothing_is_said_of_them() -> None:
    weak = answers()
    weak.snr_db[:] = 0
    assert evaluate(weak, NETWORK).high is None
    weak.snr_db[:] = np.nan
    assert evaluate(weak, NETWORK).high is None


def test_probabilities_are_those_after_the_temperature(
    measured: Evaluation, known: list[dict[str, Any]]
) -> None:
    """Only of windows whose class has a right label."""
    rows = [row for row in known if row["truth"] in NETWORK.classes]
    answered = [row for row in rows if row["p"] >= NETWORK.min_probability]
    assert 0 < measured.unknown < 1
    assert measured.unknown == pytest.approx(1 - len(answered) / len(rows))
    right = [row["label"] == row["truth"] for row in answered]
    assert measured.answered_right == pytest.approx(np.mean(right))
    assert sum(measured.calibration.n) == len(rows)
    k = measured.coverage.threshold.index(0.6)
    sure = [row for row in rows if row["p"] >= 0.6]
    assert measured.coverage.answered[k] == pytest.approx(len(sure) / len(rows))
    pairs = [
        (a["p"] > b["p"]) + 0.5 * (a["p"] == b["p"])
        for a in rows
        if a["label"] == a["truth"]
        for b in rows
        if b["label"] != b["truth"]
    ]
    assert measured.auroc == pytest.approx(np.mean(pairs), abs=1e-4)
    for threshold in measured.thresholds:
        assert threshold.wrong <= threshold.error_share


def test_what_the_network_does_not_know_is_only_rejected_or_not(measured: Evaluation) -> None:
    rows = [row for row in rows_of(answers()) if row["truth"] == "chirp"]
    assert measured.strangers is not None
    assert measured.strangers.n == len(rows)
    below = [row["p"] < NETWORK.min_probability for row in rows]
    assert measured.strangers.unknown == pytest.approx(np.mean(below))
    assert measured.high is not None
    assert measured.high.strangers is not None
    assert measured.high.strangers.n == sum(row["snr"] >= HIGH_SNR_DB for row in rows)
    assert "chirp" not in measured.by_class


def test_groups_are_scored_apart_and_noise_is_in_none() -> None:
    channel = np.array(["flat", "multipath", ""])[np.arange(N) % 3]
    measured = evaluate(answers(channel=channel), NETWORK)
    for name, score in measured.by_group["channel"].items():
        rows = [
            row
            for row, group in zip(rows_of(answers()), channel, strict=True)
            if group == name and row["family"] and row["truth"] != "noise"
        ]
        assert (score.n, score.overall, score.family) == shares(rows)
        assert score.by_snr[10.0] == shares([row for row in rows if row["snr"] == 10])
    assert set(measured.by_group["channel"]) == {"flat", "multipath"}


def test_files_are_groups_with_their_noise() -> None:
    only_noise = answers(("noise",), n=20, file=np.array(["a"] * 20), channel=np.array(["b"] * 20))
    measured = evaluate(only_noise, NETWORK)
    assert measured.by_group["file"]["a"].n == 20
    assert "channel" not in measured.by_group


def test_a_column_that_describes_every_window_is_left_out_and_said_so() -> None:
    measured = evaluate(answers(variant=np.array([f"v{k}" for k in range(N)])), NETWORK, ["first"])
    assert measured.by_group == {}
    assert measured.notes == ["first", f"Column variant has {N} values, too many to report apart."]
    assert N > MOST_GROUPS


def test_a_set_of_one_family_name_has_no_figures_of_labels() -> None:
    measured = evaluate(answers(("PSK",), n=50), NETWORK)
    assert np.isnan(measured.overall)
    assert 0 < measured.family < 1
    assert measured.thresholds == []
    assert measured.classes.counts == []
    shown = msgspec.json.decode(msgspec.json.encode(measured))
    assert shown["overall"] is None
    assert shown["calibration"]["ece"] is None


def test_where_nothing_is_known_there_is_nothing_to_score() -> None:
    with pytest.raises(TrainingError, match="set has no windows to score"):
        evaluate(answers(("chirp",)), NETWORK)


def test_many_windows_are_judged_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probabilities are held for a block of rows at a time."""
    whole = evaluate(answers(), NETWORK)
    monkeypatch.setattr("liveclf.learn.score.verdicts._BLOCK", 7)
    assert msgspec.json.encode(evaluate(answers(), NETWORK)) == msgspec.json.encode(whole)


# -- which windows -------------------------------------------------------------------------


def truth(names: list[str], classes: tuple[str, ...]) -> TruthSet:
    y = np.array([classes.index(name) for name in names])
    return TruthSet("set", np.zeros((0, 2, 1024), np.float32), y, np.zeros(len(y)), classes)


def test_rows_of_unknown_classes_are_an_error_that_names_them() -> None:
    given = truth(["FM", "chirp", "odd", "FM"], ("FM", "chirp", "odd", "absent"))
    every = np.arange(4)
    with pytest.raises(TrainingError, match=r"know chirp, odd of set; --ignore-unknown") as caught:
        rows_to_score(given, every, NETWORK, only=None, ignore_unknown=False)
    assert "absent" not in str(caught.value)  # no window is one
    taken = rows_to_score(given, every, NETWORK, only=None, ignore_unknown=True)
    assert taken.tolist() == [0, 1, 2, 3]
    only = rows_to_score(given, every, NETWORK, only=("FM",), ignore_unknown=False)
    assert only.tolist() == [0, 3]
    part = rows_to_score(given, np.array([2, 3]), NETWORK, only=("FM",), ignore_unknown=False)
    assert part.tolist() == [3]


def test_no_row_is_an_error() -> None:
    with pytest.raises(TrainingError, match="set has no windows to score"):
        rows_to_score(
            truth(["FM"], ("FM",)), np.arange(1), NETWORK, only=("CW",), ignore_unknown=True
        )


def test_a_family_is_known_by_its_name() -> None:
    check_known(["PSK", "FM", "BPSK"], "set", NETWORK)
    with pytest.raises(TrainingError, match="does not know ASK of set"):
        check_known(["PSK", "ASK"], "set", replace(NETWORK, name="other"))
