"""One SigMF recording as it is written: NAME.sigmf-data, and NAME.sigmf-meta beside it.

Samples are stored as they came, without a conversion. The metadata are there from the
first sample on and say of every gap and retune before its samples are written, so that
what a killed program leaves behind can be replayed; only the SHA-512 comes at the end.

Source: SigMF specification 1.2.6.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf import __version__
from liveclf.dsp.formats import as_complex
from liveclf.dsp.sigmf_terms import capture_of, global_of, stored_format
from liveclf.errors import SinkError
from liveclf.records import Annotation, Block

META, DATA = ".sigmf-meta", ".sigmf-data"
# Metadata that have grown long, after thousands of gaps, are brought up to date less often:
# so that this takes no more than one part in so many of the time.
_SHARE = 20
_ROOM_BYTES = 1 << 16


class SigmfFile:
    """A recording that is being written, of one format and one sample rate.

    Attributes:
        path: Of the metadata.
        n_bytes: Size of the samples that are stored.
    """

    def __init__(
        self,
        path: Path,
        first: Block,
        about: Mapping[str, Any],
        *,
        labels: Sequence[Annotation] = (),
        overwrite: bool = False,
    ) -> None:
        """Create both files.

        Args:
            path: Of the metadata, ending in .sigmf-meta.
            first: Its format and rate are those of the recording; it is not yet written.
            about: What else is known, keys of SigMF's global object.
            labels: Annotations of the stream, written for what of it was stored.
            overwrite: Replace a recording that is there.

        Raises:
            SinkError: They cannot be created.
        """
        self.path = path
        self.format = stored_format(first.format)
        self.n_bytes = 0
        self._data_path = path.with_suffix(DATA)
        about = {"core:recorder": f"liveclf {__version__}", **about}
        self._global = global_of(self.format, first.sample_rate_hz, about)
        self._captures: list[dict[str, Any]] = []
        self._labels = labels
        self._annotations: list[dict[str, Any]] = []
        self._stretch: tuple[Any, ...] | None = None  # what its blocks have in common
        self._expected = first.start_sample  # absolute sample that continues the capture
        self._digest: Any = hashlib.sha512()  # None once samples were taken back
        self._is_pending = self._is_closed = False
        self._save_again_s = -math.inf
        try:
            if overwrite:  # first, so that they never describe other samples
                path.unlink(missing_ok=True)
            self._data = FileIO(self._data_path, "w" if overwrite else "x")
        except (OSError, ValueError) as error:
            raise SinkError(f"Recording {path} cannot be written: {_reason(error)}.") from None

    @property
    def n_samples(self) -> int:
        """Samples that are stored."""
        return self.n_bytes // self.format.bytes_per_sample

    @property
    def n_captures(self) -> int:
        """Stretches without a gap or retune."""
        return len(self._captures)

    def write(self, block: Block) -> None:
        """Append a block; a gap, a retune or another clock begins a new capture.

        Raises:
            SinkError: It could not be stored whole. What was stored is closed and valid.
        """
        if not len(block.iq):
            return
        iq = block.iq if self.format == block.format else _as_cf32(block)
        try:
            if block.stretch != self._stretch or block.start_sample != self._expected:
                self._begin_capture(block)
            self._stretch = block.stretch
            self._expected = block.start_sample + len(block.iq)
            self._save_when_due()
            self._append(np.ascontiguousarray(iq))
        except OSError as error:
            self._fail(_reason(error))

    def annotate(self, start_sample: int, stop_sample: int, **fields: Any) -> None:
        """Name a stretch, in absolute samples; what of it was not recorded is left out.

        Args:
            start_sample: Absolute index of the first sample.
            stop_sample: Absolute index after the last.
            fields: Keys of the core namespace, such as label.
        """
        start, stop = self._index(start_sample), self._index(stop_sample)
        if start < stop:
            place = {"core:sample_start": start, "core:sample_count": stop - start}
            named = {f"core:{key}": value for key, value in fields.items()}
            self._annotations.append(place | named)

    def close(self) -> None:
        """Write the SHA-512 and close; a recording without a sample is removed. Twice is once.

        Raises:
            SinkError: The metadata could not be brought up to date.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if not self.n_samples:
                self.path.unlink(missing_ok=True)
                self._data_path.unlink(missing_ok=True)
                return
            for label in self._labels:
                self.annotate(label.start_sample, label.stop_sample, **_fields_of(label))
            if self._digest is not None:
                self._global["core:sha512"] = self._digest.hexdigest()
            try:
                self._save()
            except OSError:
                self._make_room()
                self._save()
        except OSError as error:
            raise SinkError(
                f"Recording {self.path} lacks what was to be written at its end, its SHA-512 and"
                f" perhaps its last gaps: {_reason(error)}."
            ) from None
        finally:
            self._data.close()

    def _begin_capture(self, block: Block) -> None:
        self._captures.append(capture_of(block, self.n_samples))
        self._is_pending = True

    def _append(self, iq: NDArray[Any]) -> None:
        left = iq.view(np.uint8).reshape(-1).data
        while left:
            n_written = self._data.write(left)
            self._digest.update(left[:n_written])
            self.n_bytes += n_written
            left = left[n_written:]

    def _fail(self, why: str) -> None:
        with contextlib.suppress(OSError):
            if self.n_bytes % self.format.bytes_per_sample:
                self._cut(self.n_samples)
        self.close()
        stored = f"the {self.n_samples:,} samples before are stored and can be replayed"
        left = stored if self.n_samples else "nothing is left of it"
        raise SinkError(f"Recording {self.path} cannot be written: {why}; {left}.") from None

    def _cut(self, n_samples: int) -> None:
        self.n_bytes = n_samples * self.format.bytes_per_sample
        self._data.truncate(self.n_bytes)
        self._digest = None

    def _make_room(self) -> None:
        """Give up the newest samples for the metadata of those before: the disk is full."""
        self._global.pop("core:sha512", None)
        room_bytes = _ROOM_BYTES + 2 * len(self._text())
        self._cut(max(1, self.n_samples - room_bytes // self.format.bytes_per_sample))
        kept = self.n_samples
        self._captures = [c for c in self._captures if int(c["core:sample_start"]) < kept]
        self._annotations = [
            a for a in self._annotations
            if int(a["core:sample_start"]) + int(a["core:sample_count"]) <= kept
        ]  # fmt: skip

    def _save_when_due(self) -> None:
        if self._is_pending and time.monotonic() >= self._save_again_s:
            began_s = time.monotonic()
            self._save()
            now_s = time.monotonic()
            self._save_again_s = now_s + _SHARE * (now_s - began_s)

    def _save(self) -> None:
        """Replace the metadata as a whole, so that there is never half of them."""
        part = self.path.with_name(self.path.name + ".part")
        try:
            part.write_text(self._text(), encoding="utf-8")
            os.replace(part, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._is_pending = False

    def _text(self) -> str:
        annotations = sorted(self._annotations, key=lambda a: int(a["core:sample_start"]))
        meta = {"global": self._global, "captures": self._captures, "annotations": annotations}
        return json.dumps(meta, indent=1, ensure_ascii=False) + "\n"

    def _index(self, absolute: int) -> int:
        """Return where in the file the first sample at or after an absolute index is."""
        k = bisect_right(self._captures, absolute, key=lambda c: int(c["core:global_index"])) - 1
        if k < 0:
            return 0
        start = int(self._captures[k]["core:sample_start"])
        is_last = k + 1 == len(self._captures)
        end = self.n_samples if is_last else int(self._captures[k + 1]["core:sample_start"])
        return min(end, start + absolute - int(self._captures[k]["core:global_index"]))


def _fields_of(label: Annotation) -> dict[str, Any]:
    """Return what an annotation says besides its place."""
    edges = {"freq_lower_edge": label.lower_hz, "freq_upper_edge": label.upper_hz}
    return {"label": label.label} | {key: hz for key, hz in edges.items() if hz is not None}


def _as_cf32(block: Block) -> NDArray[np.float32]:
    return as_complex(block.iq, block.format).view(np.float32).reshape(-1, 2)


def _digest_of(path: Path) -> Any:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512")


def _reason(error: Exception) -> str:
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return text[:1].lower() + text[1:]
