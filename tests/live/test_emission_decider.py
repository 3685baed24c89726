"""What is told of an emission, and when."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, make_windows

from liveclf.emissions import Heard
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.records import Annotation, StreamInfo

RULES = Rules(CLASSES, FAMILY_OF, 1.0, top_k=2, min_probability=0.6, report_s=1.0)
HEARD = Heard(
    id=1, has_ended=True, start_sample=1000, stop_sample=5000, low=0.1, high=0.2, snr=100.0,
    power=0.01, symbol_rate=None, n_windows=2, note=None, sample_rate_hz=1e6, center_hz=433e6,
    epoch_s=1.7e9, received_s=2.0,
)  # fmt: skip


def decider(*annotations: Annotation, n_streams: int = 1, **rules) -> EmissionDecider:
    info = StreamInfo("fake", "cf32", 1e6, 433e6, None, False, annotations=annotations)
    return EmissionDecider(replace(RULES, **rules), [info] * n_streams)


def answered(one: EmissionDecider, labels: list[int], emission: int = 1, sure: float = 5.0, **at):
    """Tell it what the network says of some windows of one emission."""
    logits = sure * np.eye(len(CLASSES), dtype=np.float32)[labels]
    return one.decide(make_windows(len(labels), emission_id=emission, **at), logits, 2.5)


def heard(one: EmissionDecider, stream: int = 0, **values):
    return one.hear(stream, [replace(HEARD, **values)], 2.5)


def test_it_is_told_once_all_its_windows_are_answered():
    one = decider()
    assert len(heard(one)) == 0
    assert len(answered(one, [1])) == 0
    (record,) = answered(one, [1]).rows()
    assert (record.label, record.family, record.n_windows) == ("QPSK", "PSK", 2)
    assert (record.id, record.state, record.stream, record.source) == (1, "closed", 0, "fake")


def test_it_is_told_as_well_if_the_answers_came_first():
    one = decider()
    assert len(answered(one, [2, 2])) == 0
    (record,) = heard(one).rows()
    assert record.label == "2FSK"


def test_the_record_says_where_when_and_how_strong():
    one = decider()
    answered(one, [1, 1])
    (record,) = heard(one).rows()
    assert (record.sample, record.n_samples) == (1000, 4000)
    assert (record.elapsed_s, record.duration_s) == (0.001, 0.004)
    assert record.time == "2023-11-14T22:13:20.001000Z"
    assert (record.center_hz, record.offset_hz) == (433.15e6, 150e3)
    assert (record.bandwidth_hz, record.snr_db, record.power_dbfs) == (100e3, 20.0, -20.0)
    assert record.latency_s == 0.5
    assert record.top[0][0] == "QPSK"
    assert len(record.top) == 2


def test_what_is_not_known_is_none():
    one = decider()
    answered(one, [1, 1])
    unknown = {"sample_rate_hz": math.nan, "center_hz": math.nan, "epoch_s": math.nan}
    (record,) = heard(one, **unknown).rows()
    names = ("time", "elapsed_s", "duration_s", "center_hz", "offset_hz", "bandwidth_hz")
    assert {getattr(record, name) for name in (*names, "symbol_rate_hz")} == {None}


def test_what_the_network_takes_for_noise_is_counted_and_not_told():
    one = decider()
    answered(one, [3, 3])
    told = heard(one, snr=2.0)
    assert (len(told), told.noise) == (0, (0,))
    assert [k for k, _ in told.by_stream()] == [0]


def test_what_stands_well_out_of_the_noise_is_none():
    one = decider()
    answered(one, [3, 3])
    (record,) = heard(one, snr=100.0).rows()
    assert record.label != "noise"
    assert dict(record.top).get("noise", 0) == 0


def test_what_was_told_while_it_lasted_is_told_to_its_end_even_if_it_ends_in_noise():
    one = decider()
    answered(one, [1, 1])
    (first,) = heard(one, has_ended=False).rows()
    answered(one, [3] * 40)
    (last,) = heard(one, n_windows=42).rows()
    assert (first.state, last.state, last.id) == ("open", "closed", first.id)


def test_a_label_that_is_not_sure_enough_is_unknown():
    one = decider()
    answered(one, [0, 1])
    (record,) = heard(one).rows()
    assert record.label == "unknown"
    assert record.family == "PSK"  # both are
    assert record.probability < 0.6 <= record.family_probability


def test_an_emission_without_a_window_is_unknown_and_says_so():
    (record,) = heard(decider(min_probability=0.0), n_windows=0).rows()
    assert (record.label, record.family, record.n_windows) == ("unknown", "unknown", 0)
    assert record.note == "not classified"


def test_many_windows_are_worth_more_than_one_and_less_than_so_many():
    def probability(n: int) -> float:
        one = decider()
        answered(one, [1] * n, sure=2.0)
        (record,) = heard(one, n_windows=n).rows()
        return record.probability

    odds = [p / (1 - p) for p in (probability(1), probability(9))]
    assert odds[0] < odds[1] < odds[0] ** 9


def test_one_that_lasts_is_told_as_often_as_asked_for():
    one, told = decider(report_s=0.5), []
    for k in range(1, 41):
        answered(one, [1])
        stop = 1000 + 100_000 * k
        told += heard(one, has_ended=False, stop_sample=stop, n_windows=k).rows()
    assert [r.state for r in told] == ["open"] * len(told)
    assert [r.n_samples for r in told] == [100_000 + 500_000 * k for k in range(8)]
    (last,) = heard(one, n_windows=40).rows()
    assert last.state == "closed"


def test_a_label_stays_unless_another_is_clearly_more_probable():
    one = decider(min_probability=0.0)
    answered(one, [1, 1], sure=1.0)
    heard(one, has_ended=False)
    answered(one, [0, 0], sure=1.01)  # BPSK by a hair
    (record,) = heard(one, n_windows=4, stop_sample=9_000_000).rows()
    assert record.label == "QPSK"
    assert record.top[0][0] == "BPSK"


def test_streams_and_emissions_are_kept_apart():
    one = decider(n_streams=2)
    answered(one, [1, 1], stream_id=0)
    answered(one, [2, 2], stream_id=1)
    answered(one, [0, 0], emission=2, stream_id=1)
    told = [r for k, i in ((1, 2), (0, 1), (1, 1)) for r in heard(one, stream=k, id=i).rows()]
    assert [(r.stream, r.id, r.label) for r in told] == [
        (1, 2, "BPSK"), (0, 1, "QPSK"), (1, 1, "2FSK"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("annotations", "truth"),
    [
        ([(0, 10_000, "a"), (4000, 5000, "b")], "a"),
        ([(0, 2900, "a")], None),
        ([(0, 3100, "a")], "a"),
        ([], None),
    ],
)
def test_the_truth_is_the_annotation_that_has_most_of_it(annotations, truth):
    one = decider(*(Annotation(*a) for a in annotations))
    answered(one, [1, 1])
    (record,) = heard(one).rows()
    assert record.truth == truth


def test_nothing_is_remembered_of_what_has_ended():
    one = decider()
    for k in range(500):
        answered(one, [1, 3 if k % 2 else 1], emission=k)
        heard(one, id=k)
    assert len(one._open) == 0


@pytest.mark.parametrize("epoch_s", [math.nan, math.inf, 1e12, -1e12])
def test_a_clock_that_no_calendar_knows_gives_no_time(epoch_s):
    one = decider()
    answered(one, [1, 1])
    (record,) = heard(one, epoch_s=epoch_s).rows()
    assert record.time is None
    assert record.elapsed_s == 0.001
