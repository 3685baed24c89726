"""SigMF annotations: each emission, in the metadata of the recording that it is in.

    begin(...) -> [ what others wrote ] + [ one annotation an emission ] -> NAME.sigmf-meta

The file is replaced as a whole every few seconds and at the end, so that there is never
half of it; until the first time it is as it was. Annotations of an earlier run are left
out, unless somebody has changed their label since.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import shutil
import time
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from liveclf import __version__
from liveclf.emissions import Emission, Emissions
from liveclf.errors import SinkError
from liveclf.records import Dataset
from liveclf.sinks.sigmf_metadata import begin, is_beside

SAVE_S = 5.0
# What has grown long is written less often: so that this takes no more than one part in so
# many of the time.
_SHARE = 20
# Some 200 MB in memory; viewers give up earlier.
MOST_ANNOTATIONS = 200_000

# Written as liveclf:NAME, as they stand in the record.
FIELDS = (
    *("id", "state", "label", "probability", "family", "family_probability", "top"),
    *("snr_db", "power_dbfs", "symbol_rate_hz", "n_windows", "note"),
)

_log = logging.getLogger(__name__)


class SigmfSink:
    """Writes emissions as annotations of the recording that is replayed."""

    def __init__(
        self,
        path: Path,
        dataset: Dataset,
        name: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read what is there; nothing is changed yet.

        Args:
            path: The metadata to write, ending in .sigmf-meta.
            dataset: The recording.
            name: How messages call the output.
            clock: Seconds; decides how often the file is written.

        Raises:
            UsageError: The file is no place for them, or SigMF has no words for the samples.
            SinkError: It cannot be written.
        """
        self._name, self._dataset, self._clock = name, dataset, clock
        meta = begin(path, dataset, name)
        self._path = Path(os.path.realpath(path))  # a link stays one
        self._part = self._path.with_name(self._path.name + ".part")
        self._captures = meta["captures"]
        kept = [note for note in meta.pop("annotations") if not _is_ours(note)]
        self._kept = [
            (int(note.get("core:sample_start", 0)), _encoded(note, name)) for note in kept
        ]
        self._rest = {key: _encoded(value, name) for key, value in meta.items()}
        self._ours: dict[int, tuple[int, msgspec.Raw]] = {}
        self._is_stale = False
        self._save_again_s = clock() + SAVE_S
        self._try_to_write()
        if not is_beside(path, dataset):
            _log.warning(
                "%s describes %s, which is not beside it: put it there, or a link to it, to open"
                " them together.", name, dataset.path,
            )  # fmt: skip

    def write(self, report: Emissions) -> None:
        """Take in one batch; a later record of an emission replaces the earlier one.

        Raises:
            SinkError: It could not be written, or there are too many.
        """
        for emission in report.rows():
            if len(self._ours) >= MOST_ANNOTATIONS and emission.id not in self._ours:
                raise SinkError(
                    f"{self._name} takes no more than {MOST_ANNOTATIONS:,} annotations; those so"
                    " far are written; for so many emissions give jsonl:FILE."
                )
            annotation = self._annotation(emission)
            encoded = msgspec.Raw(msgspec.json.encode(annotation))
            self._ours[emission.id] = annotation["core:sample_start"], encoded
        self._is_stale = True
        self.redraw()

    def redraw(self) -> None:
        """Write the file if something changed, unless the last time is too recent.

        Raises:
            SinkError: It could not be written.
        """
        if self._is_stale and self._clock() >= self._save_again_s:
            self._save()

    def close(self, summary: dict[str, Any]) -> None:
        """Write the final state.

        Raises:
            SinkError: It could not be written.
        """
        if self._ours or summary:  # else nothing ran, and what is there stays as it is
            self._save()

    def _annotation(self, e: Emission) -> dict[str, Any]:
        start = self._index(e.sample)
        stop = max(start, self._index(e.sample + e.n_samples))
        annotation: dict[str, Any] = {
            "core:sample_start": start + self._dataset.first_index,
            "core:sample_count": stop - start,
        }
        if e.offset_hz is not None and e.bandwidth_hz is not None:
            # From the centre that the metadata give, as viewers draw it.
            center_hz = self._center_hz(annotation["core:sample_start"]) + e.offset_hz
            annotation["core:freq_lower_edge"] = round(center_hz - e.bandwidth_hz / 2, 3)
            annotation["core:freq_upper_edge"] = round(center_hz + e.bandwidth_hz / 2, 3)
        annotation |= {
            "core:label": e.label,
            "core:comment": _comment(e),
            "core:generator": f"liveclf {__version__}",
        }
        fields = {name: getattr(e, name) for name in FIELDS}
        return annotation | {f"liveclf:{k}": v for k, v in fields.items() if _is_known(v)}

    def _index(self, sample: int) -> int:
        """Return where in the file the first sample at or after one of the stream is."""
        captures = self._dataset.captures
        absolute = sample * self._dataset.decimation
        k = bisect_right(captures, absolute, key=lambda c: c.start_sample) - 1
        if k < 0:
            return 0
        end = captures[k + 1].start if k + 1 < len(captures) else self._dataset.n_samples
        return min(end, captures[k].start + absolute - captures[k].start_sample)

    def _center_hz(self, index: int) -> float:
        k = bisect_right(self._captures, index, key=lambda c: int(c["core:sample_start"])) - 1
        return float(self._captures[k].get("core:frequency", 0.0)) if k >= 0 else 0.0

    def _save(self) -> None:
        began_s = self._clock()
        annotations = sorted([*self._kept, *self._ours.values()], key=lambda pair: pair[0])
        meta = self._rest | {"annotations": [text for _, text in annotations]}
        try:
            self._part.write_bytes(msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n")
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(self._path, self._part)
            os.replace(self._part, self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise SinkError(f"{self._name} cannot be written: {error.strerror}.") from None
        self._is_stale = False
        now_s = self._clock()
        self._save_again_s = now_s + max(SAVE_S, _SHARE * (now_s - began_s))

    def _try_to_write(self) -> None:
        """Find out before the run, and not after, that there is no writing here."""
        try:
            if self._path.exists():
                self._path.open("r+b").close()  # what may not be written is not replaced either
            self._part.touch()
            self._part.unlink()
        except OSError as error:
            reason = error.strerror
            if not self._part.parent.exists():
                reason = f"folder {self._part.parent} does not exist"
            raise SinkError(f"{self._name} cannot be opened for writing: {reason}.") from None


def _is_ours(annotation: dict[str, Any]) -> bool:
    """Tell what a run wrote, and nobody has corrected since."""
    label = annotation.get("liveclf:label")
    return label is not None and label == annotation.get("core:label")


def _comment(e: Emission) -> str:
    parts = [f"{e.label} {e.probability:.0%}", f"family {e.family} {e.family_probability:.0%}"]
    if math.isfinite(e.snr_db):
        parts.append(f"SNR {e.snr_db:.1f} dB")
    parts.append(f"{e.n_windows} window{'s' * (e.n_windows != 1)}")
    return ", ".join(parts if e.note is None else [*parts, e.note])


def _is_known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and not math.isfinite(value))


def _encoded(value: Any, name: str) -> msgspec.Raw:
    """Keep what others wrote, integers of any size with it."""
    try:
        return msgspec.Raw(json.dumps(value, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:  # NaN, or half of a surrogate pair
        raise SinkError(
            f"{name}: what is there has values that JSON has no word for; remove or repair it."
        ) from None
