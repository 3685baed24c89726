"""The page in a real browser: one Chromium for the tests of a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which
from typing import Any

import pytest

CHROMIUM = which("chromium") or which("chromium-browser") or which("google-chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WAIT_MS = 30_000  # these machines are busy


@contextmanager
def chromium() -> Iterator[Any]:
    """Start it; skip the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
    if CHROMIUM is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        launched.close()


@contextmanager
def opened(
    browser: Any, url: str, width: int = 1280, height: int = 800, **other: Any
) -> Iterator[Any]:
    """Open a page; it must have nothing to complain of until it is closed."""
    page = browser.new_page(viewport={"width": width, "height": height}, **other)
    page.set_default_timeout(WAIT_MS)
    wrong: list[str] = []

    def hear(message: Any) -> None:
        # That tests look at pixels is no fault of the page.
        if message.type in ("error", "warning") and "willReadFrequently" not in message.text:
            wrong.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    yield page
    page.close()
    assert not wrong, wrong


def pixels(page: Any, canvas: str) -> str:
    return str(page.evaluate(f"document.getElementById('{canvas}').toDataURL()"))


def slide(page: Any, selector: str, value: float) -> None:
    """Let go of a slider at a value."""
    page.eval_on_selector(
        selector,
        """(input, value) => {
            input.value = value;
            for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind));
        }""",
        value,
    )
