"""A scrape: the last snapshot as Prometheus reads it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from liveclf.live.stats import Histogram
from liveclf.monitor.snapshot import Snapshot
from liveclf.monitor.table import READY, REFUSED, Described, Rows, table_of

_FRESH_S = 0.5  # of what is told of the process and of health


@dataclass(frozen=True, slots=True)
class _Made:
    """The answer to a scrape."""

    snapshot: Snapshot | None
    content_type: str
    at_s: float
    body: bytes

    def serves(self, snapshot: Snapshot | None, content_type: str, now_s: float) -> bool:
        is_same = self.snapshot is snapshot and self.content_type == content_type
        return is_same and now_s - self.at_s < _FRESH_S


class Metrics:
    """Makes the text of a scrape from the last snapshot."""

    def __init__(self, is_ready: Callable[[], bool], n_refused: Callable[[], int]) -> None:
        """Begin without a snapshot.

        Args:
            is_ready: Asked at each scrape.
            n_refused: Likewise.
        """
        self._is_ready, self._n_refused = is_ready, n_refused
        self._snapshot: Snapshot | None = None
        self._made: _Made | None = None
        self._registry = CollectorRegistry()
        self._registry.register(_Table(self))
        ProcessCollector(registry=self._registry)

    def take(self, snapshot: Snapshot) -> None:
        """Show this one from now on."""
        self._snapshot = snapshot

    def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its type; made anew twice a second at most, whoever asks.

        Args:
            accept: What the client says that it reads.
        """
        encode, content_type = choose_encoder(accept)
        made, now_s = self._made, time.monotonic()
        if made is None or not made.serves(self._snapshot, content_type, now_s):
            made = _Made(self._snapshot, content_type, now_s, encode(self._registry))
            self._made = made
        return made.body, content_type

    def families(self) -> Iterator[Metric]:
        """Yield every metric."""
        if snapshot := self._snapshot:
            for described in table_of(snapshot):
                yield _family(described, described.rows(snapshot))
        yield _family(READY, iter([((), float(self._is_ready()))]))
        yield _family(REFUSED, iter([((), float(self._n_refused()))]))


class _Table(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        return self._metrics.families()


_FAMILIES = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "info": InfoMetricFamily,
    "histogram": HistogramMetricFamily,
}


def _family(described: Described, rows: Rows) -> Metric:
    name = described.name.removesuffix("_info") if described.kind == "info" else described.name
    made: Any = _FAMILIES[described.kind](name, described.text, labels=described.labels)
    for labels, value in rows:
        if isinstance(made, HistogramMetricFamily):
            made.add_metric(labels, _buckets(value), value.sum_s)
        else:
            made.add_metric(labels, value)
    family: Metric = made
    return family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    bounds = map(floatToGoString, histogram.bounds_s)
    return list(zip(bounds, map(float, histogram.counts), strict=True))
