"""Take the picture of the screen in docs/tui.md: `liveclf run --tui` on a scene, as SVG.

    python tools/make_tui_screenshot.py [--seed 5]

Runs the program on a terminal of its own and has Textual export what it shows. Writes
docs/tui.svg.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pty
import re
import struct
import sys
import tempfile
import termios
from pathlib import Path

from watched_scene import write_watched_scene

from liveclf.signals.scene.plan import SceneSettings

TARGET = Path(__file__).parent.parent / "docs" / "tui.svg"
SCENE_S, RATE_HZ = 6.0, 250e3
LINES, COLUMNS = 38, 132
WATCHED_S = 14


def main() -> None:
    """Make a scene, watch it for some seconds, and take the picture."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seed", type=int, default=5)
    seed = parser.parse_args().seed
    settings = SceneSettings(
        seed=seed, duration_s=SCENE_S, band_hz=RATE_HZ, emissions=(8, 10), snr_db=(14.0, 30.0),
        burst_s=(0.3, 1.0),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = write_watched_scene(settings, Path(folder))
        watch(path, Path(folder))
        svg = (Path(folder) / "tui.svg").read_text(encoding="utf-8")
    TARGET.write_text(smaller(svg), encoding="utf-8")
    print(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")


def watch(path: Path, folder: Path) -> None:
    """Run the program on a terminal until it has taken the picture."""
    child, terminal = pty.fork()
    if not child:
        where = {"LOCATION": str(folder), "FILENAME": "tui.svg"}
        environment = {f"TEXTUAL_SCREENSHOT_{name}": value for name, value in where.items()}
        environment |= {"TEXTUAL_SCREENSHOT": str(WATCHED_S), "COLORTERM": "truecolor"}
        os.environ.update(environment, TERM="xterm-256color")
        labels = str(folder / "labels")
        command = ["run", str(path), "--loop", "--realtime", "--tui", "--relabelled", labels]
        os.execv(sys.executable, [sys.executable, "-m", "liveclf", *command])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    seen = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while seen := (seen + os.read(terminal, 1 << 16))[-4096:]:
            if (folder / "tui.svg").exists():
                os.write(terminal, b"q")
    os.waitpid(child, 0)


def smaller(svg: str) -> str:
    """Leave out what is fetched from the web, and digits that nobody sees."""
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(r'(="\d+\.\d)\d+"', r'\1"', svg)


if __name__ == "__main__":
    main()
