"""How many threads and how large a batch are fastest here: measured once, then remembered.

A file per network and machine in the user's cache folder holds the answer; one that is
missing, damaged or of another machine is measured anew, which takes about a second.
`forget` removes them all.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from liveclf.model.bundle import WINDOW_SAMPLES
from liveclf.records import FloatArray

BUDGET_S = 1.0
_ROUNDS = 5
# Windows a thread: fewer do not pay for a call, more do not fit into a core's cache, and
# make every label late.
_SHARES = (8, 16, 32, 64)
# A measurement is disturbed by other programs, which will not be there for ever: fewer threads
# than cores only where they are clearly faster.
_CLEARLY = 0.87
_AS_GOOD = 0.95  # of the fastest; then the smaller batch, for its labels are earlier
_FORMAT = 1
# What tells CPUs apart: x86 has the first four lines, ARM the others.
_CPU_LINES = (
    *("model name", "cpu family", "model", "stepping"),
    *("CPU implementer", "CPU part", "CPU variant", "CPU revision", "Model"),
)


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was fastest.

    Attributes:
        threads: That share a batch.
        batch: Windows a call.
        windows_per_s: As measured.
    """

    threads: int
    batch: int
    windows_per_s: float


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a choice is for; with any other it is measured anew.

    Attributes:
        network: SHA-256 of the ONNX file.
        runtime: Name and version of what runs it.
        cpu: See `cpu_model`.
        cores: That this process may use.
        threads: That the user asked for, 0 for any.
        batch: Likewise.
        format: Version of this file.
    """

    network: str
    runtime: str
    cpu: str
    cores: int
    threads: int
    batch: int
    format: int = _FORMAT


class _Remembered(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Key
    choice: Choice


class Tunable(Protocol):
    """An engine whose threads and batch can be set."""

    def use(self, threads: int, batch: int) -> None:
        """Set both."""
        ...

    def predict(self, x: FloatArray) -> FloatArray:
        """Run the network."""
        ...


def tuned(key: Key, engine: Tunable, tell: Callable[[str], None]) -> Choice:
    """Return what was measured before, or measure it now and say so.

    Args:
        key: Network and machine.
        engine: What to measure; it is left with the threads and batch measured last.
        tell: Takes a line for the user, where it was measured.
    """
    folder = cache_folder()
    file = folder / f"engine-{hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:16]}.json"
    if choice := _recall(file, key):
        return choice
    choice = measure(engine, candidates(key.cores, key.threads, key.batch))
    told = (
        f"Measured once for this network, machine and {key.runtime}: {choice.threads} threads, "
        f"{choice.batch} windows a call, {choice.windows_per_s:,.0f} windows/s"
    )
    fault = _remember(file, _Remembered(key, choice))
    tell(f"{told}; not remembered, {fault}." if fault else f"{told}.")
    return choice


def candidates(cores: int, threads: int, batch: int) -> list[tuple[int, int]]:
    """Return pairs (threads, batch) worth a try, small batches first.

    Args:
        cores: That there are.
        threads: That the user asked for, 0 for any.
        batch: Likewise.
    """
    counts = (threads,) if threads else sorted({cores, max(cores // 2, 1), 1}, reverse=True)
    if batch:
        return [(count, batch) for count in counts]
    return [(count, count * share) for share in _SHARES for count in counts]


def measure(
    engine: Tunable,
    pairs: list[tuple[int, int]],
    budget_s: float = BUDGET_S,
    clock: Callable[[], float] = time.perf_counter,
) -> Choice:
    """Return the best of some pairs (threads, batch).

    Each is tried in turn, several times over, for as long as `budget_s` lasts; what another
    program disturbed is outdone by the next round. The first pair is tried in any case.
    """
    x = np.random.default_rng(1).standard_normal(
        (max(batch for _, batch in pairs), 2, WINDOW_SAMPLES), np.float32
    )
    least_s: dict[tuple[int, int], float] = {}
    end_s = clock() + budget_s
    for pair in pairs * _ROUNDS:
        threads, batch = pair
        smaller = [s * batch / b for (t, b), s in least_s.items() if t == threads]
        expected_s = least_s.get(pair, min(smaller, default=0.0))
        if least_s and clock() + expected_s > end_s:
            continue
        engine.use(threads, batch)
        began_s = clock()
        engine.predict(x[:batch])
        took_s = max(clock() - began_s, 1e-9)
        least_s[pair] = min(took_s, least_s.get(pair, took_s))
    return best({pair: pair[1] / took_s for pair, took_s in least_s.items()})


def best(windows_per_s: dict[tuple[int, int], float]) -> Choice:
    """Choose by rates of (threads, batch): more threads, and a smaller batch, if in doubt."""
    fastest = max(windows_per_s.values())
    threads = max(t for (t, _), rate in windows_per_s.items() if rate >= _CLEARLY * fastest)
    rates = {batch: rate for (t, batch), rate in windows_per_s.items() if t == threads}
    fastest = max(rates.values())
    batch = min(batch for batch, rate in rates.items() if rate >= _AS_GOOD * fastest)
    return Choice(threads, batch, round(rates[batch], 1))


def forget() -> None:
    """Remove all that is remembered, so that it is measured anew."""
    for file in cache_folder().glob("engine-*.json"):
        with contextlib.suppress(OSError):
            file.unlink()


def cache_folder() -> Path:
    """Return the folder for it, by the custom of the platform; XDG_CACHE_HOME is heeded."""
    import platformdirs

    return platformdirs.user_cache_path("liveclf", appauthor=False)


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return what the system calls its CPU, each kind of core once."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return ", ".join(dict.fromkeys(_cpu_lines(text))) or platform.machine()


def _cpu_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        name, _, value = (part.strip() for part in line.partition(":"))
        if name in _CPU_LINES:
            yield value if name in ("model name", "Model") else f"{name} {value}"


def _recall(file: Path, key: Key) -> Choice | None:
    try:
        found = msgspec.json.decode(file.read_bytes(), type=_Remembered)
    except (OSError, msgspec.MsgspecError):
        return None
    sound = found.key == key and found.choice.threads > 0 and found.choice.batch > 0
    return found.choice if sound else None


def _remember(file: Path, found: _Remembered) -> str:
    """Write it in one step, for others may read; return what went wrong, if anything."""
    scratch = file.with_suffix(f".{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        scratch.replace(file)
    except OSError as error:
        with contextlib.suppress(OSError):
            scratch.unlink()
        return f"{file.parent}: {error.strerror}"
    return ""
