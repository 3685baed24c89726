#!/usr/bin/env python3
"""One worker against two on a folder of short recordings; then a kill in the middle, and resume.

    python3 tools/bench_scan.py                    200 recordings of 100,000 samples
    python3 tools/bench_scan.py --files 40         on a machine that is busy

Prints seconds and windows/s of both, their ratio (wanted: at least 1.8 on two idle cores), and
whether the results are the same, byte by byte, after `kill -9` and a second start.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_LIMIT_S = 1800.0


def main() -> int:
    """Measure, kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--samples", type=int, default=100_000, help="of each (%(default)s)")
    parser.add_argument("--model", default="auto")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "archive"
        make_archive(archive, arguments.files, arguments.samples)
        command = ["scan", str(archive), "--quiet", "--model", arguments.model]
        seconds = {}
        for workers in (1, 2):
            output = Path(folder) / f"{workers}"
            seconds[workers] = timed([*command, "-o", str(output), "--workers", str(workers)])
            speed = n_windows(output) / seconds[workers]
            print(f"{workers} workers: {seconds[workers]:7.2f} s {speed:9,.0f} windows/s")
        print(f"ratio {seconds[1] / seconds[2]:.2f} on {len(os.sched_getaffinity(0))} cores")
        killed = Path(folder) / "killed"
        done = kill_in_the_middle([*command, "-o", str(killed), "--workers", "2"], killed)
        timed([*command, "-o", str(killed), "--workers", "2"])
        outputs = [Path(folder) / "1", Path(folder) / "2", killed]
        same = len({(output / "results.jsonl").read_bytes() for output in outputs}) == 1
        n_done = len((killed / "scan.log").read_text().splitlines())
        print(
            f"killed after {done} of {arguments.files} recordings, resumed, {n_done} read in all: "
            f"results {'the same' if same else 'DIFFER'}"
        )
    return int(not same or n_done != arguments.files)


def make_archive(folder: Path, n_files: int, n_samples: int) -> None:
    """Write recordings of a tone in noise, each another one."""
    folder.mkdir()
    for k in range(n_files):
        rng = np.random.default_rng(k)
        phase = 2 * np.pi * rng.uniform(-0.4, 0.4) * np.arange(n_samples)
        iq = np.stack([np.cos(phase), np.sin(phase)], 1) * 60 + rng.normal(0, 20, (n_samples, 2))
        (folder / f"r{k:04}_1000k.cu8").write_bytes(
            np.clip(iq + 127.5, 0, 255).astype(np.uint8).tobytes()
        )


def timed(arguments: list[str]) -> float:
    """Run the program to its end; return the seconds that it took, its start among them."""
    began_s = time.perf_counter()
    subprocess.run([sys.executable, "-m", "liveclf", *arguments], check=True, timeout=_LIMIT_S)
    return time.perf_counter() - began_s


def kill_in_the_middle(arguments: list[str], output: Path) -> int:
    """Kill the program when some recordings are done; return how many."""
    results = output / "results.jsonl"
    program = subprocess.Popen([sys.executable, "-m", "liveclf", *arguments])
    end_s = time.monotonic() + _LIMIT_S
    while program.poll() is None and time.monotonic() < end_s:
        if results.exists() and results.stat().st_size > 2000:
            break
        time.sleep(0.01)
    program.kill()
    program.wait(_LIMIT_S)
    return len(results.read_bytes().splitlines())


def n_windows(output: Path) -> int:
    """Return the windows that all results together have."""
    lines = (output / "results.jsonl").read_text().splitlines()
    return sum(json.loads(line)["classified"] for line in lines)


if __name__ == "__main__":
    sys.exit(main())
