"""Keeping what was not recognised: which samples, which files, and what is not kept."""

from __future__ import annotations

import json
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, WINDOW, FakeEngine, FakeSource, make_blocks
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.config import SourceSettings
from liveclf.dsp.framer import Framer
from liveclf.errors import SinkError
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.history import History
from liveclf.live.stats import Stats
from liveclf.live.unknown import UnknownSaver
from liveclf.records import Block, Detections
from liveclf.sources import open_source

PLENTY = 10**9


def cut(blocks: list[Block], lengths: list[int]) -> list[Block]:
    """Cut blocks into shorter ones; what is left over stays whole."""
    found = []
    for block in blocks:
        at = 0
        for n in [*lengths, len(block.iq)]:
            piece = block.iq[at : at + n]
            if len(piece):
                found.append(replace(block, iq=piece, start_sample=block.start_sample + at))
            at += n
    return found


class Unknown:
    """Decides that windows of these places in the stream are unknown; the loop's output."""

    all_closed = False

    def __init__(self, saver: UnknownSaver, is_unknown: Any) -> None:
        self._saver, self._is_unknown = saver, is_unknown
        self.starts: list[int] = []

    def write(self, found: Detections) -> None:
        unknown = np.array([self._is_unknown(int(k)) for k in found.start_sample], bool)
        self.starts += found.start_sample[unknown].tolist()
        self._saver.write(replace(found, label=np.where(unknown, -1, found.label)))


def saved(
    folder: Path,
    blocks: list[Block],
    is_unknown: Any,
    *,
    hop: int = WINDOW,
    batch: int = 4,
    history: int = 10**6,
    limit_bytes: int = PLENTY,
) -> tuple[UnknownSaver, list[int]]:
    """Run the loop with a saver; return it and the first samples of all unknown windows."""
    kept = History(history)
    saver = UnknownSaver(folder, kept, limit_bytes=limit_bytes, generator="a test")
    output = Unknown(saver, is_unknown)
    decider = Decider(CLASSES, FAMILY_OF, 1.0, top_k=3, min_probability=0.0)
    pipeline.run(
        [pipeline.Stream(FakeSource(blocks), [kept], Framer(WINDOW, hop), Stats(FAMILY_OF))],
        Batcher(batch, 1e9), FakeEngine(batch), decider, output,
    )  # fmt: skip
    saver.close({})
    return saver, output.starts


