"""The tools that make scenes and run liveclf on them, as a user starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"


def run(tool: str, *arguments: object) -> str:
    command = [sys.executable, str(TOOLS / tool), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_scenes_are_made_again_by_their_seeds(tmp_path: Path) -> None:
    flags = ("--rate", "250e3", "--seconds", "0.2", "--spurs", "1", "--image", "-35", "--dc", "-10")
    for name, seed, n in (("a", 3, 2), ("b", 4, 1)):
        out = run("make_scenes.py", tmp_path / name, "--seed", seed, "--scenes", n, *flags)
        assert out.count("\n") == n
        assert "spur" in out
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [f"scene-{seed}.sigmf-{part}" for seed in (3, 4) for part in ("data", "meta")]
    for part in ("data", "meta"):
        a, b = (tmp_path / name / f"scene-4.sigmf-{part}" for name in "ab")
        assert a.read_bytes() == b.read_bytes()


def test_trials_print_what_was_found_and_write_all_figures(tmp_path: Path) -> None:
    out = run(
        "scene_trials.py", "--only", "found", "rates", "--scenes", 2, "--seconds", 0.15,
        "--json", tmp_path / "told.json", "--keep", tmp_path / "kept", "--threads", 1,
    )  # fmt: skip
    assert "strong bursts, 10 to 30 dB" in out
    assert "found at every rate" in out
    told = json.loads((tmp_path / "told.json").read_text())
    assert set(told) == {"found", "rates"}
    strong = told["found"]["strong bursts"]
    assert strong["recordings"] == 2
    assert strong["n_there"] >= strong["n_matched"] > 0
    kept = {path.name for path in (tmp_path / "kept").iterdir()}
    assert {"strong-1000-2.4M.sigmf-meta", "rates-1001-0.25M.jsonl"} <= kept
