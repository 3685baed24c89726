"""The page in Chromium, over a server without a run: what is seen is what was posted."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
from serving import emission, page, radio, served, thresholds

from browsing import chromium, opened, slide
from fake_source import FakeSource
from liveclf.dsp.waterfall import Rows
from liveclf.emissions import Emissions
from liveclf.endpoints import Address, listen
from liveclf.view.controls import Controls
from liveclf.view.hub import Posted
from liveclf.view.wire import row_message
from liveclf.web.server import Server
from made_up import CENTER_HZ, EPOCH_S, RATE_HZ

ROW_S, N_ROWS, N_BINS = 0.05, 200, 256
AXIS_PX, ROW_PX = 46, 3  # room for the levels; height of a row unless it was changed
# Where the emission is: cycles per sample, seconds.
LOW, HIGH, START_S, STOP_S = 0.06, 0.14, 7.0, 7.8
EMISSION = emission(
    id=8, offset_hz=(LOW + HIGH) / 2 * RATE_HZ, bandwidth_hz=(HIGH - LOW) * RATE_HZ,
    elapsed_s=START_S, duration_s=STOP_S - START_S, label="OOK", family="ASK",
)  # fmt: skip
HOSTILE = '<img src=x onerror="document.title=`hacked`">'
ABOUT = {
    "version": "1", "model": HOSTILE, "engine": HOSTILE, "can_relabel": True,
    "classes": ["OOK", "GMSK", HOSTILE], "families": {"OOK": "ASK", "GMSK": "FSK", HOSTILE: "FM"},
    "streams": [
        {
            "name": HOSTILE, "format": "cf32", "sample_rate_hz": RATE_HZ, "center_hz": CENTER_HZ,
            "is_live": True,
        }
    ],
}  # fmt: skip


def rows() -> Iterator[bytes]:
    """Make rows of noise; where the emission is they are bright."""
    shape = (1, N_BINS)
    bins = np.arange(N_BINS) / N_BINS - 0.5
    for k in range(N_ROWS):
        power = np.full(shape, 1e-9, np.float32)
        if START_S <= k * ROW_S < STOP_S:
            power[0, (bins >= LOW) & (bins <= HIGH)] = 1e-2
        start = np.array([round(k * ROW_S * RATE_HZ)])
        made = Rows(
            start, round(ROW_S * RATE_HZ), power, power, np.array([10]), RATE_HZ, CENTER_HZ, EPOCH_S
        )
        yield row_message(made, 0, np.full(N_BINS, -90, np.float32), 0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as launched:
        yield launched


class Site:
    """A page that is served, and what is behind it."""

    def __init__(self, folder: Any, port: int = 0) -> None:
        self.radio, self.limits = radio(), thresholds()
        self.page = page(
            folder, about=ABOUT, controls=Controls([self.radio, FakeSource()], self.limits)
        )
        self.page.told.write(Emissions((EMISSION,)))
        for message in rows():
            self.page.hub.post(Posted(message, 0))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, str]]:
    made = Site(tmp_path_factory.mktemp("relabelled"))
    with served(made.page) as host:
        yield made, f"http://{host}/"


@pytest.fixture(scope="module")
def seen(browser: Any, site: tuple[Site, str]) -> Iterator[Any]:
    """One page for all tests that leave it as it was."""
    with opened(browser, site[1], has_touch=True) as shown:
        shown.wait_for_selector("#emissions tr")
        yield shown


# -- where things are ----------------------------------------------------------------------


class View:
    """What is to be seen of the band and of the past, by the rules in docs/web.md."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self.box = shown.locator("#waterfall").bounding_box()
        self.low, self.high, self.back_rows = -0.5, 0.5, 0

    def x(self, cycles: float) -> float:
        share = (cycles - self.low) / (self.high - self.low)
        return AXIS_PX + share * (self.box["width"] - AXIS_PX)

    def y(self, elapsed_s: float) -> float:
        return (N_ROWS - elapsed_s / ROW_S - self.back_rows) * ROW_PX

    def cycles(self, x: float) -> float:
        share = (x - AXIS_PX) / (self.box["width"] - AXIS_PX)
        return self.low + share * (self.high - self.low)

    def zoom(self, factor: float, x: float) -> None:
        at = self.cycles(x)
        self.low, self.high = at - (at - self.low) * factor, at + (self.high - at) * factor

    def level(self, cycles: float, elapsed_s: float) -> int:
        """Return the red of a pixel, 0 to 255."""
        return int(
            self._shown.evaluate(
                """([x, y]) => new Promise((done) => requestAnimationFrame(() => done(
                    document.getElementById("waterfall").getContext("2d").getImageData(x, y, 1, 1)
                    .data[0])))""",
                [round(self.x(cycles)), round(self.y(elapsed_s))],
            )
        )

    def check(self) -> None:
        """The picture is where it should be, and the box of the emission is on it."""
        shown, middle_s = self._shown, (START_S + STOP_S) / 2
        shown.mouse.move(5, 5)
        shown.wait_for_timeout(60)
        assert self.level((LOW + HIGH) / 2, middle_s) > 200
        assert self.level(LOW + 0.01, middle_s) > 200
        margin = 0.02
        for dark in (LOW - margin, HIGH + margin):
            if self.low < dark < self.high:
                assert self.level(dark, middle_s) < 60
        if self.y(START_S - 3 * ROW_S) < self.box["height"]:
            assert self.level((LOW + HIGH) / 2, START_S - 3 * ROW_S) < 60
        x, y = self.x((LOW + HIGH) / 2), self.y(middle_s)
        shown.mouse.move(self.box["x"] + x, self.box["y"] + y)
        shown.wait_for_selector("#tip:has-text('OOK')")
        off_s = STOP_S + 5 * ROW_S
        shown.mouse.move(self.box["x"] + x, self.box["y"] + self.y(off_s))
        shown.wait_for_function("() => !document.getElementById('tip').innerText.includes('OOK')")


