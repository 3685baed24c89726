"""`liveclf run --web`: what is refused, and the page in a real browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import sigmf
from command_line import LIGHT, LIMIT_S, record

from browsing import chromium, opened, pixels, slide
from liveclf.cli import main
from liveclf.sources import DEMO
from sources.fake_radio import environment

pytest.importorskip("uvicorn", reason='pip install "liveclf[web]"')


@contextmanager
def running(
    *arguments: object, environment: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the program with a page on a free port; the process and the page's address."""
    command = [sys.executable, "-m", "liveclf", "run", "--web=0", *map(str, arguments), *LIGHT]
    process = subprocess.Popen(
        [*command, "-o", "null"],
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        env=os.environ | environment,
    )
    said: list[str] = []
    try:
        assert process.stderr
        for line in process.stderr:
            said.append(line)
            if found := re.match(r"Page: (http\S+)", line):
                break
        else:
            pytest.fail("".join(said))
        # What else it says must not stop it.
        threading.Thread(target=lambda: said.extend(process.stderr), daemon=True).start()
        process.said = said  # type: ignore[attr-defined]
        yield process, found[1]
    finally:
        process.kill()
        process.wait()


# -- refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--web", "--no-detect"], 2, "leave out one of them"),
        (["--relabelled", "x"], 2, "give --web"),
        (["--web-token", "abcdefghijklmnop"], 2, "give --web"),
        (["--web", "--web-token", "short"], 2, "16 to 128"),
        (["--web", "99999"], 2, "no [HOST:]PORT"),
        (["--web", "rec.cu8"], 2, "name a recording before it"),
        (["--web", "192.0.2.1:0"], 1, "cannot be served"),
    ],
)
def test_what_cannot_be_served_is_said(arguments, code, said, capsys):
    assert main(["run", *arguments, "-o", "null", *LIGHT]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_stream_without_a_rate_has_no_page(tmp_path, capsys):
    path = record(tmp_path / "rec.cu8")
    assert main(["run", str(path), "--web=0", "-o", "null", *LIGHT]) == 2
    assert "give --rate" in capsys.readouterr().err


def test_without_its_extra_the_line_that_installs_it_is_said(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("liveclf.web")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["run", "--web=0", "-o", "null", *LIGHT]) == 3
    assert 'pip install "liveclf[web]"' in capsys.readouterr().err


# -- served --------------------------------------------------------------------------------


def test_the_page_stays_after_the_end_until_it_is_told_to_go():
    with running() as (process, url):
        deadline_s = time.monotonic() + LIMIT_S
        while not any("page stays" in line for line in process.said):
            assert time.monotonic() < deadline_s
            assert process.poll() is None
            time.sleep(0.05)
        assert b"liveclf" in urllib.request.urlopen(url).read()
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert any(line.startswith("stream ") for line in process.said)


def test_beyond_loopback_a_token_is_asked_for():
    with running("--web", "0.0.0.0:0") as (_, url):
        pass
    assert re.fullmatch(r"http://0\.0\.0\.0:\d+/\?token=[\w-]{32}", url)


# -- in a browser --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def looped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A demonstration that goes on, and the folder of its corrected labels."""
    folder = tmp_path_factory.mktemp("relabelled")
    # Everything is labelled, however busy the machine is: a recording can wait.
    unhurried = ("--loop", "--realtime", "--when-slow", "block")
    with running(*unhurried, "--relabelled", folder) as (_, url):
        yield url, folder


@pytest.fixture(scope="module")
def page(browser, looped) -> Iterator[Any]:
    """One page for all; a test leaves it as it was."""
    with opened(browser, looped[0]) as made:
        made.wait_for_selector("#emissions tr")
        yield made


def test_the_waterfall_and_the_spectrum_move(page):
    for canvas in ("waterfall", "spectrum"):
        before = pixels(page, canvas)
        assert len(before) > 10_000  # something is drawn
        page.wait_for_function(
            f"before => document.getElementById('{canvas}').toDataURL() !== before", arg=before
        )
    assert page.inner_text("#state") == "live"
    assert "demo.sigmf-meta: 433.92 MHz, 250 kS/s, cu8" in page.inner_text("#source")
    assert "S/s" in page.inner_text("[data-name=rate]")


def test_an_emission_is_listed_with_its_label_and_filters_leave_others_out(page):
    page.wait_for_function("() => document.body.innerText.includes('GMSK')", timeout=30_000)
    page.fill("#search", "gmsk")
    page.wait_for_function(
        "() => [...document.querySelectorAll('#emissions tr')]"
        ".every(row => row.innerText.includes('GMSK'))"
    )
    assert page.locator("#emissions tr").count() >= 1
    page.fill("#search", "no such label")
    page.wait_for_selector("text=No emission passes the filters.")
    page.fill("#search", "")
    page.wait_for_selector("#emissions tr")


def choose(page: Any) -> None:
    """Choose the oldest emission in the list that has this label, and so some samples."""
    rows = "[...document.querySelectorAll('#emissions tr')]"
    page.wait_for_function(
        f"() => {{ const row = {rows}.findLast(row => row.innerText.includes('GMSK'));"
        " row?.click(); return Boolean(row); }"
    )
    page.wait_for_selector("#details figcaption:has-text('samples,')")


def test_a_chosen_emission_shows_what_is_known_and_is_downloaded(page, tmp_path):
    choose(page)
    assert page.locator("#details .guess").count() == 3
    with page.expect_download() as download:
        page.click("text=Download SigMF")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert tarfile.is_tarfile(path)
    read = sigmf.fromarchive(str(path))
    read.validate()
    assert len(read.read_samples()) > 100


def test_a_corrected_label_is_saved_and_shown(page, looped):
    choose(page)
    page.fill("#label", "LoRa")
    page.click("#details button:has-text('Save')")
    page.wait_for_selector("#said:has-text('Saved as')")
    page.wait_for_selector("#details strong:has-text('LoRa')")
    name = re.search(r"Saved as (\S+\.sigmf-meta)", page.inner_text("#said"))[1]
    meta = json.loads((looped[1] / name).read_text())
    assert meta["annotations"][0]["core:label"] == "LoRa"
    page.fill("#label", "<script>")
    page.click("#details button:has-text('Save')")
    page.wait_for_selector("#said.bad:has-text('A label has')")


def test_no_row_moves_away_from_under_the_pointer(page):
    page.hover("#emissions tr:first-child")
    first = "document.querySelector('#emissions tr').dataset.key"
    page.wait_for_timeout(300)
    before = page.evaluate(first)
    page.wait_for_timeout(1500)
    assert page.evaluate(first) == before
    page.hover("header")
    page.wait_for_function(f"before => {first} !== before", arg=before)


def test_a_paused_replay_stands_still_and_goes_on(page):
    page.click("#pause")
    page.wait_for_selector("#state:has-text('paused')")
    page.wait_for_timeout(400)
    before = page.inner_text("#clock")
    page.wait_for_timeout(600)
    assert page.inner_text("#clock") == before
    page.click("#pause")
    page.wait_for_selector("#state:has-text('live')")
    page.wait_for_function("t => document.getElementById('clock').textContent !== t", arg=before)


def test_on_a_telephone_nothing_is_wider_than_the_screen(browser, looped):
    telephone = browser.new_page(viewport={"width": 360, "height": 740}, has_touch=True)
    telephone.goto(looped[0])
    telephone.wait_for_selector("#emissions tr")
    assert telephone.evaluate("document.documentElement.scrollWidth") <= 360
    choose(telephone)
    telephone.wait_for_selector("#details .guess")
    telephone.close()


# -- over a radio --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def receiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    """A run over pyrtlsdr and a librtlsdr without a dongle, and the log of its calls."""
    log = tmp_path_factory.mktemp("radio") / "log"
    told = environment(file=DEMO.with_suffix(".sigmf-data"), loop=1, log=log)
    arguments = ("--device", "rtlsdr", "--rate", "250k", "--freq", "433.92M", "--gain", "20")
    with running(*arguments, "--min-snr", "6", environment=told) as (process, url):
        yield process, url, log


def until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + LIMIT_S
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def is_quiet(page: Any) -> bool:
    """Say whether no emission comes for a second; there are several, as a rule."""
    newest = "document.querySelector('#emissions tr')?.dataset.key"
    before = page.evaluate(newest)
    page.wait_for_timeout(1000)
    return bool(page.evaluate(newest) == before)


def test_a_radio_is_tuned_and_amplified_and_thresholds_move(browser, receiving):
    process, url, log = receiving
    with opened(browser, url) as shown:
        shown.wait_for_selector("#source:has-text('433.92 MHz')")
        shown.wait_for_selector("#gain:has-text('19.7 dB')")
        shown.wait_for_selector("#min-snr-value:has-text('6 dB')")
        shown.fill("#center", "868.3")
        shown.click("text=Tune to MHz")
        shown.wait_for_selector("#source:has-text('868.3 MHz')")
        slide(shown, "#gain input.gain", 36)
        shown.wait_for_selector("#gain:has-text('36.4 dB')")  # the nearest that it has
        shown.check("#gain-auto")
        until(lambda: log.read_text().splitlines()[-1] == "set_tuner_gain_mode 0")
        called = log.read_text()
        assert "set_center_freq 868300000" in called
        assert "set_tuner_gain 364" in called
        # Out of its range: refused by the driver process, said, and the stream goes on.
        shown.fill("#center", "3000")
        shown.click("text=Tune to MHz")
        until(lambda: any("cannot be tuned to 3000 MHz" in line for line in process.said))
        # Nothing is so strong: no more emissions come, once those that last have ended.
        until(lambda: not is_quiet(shown))
        slide(shown, "#min-snr", 60)
        shown.wait_for_selector("#min-snr-value:has-text('60 dB')")
        said = "On the page, all streams: emissions below 60 dB are left out."
        until(lambda: any(said in line for line in process.said))
        until(lambda: is_quiet(shown))
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    until(lambda: any("changes from the page" in line for line in process.said))
    told = next(line for line in process.said if "changes from the page" in line)
    assert "5 changes from the page (2 centre, 2 gain, 1 threshold)" in told
