"""Logits of windows in, what is told of emissions out: pooled, calibrated, with hysteresis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from liveclf.emissions import Emission, Emissions, Heard
from liveclf.records import Annotation, FloatArray, StreamInfo, Windows, known_utc

_NOISE = "noise"
# What stands so far out of the noise, as a ratio, is none, however much it looks like it.
_NO_NOISE = 4.0
# N windows of a signal are worth so many independent ones: N to this power (chosen by
# tools/fit_emissions.py on scenes of its own).
_EVIDENCE = 0.25
# A label that was told stays until another is so much more probable.
_HOLD = 0.1


@dataclass(slots=True)
class _Open:
    """An emission that has not been told to its end."""

    sums: NDArray[np.float64]
    n_answered: int = 0
    heard: Heard | None = None
    label: int = -1  # told last
    told_sample: int | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What a label is made by.

    Attributes:
        classes: Names of the logits.
        family_of: Family of each.
        temperature: Divisor of the logits.
        top_k: Classes listed per record.
        min_probability: A label, or a family, below it is told as unknown.
        report_s: How often an emission is told while it lasts.
    """

    classes: tuple[str, ...]
    family_of: Mapping[str, str]
    temperature: float
    top_k: int
    min_probability: float
    report_s: float


@dataclass(slots=True)
class EmissionDecider:
    """Collects what the network says of the windows of each emission, and tells.

    Attributes:
        rules: See there; may be replaced at any time, from any thread.
        streams: In the order of their numbers, for their names and their annotations.
    """

    rules: Rules
    streams: Sequence[StreamInfo]
    _open: dict[tuple[int, int], _Open] = field(default_factory=dict)

    def decide(self, windows: Windows, logits: FloatArray, now_s: float) -> Emissions:
        """Take what the network says of a batch; return what can be told by it.

        Args:
            windows: The batch.
            logits: Shape (n, n_classes) float32.
            now_s: Monotonic time, for the latency.
        """
        log_p = log_softmax(logits.astype(np.float64) / self.rules.temperature, axis=1)
        keys = zip(windows.stream_id.tolist(), windows.emission_id.tolist(), strict=True)
        touched = {}
        for key, row in zip(keys, log_p, strict=True):
            one = touched[key] = self._of(key)
            one.sums += row
            one.n_answered += 1
        return self._told(touched, now_s)

    def hear(self, stream: int, heard: Sequence[Heard], now_s: float) -> Emissions:
        """Take what is known of the emissions of a stream; return what can be told of them.

        Args:
            stream: Its number.
            heard: In the order of their ends.
            now_s: Monotonic time, for the latency.
        """
        touched = {}
        for news in heard:
            one = touched[stream, news.id] = self._of((stream, news.id))
            one.heard, one.is_new = news, True
        return self._told(touched, now_s)

    def _of(self, key: tuple[int, int]) -> _Open:
        if key not in self._open:
            self._open[key] = _Open(np.zeros(len(self.rules.classes)))
        return self._open[key]

    def _told(self, touched: Mapping[tuple[int, int], _Open], now_s: float) -> Emissions:
        records: list[Emission] = []
        noise: list[int] = []
        for key, one in touched.items():
            heard = one.heard
            if heard is None or not one.is_new or one.n_answered < heard.n_windows:
                continue
            one.is_new = False
            if heard.has_ended:
                del self._open[key]
            p = self._probabilities(one, heard)
            if self.rules.classes[int(p.argmax())] == _NOISE and one.told_sample is None:
                noise += [key[0]] * heard.has_ended
            elif heard.has_ended or self._is_due(one, heard):
                one.told_sample = heard.stop_sample
                records.append(self._record(key[0], one, heard, p, now_s))
        return Emissions(tuple(records), tuple(noise))

    def _is_due(self, one: _Open, heard: Heard) -> bool:
        if one.told_sample is None or not heard.sample_rate_hz > 0:
            return True
        return heard.stop_sample - one.told_sample >= self.rules.report_s * heard.sample_rate_hz

    def _probabilities(self, one: _Open, heard: Heard) -> NDArray[np.float64]:
        """Pool: the mean of the log-probabilities, times what so many windows are worth."""
        if not one.n_answered:
            return np.full(len(one.sums), 1 / len(one.sums))
        pooled = one.sums / one.n_answered * one.n_answered**_EVIDENCE
        if heard.snr > _NO_NOISE and _NOISE in self.rules.classes:
            pooled[self.rules.classes.index(_NOISE)] = -np.inf
        return np.asarray(softmax(pooled))

    def _record(
        self, stream: int, one: _Open, heard: Heard, p: NDArray[np.float64], now_s: float
    ) -> Emission:
        classes, family_of = self.rules.classes, self.rules.family_of
        top = np.argsort(-p, kind="stable")[: self.rules.top_k].tolist()
        if one.label < 0 or p[top[0]] > p[one.label] + _HOLD:
            one.label = top[0]
        families: dict[str, float] = {}
        for name, share in zip(classes, p.tolist(), strict=True):
            families[family_of[name]] = families.get(family_of[name], 0.0) + share
        family = max(families, key=lambda name: families[name])
        least = self.rules.min_probability if one.n_answered else math.inf
        rate_hz = heard.sample_rate_hz if heard.sample_rate_hz > 0 else None
        center_hz = None if math.isnan(heard.center_hz) else heard.center_hz
        offset_hz = rate_hz and (heard.low + heard.high) / 2 * rate_hz
        start_s = heard.start_sample / rate_hz if rate_hz else None
        info = self.streams[stream]
        return Emission(
            id=heard.id,
            state="closed" if heard.has_ended else "open",
            time=None if start_s is None else known_utc(heard.epoch_s + start_s),
            elapsed_s=start_s,
            sample=heard.start_sample,
            n_samples=heard.stop_sample - heard.start_sample,
            duration_s=rate_hz and (heard.stop_sample - heard.start_sample) / rate_hz,
            center_hz=_hertz(
                None if center_hz is None or offset_hz is None else center_hz + offset_hz
            ),
            offset_hz=_hertz(offset_hz),
            bandwidth_hz=_hertz(rate_hz and (heard.high - heard.low) * rate_hz),
            snr_db=round(10 * math.log10(heard.snr), 2),
            power_dbfs=round(10 * math.log10(heard.power), 2),
            label=classes[one.label] if p[one.label] >= least else "unknown",
            family=family if families[family] >= least else "unknown",
            probability=round(float(p[one.label]), 4),
            family_probability=round(families[family], 4),
            top=[(classes[k], round(float(p[k]), 4)) for k in top],
            symbol_rate_hz=_hertz(rate_hz and heard.symbol_rate and heard.symbol_rate * rate_hz),
            n_windows=one.n_answered,
            note=heard.note if one.n_answered else heard.note or "not classified",
            latency_s=round(now_s - heard.received_s, 6),
            truth=_truth(info.annotations, heard),
            stream=stream,
            source=info.name,
        )


def _hertz(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _truth(annotations: Iterable[Annotation], heard: Heard) -> str | None:
    """Return the annotation that has most of the emission's time, if at least half of it."""
    best, label = (heard.stop_sample - heard.start_sample) / 2, None
    for one in annotations:
        common = min(one.stop_sample, heard.stop_sample) - max(one.start_sample, heard.start_sample)
        if common >= best:
            best, label = common + 1, one.label
    return label