def whole(shown: Any) -> View:
    """Show everything."""
    shown.focus("#waterfall")
    shown.keyboard.press("Home")
    return View(shown)


def test_boxes_are_on_the_picture_after_zoom_pan_and_going_back(seen):
    view = whole(seen)
    view.check()
    at_x = 600
    seen.mouse.move(view.box["x"] + at_x, view.box["y"] + 50)
    for _ in range(3):
        seen.mouse.wheel(0, -100)
    view.zoom(math.exp(-0.6), at_x)
    view.check()
    # Drag it 70 px to the left and 45 px, 15 rows, upwards.
    seen.mouse.move(view.box["x"] + 300, view.box["y"] + 100)
    seen.mouse.down()
    seen.mouse.move(view.box["x"] + 230, view.box["y"] + 55, steps=5)
    seen.mouse.up()
    shift = view.cycles(70) - view.cycles(0)
    view.low, view.high = view.low + shift, view.high + shift
    view.back_rows = 15
    view.check()
    assert seen.is_enabled("#whole")
    seen.click("#whole")
    assert seen.is_disabled("#whole")
    View(seen).check()


def test_two_fingers_zoom_so_that_what_is_below_each_stays_there(seen):
    view = whole(seen)
    touch = seen.context.new_cdp_session(seen)

    def points(kind: str, *at: float) -> None:
        place = [
            {"x": view.box["x"] + x, "y": view.box["y"] + 90, "id": k} for k, x in enumerate(at)
        ]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": place})

    points("touchStart", 400)
    points("touchStart", 400, 600)
    for x in (620, 660, 700):
        points("touchMove", 400, x)
    points("touchEnd")
    view.zoom(200 / 300, 400)
    view.check()
    # A click after that chooses again.
    seen.mouse.click(view.box["x"] + view.x(0.1), view.box["y"] + view.y(7.4))
    seen.wait_for_selector("#details strong:has-text('OOK')")
    touch.detach()


def test_keys_zoom_move_and_go_back(seen):
    view = whole(seen)
    for key, n in (("+", 3), ("ArrowRight", 2), ("ArrowDown", 2), ("ArrowUp", 1)):
        for _ in range(n):
            seen.keyboard.press(key)
    width = 0.8**3
    view.low = -width / 2 + 2 * 0.1 * width
    view.high, view.back_rows = view.low + width, 10
    view.check()
    whole(seen)


def test_what_is_looked_at_stays_in_its_place_while_rows_come(site, browser):
    made, url = site
    with opened(browser, url) as shown:
        shown.wait_for_selector("#emissions tr")
        view = whole(shown)
        shown.keyboard.press("ArrowDown")
        view.back_rows = 10
        view.check()
        for _ in range(4):
            made.page.hub.post(Posted(newer(), 0))
        shown.wait_for_timeout(300)
        view.check()


