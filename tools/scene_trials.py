"""Make scenes whose truth is known, run liveclf on them, and print what it found.

    python tools/scene_trials.py [--scenes 20] [--minutes 1] [--only found noise spike load rates]
                                 [--keep DIR] [--json FILE] [flags of liveclf run]

found   bursts of 10 to 30 dB in the band, and bursts and steady emissions of 3 to 30 dB
noise   false emissions a minute on noise of several shapes, with nothing in it
spike   the same with a constant at 0 Hz and a change of gain in the middle
load    time of a core over time of signal on a quiet band, without the start
rates   the same emissions received at 0.25, 1 and 2.4 MS/s

Every scene has a seed, so each can be made again: `tools/make_scenes.py DIR --seed S`.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from liveclf.cli import main as liveclf
from liveclf.emissions import Emission
from liveclf.learn.score.found import FoundScore, score_found
from liveclf.learn.score.found_tables import (
    fault_lines,
    found_headline,
    found_remarks,
    found_tables,
)
from liveclf.learn.score.matching import Outcome, by_train, last_told, match
from liveclf.learn.score.tables import TextTable, percent
from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import Planned, SceneSettings, plan
from liveclf.signals.scene.receive import NOISE_SHAPES, Receiver, receive

RATE_HZ = 2.4e6
RATES_HZ = (0.25e6, 1e6, 2.4e6)
COMMON_BAND_HZ = 0.2e6  # in which emissions lie that are received at every rate
PIECE_S = 6.0  # of noise: a scene, so that memory stays small
LOAD_S = (2.0, 12.0)  # the difference is without the start
DC_DB = -10.0  # over all noise: some 20 dB in a kilohertz
GAIN_STEP_DB = 6.0
CONSOLE = Console(highlight=False, width=110)


@dataclass
class Trials:
    """What all trials need.

    Attributes:
        folder: Where scenes are written; each is removed after its run unless kept.
        seed: Of the first scene of each trial.
        scenes: How many are made where emissions are looked for.
        seconds: Length of these.
        minutes: Of noise.
        flags: For `liveclf run`.
        trains: Score a train of packets as one emission.
        is_kept: Leave scenes and records.
    """

    folder: Path
    seed: int
    scenes: int
    seconds: float
    minutes: float
    flags: list[str]
    trains: bool
    is_kept: bool

    # ------------------------------------------------------------ the trials

    def found(self) -> dict[str, Any]:
        """Scenes full of emissions."""
        told = {}
        strong, anything = (10.0, 30.0), (3.0, 30.0)
        for name, snr_db, steady in (("strong bursts", strong, 0.0), ("anything", anything, 0.2)):
            usual = SceneSettings(
                seed=0,
                duration_s=self.seconds,
                snr_db=snr_db,
                short_share=0.1,
                steady_share=steady,
            )
            seeds = range(self.seed, self.seed + self.scenes)
            outcomes = [self._scene(name.split()[0], replace(usual, seed=seed)) for seed in seeds]
            score = score_found(outcomes)
            CONSOLE.rule(f"{name}, {snr_db[0]:g} to {snr_db[1]:g} dB")
            show(score)
            told[name] = asdict(score)
        return told

    def noise(self) -> dict[str, Any]:
        """Noise of each shape."""
        return self._false_alarms("noise alone", Receiver(), NOISE_SHAPES)

    def spike(self) -> dict[str, Any]:
        """Noise with a constant and a change of gain."""
        receiver = Receiver(dc_db=DC_DB, gain_step_db=GAIN_STEP_DB)
        return self._false_alarms("noise, spike at 0 Hz, gain step", receiver, ("flat", "drawn"))

    def load(self) -> dict[str, Any]:
        """CPU time that a quiet band takes."""
        cpu_s = []
        for duration_s in LOAD_S:
            scene = receive([], duration_s, Receiver(noise="flat"), self.seed)
            path = write_scene(scene, self.folder / f"quiet-{duration_s:g}")
            cpu_s.append(self._cpu_s(path))
            self._done_with(path)
        share = (cpu_s[1] - cpu_s[0]) / (LOAD_S[1] - LOAD_S[0])
        CONSOLE.rule("quiet band")
        CONSOLE.print(f"{percent(share)} of a core at {RATE_HZ / 1e6:g} MS/s")
        return {"share_of_a_core": share, "start_cpu_s": cpu_s[0] - share * LOAD_S[0]}

    def rates(self) -> dict[str, Any]:
        """One plan at several rates."""
        usual = SceneSettings(
            seed=0, duration_s=self.seconds, band_hz=COMMON_BAND_HZ, snr_db=(10.0, 30.0)
        )
        plans = [replace(usual, seed=seed) for seed in range(self.seed, self.seed + self.scenes)]
        by_rate = {
            rate_hz: [self._scene("rates", each, Receiver(rate_hz=rate_hz)) for each in plans]
            for rate_hz in RATES_HZ
        }
        CONSOLE.rule("the same emissions at several rates")
        show_table(table_of_rates(by_rate))
        told = {f"{rate_hz:g}": asdict(score_found(o)) for rate_hz, o in by_rate.items()}
        return {"by_rate": told, "agree": agreement(by_rate)}

    # ------------------------------------------------------------ one scene

    def _scene(
        self, trial: str, settings: SceneSettings, receiver: Receiver | None = None
    ) -> Outcome:
        receiver = receiver or Receiver(rate_hz=RATE_HZ)
        name = f"{trial}-{settings.seed}-{receiver.rate_hz / 1e6:g}M"
        return self._outcome(name, plan(settings), settings.duration_s, receiver, settings.seed)

    def _outcome(
        self,
        name: str,
        planned: Sequence[Planned],
        duration_s: float,
        receiver: Receiver,
        seed: int,
    ) -> Outcome:
        scene = receive(planned, duration_s, receiver, seed)
        path = write_scene(scene, self.folder / name)
        found = self._run(path)
        self._done_with(path)
        truths = by_train(scene.truths) if self.trains else scene.truths
        return match(truths, found, name=name, rate_hz=scene.rate_hz, n_samples=len(scene.iq))

    def _run(self, path: Path) -> tuple[Emission, ...]:
        out = path.with_suffix(".jsonl")
        code = liveclf(["run", str(path), "-q", "-o", f"jsonl:{out}", *self.flags])
        if code:
            sys.exit(f"liveclf run {path} ended with exit code {code}.")
        found = last_told(read_emissions(out))
        if not self.is_kept:
            out.unlink()
        return found

    def _cpu_s(self, path: Path) -> float:
        command = [sys.executable, "-m", "liveclf", "run", str(path), "-q", "-o", "null"]
        process = subprocess.Popen([*command, *self.flags])
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}.")
        return usage.ru_utime + usage.ru_stime

    def _done_with(self, path: Path) -> None:
        if not self.is_kept:
            path.unlink()
            path.with_suffix(".sigmf-data").unlink()

    # ------------------------------------------------------------ false alarms

    def _false_alarms(
        self, title: str, receiver: Receiver, shapes: Sequence[str]
    ) -> dict[str, Any]:
        n_each = max(1, math.ceil(self.minutes * 60 / PIECE_S / len(shapes)))
        rows = []
        told: dict[str, Any] = {}
        for number, shape in enumerate(shapes):
            seeds = [self.seed + number * n_each + k for k in range(n_each)]
            shaped = replace(receiver, noise=shape)
            outcomes = [
                self._outcome(f"{shape}-{seed}", [], PIECE_S, shaped, seed) for seed in seeds
            ]
            score = score_found(outcomes)
            a_minute = score.n_found / score.duration_s * 60
            rows.append((shape, f"{score.duration_s:g}", str(score.n_found), f"{a_minute:.1f}"))
            told[shape] = {"a_minute": a_minute, "minutes": score.duration_s / 60} | {
                "false": score.false
            }
        CONSOLE.rule(title)
        show_table(TextTable(("noise", "seconds", "false emissions", "a minute"), rows))
        for shape in told:
            for line in told[shape]["false"][:5]:
                CONSOLE.print(f"{shape}: {line}", markup=False, soft_wrap=True)
        return told


def read_emissions(path: Path) -> Iterator[Emission]:
    """Read the records of a run.

    They are JSON lines; SystemExit where one is of a window and not of an emission.
    """
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=Emission)
        except msgspec.ValidationError as error:
            sys.exit(f"{path} is not of emissions ({error}); was --no-detect given?")


# -------------------------------------------------------------------- several rates


def table_of_rates(by_rate: dict[float, list[Outcome]]) -> TextTable:
    """Return the figures at each rate."""
    rows = []
    for rate_hz, outcomes in by_rate.items():
        score = score_found(outcomes)
        tally = score.strong or score.whole
        rows.append(
            (
                f"{rate_hz / 1e6:g} MS/s",
                str(tally.n),
                *map(percent, (tally.recall, score.precision, tally.label, tally.family)),
            )
        )
    shares = agreement(by_rate)
    rows.append(("found at every rate", *_dashes(shares["found"], shares["family"])))
    return TextTable(("rate", "there", "recall", "precision", "label right", "family right"), rows)


def _dashes(found: float, family: float) -> tuple[str, ...]:
    return ("", percent(found), "", "same:", percent(family))


def agreement(by_rate: dict[float, list[Outcome]]) -> dict[str, float]:
    """Return the share found at every rate, and of these the share of one family at all."""
    everywhere, same, n = 0, 0, 0
    for outcomes in zip(*by_rate.values(), strict=True):
        for k in range(len(outcomes[0].truths)):
            n += 1
            found = [o.found[o.match[k]] for o in outcomes if o.match[k] >= 0]
            if len(found) == len(outcomes):
                everywhere += 1
                same += len({one.family for one in found}) == 1
    return {
        "found": everywhere / n if n else math.nan,
        "family": same / everywhere if everywhere else math.nan,
    }


# -------------------------------------------------------------------- printing


def show(score: FoundScore) -> None:
    """Print a score."""
    CONSOLE.print(found_headline(score), markup=False)
    for remark in found_remarks(score):
        CONSOLE.print(remark, markup=False)
    for table in found_tables(score):
        show_table(table)
    for line in fault_lines(score):
        CONSOLE.print(line, markup=False, soft_wrap=True)


def show_table(table: TextTable) -> None:
    """Print a table."""
    shown = Table(*table.head, box=box.SIMPLE_HEAD, show_edge=False)
    for row in table.rows:
        shown.add_row(*row)
    CONSOLE.print(shown)
    CONSOLE.print()


def main() -> None:
    """Run what was asked for."""
    names = ("found", "noise", "spike", "load", "rates")
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a scene")
    parser.add_argument("--minutes", type=float, default=1.0, help="of noise")
    parser.add_argument("--seed", type=int, default=1000)
    parser.add_argument("--trains", action="store_true", help="a train of packets is one emission")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave scenes and records there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    asked, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        trials = Trials(
            folder=folder,
            seed=asked.seed,
            scenes=asked.scenes,
            seconds=asked.seconds,
            minutes=asked.minutes,
            flags=flags,
            trains=asked.trains,
            is_kept=asked.keep is not None,
        )
        table: dict[str, Callable[[], dict[str, Any]]] = {
            name: getattr(trials, name) for name in names
        }
        told = {name: table[name]() for name in asked.only}
    if asked.json:
        asked.json.write_bytes(msgspec.json.format(msgspec.json.encode(told)) + b"\n")


if __name__ == "__main__":
    main()
