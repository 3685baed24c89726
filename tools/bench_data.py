"""Measure the generator of windows, and whether training waits for it, on this machine.

    python tools/bench_data.py [--rounds 3] [--most-workers N] [--profile] [--train [--steps 300]]

Prints tables: windows per second of one core by family, beside all classes in the same
rounds; windows per second that `liveclf synth` writes with one process and more, beside
one core that writes nothing. With --profile, in which functions of `signals/` the time is
spent. With --train, what share of its time training with the default settings waits for
windows. Everything in a table alternates, so that a machine whose speed drifts does not
decide; compare ratios.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

import liveclf.signals
from liveclf.config import (
    Count,
    DataSettings,
    SynthDataSettings,
    SynthSettings,
    TrainSettings,
    WorkSettings,
)
from liveclf.signals.classes import CLASSES, FAMILY_OF
from liveclf.signals.dataset import write_dataset
from liveclf.signals.generator import CHUNK, make_chunk
from liveclf.signals.workers import cores

SEED = 1
_DATA = SynthDataSettings()
_SNR_DB = (_DATA.snr_min_db, _DATA.snr_max_db)
_SIGNALS = Path(liveclf.signals.__file__).parent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most-workers", type=int, default=cores(), metavar="N")
    parser.add_argument("--profile", action="store_true", help="where the time is spent")
    parser.add_argument("--train", action="store_true", help="measure the wait of training, too")
    parser.add_argument(
        "--steps",
        type=int,
        default=300,
        help="of training that are measured; 150 use up what is made ahead",
    )
    arguments = parser.parse_args()
    console = Console()
    _rate(CLASSES)  # the first call is slower
    console.print(_by_family(arguments.rounds))
    console.print(_by_workers(arguments.rounds, arguments.most_workers))
    if arguments.profile:
        console.print(_profiled(arguments.rounds))
    if arguments.train:
        console.print(_training(arguments.steps, arguments.most_workers))


def _rate(
    classes: tuple[str, ...], index: int = 0, clock: Callable[[], float] = time.process_time
) -> float:
    """Return windows per second of one core; of its own time, unless the clock is another."""
    began_s = clock()
    make_chunk(SEED, index, _SNR_DB, classes=classes)
    return CHUNK / (clock() - began_s)


def _by_family(rounds: int) -> Table:
    members = {"all": CLASSES} | {
        family: tuple(name for name in CLASSES if FAMILY_OF[name] == family)
        for family in dict.fromkeys(FAMILY_OF.values())
    }
    rates = [{name: _rate(of, k) for name, of in members.items()} for k in range(rounds)]
    table = Table("family", "classes", "windows/s, one core", "over all")
    for name, of in members.items():
        rate = statistics.median(r[name] for r in rates)
        ratio = statistics.median(r[name] / r["all"] for r in rates)
        table.add_row(name, str(len(of)), f"{rate:,.0f}", f"{ratio:.2f}")
    return table


def _by_workers(rounds: int, most: int) -> Table:
    """Compare whole runs of `liveclf synth`, less the start of their processes."""
    tried = sorted({1, 2, most} & set(range(1, most + 1)))
    rates = []
    with tempfile.TemporaryDirectory() as scratch:
        for k in range(rounds):
            alone = statistics.median(_rate(CLASSES, n, time.perf_counter) for n in range(3))
            rates.append({0: alone} | {n: _written(Path(scratch) / f"{k}.{n}", n) for n in tried})
    table = Table("processes", "windows/s", "over one core", "per process")
    for n in (0, *tried):
        rate = statistics.median(r[n] for r in rates)
        ratio = statistics.median(r[n] / r[0] for r in rates)
        share = f"{ratio / n:.2f}" if n else ""
        table.add_row(str(n) if n else "none: one core", f"{rate:,.0f}", f"{ratio:.2f}", share)
    return table


def _written(path: Path, workers: int) -> float:
    """Return windows per second from the first part that is written to the last."""
    done_s: list[float] = []
    n_parts = 1 + 6 * workers
    settings = SynthSettings(
        data=SynthDataSettings(windows=Count(n_parts * CHUNK), seed=SEED),
        work=WorkSettings(workers=workers),
    )
    write_dataset(path, settings, lambda _: done_s.append(time.perf_counter()))
    path.unlink()
    # The first parts of all processes are ready at once, so those count as done.
    return (n_parts - workers) * CHUNK / (done_s[-1] - done_s[workers - 1])


def _profiled(rounds: int) -> Table:
    """Add up the time of each function of `signals/`, that of NumPy called by it included."""
    profile = cProfile.Profile()
    profile.enable()
    for k in range(rounds):
        make_chunk(SEED, k, _SNR_DB)
    profile.disable()
    stats = pstats.Stats(profile)
    own: dict[str, float] = {}
    # Of every function: calls, its own time, that with all it calls, and who calls it.
    for (file, _, name), (_, _, own_s, _, callers) in stats.stats.items():  # type: ignore[attr-defined]
        if Path(file).parent == _SIGNALS:
            own[f"{Path(file).name} {name}"] = own.get(f"{Path(file).name} {name}", 0) + own_s
            continue
        for (by, _, caller), (_, _, _, whole_s) in callers.items():
            if Path(by).parent == _SIGNALS:
                key = f"{Path(by).name} {caller}"
                own[key] = own.get(key, 0) + whole_s
    total_s = sum(own.values())
    table = Table("function of signals/", "share of the time")
    for name, own_s in sorted(own.items(), key=lambda item: -item[1])[:20]:
        table.add_row(name, f"{own_s / total_s:.1%}")
    return table


def _training(steps: int, most: int) -> Table:
    """Train with the default settings but for the number of processes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr
    table = Table("processes", "windows trained on/s", "windows needed/s", "waiting")
    for workers in sorted({1, most}):
        settings = TrainSettings(data=DataSettings(workers=workers))
        rate, waiting = _trained(settings, steps)
        needed = rate / settings.data.reuse
        table.add_row(str(workers), f"{rate:,.0f}", f"{needed:,.0f}", f"{waiting:.2%}")
    return table


def _trained(settings: TrainSettings, steps: int) -> tuple[float, float]:
    """Return windows per second and the share of time waited, in the second of two epochs."""
    import keras

    from liveclf.learn.data.feed import Feed, GeneratedChunks
    from liveclf.learn.data.supply import Supply
    from liveclf.learn.fit.optimiser import compile_model
    from liveclf.model.vgg16 import build_vgg16

    data, network, batch = settings.data, settings.network, settings.fit.batch
    model = build_vgg16(len(CLASSES), network.preset, network.width)
    compile_model(model, settings)
    chunks = GeneratedChunks(SEED, (data.snr_min_db, data.snr_max_db))
    began_s: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: began_s.append(time.perf_counter())
    )
    with Feed(chunks, data, SEED, batch) as feed:
        supply = Supply(feed)
        done = model.fit(
            iter(supply),
            steps_per_epoch=steps,
            epochs=2,  # in the first, graphs are made and the pool is filled
            shuffle=False,
            verbose=0,
            callbacks=[supply, clock],
        )
        ended_s = time.perf_counter()
    return steps * batch / (ended_s - began_s[-1]), done.history["waiting"][-1]


if __name__ == "__main__":
    main()
