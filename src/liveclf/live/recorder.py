"""Records a stream as SigMF: blocks in, files out, nothing changed on the way.

It stands here, beside the loop, and not among the sinks: those take detections on a
thread of their own, while a recording takes every sample and is what the loop waits for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from liveclf.dsp.sigmf_terms import stored_format
from liveclf.live.sigmf_file import META, SigmfFile
from liveclf.records import Annotation, Block


class Recorder:
    """Writes blocks to NAME.sigmf-meta, and to NAME-2 and so on from where they change.

    SigMF has one sample rate and one format a recording; a gap, a retune and another clock
    are captures within one.

    Attributes:
        files: Those written so far; the last is the one that is being written.
    """

    def __init__(
        self,
        path: Path,
        about: Mapping[str, Any],
        *,
        annotations: Sequence[Annotation] = (),
        overwrite: bool = False,
    ) -> None:
        """Set what is written; no file is touched before the first sample.

        Args:
            path: Of the metadata, ending in .sigmf-meta.
            about: What is known of the recording, keys of SigMF's global object.
            annotations: Labels that the source carries.
            overwrite: Replace recordings that are there.
        """
        self.files: list[SigmfFile] = []
        self._path, self._about, self._overwrite = path, about, overwrite
        self._annotations = annotations
        self._rate_hz = math.nan

    @property
    def n_samples(self) -> int:
        """Samples stored."""
        return sum(file.n_samples for file in self.files)

    @property
    def n_bytes(self) -> int:
        """Bytes stored."""
        return sum(file.n_bytes for file in self.files)

    @property
    def n_captures(self) -> int:
        """Stretches without a gap or retune."""
        return sum(file.n_captures for file in self.files)

    def write(self, block: Block) -> None:
        """Store a block; an empty one says only that time passes.

        Raises:
            SinkError: It could not be stored; see `SigmfFile.write`.
        """
        if not len(block.iq):
            return
        if not self._fits(block):
            self.close()
            self.files.append(
                SigmfFile(
                    self._next_path(), block, self._about,
                    labels=self._annotations, overwrite=self._overwrite,
                )
            )  # fmt: skip
            self._rate_hz = block.sample_rate_hz
        self.files[-1].write(block)

    def close(self) -> None:
        """End the recording that is being written. May be called twice.

        Raises:
            SinkError: It could not be ended; see `SigmfFile.close`.
        """
        if self.files:
            self.files[-1].close()

    def _fits(self, block: Block) -> bool:
        if not self.files or self.files[-1].format != stored_format(block.format):
            return False
        return block.sample_rate_hz == self._rate_hz or (
            math.isnan(block.sample_rate_hz) and math.isnan(self._rate_hz)
        )

    def _next_path(self) -> Path:
        if not self.files:
            return self._path
        stem = self._path.name.removesuffix(META)
        return self._path.with_name(f"{stem}-{len(self.files) + 1}{META}")
