"""Samples to measure with: noise, as what they hold does not change the arithmetic."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.records import Block, SampleFormat, StreamInfo

RTL_RATE_HZ = 2.4e6
BLOCK_SAMPLES = 65_536
# More than a second-level cache holds, as where samples come from a radio.
N_BLOCKS = 16
_PACED_BLOCK_S = 0.01  # of a radio: what one transfer of USB holds
_PACED_BLOCK_BYTES = 65_536  # and one slot of the ring that a capture process writes to
_WAKE_S = 0.1  # how soon a wait notices that the stream was closed
_LEVEL = 0.1  # standard deviation over full scale: nothing clips
_PACKED_BYTES = {"cs24": 3}  # of a component in a file, where that is not its dtype


@lru_cache(maxsize=1)  # sources are opened again and again while the clock runs
def noise(fmt: SampleFormat) -> NDArray[Any]:
    """Make `N_BLOCKS` blocks of Gaussian noise 20 dB below full scale.

    Returns:
        Shape (N_BLOCKS * BLOCK_SAMPLES, 2), dtype `fmt.dtype`; shared, so not to be changed.
    """
    rng = np.random.default_rng(1)
    values = rng.normal(fmt.offset, _LEVEL * fmt.full_scale, (N_BLOCKS * BLOCK_SAMPLES, 2))
    if fmt.dtype.kind == "f":
        return values.astype(fmt.dtype)
    limits = np.iinfo(fmt.dtype)
    return values.round().clip(limits.min, limits.max).astype(fmt.dtype)


def write_recording(path: Path, fmt: SampleFormat) -> None:
    """Write noise as a recording without a header."""
    components = noise(fmt).reshape(-1, 1).view(np.uint8)
    packed = components[:, -_PACKED_BYTES.get(fmt.name, fmt.dtype.itemsize) :]
    path.write_bytes(packed.tobytes())


class NoiseSource:
    """A stand-in for a radio: noise at once, or at its rate as a radio would deliver it.

    Paced, it does not wait for a reader that is late: its blocks then say that they came
    earlier, as those of a capture process do.

    Attributes:
        began_s: When sample 0 was taken, by the clock.
    """

    def __init__(
        self,
        fmt: SampleFormat,
        rate_hz: float,
        n_samples: int,
        *,
        is_paced: bool,
        is_over: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make the noise.

        Args:
            fmt: Of the samples.
            rate_hz: Samples per second.
            n_samples: How many will come.
            is_paced: Whether they come at their rate.
            is_over: Asked block by block: whether to end.
            clock: Monotonic, seconds.
            sleep: What waits.
        """
        self._format, self._n_samples, self._is_paced = fmt, n_samples, is_paced
        self._is_over, self._clock, self._sleep = is_over, clock, sleep
        self._closed = False
        self._block_samples = BLOCK_SAMPLES
        if is_paced:
            most = min(BLOCK_SAMPLES, _PACED_BLOCK_BYTES // fmt.bytes_per_sample)
            self._block_samples = max(1, min(most, round(rate_hz * _PACED_BLOCK_S)))
        self._noise = noise(fmt)
        self.began_s = 0.0
        self.info = StreamInfo("noise", fmt.name, rate_hz, 0.0, n_samples, is_paced)

    def blocks(self) -> Iterator[Block]:
        """Yield the noise, over and over."""
        self.began_s, epoch_s = self._clock(), time.time()
        size, rate_hz = self._block_samples, self.info.sample_rate_hz
        per_turn = len(self._noise) // size
        for k, start in enumerate(range(0, self._n_samples, size)):
            n = min(size, self._n_samples - start)
            received_s = self.began_s + (start + n) / rate_hz if self._is_paced else self._clock()
            first = k % per_turn * size
            block = Block(
                iq=self._noise[first : first + n],
                format=self._format,
                start_sample=start,
                segment=0,
                sample_rate_hz=rate_hz,
                center_hz=self.info.center_hz,
                epoch_s=epoch_s,
                received_s=received_s,
            )
            if received_s > (now_s := self._clock()):  # nothing waits, as a capture says it
                yield replace(block, iq=block.iq[:0], received_s=now_s)
            if not self._came(received_s):
                return
            yield block

    def close(self) -> None:
        """End the stream."""
        self._closed = True

    def _came(self, due_s: float) -> bool:
        """Wait until then; False if the stream is to end."""
        while not (self._closed or self._is_over()):
            left_s = due_s - self._clock()
            if left_s <= 0:
                return True
            self._sleep(min(left_s, _WAKE_S))
        return False
