"""Low-pass and keep one sample of N, so that a slow signal fills the window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy import signal

from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.records import Block, FloatArray, StreamInfo

_SIDE = 10  # output samples that the filter reaches to either side
_STOPBAND_DB = 65.0
# Outputs computed at a time: fewer would cost more at the edges of the call than
# they need themselves, more would keep a window waiting.
_LEAST_OUTPUTS = 64


def low_pass(factor: int) -> FloatArray:
    """Design the filter: linear phase, flat to 0.4 of the output rate, 60 dB down at 0.6.

    Args:
        factor: Input samples per output sample.

    Returns:
        Taps, shape (2 * 10 * factor + 1,) float32, sum 1.

    Source: J. F. Kaiser, Nonrecursive digital filter design using the I0-sinh window
    function, 1974; 20 taps per output sample give 65 dB over this transition.
    """
    window = ("kaiser", signal.kaiser_beta(_STOPBAND_DB))
    taps: FloatArray = signal.firwin(2 * _SIDE * factor + 1, 1 / factor, window=window)
    return taps.astype(np.float32)


class Decimator:
    """Reduces the sample rate by a whole factor; a `Stage`.

    Output k is centred on input k * factor, counted from absolute sample 0 and
    not from where a stretch begins, so that an output's time is its index over
    the new rate, also after a gap. Samples beyond either end of a stretch count
    as zero. The outputs are bit for bit the same however the input is cut into
    blocks: each is a sum of its own, in the order of the taps.
    """

    def __init__(self, factor: int) -> None:
        """Design the filter.

        Args:
            factor: Input samples per output sample, at least 1.
        """
        if factor < 1:
            raise ValueError(f"factor must be at least 1, got {factor}")
        self._factor = factor
        self._taps = low_pass(factor) if factor > 1 else np.ones(1, np.float32)
        self._reach = len(self._taps) // 2
        self._pending: list[FloatArray] = []  # (n, 2) each, from where the next output begins
        self._n_pending = 0
        self._output = 0  # index of the next output
        # Numbered anew: a gap of a few samples is too short to show in the indices.
        self._segment = -1
        self._last: Block | None = None  # the newest of the stretch, None before the first

    def push(self, block: Block) -> Iterator[Block]:
        """Take one block and yield what is ready; a gap or a new segment ends a stretch."""
        if self._factor == 1:
            yield block
            return
        last = self._last
        if last is not None and (
            block.stretch != last.stretch or block.start_sample != last.start_sample + len(last.iq)
        ):
            yield from self.flush()
        if self._last is None:
            self._begin(block.start_sample)
        self._last = block
        iq = as_complex(block.iq, block.format).view(np.float32).reshape(-1, 2)
        self._append(iq)
        n_ready = (self._n_pending - len(self._taps)) // self._factor + 1
        # An empty block says that time passes: what is ready goes, however little.
        idle = not len(block.iq)
        if n_ready >= _LEAST_OUTPUTS or (idle and n_ready > 0):
            yield self._filtered(n_ready)
        if idle:
            yield self._filtered(0)

    def flush(self) -> Iterator[Block]:
        """Yield the outputs that reach beyond the end of the stretch, and forget it."""
        if self._last is not None:
            end = self._last.start_sample + len(self._last.iq)
            n_left = -(-end // self._factor) - self._output
            self._append(np.zeros((self._reach, 2), np.float32))
            if n_left > 0:
                yield self._filtered(n_left)
        self._last = None

    def describe(self, info: StreamInfo) -> StreamInfo:
        """Return what is known of the stream behind this stage.

        Args:
            info: What is known of the stream before it.
        """

        def scaled(index: int) -> int:
            return -(-index // self._factor)

        return replace(
            info,
            format=info.format if self._factor == 1 else "cf32",
            sample_rate_hz=info.sample_rate_hz / self._factor,
            n_samples=None if info.n_samples is None else scaled(info.n_samples),
            annotations=tuple(
                replace(a, start_sample=scaled(a.start_sample), stop_sample=scaled(a.stop_sample))
                for a in info.annotations
            ),
            dataset=info.dataset
            and replace(info.dataset, decimation=info.dataset.decimation * self._factor),
        )

    def _begin(self, start_sample: int) -> None:
        self._segment += 1
        self._output = -(-start_sample // self._factor)
        n_before = start_sample - (self._output * self._factor - self._reach)
        self._pending, self._n_pending = [], 0
        self._append(np.zeros((n_before, 2), np.float32))

    def _append(self, iq: FloatArray) -> None:
        self._pending.append(iq)
        self._n_pending += len(iq)

    def _filtered(self, n_outputs: int) -> Block:
        assert self._last is not None
        pending = np.concatenate(self._pending)
        used = pending[: (n_outputs - 1) * self._factor + len(self._taps)]
        filtered = signal.upfirdn(self._taps, used, up=1, down=self._factor, axis=0)
        edge = 2 * _SIDE  # outputs of the call for which the taps do not yet overlap
        block = replace(
            self._last,
            iq=filtered[edge : edge + n_outputs],
            format=FORMATS["cf32"],
            start_sample=self._output,
            segment=self._segment,
            sample_rate_hz=self._last.sample_rate_hz / self._factor,
        )
        # A copy, so that what has been used is not kept alive by it.
        self._pending = [pending[n_outputs * self._factor :].copy()]
        self._n_pending = len(self._pending[0])
        self._output += n_outputs
        return block