def recordings(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.sigmf-meta"))


def samples_in(folder: Path) -> dict[int, bytes]:
    """Return every sample that was kept, by its place in the stream."""
    found: dict[int, bytes] = {}
    for path in recordings(folder):
        for block in open_source(SourceSettings(path=str(path))).blocks():
            for k, sample in enumerate(block.iq):
                assert (
                    found.setdefault(block.start_sample + k, sample.tobytes()) == sample.tobytes()
                )
    return found


@settings(max_examples=40)
@given(
    lengths=st.lists(st.integers(1, 40), max_size=12),
    unknown=st.sets(st.integers(0, 29)),
    gap=st.integers(0, 50),
    batch=st.integers(1, 9),
)
def test_the_samples_of_unknown_windows_are_kept_and_no_others(
    lengths, unknown, gap, batch, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("unknown")
    first, second = make_blocks(WINDOW * 15 + 3, WINDOW * 15)
    second = replace(second, start_sample=second.start_sample + gap)
    whole = {b.start_sample + k: s.tobytes() for b in (first, second) for k, s in enumerate(b.iq)}
    saver, starts = saved(
        folder, cut([first, second], lengths), lambda k: k // WINDOW in unknown, batch=batch
    )
    wanted = {k for start in starts for k in range(start, start + WINDOW)}
    assert samples_in(folder) == {k: whole[k] for k in wanted}
    assert saver.kept == len(starts)
    assert saver.not_kept == {"full": 0, "late": 0}
    assert saver.recordings == len(recordings(folder)) == len(stretches(starts))
    assert saver.n_bytes == sum(path.stat().st_size for path in folder.iterdir())


def stretches(starts: list[int]) -> list[int]:
    """Return where stretches of windows begin that follow each other without a break."""
    return [k for i, k in enumerate(starts) if not i or k != starts[i - 1] + WINDOW]


@pytest.mark.parametrize("hop", [4, 7, WINDOW, 40])
def test_windows_that_overlap_share_a_recording_and_those_apart_do_not(tmp_path, hop):
    blocks = make_blocks(400)
    saver, starts = saved(tmp_path, blocks, lambda k: 100 <= k < 200, hop=hop)
    wanted = {k for start in starts for k in range(start, start + WINDOW)}
    assert set(samples_in(tmp_path)) == wanted
    assert saver.recordings == (1 if hop <= WINDOW else len(starts))


def test_a_known_window_between_two_overlapping_ones_ends_the_recording(tmp_path):
    saved(tmp_path, make_blocks(200), lambda k: k in (40, 48), hop=4)
    assert len(recordings(tmp_path)) == 2


def test_the_annotation_says_what_was_guessed_where_and_when(tmp_path):
    blocks = make_blocks(100, epoch_s=1.7e9)
    saved(tmp_path, blocks, lambda k: 16 <= k < 48)
    (path,) = recordings(tmp_path)
    assert path.name == "g001_433M_1000k.sigmf-meta"
    meta = json.loads(path.read_text())
    (annotation,) = meta["annotations"]
    assert (annotation["core:sample_start"], annotation["core:sample_count"]) == (0, 32)
    assert annotation["core:label"] == "unknown"
    assert annotation["core:freq_lower_edge"] == 432.5e6
    assert annotation["core:freq_upper_edge"] == 433.5e6
    assert annotation["core:generator"] == "a test"
    # The engine calls the windows QPSK and 2FSK in turn, 97.5 % each.
    assert annotation["core:comment"].startswith("Guesses over 2 windows: QPSK 49%, 2FSK 49%")
    assert meta["captures"][0]["core:datetime"] == "2023-11-14T22:13:20.000016Z"
    info = open_source(SourceSettings(path=str(path))).info
    assert [(a.start_sample, a.stop_sample, a.label) for a in info.annotations] == [
        (16, 48, "unknown")
    ]


def test_a_retune_begins_another_recording(tmp_path):
    first, second = make_blocks(WINDOW * 4, WINDOW * 4)
    saved(tmp_path, [first, replace(second, center_hz=868.3e6, segment=1)], lambda k: True)
    assert [p.name for p in recordings(tmp_path)] == [
        "g001_433M_1000k.sigmf-meta",
        "g002_868.3M_1000k.sigmf-meta",
    ]


def test_numbers_go_on_where_those_in_the_folder_end(tmp_path):
    (tmp_path / "g041_433.92M_250k.sigmf-data").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a recording")
    unknown_rate = {"sample_rate_hz": math.nan, "center_hz": math.nan}
    saved(tmp_path, make_blocks(WINDOW * 2, **unknown_rate), lambda k: True)
    assert [p.name for p in recordings(tmp_path)] == ["g042_unknown.sigmf-meta"]


def test_a_full_folder_takes_no_more_and_says_how_much_was_not_kept(tmp_path, caplog):
    (tmp_path / "g001_433M.sigmf-data").write_bytes(bytes(50_000))
    blocks = make_blocks(*[WINDOW * 10] * 100)
    limit_bytes = 100_000
    saver, starts = saved(tmp_path, blocks, lambda k: True, limit_bytes=limit_bytes)
    assert 50_000 < sum(path.stat().st_size for path in tmp_path.iterdir()) <= limit_bytes
    assert saver.kept + saver.not_kept["full"] == len(starts) == 1000
    assert 0 < saver.kept < 1000
    assert set(samples_in(tmp_path)) == set(range(saver.kept * WINDOW))
    assert f"{saver.not_kept['full']} not kept, as 0.1 MB are reached (--save-unknown-max)" in (
        saver.report()
    )
    assert [r.message for r in caplog.records].count(
        f"{tmp_path} is full, no more unknown windows are kept."
    ) == 1


def test_windows_whose_samples_are_gone_are_counted(tmp_path):
    blocks = make_blocks(*[WINDOW] * 100)
    saver, starts = saved(tmp_path, blocks, lambda k: True, batch=10, history=WINDOW * 2)
    assert saver.not_kept["late"] == len(starts) == 100
    assert (saver.kept, recordings(tmp_path)) == (0, [])


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be used"):
        UnknownSaver(tmp_path / "file", History(1), limit_bytes=1, generator="")


# -- the history ---------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(0, 50), max_size=30), limit=st.integers(1, 200), data=st.data())
def test_the_newest_samples_are_remembered_and_hardly_more(lengths, limit, data):
    blocks = make_blocks(*lengths)
    history = History(limit)
    for block in blocks:
        assert list(history.push(block)) == [block]
    total = sum(lengths)
    held = history.between(0, total)
    n_held = sum(len(b.iq) for b in held)
    assert min(limit, total) <= n_held < limit + max(lengths, default=0) + 1
    start = data.draw(st.integers(total - min(limit, total), total))
    stop = data.draw(st.integers(start, total))
    found = history.between(start, stop)
    whole = np.concatenate([b.iq for b in blocks]) if blocks else np.empty((0, 2))
    got = np.concatenate([b.iq for b in found]) if found else np.empty((0, 2))
    assert np.array_equal(got, whole[start:stop])
    assert not found or found[0].start_sample == start


def test_what_is_remembered_does_not_change_with_the_buffer_it_came_in():
    (block,) = make_blocks(10)
    before = block.iq.copy()
    history = History(100)
    list(history.push(block))
    block.iq[:] = 0
    assert np.array_equal(history.between(0, 10)[0].iq, before)


def test_one_thread_may_look_while_another_adds():
    history, faults = History(50), []
    blocks = make_blocks(*[10] * 300)
    whole = np.concatenate([b.iq for b in blocks])

    def look() -> None:
        for _ in range(300):
            for b in history.between(0, len(whole)):
                if not np.array_equal(b.iq, whole[b.start_sample : b.start_sample + len(b.iq)]):
                    faults.append(b.start_sample)

    thread = threading.Thread(target=look)
    thread.start()
    for block in blocks:
        list(history.push(block))
    thread.join(60)
    assert not thread.is_alive()
    assert faults == []
