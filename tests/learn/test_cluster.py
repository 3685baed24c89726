"""Two processes that train together on loopback, through the command line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pytest
from tones import CLASSES, Tones

from liveclf.learn import CHECKPOINT, HISTORY
from liveclf.learn.fit.history import read_history

pytestmark = pytest.mark.skipif(
    not find_spec("jax"), reason="JAX is not installed: pip install jax"
)
HERE = Path(__file__).parent
LIMIT_S = 240


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start(run: Path, port: int, rank: int, *more: str) -> subprocess.Popen[str]:
    """Start a machine."""
    command = [sys.executable, str(HERE / "cluster_member.py"), "0", "train", "--run", str(run)]
    command += ["--cluster", f"127.0.0.1:{port}", "--rank", str(rank), "--machines", "2"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *more], text=True, env=dict(os.environ), **pipes)  # type: ignore[call-overload,no-any-return]


def test_two_machines_come_to_the_weights_of_one(tmp_path: Path) -> None:
    """That of one process, which saw the windows of both in one batch."""
    made, file, run = Tones()(0), tmp_path / "tones.hdf5", tmp_path / "run"
    with h5py.File(file, "w") as data:
        data["X"], data["Y"] = made.x.astype(np.float32), made.y
        data.attrs["classes"] = list(CLASSES)
    flags = ["--data", str(file), "--preset", "vgg16", "--width", "0.125", "--batch", "32"]
    flags += ["--steps", "6", "--epoch-steps", "3", "--warmup", "1", "--heldout", "512"]
    port = free_port()
    machines = [start(run, port, rank, *flags) for rank in (1, 0)]
    said = [machine.communicate(timeout=LIMIT_S)[1] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    assert len(read_history(run / HISTORY)) == 2
    assert (run / CHECKPOINT).exists()
    oracle = subprocess.run(
        [sys.executable, str(HERE / "cluster_oracle.py"), str(run)],
        capture_output=True, text=True, timeout=LIMIT_S, check=True,
    )  # fmt: skip
    words = oracle.stdout.splitlines()[-1].split()
    apart, moved = float(words[1]), float(words[3])
    assert apart < 1e-4 < moved
