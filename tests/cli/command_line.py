"""What the tests of the command line share: recordings, and ways to run the program."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from liveclf.cli import main
from liveclf.model.bundle import DEFAULT, INFO, PACKAGED, fields_sha256

LIMIT_S = 120
# A script, where what is tested is the whole program with a radio that is a fake.
FAKE_RADIO = Path(__file__).with_name("fake_radio_program.py")
# Small batches and one thread: what is tested is not the network.
LIGHT = ("--batch", "8", "--threads", "1")
# Windows side by side, each with its record: where these are what is tested.
WHOLE_BAND = (*LIGHT, "--no-detect")
# As users have it: Python buffers what goes into a pipe.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"}


def windows_in(n_samples: int, hop: int = 1024) -> int:
    """Return how many windows a stretch without a gap gives."""
    return max(0, (n_samples - 1024) // hop + 1)


def noise_and_tone(n: int, seed: int = 1) -> np.ndarray:
    """Return complex samples in -1 to 1."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(n) + 1j * rng.standard_normal(n)
    return 0.05 * noise + 0.3 * np.exp(2j * np.pi * 0.1 * np.arange(n))


def iq_bytes(n: int, name: str = "cu8", seed: int = 1) -> bytes:
    """Return `n` samples as raw bytes."""
    iq = noise_and_tone(n, seed).view(np.float64)
    offset, scale, dtype = {
        "cu8": (127.5, 127.5, np.uint8),
        "cs8": (0, 127, np.int8),
        "cs16": (0, 32767, "<i2"),
        "cf32": (0, 1, "<f4"),
    }[name]
    values = iq * scale + offset
    return (values if name == "cf32" else values.round()).astype(dtype).tobytes()


def record(path: Path, n: int = 10_000, seed: int = 1) -> Path:
    """Write a raw recording in the format of its ending."""
    path.write_bytes(iq_bytes(n, path.suffix[1:], seed))
    return path


def sigmf(folder: Path, n: int = 10_000, **meta: Any) -> Path:
    """Write a SigMF recording; `meta` replaces parts of the metadata."""
    (folder / "rec.sigmf-data").write_bytes(iq_bytes(n, "cf32"))
    parts = {
        "global": {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:sample_rate": 1e6},
        "captures": [{"core:sample_start": 0, "core:frequency": 433e6}],
        "annotations": [],
    }
    parts["global"] |= meta.pop("info", {})
    path = folder / "rec.sigmf-meta"
    path.write_text(json.dumps(parts | meta))
    return path


def bundle_copy(folder: Path, **info: Any) -> Path:
    """Copy the packaged bundle; `info` replaces parts of its description."""
    copy = folder / "bundle"
    shutil.copytree(PACKAGED / DEFAULT, copy)
    described = json.loads((copy / INFO).read_text()) | info
    described["sha256"] = fields_sha256(json.dumps(described).encode())
    (copy / INFO).write_text(json.dumps(described))
    return copy


def start(*arguments: Any, **pipes: Any) -> subprocess.Popen[bytes]:
    """Start the program in a process of its own."""
    command = [sys.executable, "-m", "liveclf", *map(str, arguments)]
    return subprocess.Popen(command, **({"env": ENVIRONMENT} | pipes))


def run(*arguments: Any, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run the program in a process of its own, with pipes at its ends."""
    command = [sys.executable, "-m", "liveclf", *map(str, arguments)]
    return subprocess.run(
        command,
        input=data,
        stdin=subprocess.DEVNULL if data is None else None,
        capture_output=True,
        timeout=LIMIT_S,
        env=ENVIRONMENT,
        check=False,
    )


def inside(
    capfd: pytest.CaptureFixture[str], *arguments: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the program in this process, where none of its own is the point: it takes half as long."""
    code = main(list(map(str, arguments)))
    said = capfd.readouterr()
    return subprocess.CompletedProcess(arguments, code, said.out.encode(), said.err.encode())


def read(text: str | bytes) -> list[dict[str, Any]]:
    """Read JSON lines, each of which has to be whole."""
    text = text.decode() if isinstance(text, bytes) else text
    assert not text or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]
