"""Each step of the path alone, on data that lies ready in memory."""

from __future__ import annotations

import itertools
import os
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liveclf.bench.network import Network
from liveclf.bench.noise import BLOCK_SAMPLES, noise
from liveclf.bench.results import CopyLimit, Stage
from liveclf.bench.rounds import Round, Watch, Work, alternate, ratio_of, speed_of
from liveclf.dsp.framer import Framer
from liveclf.live.batcher import Batcher
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.records import Block, Detections, FloatArray, SampleFormat, StreamInfo, Windows
from liveclf.sinks import SINKS

FRAMER, BATCHER, ENGINE, DECIDER = "integers to windows", "batching", "engine", "decision"
LOOP = (FRAMER, BATCHER, ENGINE, DECIDER)
OUTPUTS = ("null", "jsonl", "csv")
_COPY, _NEW_COPY = "copy", "copy into new memory"
_ABOUT = StreamInfo("noise", "", np.nan, np.nan, None, is_live=False)
_WINDOW_BYTES = 2 * WINDOW_SAMPLES * np.dtype(np.float32).itemsize


@dataclass(frozen=True)
class _Ready:
    """What the steps work on.

    Attributes:
        blocks: Noise in the native format.
        groups: Windows as the framer gives them out.
        batch: As the batcher does.
        logits: As the engine does.
        found: As the decider does.
    """

    blocks: list[Block]
    groups: list[Windows]
    batch: Windows
    logits: FloatArray
    found: Detections


def measure_stages(
    network: Network, fmt: SampleFormat, rate_hz: float, watch: Watch
) -> tuple[list[Stage], CopyLimit] | None:
    """Measure every step, and a copy of what the first of them gives out.

    Args:
        network: Which engine, and which labels.
        fmt: Of the samples.
        rate_hz: Sample rate, as records tell it.
        watch: For how long.

    Returns:
        None if the user ended it before the first round was whole.
    """
    ready = _prepare(network, fmt, rate_hz)
    with ExitStack() as opened:
        rounds = alternate(_works(network, ready, opened), watch)
    if not rounds:
        return None
    moved = _bytes_per_window(fmt, ready)
    loop_us = sum(1e6 / speed_of(rounds, name).windows_per_s for name in LOOP)
    stages = [_stage(rounds, name, moved[name], loop_us) for name in (*LOOP, *OUTPUTS)]
    return stages, _copy_limit(rounds)


def _prepare(network: Network, fmt: SampleFormat, rate_hz: float) -> _Ready:
    samples = noise(fmt)
    blocks = [
        Block(samples[k : k + BLOCK_SAMPLES], fmt, k, 0, rate_hz, 0.0, 0.0, 0.0)
        for k in range(0, len(samples), BLOCK_SAMPLES)
    ]
    framer = Framer(WINDOW_SAMPLES)
    groups = [windows for block in blocks for windows in framer.push(block)]
    every = Windows.concatenate(groups)
    n = network.engine.batch_size
    every = Windows.concatenate([every] * -(-n // len(every)))  # a batch may be larger
    batch = every[:n]
    logits = network.engine.predict(batch.x)
    return _Ready(blocks, groups, batch, logits, network.decider().decide(batch, logits, 0.0))


def _works(network: Network, ready: _Ready, opened: ExitStack) -> dict[str, Work]:
    engine, decider, batch = network.engine, network.decider(), ready.batch

    def predict() -> int:
        return len(engine.predict(batch.x))

    def decide() -> int:
        return len(decider.decide(batch, ready.logits, 0.0))

    return {
        FRAMER: _framing(ready.blocks),
        _COPY: _copying(ready.groups, into_new=False),
        _NEW_COPY: _copying(ready.groups, into_new=True),
        BATCHER: _batching(ready.groups, engine.batch_size),
        ENGINE: predict,
        DECIDER: decide,
        **{kind: _writing(kind, ready.found, opened) for kind in OUTPUTS},
    }


def _framing(blocks: list[Block]) -> Work:
    framer, turn = Framer(WINDOW_SAMPLES), itertools.cycle(blocks)

    def work() -> int:
        # Each turn begins a stretch, as a loop does; a block is whole windows, so none is lost.
        return sum(map(len, framer.push(next(turn))))

    return work


def _copying(groups: list[Windows], *, into_new: bool) -> Work:
    turn = itertools.cycle(groups)
    taken = np.empty_like(groups[0].x)

    def work() -> int:
        x = next(turn).x
        np.copyto(np.empty_like(x) if into_new else taken, x)
        return len(x)

    return work


def _batching(groups: list[Windows], batch_size: int) -> Work:
    batcher, turn = Batcher(batch_size, 1.0), itertools.cycle(groups)

    def work() -> int:
        windows = next(turn)
        for _ in batcher.push(windows):
            pass
        return len(windows)

    return work


def _writing(kind: str, found: Detections, opened: ExitStack) -> Work:
    sink = SINKS[kind].open(_target(kind, Path(os.devnull)), _ABOUT, Detections)
    opened.callback(sink.close, {})

    def work() -> int:
        sink.write(found)
        return len(found)

    return work


def _target(kind: str, path: Path) -> str | None:
    return str(path) if SINKS[kind].target == "file" else None


def _bytes_per_window(fmt: SampleFormat, ready: _Ready) -> dict[str, float]:
    """Return what each step takes in and gives out; passes in between are not counted."""
    logits = ready.logits[0].nbytes
    return {
        FRAMER: WINDOW_SAMPLES * fmt.bytes_per_sample + _WINDOW_BYTES,
        BATCHER: 2 * _WINDOW_BYTES,
        ENGINE: _WINDOW_BYTES + logits,
        DECIDER: logits,
        **{kind: _written_bytes(kind, ready.found) / len(ready.found) for kind in OUTPUTS},
    }


def _written_bytes(kind: str, found: Detections) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "records"
        sink = SINKS[kind].open(_target(kind, file), _ABOUT, Detections)
        sink.write(found)
        sink.close({})
        return file.stat().st_size if file.exists() else 0


def _stage(rounds: list[Round], name: str, bytes_per_window: float, loop_us: float) -> Stage:
    speed = speed_of(rounds, name)
    us_per_window = 1e6 / speed.windows_per_s
    return Stage(
        name=name,
        speed=speed,
        samples_per_s=speed.windows_per_s * WINDOW_SAMPLES,
        us_per_window=us_per_window,
        share=us_per_window / loop_us,
        bytes_per_sample=bytes_per_window / WINDOW_SAMPLES,
    )


def _copy_limit(rounds: list[Round]) -> CopyLimit:
    speed = speed_of(rounds, _COPY)
    return CopyLimit(
        speed=speed,
        samples_per_s=speed.windows_per_s * WINDOW_SAMPLES,
        ratio=ratio_of(rounds, FRAMER, _COPY),
        ratio_new=ratio_of(rounds, FRAMER, _NEW_COPY),
    )
