"""What `liveclf bench` found, on standard output."""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.table import Column, Table

from liveclf.bench.results import CopyLimit, Coverage, EndToEnd, Latency, Result, Speed, Stage
from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.sinks.terminal import HonestConsole

_MUCH_LOAD = 0.3  # programs that wanted a core, beside this one
_DASH = "\N{EN DASH}"


def print_result(result: Result) -> None:
    """Print what was measured, and what that means."""
    console = HonestConsole(highlight=False, markup=False)
    for line in _headline(result):
        console.print(line, soft_wrap=True)
    if result.stages and result.copy_limit:
        console.print("\nEach stage alone")
        console.print(_stages(result.stages))
        console.print(_limit(result.copy_limit), soft_wrap=True)
    if result.end_to_end:
        console.print("\nFrom a file to labels, in turn with the bare engine")
        console.print(_whole(result.end_to_end))
    if result.sustained_hz and result.coverage:
        console.print(
            f"\nEvery window is classified up to {_mega(result.sustained_hz)} MS/s; coverage:"
        )
        console.print(_coverage(result.coverage))
    if result.latency:
        console.print(f"\nLatency at {_mega(result.latency.rate_hz)} MS/s")
        console.print(_latency(result.latency))
        console.print(f"With {result.latency.policy}.", soft_wrap=True)
    if result.interrupted:
        console.print("\nInterrupted: this is what was measured so far.")


def _headline(result: Result) -> Iterable[str]:
    machine = result.machine
    yield (
        f"liveclf {result.liveclf}: {result.model}, {result.engine}, batches of {result.batch}, "
        f"{result.samples} samples"
    )
    cores = f"{machine.cores} core{'s' * (machine.cores != 1)}"
    yield f"{machine.processor}, {cores}, {machine.system}, Python {machine.python}"
    if machine.load is not None and machine.load > _MUCH_LOAD:
        yield (
            f"Other programs kept {machine.load:.1f} cores busy in the minute before: "
            "ratios hold, speeds may be lower than the machine's own."
        )


def _stages(stages: list[Stage]) -> Table:
    table = _table(
        "stage", "windows/s", "\N{PLUS-MINUS SIGN}", "MS/s", "\N{MICRO SIGN}s/window", "cores",
        "share", "B/sample",
    )  # fmt: skip
    for stage in stages:
        table.add_row(
            stage.name,
            _count(stage.speed.windows_per_s),
            f"{stage.speed.spread:.0%}",
            _mega(stage.samples_per_s),
            f"{stage.us_per_window:.2f}",
            _cores(stage.speed),
            f"{stage.share:.1%}",
            f"{stage.bytes_per_sample:.2f}",
        )
    return table


def _limit(limit: CopyLimit) -> str:
    return (
        f"Integers to windows runs at {limit.ratio:.2f} of np.copyto of the same windows "
        f"({_mega(limit.samples_per_s)} MS/s), at {limit.ratio_new:.2f} of a copy into new memory."
    )


def _whole(whole: EndToEnd) -> Table:
    table = _table("path", "windows/s", "\N{PLUS-MINUS SIGN}", "MS/s", "cores", "of the engine")
    rows = [("engine alone", whole.engine, 1.0)]
    rows += [(f"file to {found.output}", found.speed, found.ratio) for found in whole.outputs]
    for name, speed, ratio in rows:
        table.add_row(
            name,
            f"{speed.windows_per_s:,.0f}",
            f"{speed.spread:.0%}",
            _mega(speed.windows_per_s * WINDOW_SAMPLES),
            _cores(speed),
            f"{ratio:.3f}",
        )
    return table


def _coverage(coverage: list[Coverage]) -> Table:
    table = _table("MS/s", *(f"{at.rate_hz / 1e6:g}" for at in coverage))
    table.add_row("windows classified", *(f"{at.share:.1%}" for at in coverage))
    return table


def _latency(latency: Latency) -> Table:
    table = _table("last sample to record", "p50 ms", "p99 ms", "max ms", "coverage", "cores")
    coverage = _DASH if latency.coverage is None else f"{latency.coverage:.1%}"
    late = (latency.p50_ms, latency.p99_ms, latency.max_ms)
    table.add_row(
        f"{latency.windows:,} windows", *(f"{ms:.1f}" for ms in late), coverage,
        f"{latency.cores:.2f}",
    )  # fmt: skip
    return table


def _table(first: str, *others: str) -> Table:
    columns = [Column(first, no_wrap=True), *(Column(name, justify="right") for name in others)]
    return Table(*columns, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))


def _cores(speed: Speed) -> str:
    """Return how many cores are busy with it while it runs."""
    return f"{speed.cpu_us_per_window * speed.windows_per_s / 1e6:.2f}"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number < 1e7 else f"{number / 1e6:,.0f} M"


def _mega(samples_per_s: float) -> str:
    return f"{samples_per_s / 1e6:,.{2 if samples_per_s < 1e8 else 0}f}"
