"""Shifts a stream in frequency: away from where a radio has its spike at 0 Hz."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.records import Block, StreamInfo


class Shifter:
    """A stage that moves what lies `offset_hz` below the centre to the centre.

    A radio that is tuned that much too high has the wanted signal off its spike; behind this
    the signal is in the middle again and the spike `offset_hz` above it.
    """

    def __init__(self, offset_hz: float) -> None:
        """Set by how much; 0 passes blocks on as they are."""
        self._offset_hz = offset_hz

    def push(self, block: Block) -> Iterator[Block]:
        """Take one block and yield it shifted, cf32."""
        if not self._offset_hz:
            yield block
            return
        # Turns from the position, so that any split gives the same samples; the whole turns
        # are taken off in double precision, where 2^53 samples are centuries.
        step = self._offset_hz / block.sample_rate_hz
        k = block.start_sample + np.arange(len(block.iq), dtype=np.float64)
        turns = np.remainder(k * step, 1.0)
        carrier = np.exp(2j * np.pi * turns).astype(np.complex64)
        shifted = as_complex(block.iq, block.format) * carrier
        yield replace(
            block,
            iq=shifted.view(np.float32).reshape(-1, 2),
            format=FORMATS["cf32"],
            center_hz=block.center_hz - self._offset_hz,
        )

    def flush(self) -> Iterator[Block]:
        """Yield nothing: no sample is held back."""
        yield from ()

    def describe(self, info: StreamInfo) -> StreamInfo:
        """Return what is known of the stream behind this stage."""
        if not self._offset_hz:
            return info
        return replace(info, format="cf32", center_hz=info.center_hz - self._offset_hz)
