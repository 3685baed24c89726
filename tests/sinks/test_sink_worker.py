"""A sink that blocks or fails stops nothing, and every record is accounted for."""

from __future__ import annotations

import logging
import os
import threading
import time

import pytest

from liveclf.errors import SinkError
from liveclf.sinks import open_sinks
from liveclf.sinks.worker import FanOut, Worker

LIMIT_S = 30.0


class Recorder:
    """Counts what it is given."""

    def __init__(self) -> None:
        self.n_records = 0
        self.summary = None

    def write(self, detections) -> None:
        self.n_records += len(detections)

    def close(self, summary) -> None:
        self.summary = summary


class Gate(Recorder):
    """Blocks in `write` until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.opened = threading.Event()

    def write(self, detections) -> None:
        self.entered.set()
        self.opened.wait(LIMIT_S)
        super().write(detections)


class Raising(Recorder):
    """Raises on the nth write."""

    def __init__(self, error: Exception, nth: int = 1) -> None:
        super().__init__()
        self.error, self.nth, self.n_calls = error, nth, 0

    def write(self, detections) -> None:
        self.n_calls += 1
        if self.n_calls == self.nth:
            raise self.error
        super().write(detections)


@pytest.fixture
def gate():
    gate = Gate()
    yield gate
    gate.opened.set()


def ended(*workers: Worker) -> None:
    """Wait until the threads have noticed that their outputs are gone."""
    give_up_s = time.monotonic() + LIMIT_S
    while any(worker.state == "ok" for worker in workers):
        assert time.monotonic() < give_up_s
        time.sleep(0.001)


def test_everything_reaches_every_sink_and_the_summary_too(make):
    sinks = [Recorder(), Recorder()]
    out = FanOut([Worker(f"sink{k}", sink, is_live=False) for k, sink in enumerate(sinks)])
    for k in range(200):
        out.write(make(3, seed=k))
    reports = out.close({"windows": 600})
    assert [(r.name, r.n_written, r.n_dropped, r.state, r.message) for r in reports] == [
        ("sink0", 600, 0, "ok", ""),
        ("sink1", 600, 0, "ok", ""),
    ]
    assert [(s.n_records, s.summary) for s in sinks] == [(600, {"windows": 600})] * 2
    assert out.close({}) is reports


def test_a_live_source_never_waits_and_drops_are_counted_exactly(make, gate, caplog):
    out = FanOut([Worker("slow", gate, is_live=True, depth_batches=4, wait_s=LIMIT_S)])
    batch = make(7)
    out.write(batch)
    assert gate.entered.wait(LIMIT_S)
    with caplog.at_level(logging.WARNING):
        for _ in range(9):  # four find room
            out.write(batch)
    gate.opened.set()
    (report,) = out.close({}, LIMIT_S)
    assert (report.n_written, report.n_dropped, report.state) == (5 * 7, 5 * 7, "ok")
    assert gate.n_records == 5 * 7
    assert report.message == "slow is slower than the stream; some records were dropped."
    assert caplog.messages == [report.message]


def test_a_slow_reader_of_a_replay_loses_nothing(make):
    class Slow(Recorder):
        def write(self, detections) -> None:
            time.sleep(0.002)
            super().write(detections)

    sink = Slow()
    out = FanOut([Worker("slow", sink, is_live=False, depth_batches=4)])
    for k in range(100):
        out.write(make(5, seed=k))
    (report,) = out.close({})
    assert (report.n_written, report.n_dropped, report.message) == (500, 0, "")


def test_a_blocked_reader_of_a_replay_is_waited_for_only_once(make, gate):
    worker = Worker("blocked", gate, is_live=False, depth_batches=2, wait_s=0.1)
    batch = make(1)
    worker.submit(batch)
    assert gate.entered.wait(LIMIT_S)
    start_s = time.monotonic()
    for _ in range(202):
        worker.submit(batch)
    assert time.monotonic() - start_s < 200 * 0.1 / 2
    gate.opened.set()
    while gate.n_records < 3:
        time.sleep(0.001)
    worker.submit(batch)  # there is room again
    worker.finish({})
    report = worker.join(LIMIT_S)
    assert (report.n_written, report.n_dropped) == (4, 200)


def test_the_user_can_end_a_wait(make, gate):
    out = FanOut([Worker("blocked", gate, is_live=False, depth_batches=1, wait_s=10 * LIMIT_S)])
    writer = threading.Thread(target=lambda: [out.write(make(1)) for _ in range(5)])
    writer.start()
    assert gate.entered.wait(LIMIT_S)
    out.stop_waiting()
    writer.join(LIMIT_S)
    assert not writer.is_alive()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            SinkError("out.jsonl cannot be written: disk full."),
            "out.jsonl cannot be written: disk full.",
        ),
        (ZeroDivisionError("oops"), "bad failed: ZeroDivisionError: oops."),
    ],
)
def test_a_failing_sink_leaves_the_others_alone(make, error, message, caplog):
    good, bad = Recorder(), Raising(error, nth=3)
    workers = [Worker("bad", bad, is_live=False), Worker("good", good, is_live=False)]
    out = FanOut(workers)
    for k in range(300):
        out.write(make(2, seed=k))
    bad_report, good_report = out.close({"end": 1})
    assert (bad_report.n_written, bad_report.n_dropped) == (4, 596)
    assert (bad_report.state, bad_report.message) == ("failed", message)
    assert (good_report.n_written, good_report.state) == (600, "ok")
    assert bad.n_calls == 3
    assert bad.summary is not None  # closed all the same
    assert message in caplog.messages


def test_a_sink_that_fails_to_close_has_failed(make):
    class Bad(Recorder):
        def close(self, summary) -> None:
            raise SinkError("quota.")

    out = FanOut([Worker("bad", Bad(), is_live=False)])
    out.write(make(2))
    (report,) = out.close({})
    assert (report.state, report.message, report.n_written) == ("failed", "quota.", 2)


def test_a_reader_that_goes_away_is_no_error_and_can_end_the_run(make, caplog):
    gone, good = Raising(BrokenPipeError()), Recorder()
    workers = [Worker("jsonl", gone, is_live=False), Worker("good", good, is_live=False)]
    out = FanOut(workers)
    only = FanOut(workers[:1])
    out.write(make(4))
    ended(workers[0])
    assert only.all_closed
    assert not out.all_closed
    report, _ = out.close({})
    assert (report.state, report.n_written, report.n_dropped) == ("closed", 0, 4)
    assert report.message == "jsonl was closed by its reader."
    assert caplog.messages == []


def test_without_outputs_the_run_goes_on(make):
    out = FanOut([])
    out.write(make(1))
    assert not out.all_closed
    assert out.close({}) == ()


def test_a_full_disk_is_one_sentence(make, info):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs /dev/full")
    out = open_sinks(["jsonl:/dev/full", "null"], is_live=False, info=info)
    out.write(make(10))
    full, null = out.close({})
    assert (full.state, full.n_written, full.n_dropped) == ("failed", 0, 10)
    assert full.message == "jsonl:/dev/full cannot be written: No space left on device."
    assert (null.state, null.n_written) == ("ok", 10)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_hung_write_is_left_behind_and_logged_once(make, gate, is_live, caplog):
    out = FanOut(
        [
            Worker("hung", gate, is_live=is_live, depth_batches=2),
            Worker("ok", Recorder(), is_live=is_live),
        ]
    )
    for _ in range(2):
        out.write(make(3))
    assert gate.entered.wait(LIMIT_S)
    start_s = time.monotonic()
    hung, good = out.close({}, 0.1)
    assert time.monotonic() - start_s < LIMIT_S / 2
    assert (hung.state, hung.n_written, hung.n_dropped) == ("stalled", 0, 6)
    assert (
        hung.message
        == "hung was still blocked when the run ended; 6 of its records may be missing."
    )
    out.close({})
    assert caplog.messages == [hung.message]
    assert (good.state, good.n_written) == ("ok", 6)


def test_at_the_end_of_a_replay_progress_counts_not_time(make):
    class Slow(Recorder):
        def write(self, detections) -> None:
            time.sleep(0.02)
            super().write(detections)

    out = FanOut([Worker("slow", Slow(), is_live=False)])
    for _ in range(40):
        out.write(make(1))
    (report,) = out.close({}, 0.5)
    assert (report.n_written, report.state) == (40, "ok")


def test_a_sink_with_something_to_show_is_asked_while_nothing_comes():
    class Shown(Recorder):
        def __init__(self) -> None:
            super().__init__()
            self.drawn = threading.Event()

        def redraw(self) -> None:
            self.drawn.set()

    sink = Shown()
    out = FanOut([Worker("table", sink, is_live=True)])
    assert sink.drawn.wait(LIMIT_S)
    (report,) = out.close({})
    assert report.state == "ok"


def test_a_listener_gets_everything_and_keeps_no_run_going(make):
    gone, listening = Raising(BrokenPipeError()), Recorder()
    output = Worker("jsonl", gone, is_live=False)
    out = FanOut([output])
    out.add_listener(Worker("listener", listening, is_live=False))
    out.write(make(4))
    ended(output)
    assert out.all_closed
    _, report = out.close({})
    assert (report.name, report.n_written, report.state) == ("listener", 4, "ok")


class Away(Recorder):
    """A sink to somebody who is away: it waits until it is to give up."""

    trouble = "away cannot be reached: nobody is there."

    def __init__(self) -> None:
        super().__init__()
        self.n_lost = self.n_attended = 0
        self.gave_up = threading.Event()

    def write(self, detections) -> None:
        if not self.gave_up.wait(LIMIT_S):
            return
        self.n_lost += len(detections) - 1  # one got through

    def attend(self) -> None:
        self.n_attended += 1

    def give_up(self) -> None:
        self.gave_up.set()


@pytest.mark.parametrize("is_live", [True, False])
def test_a_sink_to_somebody_who_is_away_is_told_to_give_up_and_says_what_was_lost(
    make, is_live, caplog
):
    sink = Away()
    out = FanOut([Worker("away", sink, is_live=is_live)])
    for _ in range(5):
        out.write(make(4))
    (report,) = out.close({"end": 1}, 0.1)
    assert (report.n_written, report.n_dropped, report.state) == (1, 19, "ok")
    assert report.message == sink.trouble
    assert caplog.messages == [f"{sink.trouble} Records not delivered: 19."]
    assert sink.summary == {"end": 1}  # closed in order


def test_a_sink_with_a_connection_is_asked_to_look_after_it_while_nothing_comes():
    sink = Away()
    out = FanOut([Worker("away", sink, is_live=True)])
    give_up_s = time.monotonic() + LIMIT_S
    while not sink.n_attended:
        assert time.monotonic() < give_up_s
        time.sleep(0.01)
    (report,) = out.close({})
    assert (report.state, report.n_dropped) == ("ok", 0)


# -- while it runs ---------------------------------------------------------------------------


def test_how_an_output_is_can_be_asked_while_it_blocks_and_agrees_with_the_report(make, gate):
    out = FanOut([Worker("gate", gate, is_live=True, depth_batches=2)])
    assert (out.current[0].n_records, out.current[0].n_room) == (0, 2)
    out.write(make(3))
    assert gate.entered.wait(LIMIT_S)
    for _ in range(5):
        out.write(make(3))
    (now,) = out.current
    assert (now.name, now.state, now.is_connected) == ("gate", "ok", True)
    assert (now.n_records, now.n_dropped, now.n_waiting) == (18, 9, 2)
    assert "slower than the stream" in now.message
    gate.opened.set()
    (report,) = out.close({})
    (now,) = out.current
    assert (now.n_dropped, now.n_waiting) == (report.n_dropped, 0) == (9, 0)
    assert now.n_records - now.n_dropped == report.n_written == gate.n_records


@pytest.mark.parametrize("nth", [1, 3])
def test_what_waits_for_an_output_that_fails_is_dropped(make, nth):
    out = FanOut([Worker("bad", Raising(SinkError("Disk full."), nth), is_live=True)])
    for _ in range(nth):
        out.write(make(4))
    ended(*out._workers)
    out.write(make(4))
    (now,) = out.current
    assert (now.state, now.message) == ("failed", "Disk full.")
    assert (now.n_records, now.n_dropped) == (4 * nth + 4, 8)
    (report,) = out.close({})
    assert report.n_dropped == now.n_dropped == out.current[0].n_dropped


def test_somebody_who_is_away_is_seen_and_what_was_lost_is_counted_at_the_end(make):
    class Unconnected(Away):
        is_connected = False

    out = FanOut([Worker("away", Unconnected(), is_live=True)])
    for _ in range(5):
        out.write(make(4))
    (now,) = out.current
    assert not now.is_connected
    assert now.message == Away.trouble
    (report,) = out.close({}, 0.1)
    assert out.current[0].n_dropped == report.n_dropped == 19
