"""Run `liveclf run` for minutes over a stand-in for a radio, and print losses and memory.

    python tools/soak.py rtlsdr --rate 2.4M --minutes 5
    python tools/soak.py soapy --rate 20M --minutes 1
    python tools/soak.py replay --minutes 60        # an hour of a recording, as fast as it goes

`rtlsdr` is the real pyrtlsdr over a librtlsdr without a radio, `soapy` the real SoapySDR
with a module without a radio (tests/sources); both deliver at the rate and drop what is not
taken in time, as radios do. All is noise, so what is labelled is windows of the whole band, the
more work; `--detect` looks for emissions in it. Printed at the end: what the run itself says of
samples, losses and coverage, what the stand-in produced, and the resident memory of the program
and its capture process, taken every second: the median of the second tenth of the run, when all
is loaded, and of the last.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "sources"))

from liveclf.config import Hertz

PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("rtlsdr", "soapy", "replay"))
    parser.add_argument("--rate", type=Hertz.parse, default=Hertz(2.4e6))
    parser.add_argument("--minutes", type=float, default=5.0)
    arguments, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        variables, command = prepare(arguments.what, Path(folder), arguments.rate)
        command += ["--duration", f"{60 * arguments.minutes}s", "-o", "null", *flags]
        memory = watch(command, os.environ | variables)
        produced = Path(folder) / "produced"
        if produced.exists():
            said = [line for line in produced.read_text().splitlines() if "produced" in line]
            print("the stand-in says:", *said[-1:])
    tenth = max(1, len(memory) // 10)
    first, last = (median(part) / 1e6 for part in (memory[tenth : 2 * tenth], memory[-tenth:]))
    print(f"resident memory {first:.1f} MB after a tenth of the run, {last:.1f} MB at its end")


def prepare(what: str, folder: Path, rate_hz: float) -> tuple[dict[str, str], list[str]]:
    """Return the environment that has the stand-in, and the command."""
    run = [sys.executable, "-m", "liveclf", "run", "--no-detect"]
    rng = np.random.default_rng(1)
    if what == "rtlsdr":
        import fake_radio

        recording = folder / "noise.cu8"
        recording.write_bytes(rng.normal(127.5, 20, 8_000_000).clip(0, 255).astype("u1").tobytes())
        variables = fake_radio.environment(file=recording, loop=1, log=folder / "produced")
        return variables, [*run, "--device", "rtlsdr", "-f", "100M", "--rate", str(rate_hz)]
    if what == "soapy":
        import faking_soapy

        recording = folder / "noise.cs16"
        rng.normal(0, 3000, 8_000_000).astype("<i2").tofile(recording)
        fake = faking_soapy.FakeSoapy(compiled(folder, faking_soapy.SOURCE), folder)
        options = {"pace": "real", "stamps": "samples", "mtu": 65_536, "log": folder / "produced"}
        device = ["--device", "soapy:driver=fakeradio", "--rate", str(rate_hz)]
        return fake.environment(file=recording, **options), [*run, *device]
    recording = folder / "noise_250k.cs16"
    rng.normal(0, 3000, 4_000_000).astype("<i2").tofile(recording)
    return {}, [*run, str(recording), "--loop"]


def compiled(folder: Path, source: Path) -> Path:
    """Compile the SoapySDR module; returns its folder."""
    module = folder / "module"
    module.mkdir()
    line = ["g++", "-O2", "-std=c++14", "-shared", "-fPIC", str(source), "-lSoapySDR"]
    subprocess.run([*line, "-o", str(module / "libfakeradio.so")], check=True, timeout=240)
    return module


def watch(command: list[str], variables: dict[str, str]) -> list[int]:
    """Run to the end; return the resident bytes of all its processes, second by second."""
    memory = []
    with subprocess.Popen(command, env=variables) as process:
        while process.poll() is None:
            memory.append(sum(map(resident, [process.pid, *children(process.pid)])))
            time.sleep(1)
    if process.returncode:
        sys.exit(process.returncode)
    return memory


def children(pid: int) -> list[int]:
    """Return the processes that one has begun."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except FileNotFoundError:
        return []


def resident(pid: int) -> int:
    """Return the resident bytes of a process, 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES
    except FileNotFoundError:
        return 0


if __name__ == "__main__":
    main()