_newest = [N_ROWS]


def newer() -> bytes:
    power = np.full((1, N_BINS), 1e-9, np.float32)
    start = np.array([round(_newest[0] * ROW_S * RATE_HZ)])
    _newest[0] += 1
    made = Rows(
        start, round(ROW_S * RATE_HZ), power, power, np.array([10]), RATE_HZ, CENTER_HZ, EPOCH_S
    )
    return row_message(made, 0, np.full(N_BINS, -90, np.float32), 0)


# -- without a mouse -----------------------------------------------------------------------


def test_rows_of_the_list_are_reached_and_chosen_with_keys(seen):
    seen.focus("#emissions tr[tabindex='0']")
    assert seen.locator("#emissions tr[tabindex='0']").count() == 1
    seen.keyboard.press("End")
    seen.keyboard.press("Home")
    first = seen.evaluate("document.activeElement.dataset.key")
    seen.keyboard.press("ArrowDown")
    second = seen.evaluate("document.activeElement.dataset.key")
    assert second != first
    seen.keyboard.press("Enter")
    seen.wait_for_selector(f"#emissions tr[data-key='{second}'][aria-current='true']")
    seen.wait_for_selector(f"#details:has-text('#{second.split('/')[1]},')")
    seen.keyboard.press("Tab")
    seen.evaluate("document.activeElement.blur()")
    seen.keyboard.press("/")
    assert seen.evaluate("document.activeElement.id") == "search"
    seen.keyboard.press("/")  # now a letter as any other
    assert seen.input_value("#search") == "/"
    seen.fill("#search", "")


def test_everything_that_can_be_used_has_a_name(seen):
    nameless = seen.evaluate(
        """() => [...document.querySelectorAll("input, select, button, a, canvas, table, output")]
            .filter((e) => e.checkVisibility() && e.tagName !== "OUTPUT")
            .filter((e) => !(e.ariaLabel || e.innerText?.trim() || e.labels?.[0]?.innerText.trim()))
            .map((e) => e.outerHTML)"""
    )
    assert nameless == []


def test_text_stands_out_from_what_is_behind_it(seen):
    """WCAG 2.2, 1.4.3: a contrast of 4.5 to 1, with the luminance as defined there."""
    faint = seen.evaluate(
        """() => {
            const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
            const light = (c) => c.slice(0, 3).map((v) => v / 255)
                .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
                .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
            const behind = (e) => {
                for (; e; e = e.parentElement) {
                    const colour = rgb(getComputedStyle(e).backgroundColor);
                    if (colour.length < 4 || colour[3] > 0.5) return colour;
                }
                return [10, 13, 19];
            };
            const all = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility()
                && !e.disabled && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
            return [all.length, all.flatMap((e) => {
                const levels = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
                const ratio = (Math.max(...levels) + 0.05) / (Math.min(...levels) + 0.05);
                return ratio < 4.5 ? [[e.outerHTML.slice(0, 90), ratio]] : [];
            })];
        }"""
    )
    assert faint[0] > 30
    assert faint[1] == []


def test_what_has_the_focus_is_seen(seen):
    for selector in ("#search", "#waterfall", "#min-snr", "button.family"):
        seen.focus("#center")
        seen.keyboard.press("Tab")  # from here on the keyboard is what is used
        seen.focus(selector)
        width = f"getComputedStyle(document.querySelector('{selector}')).outlineWidth"
        assert seen.evaluate(width) == "2px", selector


@pytest.mark.parametrize(("width", "height"), [(390, 844), (360, 740), (820, 1180), (1440, 900)])
def test_nothing_is_wider_than_the_screen_nor_cut_off(seen, width, height):
    seen.set_viewport_size({"width": width, "height": height})
    assert seen.evaluate("document.documentElement.scrollWidth") <= width
    outside = seen.evaluate(
        """() => [...document.querySelectorAll(".bar *, .filters *, .actions *")]
            .filter((e) => e.checkVisibility() && e.tagName !== "OPTION")
            .filter((e) => {
                const [own, panel] = [e, e.closest(".panel")].map((x) => x.getBoundingClientRect());
                return own.left < panel.left - 1 || own.right > panel.right + 1;
            }).map((e) => e.outerHTML.slice(0, 90))"""
    )
    assert outside == []
    seen.set_viewport_size({"width": 1280, "height": 800})


# -- what is set ---------------------------------------------------------------------------


