"""Logits in, detections out: softmax, temperature, families, unknown, level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from liveclf.dsp.noise_floor import NoiseFloor
from liveclf.emissions import Heard
from liveclf.records import Annotation, Detections, FloatArray, StreamInfo, Windows


class Decider:
    """Turns the logits of a batch into columns of detections.

    The probability of a family is the sum over its members, so that a family can be
    certain where its order is not.
    """

    def __init__(
        self,
        classes: Sequence[str],
        family_of: Mapping[str, str],
        temperature: float,
        *,
        top_k: int,
        min_probability: float,
        streams: Sequence[StreamInfo] = (),
    ) -> None:
        """Set the rules.

        Args:
            classes: Names of the logits.
            family_of: Family of each.
            temperature: Divisor of the logits.
            top_k: Classes listed per detection.
            min_probability: A label, or a family, below it is reported as unknown.
            streams: In the order of `Windows.stream_id`, for their names and the labels that
                recordings carry; none: one without either.
        """
        self._classes = tuple(classes)
        self._families = tuple(dict.fromkeys(family_of[name] for name in classes))
        self._members = np.zeros((len(self._classes), len(self._families)), np.float32)
        for k, name in enumerate(self._classes):
            self._members[k, self._families.index(family_of[name])] = 1
        self._temperature = np.float32(temperature)
        self._top_k = min(top_k, len(self._classes))
        self._min_probability = min_probability
        self._stream_names = tuple(info.name for info in streams) or ("",)
        annotations = [info.annotations for info in streams] or [()]
        names = dict.fromkeys(a.label for carried in annotations for a in carried)
        self._truth_names = tuple(names)
        self._truths = [_TruthTable(carried, self._truth_names) for carried in annotations]
        self._floors = [NoiseFloor() for _ in annotations]

    def decide(self, windows: Windows, logits: FloatArray, now_s: float) -> Detections:
        """Decide on one batch.

        Args:
            windows: The batch.
            logits: Shape (n, n_classes) float32.
            now_s: Monotonic time, for the latency.
        """
        p = softmax(logits / self._temperature, axis=1)
        families = p @ self._members
        top = np.argsort(-p, axis=1, kind="stable")[:, : self._top_k]
        top_p = np.take_along_axis(p, top, axis=1)
        family = np.argmax(families, axis=1)
        family_p = np.max(families, axis=1)
        level_db, truth = self._of_each_stream(windows)
        return Detections(
            stream_id=windows.stream_id,
            start_sample=windows.start_sample,
            window_samples=windows.window_samples,
            gap_before=windows.gap_before,
            sample_rate_hz=windows.sample_rate_hz,
            center_hz=windows.center_hz,
            epoch_s=windows.epoch_s,
            power_dbfs=windows.power_dbfs,
            level_db=level_db,
            latency_s=now_s - windows.received_s,
            label=np.where(top_p[:, 0] >= self._min_probability, top[:, 0], -1),
            family=np.where(family_p >= self._min_probability, family, -1),
            probability=top_p[:, 0],
            family_probability=family_p,
            top_label=top,
            top_probability=top_p,
            truth=truth,
            class_names=self._classes,
            family_names=self._families,
            truth_names=self._truth_names,
            stream_names=self._stream_names,
        )

    def hear(self, stream: int, heard: Sequence[Heard], now_s: float) -> None:
        """Do nothing: a framer finds no emissions."""

    def _of_each_stream(self, windows: Windows) -> tuple[FloatArray, NDArray[np.int64]]:
        """Return what depends on the other windows of a stream: level and truth."""
        level_db = np.empty(len(windows), np.float32)
        truth = np.empty(len(windows), np.int64)
        for k in np.unique(windows.stream_id).tolist():
            rows = windows.stream_id == k
            level_db[rows] = self._floors[k].push(
                windows.power_dbfs[rows], windows.center_hz[rows], windows.sample_rate_hz[rows]
            )
            truth[rows] = self._truths[k].at(windows.start_sample[rows], windows.window_samples)
        return level_db, truth


class _TruthTable:
    """Finds the annotation that covers most of a window."""

    def __init__(self, annotations: Sequence[Annotation], names: tuple[str, ...]) -> None:
        self._names = names
        self._annotations = tuple(annotations)
        self._start = np.array([a.start_sample for a in self._annotations], np.int64)
        self._stop = np.array([a.stop_sample for a in self._annotations], np.int64)

    def at(self, start_sample: NDArray[np.int64], window_samples: int) -> NDArray[np.int64]:
        """Return an index into the names per window, -1 where less than half is covered."""
        truth = np.full(len(start_sample), -1, np.int64)
        best = np.full(len(start_sample), window_samples // 2, np.int64)
        if not len(self._start) or not len(start_sample):
            return truth
        first, last = start_sample[0], start_sample[-1] + window_samples
        for k in np.flatnonzero((self._start < last) & (self._stop > first)):
            covered = np.minimum(start_sample + window_samples, self._stop[k])
            covered = covered - np.maximum(start_sample, self._start[k])
            better = covered >= np.maximum(best, 1)
            truth[better] = self._names.index(self._annotations[k].label)
            best = np.where(better, covered + 1, best)
        return truth
