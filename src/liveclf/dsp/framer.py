"""Blocks of any length in, normalised windows out.

A stretch is what lies between two discontinuities: a gap (the start sample jumps), a
change of segment, rate, centre, clock or format. Windows start at every `hop`-th
sample of a stretch and never reach over its end, so that whatever the splits

    windows out + windows skipped = sum over stretches of max(0, (n - window) // hop + 1)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.dsp.normalise import Normaliser, normalised
from liveclf.dsp.spacing import EvenChoice
from liveclf.records import Block, Windows

# Most windows made at once. Bounds memory whatever the hop, and keeps the conversion
# (8 kB a window, three passes) inside a core's second-level cache.
_GROUP = 64


class Framer:
    """Cuts a stream into windows; holds less than one window plus one hop.

    Attributes:
        windows: Windows given out.
        skipped: Windows not given out, by reason: "non-finite" (NaN or infinity in
            it), "zero power" (it cannot be normalised), "late" (the caller said so) and
            "stride" (not of the share that the caller wanted).
        short_samples: Samples behind the last window of a stretch that begin one more
            and do not fill it; what a long hop leaves out on purpose is not among them.
    """

    def __init__(
        self,
        window_samples: int,
        hop_samples: int | None = None,
        stream_id: int = 0,
        normalise: Normaliser = normalised,
    ) -> None:
        """Set the cut.

        Args:
            window_samples: Length of a window.
            hop_samples: From the start of one to the next; None for the length.
            stream_id: Number of the stream, for the windows.
            normalise: Makes `Windows.x` of native samples.
        """
        self._normalise = normalise
        self._window = window_samples
        self._hop = hop_samples or window_samples
        self._stream_id = stream_id
        self._stretch: tuple[Any, ...] | None = None  # what its blocks have in common
        self._tail: NDArray[Any] = np.empty((0, 2))
        self._stretch_start = 0  # absolute sample of the first window
        self._tail_start = 0  # absolute sample of the next window
        self._expected = 0  # absolute sample that continues the stretch
        self._gap = 0  # lost just before the next window
        self.windows = 0
        self.skipped = Counter({"non-finite": 0, "zero power": 0, "late": 0, "stride": 0})
        self._choice = EvenChoice()
        self.short_samples = 0
        self.left_out = Counter[str]()  # there are no emissions here

    def push(self, block: Block, *, is_late: bool = False, share: float = 1.0) -> Iterator[Windows]:
        """Take a block and yield the windows that end in it, in groups.

        The iterator has to be used up before the next push.

        Args:
            block: The next one.
            is_late: Leave its windows out, and count them.
            share: Of its windows to give out, evenly spaced; the others are counted.
        """
        if block.stretch != self._stretch or block.start_sample != self._expected:
            self._start_stretch(block)
        self._stretch = block.stretch
        self._expected = block.start_sample + len(block.iq)
        # The next window can start beyond this block when the hop is longer than a window.
        skip = min(max(0, self._tail_start - block.start_sample), len(block.iq))
        fresh = block.iq[skip:]
        iq = np.concatenate([self._tail, fresh]) if len(self._tail) else fresh
        n = max(0, (len(iq) - self._window) // self._hop + 1)
        if is_late:
            self.skipped["late"] += n
            self._tail_start += n * self._hop
        for first in range(0, 0 if is_late else n, _GROUP):
            count = min(_GROUP, n - first)
            windows = self._cut(iq[first * self._hop :], self._choice.take(count, share), block)
            if len(windows):
                yield windows
        # Copied, so that the tail does not keep the block alive.
        self._tail = iq[n * self._hop :].copy()

    def heard(self) -> tuple[()]:
        """Return what is known of emissions: nothing."""
        return ()

    def flush(self) -> tuple[()]:
        """End the stretch: what fills no window is counted, not padded."""
        if self._stretch is not None:
            # With a short hop, the windows before hold the beginning of the tail.
            is_first = self._tail_start == self._stretch_start
            held = 0 if is_first else max(0, self._window - self._hop)
            self.short_samples += max(0, len(self._tail) - held)
        self._stretch = None
        self._tail = self._tail[:0]
        return ()

    def _start_stretch(self, block: Block) -> None:
        if self._stretch is not None:
            self._gap += max(0, block.start_sample - self._expected)
        self.flush()
        self._stretch_start = self._tail_start = block.start_sample

    def _cut(self, iq: NDArray[Any], taken: NDArray[np.bool_], block: Block) -> Windows:
        """Convert and normalise the first windows of `iq`, of which `taken` tells those wanted."""
        fmt = block.format
        starts = (self._tail_start + self._hop * np.arange(len(taken), dtype=np.int64))[taken]
        self._tail_start += len(taken) * self._hop
        n = len(starts)
        self.skipped["stride"] += len(taken) - n
        # Not sliding_window_view: its checks take a fifth of the whole time of a group.
        step, component = iq.strides
        views = np.lib.stride_tricks.as_strided(
            iq,
            (len(taken), 2, self._window),
            (self._hop * step, component, step),
            writeable=False,
        )
        x, power = self._normalise(views if n == len(taken) else views[taken], fmt)
        with np.errstate(divide="ignore", invalid="ignore"):
            power_dbfs = 10 * np.log10(power) - np.float32(20 * np.log10(fmt.full_scale))
        windows = Windows(
            x=x,
            stream_id=np.full(n, self._stream_id),
            emission_id=np.full(n, -1),
            start_sample=starts,
            gap_before=np.zeros(n, np.int64),
            power_dbfs=power_dbfs,
            sample_rate_hz=np.full(n, block.sample_rate_hz),
            center_hz=np.full(n, block.center_hz),
            epoch_s=np.full(n, block.epoch_s),
            received_s=np.full(n, block.received_s),
        )
        usable = np.isfinite(power) & (power > 0)
        if not usable.all():
            silent = int(np.sum(power == 0))
            self.skipped["zero power"] += silent
            self.skipped["non-finite"] += n - silent - int(np.sum(usable))
            windows = windows[usable]
        self.windows += len(windows)
        if len(windows):
            windows.gap_before[0], self._gap = self._gap, 0
        return windows
