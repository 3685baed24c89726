"""What docs/adding-a-source.md shows works as it stands there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from liveclf import sinks, sources
from liveclf.cli import main
from liveclf.sinks import SinkKind

PAGE = (Path(__file__).parent.parent / "docs" / "adding-a-source.md").read_text(encoding="utf-8")
RATE_HZ = 250_000


@pytest.fixture
def shown(tmp_path, monkeypatch):
    """Return what writes a file of the page where it can be imported, also by a new process."""
    folder = tmp_path / "shown"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))

    def write(name: str) -> str:
        (code,) = re.findall(rf"`src/liveclf/\w+/{name}\.py`:\n\n```python\n(.*?)```", PAGE, re.S)
        (folder / f"shown_{name}.py").write_text(code, encoding="utf-8")
        return f"shown_{name}"

    return write


@pytest.fixture
def udp(shown, monkeypatch):
    """Have `--device udp://...` driven by the file of the page; return a free port."""
    module, known = shown("udp"), sources.driver_module
    monkeypatch.setattr(
        sources, "driver_module", lambda device: module if device[:4] == "udp:" else known(device)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def send(port: int, iq: np.ndarray, ended: threading.Event) -> None:
    """Send samples a little slower than they say, over and over."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        n_sent = 0
        while not ended.wait(1000 / RATE_HZ):  # never in a burst, which a busy machine drops
            at = n_sent % len(iq)
            sender.sendto(iq[at : at + 1000].tobytes(), ("127.0.0.1", port))
            n_sent += 1000


def test_the_source_delivers_what_is_sent(udp, tmp_path, capfd):
    rng = np.random.default_rng(1)
    iq = rng.integers(-100, 100, (10_000, 2), dtype=np.int8)
    ended = threading.Event()
    sender = threading.Thread(target=send, args=(udp, iq, ended))
    sender.start()
    try:
        out, device = tmp_path / "heard.sigmf-meta", f"udp://127.0.0.1:{udp}"
        told = ("--format", "cs8", "--rate", str(RATE_HZ), "--freq", "1M", "-n", "20000")
        code = main(["record", str(out), "--device", device, *told])
    finally:
        ended.set()
        sender.join()
    assert code == 0, capfd.readouterr().err
    heard = np.fromfile(tmp_path / "heard.sigmf-data", np.int8).reshape(-1, 2)
    assert len(heard) == 20_000
    first = next(k for k in range(0, 10_000, 1000) if (iq[k : k + 10] == heard[:10]).all())
    np.testing.assert_array_equal(heard, np.resize(np.roll(iq, -first, axis=0), (20_000, 2)))
    meta = json.loads((tmp_path / "heard.sigmf-meta").read_text(encoding="utf-8"))
    assert meta["captures"][0]["core:frequency"] == 1e6


def test_the_source_refuses_what_it_cannot_keep(udp, capfd):
    device = f"udp://127.0.0.1:{udp}"
    assert main(["run", "--device", device]) == 2
    assert "--rate" in capfd.readouterr().err
    assert main(["run", "--device", device, "--rate", "1M", "--gain", "3"]) == 2
    assert "--gain cannot be kept" in capfd.readouterr().err


def test_the_output_counts_families(shown, tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "liveclf.sinks.families", __import__(shown("families")))
    (opening,) = re.findall(r"```python\n(def _families.*?)```", PAGE, re.S)
    (line,) = re.findall(r'`("families": SinkKind.*?),`', PAGE)
    scope = dict(vars(sinks))
    exec(compile(opening, "docs/adding-a-source.md", "exec"), scope)
    kind = eval(f"{{{line}}}", scope)["families"]
    assert isinstance(kind, SinkKind)
    monkeypatch.setattr(sinks, "SINKS", {**sinks.SINKS, "families": kind})
    out, labels = tmp_path / "heard.json", tmp_path / "labels.jsonl"
    assert main(["run", "-q", "-o", f"families:{out}", "-o", f"jsonl:{labels}"]) == 0
    rows = [json.loads(row) for row in labels.read_text(encoding="utf-8").splitlines()]
    closed = [row["family"] for row in rows if row["state"] == "closed"]
    assert json.loads(out.read_text(encoding="utf-8")) == {f: closed.count(f) for f in closed}
    assert len(set(closed)) > 3


def test_the_files_shown_are_typed_and_formatted_as_ours(shown, tmp_path):
    """Lint and types of CI go over src; what the page shows is held to the same."""
    pytest.importorskip("ruff", reason="ruff is not installed")
    root = Path(__file__).parent.parent
    for name in ("udp", "families"):
        shown(name)
    folder = tmp_path / "shown"
    config = ["--no-cache", "--config", str(root / "pyproject.toml")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *config, str(folder)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