def test_gain_and_thresholds_are_set_and_another_browser_sees_it(seen, site, browser):
    made, url = site
    with opened(browser, url) as other:
        other.wait_for_selector("#gain:has-text('20 dB')")
        assert other.locator("#gain input.gain").count() == 2
        slide(seen, "#gain [data-stage=VGA]", 32)
        other.wait_for_selector("#gain label:has-text('VGA'):has-text('32 dB')")
        seen.check("#gain-auto")
        other.wait_for_selector("#gain label:has-text('VGA'):has-text('auto')")
        assert other.is_checked("#gain-auto")
        other.uncheck("#gain-auto")
        seen.wait_for_function("() => !document.getElementById('gain-auto').checked")
        slide(other, "#min-snr", 12.5)
        seen.wait_for_selector("#min-snr-value:has-text('12.5 dB')")
        slide(other, "#min-probability", 0.85)
        seen.wait_for_selector("#min-probability-value:has-text('85 %')")
        assert seen.input_value("#min-probability") == "0.85"
    assert made.radio.asked[:2] == [(32, "VGA"), (None, "")]
    assert (made.limits.min_snr_db, made.limits.min_probability) == (12.5, 0.85)


def test_a_slider_of_the_keyboard_sets_each_step(seen, site):
    seen.focus("#min-snr")
    before = site[0].limits.min_snr_db
    seen.keyboard.press("ArrowRight")
    seen.wait_for_selector(f"#min-snr-value:has-text('{before + 0.5:g} dB')")
    seen.wait_for_timeout(100)
    assert site[0].limits.min_snr_db == before + 0.5


def test_a_radio_is_tuned(seen, site):
    seen.fill("#center", "868,3")
    seen.press("#center", "Enter")
    seen.wait_for_timeout(200)
    assert site[0].radio.asked[-1] == pytest.approx(868.3e6)


def test_a_corrected_label_has_the_colour_and_the_filter_of_its_family(seen, site, browser):
    _, url = site
    with opened(browser, url) as other:
        row = "#emissions tr[data-key='0/7']"
        other.wait_for_selector(row)
        colour = f'getComputedStyle(document.querySelector("{row} .chip")).color'
        before = other.evaluate(colour)
        seen.click(row)
        seen.fill("#label", "GMSK")
        seen.click("#details button:has-text('Save')")
        other.wait_for_selector(f"{row} .chip:has-text('GMSK')")
        seen.wait_for_selector("#details .head:has-text('FSK, corrected from OOK')")
        after = other.evaluate(colour)
        family = "[...document.querySelectorAll('button.family')].find(b => b.innerText === 'FSK')"
        assert after == other.evaluate(f"getComputedStyle({family}).color") != before
        assert seen.evaluate("document.querySelector('#details strong').style.color") == after
        other.evaluate(f"{family}.click()")
        other.wait_for_selector(row, state="detached")
        assert other.locator("#emissions tr").count() == 1
        seen.fill("#label", "my own")  # of no family that is known
        seen.click("#details button:has-text('Save')")
        other.wait_for_selector(f"{row} .chip:has-text('my own')")
        assert other.evaluate(colour) not in (before, after)


# -- from outside --------------------------------------------------------------------------


def test_names_from_outside_are_text_and_never_markup(seen):
    assert "<img src=x" in seen.inner_text("#source")
    assert "<img src=x" in seen.inner_text("#model")
    seen.click("#emissions tr[data-key='0/7']")
    seen.wait_for_selector("#details dd:has-text('<script>')")
    assert seen.locator("img").count() == 1  # ours
    assert seen.title() == "liveclf"


def test_the_page_finds_a_run_again_that_was_begun_anew(browser, tmp_path):
    with ExitStack() as first:
        listener, address = listen(Address("127.0.0.1", 0))
        server = Server(Site(tmp_path).page, listener)
        first.callback(server.close)
        shown = browser.new_page()
        shown.goto(f"http://127.0.0.1:{address.port}/")
        shown.wait_for_selector("#state:has-text('live')")
    shown.wait_for_selector("#state:has-text('not connected')")
    listener, _ = listen(Address("127.0.0.1", address.port))
    server = Server(Site(tmp_path).page, listener)
    try:
        shown.wait_for_selector("#state:has-text('live')")
        shown.wait_for_selector("#emissions tr")
    finally:
        server.close()
        shown.close()
