"""Print the tables of docs/scale.md: what it takes from one dongle to ten thousand.

    python tools/scale_table.py --windows-per-core W --windows-per-gpu V

W is what `liveclf bench` prints on the machine, over its cores, V what tools/bench_gpu.py
does. The default of W is what was seen on two cores, see docs/speed.md; that of V is a
placeholder, a round number that was measured nowhere.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

WINDOW_SAMPLES = 1024
GIGABIT_BYTES = 125e6


@dataclass(frozen=True)
class Inputs:
    """What the arithmetic begins with.

    Attributes:
        rate_hz: Samples per second of one radio.
        sample_bytes: Of one sample as the radio sends it, 2 for 8-bit I and Q.
        windows_per_core: Windows per second that one core labels.
        windows_per_gpu: The same of a GPU.
        record_bytes: Of one label as a JSON line.
    """

    rate_hz: float
    sample_bytes: int
    windows_per_core: float
    windows_per_gpu: float
    record_bytes: float


def row(radios: int, given: Inputs) -> dict[str, float]:
    """Return what a number of radios needs, every sample classified."""
    samples = radios * given.rate_hz
    windows = samples / WINDOW_SAMPLES
    data = samples * given.sample_bytes
    return {
        "radios": radios,
        "MS/s": samples / 1e6,
        "windows/s": windows,
        "MB/s in": data / 1e6,
        "Gbit/s links": math.ceil(data / GIGABIT_BYTES),
        "cores": math.ceil(windows / given.windows_per_core),
        "GPUs": math.ceil(windows / given.windows_per_gpu),
        "MB/s labels": windows * given.record_bytes / 1e6,
    }


def table(rows: list[dict[str, float]]) -> str:
    """Return rows as Markdown."""
    head = list(rows[0])
    lines = [head, ["---:"] * len(head), *([f"{r[key]:,.0f}" for key in head] for r in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, default=2.4e6, help="samples per second of a radio")
    parser.add_argument("--sample-bytes", type=int, default=2, help="of a sample on the wire")
    parser.add_argument("--windows-per-core", type=float, default=1500, help="of liveclf bench")
    parser.add_argument("--windows-per-gpu", type=float, default=140_000, help="of bench_gpu.py")
    parser.add_argument("--record-bytes", type=float, default=370, help="of a JSON line")
    told = parser.parse_args()
    given = Inputs(
        told.rate,
        told.sample_bytes,
        told.windows_per_core,
        told.windows_per_gpu,
        told.record_bytes,
    )
    print(table([row(10**k, given) for k in range(5)]))


if __name__ == "__main__":
    main()
