"""Compare the whole pipeline with the bare engine, in one run on one machine.

    python tools/bench_pipeline.py [--model NAME] [--seconds 4] [--rounds 3]

Prints a table: windows per second of the engine alone on ready-made batches, and of
`liveclf run` on a long cu8 file (read, frame, classify, decide, write), with their
ratio. The two alternate, so that a machine whose speed drifts does not decide.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from liveclf.config import ModelSettings, SourceSettings
from liveclf.dsp.framer import Framer
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.stats import Stats
from liveclf.model.bundle import Bundle, load_bundle
from liveclf.model.engines import open_engine
from liveclf.protocols import Engine
from liveclf.sinks import open_sinks
from liveclf.sources import open_source

_WINDOW = 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="auto")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    bundle = load_bundle(arguments.model)
    table = Table("weights", "output", "bare windows/s", "pipeline windows/s", "ratio")
    with tempfile.TemporaryDirectory() as scratch:
        for precision in ("int8", "fp32"):
            engine, _ = open_engine(bundle, ModelSettings(precision=precision))
            n = int(_bare(engine, 20) * arguments.seconds)
            recording = _write_recording(Path(scratch), n)
            for output in ("null", f"jsonl:{scratch}/labels.jsonl"):
                rounds = [
                    (
                        _bare(engine, n // engine.batch_size),
                        _whole(engine, bundle, recording, output),
                    )
                    for _ in range(arguments.rounds)
                ]
                bare, whole = (statistics.median(column) for column in zip(*rounds, strict=True))
                ratio = statistics.median(w / b for b, w in rounds)
                kind = output.split(":")[0]
                table.add_row(precision, kind, f"{bare:,.0f}", f"{whole:,.0f}", f"{ratio:.3f}")
    Console().print(table)


def _bare(engine: Engine, n_batches: int) -> float:
    """Return windows per second of the engine alone."""
    x = np.random.default_rng(1).standard_normal((engine.batch_size, 2, _WINDOW), np.float32)
    began_s = time.perf_counter()
    for _ in range(n_batches):
        engine.predict(x)
    return n_batches * engine.batch_size / (time.perf_counter() - began_s)


def _whole(engine: Engine, bundle: Bundle, recording: Path, output: str) -> float:
    """Return windows per second from file to output."""
    source = open_source(SourceSettings(path=str(recording)))
    sinks = open_sinks([output], is_live=False, info=source.info)
    info = bundle.info
    stats = Stats(info.families)
    decider = Decider(info.classes, info.families, 1.0, top_k=3, min_probability=0.0)
    began_s = time.perf_counter()
    pipeline.run(
        [pipeline.Stream(source, [], Framer(_WINDOW), stats)],
        Batcher(engine.batch_size, 1.0),
        engine,
        decider,
        sinks,
    )
    sinks.close({})
    elapsed_s = time.perf_counter() - began_s
    source.close()
    return stats.classified / elapsed_s


def _write_recording(folder: Path, n_windows: int) -> Path:
    """Write noise as cu8; what it holds does not change the arithmetic."""
    path = folder / "noise_2.4Msps.cu8"
    rng = np.random.default_rng(2)
    with path.open("wb") as file:
        for _ in range(0, n_windows, 1024):
            file.write(rng.integers(0, 256, 1024 * _WINDOW * 2, np.uint8).tobytes())
    return path


if __name__ == "__main__":
    main()
