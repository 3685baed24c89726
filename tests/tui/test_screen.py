"""The screen on a made-up run: what is seen, and what keys do."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from watched import Watched, listed, seen, until

from made_up import emission


def on_screen(run: Watched, check: Callable[[Any], Coroutine[Any, Any, None]], **size: Any) -> None:
    """Show a run and look at it."""

    async def main() -> None:
        async with run.shown(**size) as pilot:
            await check(pilot)

    asyncio.run(main())


def test_an_emission_that_is_told_is_listed_with_what_is_known_of_it():
    run = Watched()

    async def check(pilot):
        assert "no emission yet" in seen(pilot)
        run.tell(emission())
        await until(pilot, "OOK")
        (line,) = listed(pilot)
        for part in ("22:13:20.020", "434.0200", "40.0", "30.0 ms", "20.5", "OOK", "ASK", "90%"):
            assert part in line

    on_screen(run, check)


def test_what_was_told_before_the_screen_began_is_there():
    run = Watched()
    run.tell(emission(label="16QAM", family="QAM"))

    async def check(pilot):
        await until(pilot, "16QAM")

    on_screen(run, check)


def test_open_ones_stand_on_top_and_a_later_record_replaces_the_earlier():
    run = Watched()

    async def check(pilot):
        run.tell(emission(id=1, label="CW", sample=0, state="open"), emission(id=2))
        await until(pilot, "OOK")
        first, second = listed(pilot)
        assert "CW" in first
        assert "●" in first
        assert "OOK" in second
        run.tell(emission(id=1, label="LoRa", sample=0, state="closed"))
        await until(pilot, "LoRa")
        assert ["LoRa" in line for line in listed(pilot)] == [False, True]

    on_screen(run, check)


def test_the_details_are_of_the_chosen_one_with_its_points_in_the_plane():
    run = Watched()

    async def check(pilot):
        run.tell(emission())
        screen = await until(pilot, "samples of")
        assert re.search(r"[\u2801-\u28ff]", screen)
        for part in ("434.0200 MHz, 40.0 kHz wide", "20.5 dB, -10.0 dBFS", "CW"):
            assert part in screen

    on_screen(run, check)


def test_without_samples_the_details_say_so():
    run = Watched()

    async def check(pilot):
        run.tell(emission(sample=10_000_000))
        await until(pilot, "its samples are no longer there")

    on_screen(run, check)


# -- keys ----------------------------------------------------------------------------------


def test_arrows_choose_and_the_chosen_stays_while_others_come():
    run = Watched()

    async def check(pilot):
        run.tell(*(emission(id=k, sample=1000 * k) for k in range(1, 4)))
        await until(pilot, "OOK")
        chosen = pilot.app.query_one("#list")
        assert chosen.chosen == (0, 3)  # the newest, as none was chosen
        await pilot.press("down")
        assert chosen.chosen == (0, 2)
        run.tell(emission(id=9, sample=99_000, label="FM"))
        await until(pilot, "FM")
        assert chosen.chosen == (0, 2)
        await pilot.press("f")
        assert chosen.chosen == (0, 9)
        await pilot.press("end")
        assert chosen.chosen == (0, 1)

    on_screen(run, check)


def test_a_click_chooses():
    run = Watched()

    async def check(pilot):
        run.tell(*(emission(id=k, sample=1000 * k) for k in range(1, 4)))
        await until(pilot, "OOK")
        await pilot.click("#list", offset=(5, 3))
        assert pilot.app.query_one("#list").chosen == (0, 1)

    on_screen(run, check)


def test_the_filter_leaves_out_others_while_it_is_typed_and_escape_ends_it():
    run = Watched()

    async def check(pilot):
        run.tell(emission(), emission(id=8, label="GMSK", family="FSK"))
        await until(pilot, "GMSK")
        await pilot.press("slash", *"gms")
        await until(pilot, "with 'gms'")
        assert ["GMSK" in line for line in listed(pilot)] == [True]
        await pilot.press("x")
        await until(pilot, "no emission passes the filter")
        await pilot.press("backspace", "enter", "s")  # a key again, not a letter
        await until(pilot, "sorted by frequency")
        await pilot.press("escape")
        await until(pilot, "OOK")

    on_screen(run, check)


def test_families_come_one_after_the_other_and_then_all():
    run = Watched()

    async def check(pilot):
        run.tell(emission(), emission(id=8, label="GMSK", family="FSK"))
        await until(pilot, "GMSK")
        await pilot.press("c")
        await until(pilot, "family ASK")
        assert ["OOK" in line for line in listed(pilot)] == [True]
        await pilot.press("c")
        await until(pilot, "family FSK")
        assert ["GMSK" in line for line in listed(pilot)] == [True]
        await pilot.press("c")
        assert len(listed(pilot)) == 2

    on_screen(run, check)


def test_keys_set_a_replay():
    run = Watched()

    async def check(pilot):
        await pilot.press("space")
        assert run.source.is_paused
        await until(pilot, "paused")
        await pilot.press("space")
        assert not run.source.is_paused
        await pilot.press("right", "left", "plus", "plus", "plus", "minus")
        assert run.source.asked == [6.0, 4.0]  # a twentieth of 20 s, from 5 s on
        assert run.source.speed == 2.0

    on_screen(run, check)


def test_what_a_source_cannot_is_said():
    run = Watched(can_seek=False, can_pause=False)

    async def check(pilot):
        await pilot.press("right")
        await until(pilot, "fake.cu8 cannot be set like that")
        await pilot.press("t")
        await until(pilot, "cannot be tuned")
        await pilot.press("r")
        await until(pilot, "--relabelled DIR")
        await pilot.press("space")
        await until(pilot, "held")
        assert run.source.asked == []
        assert not run.source.is_paused

    on_screen(run, check)


def test_a_radio_is_tuned_to_what_is_typed():
    run = Watched(can_tune=True)

    async def check(pilot):
        await pilot.press("t", *"868.3M", "enter")
        assert run.source.asked == [868.3e6]
        await pilot.press("t", *"nowhere", "enter")
        await until(pilot, "'nowhere' is not a frequency")
        assert run.source.asked == [868.3e6]

    on_screen(run, check)


def test_a_corrected_label_is_saved_and_shown(tmp_path):
    run = Watched(tmp_path)

    async def check(pilot):
        run.tell(emission())
        await until(pilot, "OOK")
        await pilot.press("r", *"LoRa", "enter")
        await until(pilot, "corrected from OOK")
        await pilot.press("r", *"<b>", "enter")
        await until(pilot, "A label has")

    on_screen(run, check)
    (meta,) = tmp_path.glob("*.sigmf-meta")
    assert json.loads(meta.read_text())["annotations"][0]["core:label"] == "LoRa"


def test_an_emission_is_exported_into_the_folder_where_the_program_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Watched()

    async def check(pilot):
        run.tell(emission())
        await until(pilot, "OOK")
        await pilot.press("e")
        await until(pilot, "Saved as")

    on_screen(run, check)
    (meta,) = tmp_path.glob("*.sigmf-meta")
    assert json.loads(meta.read_text())["annotations"][0]["core:label"] == "OOK"
    assert meta.with_suffix(".sigmf-data").stat().st_size > 1000


def test_help_tells_the_keys_and_goes_again():
    run = Watched()

    async def check(pilot):
        await pilot.press("question_mark")
        await until(pilot, "follow the newest")
        await pilot.press("q")
        await until(pilot, "no emission yet")
        assert not run.asked_to_end

    on_screen(run, check)


# -- figures -------------------------------------------------------------------------------


def test_losses_are_seen_with_their_cause_and_marked():
    run = Watched()

    async def check(pilot):
        run.figures(wall_s=1.0)
        run.figures(wall_s=2.0, samples=3_400_000, samples_lost=512, lost_by={"device": 512})
        screen = await until(pilot, "512 lost (512 device)")
        assert "2.4 MS/s" in screen
        assert "2 queued" in screen
        strip = pilot.app.query_one("#figures").render_line(0)
        bad = [
            s.text for s in strip if s.style and s.style.color and s.style.color.name == "#ff6b8b"
        ]
        assert "".join(bad) == "512 lost (512 device)"

    on_screen(run, check)


# -- ends ----------------------------------------------------------------------------------


def test_q_ends_the_run_and_then_the_screen():
    run = Watched()

    async def check(pilot):
        await pilot.press("q")
        assert run.asked_to_end == 1
        await pilot.pause(0.3)
        assert not pilot.app.is_running

    on_screen(run, check)


def test_a_run_that_has_ended_stays_to_be_looked_at_and_one_that_failed_does_not():
    run = Watched()

    async def check(pilot):
        run.ended = True
        await until(pilot, "ended")
        await pilot.pause(0.5)
        assert pilot.app.is_running
        run.failed = True
        await pilot.pause(0.5)
        assert not pilot.app.is_running

    on_screen(run, check)


def test_ctrl_c_after_the_end_only_leaves():
    run = Watched()

    async def check(pilot):
        run.ended = True
        await until(pilot, "ended")
        await pilot.press("ctrl+c")  # else KeyboardInterrupt
        await pilot.pause(0.3)
        assert not pilot.app.is_running

    on_screen(run, check)


def test_ctrl_c_is_the_signal_that_it_is_elsewhere():
    run, received = Watched(), []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))

    async def check(pilot):
        await pilot.press("ctrl+c")
        assert received == [signal.SIGINT]
        assert pilot.app.is_running  # until the run has ended
        run.ended = True
        await pilot.pause(0.5)
        assert not pilot.app.is_running

    try:
        on_screen(run, check)
    finally:
        signal.signal(signal.SIGINT, before)


# -- hostile, small, large -----------------------------------------------------------------

HOSTILE = "[bold]\x1b[31m\x07\u202e\nx[/]"


def test_names_from_outside_are_shown_as_they_are_and_do_nothing():
    run = Watched()

    async def check(pilot):
        run.tell(
            emission(label=HOSTILE, family=HOSTILE, truth=HOSTILE, note=HOSTILE, source=HOSTILE)
        )
        screen = await until(pilot, r"[bold]\x1b[31m\x07\u202e\nx[/]")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", screen)

    on_screen(run, check)


@pytest.mark.parametrize("size", [(20, 6), (60, 15), (80, 24), (109, 30), (250, 80)])
def test_it_fits_any_terminal(size):
    run = Watched()

    async def check(pilot):
        run.tell(*(emission(id=k, sample=1000 * k) for k in range(50)))
        run.figures()
        run.rows(40, slice(500, 600))
        await pilot.pause(0.5)
        lines = seen(pilot).splitlines()
        assert len(lines) == size[1]
        await pilot.press("enter", "down", "pageup", "enter")
        await pilot.resize_terminal(100, 30)
        await until(pilot, "help")

    on_screen(run, check, width=size[0], height=size[1])


def test_what_the_run_says_meanwhile_is_seen_and_kept_for_afterwards():
    run = Watched()

    async def check(pilot):
        import sys

        print("the radio has gone", file=sys.stderr)
        await until(pilot, "the radio has gone")
        assert list(pilot.app.said) == ["the radio has gone"]

    on_screen(run, check)


def test_of_very_many_emissions_the_newest_are_kept():
    run = Watched()

    async def check(pilot):
        for k in range(11):
            run.tell(*(emission(id=100 * k + j, sample=100 * k + j) for j in range(100)))
            await pilot.pause()
        await pilot.pause(0.3)
        assert len(pilot.app.following.listing) == 1000
        assert pilot.app.following.listing.rows()[0].key == (0, 1099)

    on_screen(run, check)
