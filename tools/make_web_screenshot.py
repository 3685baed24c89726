"""Take the picture of the page in docs/web.md: `liveclf run --web` on a scene, in Chromium.

    python tools/make_web_screenshot.py [--seed 5]

Writes docs/web.jpg. Needs Chromium (`apt-get install chromium`) and playwright.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import which

from playwright.sync_api import sync_playwright
from watched_scene import write_watched_scene

from liveclf.signals.scene.plan import SceneSettings

TARGET = Path(__file__).parent.parent / "docs" / "web.jpg"
SCENE_S, RATE_HZ = 8.0, 1e6
WIDTH, HEIGHT, QUALITY = 1440, 900, 78
SHOWN_S = 14.0  # of waterfall in the picture
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


def main() -> None:
    """Make a scene, watch it for some seconds, and take the picture."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--seed", type=int, default=5)
    seed = parser.parse_args().seed
    settings = SceneSettings(
        seed=seed, duration_s=SCENE_S, band_hz=RATE_HZ, emissions=(18, 22), snr_db=(12.0, 30.0),
        burst_s=(0.1, 0.8),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = write_watched_scene(settings, Path(folder))
        command = [
            sys.executable, "-m", "liveclf", "run", str(path), "--loop", "--realtime",
            "--web=0", "--when-slow", "block", "--relabelled", f"{folder}/relabelled", "-o", "null",
        ]  # fmt: skip
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            assert run.stderr
            url = next(m[1] for line in run.stderr if (m := re.match(r"Page: (\S+)", line)))
            take_picture(url)
        finally:
            run.kill()
            run.wait()
    print(f"{TARGET}: {TARGET.stat().st_size / 1e3:.0f} kB")


def take_picture(url: str) -> None:
    """Watch the page until it is full, choose an emission, and keep what is seen."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=which("chromium"), args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(url)
        page.wait_for_selector("#emissions tr", timeout=60_000)
        page.wait_for_timeout(SHOWN_S * 1e3)
        page.click("#emissions tr:nth-child(4)")
        page.wait_for_selector("#details figcaption:has-text('Q, 256')")
        page.wait_for_timeout(500)
        page.screenshot(path=TARGET, type="jpeg", quality=QUALITY)
        chromium.close()


if __name__ == "__main__":
    main()
