"""The metrics, read back by the parsers of Prometheus's own library."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
from states import output, snapshot, stats, stream

from liveclf.live.stats import Histogram
from liveclf.monitor.metrics import Metrics
from liveclf.monitor.snapshot import RadioState, Snapshot
from liveclf.monitor.table import READY, REFUSED, SENT, TABLE
from liveclf.sources.capture.timeline import CAUSES

ROOT = Path(__file__).parent.parent.parent
ALL = (*TABLE, READY, REFUSED, *SENT)
OPEN = "application/openmetrics-text; version=1.0.0"


def text_of(taken: Snapshot | None, accept: str = "") -> str:
    metrics = Metrics(lambda: True, lambda: 0)
    if taken:
        metrics.take(taken)
    return metrics.scrape(accept)[0].decode()


def values(taken: Snapshot) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample by name and labels."""
    families = parser.text_string_to_metric_families(text_of(taken))
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in families
        for s in family.samples
    }


def one(found: dict, name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


FULL = snapshot(
    stream(
        stats(
            samples=1_000_000, lost_by=Counter({CAUSES[0]: 7, "missing in the recording": 2}),
            samples_lost_estimated=1, samples_left_out=3, stream_s=1.5, classified=40,
            labels=Counter(BPSK=3, unknown=1), families=Counter(PSK=4), emissions=4, noise=5,
            annotated=2, label_right=1, family_right=2,
        ),
        windows=50, skipped={"stride": 10, "late": 2}, left_out={"too short": 6},
        radio=RadioState(2, 5, 0.25),
    ),
    stream(name="b", radio=None, failure="gone"),
    outputs=(output(n_records=9, n_dropped=1, n_waiting=2), output("mqtt:b", is_connected=False)),
)  # fmt: skip


def test_every_count_is_scraped_as_it_is():
    found = values(FULL)
    zero = {"stream": "0"}
    assert one(found, "liveclf_samples_total", **zero) == 1_000_000
    assert one(found, "liveclf_samples_lost_total", cause=CAUSES[0], **zero) == 7
    assert one(found, "liveclf_samples_lost_total", cause="missing in the recording", **zero) == 2
    assert one(found, "liveclf_samples_lost_estimated_total", **zero) == 1
    assert one(found, "liveclf_samples_left_out_total", **zero) == 3
    assert one(found, "liveclf_signal_seconds_total", **zero) == 1.5
    assert one(found, "liveclf_windows_total", **zero) == 62
    assert one(found, "liveclf_windows_classified_total", **zero) == 40
    assert one(found, "liveclf_windows_waiting", **zero) == 10
    assert one(found, "liveclf_windows_skipped_total", reason="stride", **zero) == 10
    assert one(found, "liveclf_coverage_ratio", **zero) == pytest.approx(40 / 62)
    assert one(found, "liveclf_emissions_total", **zero) == 4
    assert one(found, "liveclf_emissions_suppressed_total", reason="too short", **zero) == 6
    assert one(found, "liveclf_emissions_suppressed_total", reason="taken for noise", **zero) == 5
    assert one(found, "liveclf_labels_total", label="unknown", **zero) == 1
    assert one(found, "liveclf_families_total", family="PSK", **zero) == 4
    assert one(found, "liveclf_annotated_total", **zero) == 2
    assert one(found, "liveclf_annotated_agreeing_total", what="label", **zero) == 1
    assert one(found, "liveclf_source_gone_total", **zero) == 2
    assert one(found, "liveclf_source_retries_total", **zero) == 5
    assert one(found, "liveclf_capture_buffer_ratio", **zero) == 0.25
    assert one(found, "liveclf_source_failed", stream="1") == 1
    assert one(found, "liveclf_output_records_total", output="jsonl") == 9
    assert one(found, "liveclf_output_dropped_total", output="jsonl") == 1
    assert one(found, "liveclf_output_queue_batches", output="jsonl") == 2
    assert one(found, "liveclf_output_up", output="jsonl") == 1
    assert one(found, "liveclf_output_up", output="mqtt:b") == 0
    assert one(found, "liveclf_model_info", model="vgg16-slim", engine="onnx int8, 2 threads") == 1


def test_a_loss_of_a_radio_is_zero_before_it_happens():
    found = values(snapshot(stream(), stream(radio=None)))
    causes = {dict(labels)["cause"] for name, labels in found if name.endswith("lost_total")}
    assert causes == set(CAUSES)
    assert all(v == 0 for (name, _), v in found.items() if name.endswith("lost_total"))


def test_what_is_not_known_is_left_out():
    found = values(snapshot(stream(stats(rate_known=False))))
    names = {name for name, _ in found}
    assert not names & {"liveclf_signal_seconds_total", "liveclf_coverage_ratio"}


def test_nothing_but_health_is_told_before_the_first_block():
    families = list(parser.text_string_to_metric_families(text_of(None)))
    ours = {family.name for family in families if family.name.startswith("liveclf")}
    assert ours == {"liveclf_ready", "liveclf_http_refused"}


def test_the_stricter_format_is_kept_too():
    families = list(openmetrics.text_string_to_metric_families(text_of(FULL, OPEN)))
    assert {f.name for f in families} >= {"liveclf_samples", "liveclf_latency_seconds"}


@given(st.text(max_size=40), st.text(max_size=40))
def test_names_that_others_gave_come_back_whole(name, other):
    """A source or an annotation may be called anything; it breaks no line and no quote."""
    taken = snapshot(stream(stats(labels=Counter({other: 1})), name=name))
    encodable = text_of(taken)  # lone surrogates are none that UTF-8 has, and hypothesis's
    families = {f.name: f for f in parser.text_string_to_metric_families(encodable)}
    assert [s.labels["label"] for s in families["liveclf_labels"].samples] == [other]
    assert [s.labels["source"] for s in families["liveclf_stream_info"].samples] == [name]


# -- latencies -----------------------------------------------------------------------------


def test_latencies_are_a_histogram():
    told = Histogram((0.001, 0.01, math.inf), (2, 3, 5), 1.25)
    found = values(snapshot(replace(stream(), latencies=told)))
    buckets = {
        float(dict(labels)["le"]): v
        for (name, labels), v in found.items()
        if name == "liveclf_latency_seconds_bucket"
    }
    assert buckets == {0.001: 2, 0.01: 3, math.inf: 5}
    assert one(found, "liveclf_latency_seconds_count", stream="0") == 5
    assert one(found, "liveclf_latency_seconds_sum", stream="0") == 1.25


# -- asked often -----------------------------------------------------------------------------


def test_whoever_asks_often_gets_the_same_until_there_is_something_new(monkeypatch):
    now_s, ready = [100.0], [True]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    metrics = Metrics(lambda: ready[0], lambda: 0)
    metrics.take(snapshot(stream(stats(samples=1))))
    first = metrics.scrape("")[0]
    ready[0] = False
    assert metrics.scrape("")[0] is first
    assert b"# EOF" in metrics.scrape(OPEN)[0]
    assert b"liveclf_ready 0.0" in metrics.scrape("")[0]
    ready[0] = True
    now_s[0] += 0.6  # no news of the loop: what is wrong with it is told all the same
    assert b"liveclf_ready 1.0" in metrics.scrape("")[0]
    metrics.take(snapshot(stream(stats(samples=2))))
    assert b'liveclf_samples_total{stream="0"} 2.0' in metrics.scrape("")[0]


# -- conventions and documents ---------------------------------------------------------------


@pytest.mark.parametrize("described", ALL, ids=lambda d: d.name)
def test_a_name_keeps_the_conventions(described):
    assert re.fullmatch(r"liveclf(_[a-z]+)+", described.name)
    assert described.name.endswith("_total") == (described.kind == "counter")
    assert described.name.endswith("_info") == (described.kind == "info")
    assert not re.search(r"_(ms|us|khz|mhz|percent|minutes|kb|mb)(_|$)", described.name)
    assert described.text.endswith(".")
    assert not set(described.labels) & {"le", "quantile", "job", "instance"}


def test_every_metric_is_in_the_documents_as_it_is_scraped():
    page = (ROOT / "docs" / "headless.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(liveclf_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|$", page, re.M)
    labels = {d.name: ", ".join(f"`{label}`" for label in d.labels) for d in ALL}
    assert rows == [(d.name, d.kind, labels[d.name], d.text) for d in ALL]
