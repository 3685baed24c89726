#!/usr/bin/env python3
"""Label the real recordings and compare with what is known of them: one line a file.

Each recording goes through `liveclf run` as a user would start it. What a file is said to be
is the family that most of the energy of its emissions has; a recording of noise is right if
nothing is found in it. Several files may be of one device, so that shares are counted by
signal: a signal is right if at least half of its files are. One in which nothing is found
is wrong.

    python tools/real_recordings.py [--data ../shared/data/real] [--all] [-- flags of liveclf run]
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveclf.cli import main as liveclf
from liveclf.model.bundle import load_bundle

# What the index says, where that is no class of the network.
FAMILIES = {"PPM": "ASK", "noise": "noise"}


@dataclass(frozen=True)
class Outcome:
    """What became of one file."""

    row: dict[str, str]
    emissions: list[dict[str, Any]]

    @property
    def said(self) -> str:
        """The family with most of the energy."""
        energy: dict[str, float] = defaultdict(float)
        for one in self.emissions:
            energy[one["family"]] += 10 ** (one["power_dbfs"] / 10) * one["n_samples"]
        return max(energy, key=lambda name: energy[name]) if energy else "nothing"


def flags_of(row: dict[str, str], path: Path) -> list[str]:
    """Say what neither the name nor a header tells."""
    flags = [] if path.suffix == ".wav" else ["--format", row["datatype"]]
    if row["sample_rate_hz"]:
        flags += ["--rate", row["sample_rate_hz"]]
    if row["center_freq_hz"]:
        flags += ["--freq", row["center_freq_hz"]]
    return flags


def label(row: dict[str, str], folder: Path, more: Sequence[str]) -> Outcome:
    """Run on one file; the last record of an emission counts."""
    path, out = folder / row["file"], io.StringIO()
    with contextlib.redirect_stdout(out):
        code = liveclf(["run", str(path), *flags_of(row, path), "-q", "-o", "jsonl:-", *more])
    if code:
        raise SystemExit(f"{path}: liveclf run ended with {code}")
    last = {(r["stream"], r["id"]): r for r in map(json.loads, out.getvalue().splitlines())}
    return Outcome(row, list(last.values()))


def describe(one: dict[str, Any]) -> str:
    """Write an emission on one line."""
    where = "" if one["offset_hz"] is None else f"{one['offset_hz'] / 1e3:+.1f} kHz "
    wide = "" if one["bandwidth_hz"] is None else f"{one['bandwidth_hz'] / 1e3:.1f} kHz wide "
    duration_s = one["duration_s"]
    long = f"{one['n_samples']:,} samples" if duration_s is None else f"{duration_s * 1e3:.0f} ms"
    return (
        f"{where}{wide}{long} {one['snr_db']:.0f} dB: {one['label']} ({one['probability']:.2f}), "
        f"{one['family']} ({one['family_probability']:.2f}), {one['n_windows']} windows"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--all", action="store_true", help="every emission, not only the strongest")
    parser.add_argument("flags", nargs="*", help="of liveclf run, behind --")
    arguments = parser.parse_args()
    index = arguments.data / "INDEX.csv"
    if not index.exists():
        sys.exit(f"There is no {index}; name the folder of the recordings with --data.")
    with index.open(newline="") as file:
        rows = list(csv.DictReader(file))
    family_of = load_bundle("auto").info.families
    by_signal: dict[tuple[str, str], list[bool]] = defaultdict(list)
    n_emissions = n_right = 0
    for row in rows:
        outcome = label(row, arguments.data, arguments.flags)
        truth = FAMILIES.get(row["modulation"]) or family_of[row["modulation"]]
        right = outcome.said == truth or (truth == "noise" and outcome.said == "nothing")
        by_signal[truth, row["signal"]].append(right)
        n_emissions += len(outcome.emissions)
        n_right += sum(one["family"] == truth for one in outcome.emissions)
        print(
            f"{'   ' if right else 'NO '}{row['file'][-50:]:50} {row['modulation']:6} {truth:5}"
            f" -> {outcome.said:8} of {len(outcome.emissions)}"
        )
        ranked = sorted(
            outcome.emissions, key=lambda e: -(10 ** (e["power_dbfs"] / 10)) * e["n_samples"]
        )
        for one in ranked if arguments.all else ranked[:1]:
            print(f"        {describe(one)}")
    print(f"\n{n_emissions} emissions, the family of {n_right} is that of the file\n")
    tell(by_signal)


def tell(by_signal: dict[tuple[str, str], list[bool]]) -> None:
    """Print shares by signal, of all and of each family."""
    right = {signal: sum(files) * 2 >= len(files) for signal, files in by_signal.items()}
    for family in sorted({family for family, _ in right}):
        of_it = {signal: ok for (f, signal), ok in right.items() if f == family}
        wrong = ", ".join(sorted(signal for signal, ok in of_it.items() if not ok))
        but = f": not {wrong}" if wrong else ""
        print(f"{family:6} {sum(of_it.values())} of {len(of_it)} signals{but}")
    n, total = sum(right.values()), len(right)
    print(f"all    {n} of {total} signals, {n / total:.1%}")


if __name__ == "__main__":
    main()
