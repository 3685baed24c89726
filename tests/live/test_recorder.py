"""Recordings: what is written is what came, whatever the blocks, the gaps and the faults."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.config import SourceSettings
from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.errors import SinkError
from liveclf.live import sigmf_file
from liveclf.live.recorder import Recorder
from liveclf.records import Annotation, Block, SampleFormat
from liveclf.sources import open_source

T0 = 1_770_000_000.25
RADIO = SampleFormat("cs16", np.dtype("<i2"), 0.0, 2048.0)  # twelve bits in sixteen
BIG = SampleFormat("cs16_be", np.dtype(">i2"), 0.0, 32768.0)
HALF = SampleFormat("cf16", np.dtype("<f2"), 0.0, 1.0)


def block(n: int, at: int = 0, fmt: SampleFormat = FORMATS["cu8"], **values: Any) -> Block:
    """Make samples whose values tell their place in the stream."""
    place = np.arange(2 * at, 2 * (at + n)).reshape(-1, 2)
    known = {
        "segment": 0, "sample_rate_hz": 1e6, "center_hz": 433e6, "epoch_s": T0, "received_s": 0.0
    }  # fmt: skip
    return Block((place % 97 + 1).astype(fmt.dtype), fmt, at, **(known | values))


def recorded(folder: Path, blocks: list[Block], **settings: Any) -> Recorder:
    recorder = Recorder(folder / "x.sigmf-meta", {"core:hw": "a radio"}, **settings)
    for one in blocks:
        recorder.write(one)
    recorder.close()
    return recorder


def replayed(path: Path) -> list[Block]:
    return list(open_source(SourceSettings(path=str(path))).blocks())


def meta_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def stretches(blocks: list[Block]) -> list[tuple[Any, ...]]:
    """Join what follows without a break: (first sample, bytes, format, rate, centre, clock)."""
    found: list[list[Any]] = []
    last: Block | None = None
    for one in blocks:
        if not len(one.iq):
            continue
        follows = last is not None and one.start_sample == last.start_sample + len(last.iq)
        if follows and last is not None and one.stretch == last.stretch:
            found[-1][1] += one.iq.tobytes()
        else:
            clock = None if math.isnan(one.epoch_s) else round(one.epoch_s, 5)
            about = [repr(one.sample_rate_hz), repr(one.center_hz), clock]
            found.append([one.start_sample, one.iq.tobytes(), one.format.dtype, *about])
        last = one
    return [tuple(stretch) for stretch in found]


def windows(blocks: list[Block]) -> list[tuple[Any, ...]]:
    framer = Framer(16)
    return [
        (w.x[k].tobytes(), int(w.start_sample[k]), int(w.gap_before[k]), repr(w.center_hz[k]))
        for one in blocks
        if len(one.iq)  # an empty one says only that time passes
        for w in framer.push(one)
        for k in range(len(w))
    ]


@st.composite
def streams(draw: st.DrawFn) -> list[Block]:
    """A stream cut anywhere, with gaps, retunes and joints anywhere."""
    fmt = draw(st.sampled_from([*FORMATS.values(), RADIO, BIG]))
    has_clock = draw(st.booleans())
    at, segment, center_hz, blocks = draw(st.integers(0, 2**40)), 0, 433e6, []
    for _ in range(draw(st.integers(1, 12))):
        event = draw(st.sampled_from(["none", "none", "gap", "retune", "joint"]))
        at += draw(st.integers(1, 10**6)) if event == "gap" else 0
        segment += event in ("retune", "joint")
        center_hz = (
            draw(st.sampled_from([math.nan, 868e6, 0.0])) if event == "retune" else center_hz
        )
        n = draw(st.integers(0, 60))
        values = {"segment": segment, "center_hz": center_hz}
        blocks.append(block(n, at, fmt, epoch_s=T0 if has_clock else math.nan, **values))
        at += n
    return blocks


@settings(max_examples=60)
@given(blocks=streams())
def test_a_recording_replays_as_the_stream_it_was(
    blocks: list[Block], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rec")
    recorder = recorded(folder, blocks)
    if not any(len(one.iq) for one in blocks):
        assert list(folder.iterdir()) == []
        return
    again = replayed(folder / "x.sigmf-meta")
    assert stretches(again) == stretches(blocks)
    assert windows(again) == windows(blocks)
    assert recorder.n_captures == len(stretches(blocks))
    data = (folder / "x.sigmf-data").read_bytes()
    assert data == b"".join(one.iq.tobytes() for one in blocks)
    info = meta_of(folder / "x.sigmf-meta")["global"]
    assert info["core:sha512"] == hashlib.sha512(data).hexdigest()
    assert sorted(f.name for f in folder.iterdir()) == ["x.sigmf-data", "x.sigmf-meta"]


def test_the_official_package_finds_the_recording_valid_and_its_hash_right(tmp_path):
    sigmf = pytest.importorskip("sigmf")
    recorded(tmp_path, [block(100), block(50, 300, fmt=FORMATS["cu8"], center_hz=868e6)])
    file = sigmf.sigmffile.fromfile(str(tmp_path / "x.sigmf-meta"))  # verifies the hash
    file.validate()
    assert file.sample_count == 150
    first, second = file.get_captures()
    assert (first["core:global_index"], second["core:global_index"]) == (0, 300)
    assert (second["core:sample_start"], second["core:frequency"]) == (100, 868e6)
    assert second["core:datetime"] == "2026-02-02T02:40:00.250300Z"
    assert file.get_global_field("core:hw") == "a radio"


def test_every_stored_format_is_one_that_the_schema_knows(tmp_path):
    from sigmf.validate import validate

    for fmt in (*FORMATS.values(), RADIO, BIG, HALF):
        folder = tmp_path / f"{fmt.name}{fmt.full_scale}"
        folder.mkdir()
        recorded(folder, [block(10, fmt=fmt)])
        validate(meta_of(folder / "x.sigmf-meta"))


def test_a_full_scale_of_its_own_comes_back(tmp_path):
    recorded(tmp_path, [block(100, fmt=RADIO)])
    (again,) = replayed(tmp_path / "x.sigmf-meta")
    assert again.format == RADIO


def test_what_sigmf_has_no_name_for_becomes_cf32(tmp_path):
    recorded(tmp_path, [block(100, fmt=HALF)])
    (again,) = replayed(tmp_path / "x.sigmf-meta")
    assert again.format == FORMATS["cf32"]
    assert again.iq.tolist() == block(100, fmt=HALF).iq.astype(float).tolist()


def test_another_rate_or_format_goes_on_in_another_recording(tmp_path):
    blocks = [
        block(10),
        block(10, 10, sample_rate_hz=2e6),
        block(10, 20, sample_rate_hz=2e6, fmt=FORMATS["cs16"]),
    ]
    recorder = recorded(tmp_path, blocks)
    names = ["x.sigmf-meta", "x-2.sigmf-meta", "x-3.sigmf-meta"]
    assert [file.path.name for file in recorder.files] == names
    again = [one for name in names for one in replayed(tmp_path / name)]
    assert stretches(again) == stretches(blocks)


def test_labels_of_the_source_move_to_where_their_samples_are(tmp_path):
    labels = [
        Annotation(0, 50, "before"),
        Annotation(90, 120, "begins before"),
        Annotation(140, 210, "over the gap", 1e6, 1.2e6),
        Annotation(150, 200, "in the gap"),
        Annotation(390, 500, "ends behind"),
    ]
    blocks = [block(50, 100), block(200, 200)]  # 100 to 149, 200 to 399
    recorded(tmp_path, blocks, annotations=labels)
    info = open_source(SourceSettings(path=str(tmp_path / "x.sigmf-meta"))).info
    assert info.annotations == (
        Annotation(100, 120, "begins before"),
        Annotation(140, 210, "over the gap", 1e6, 1.2e6),
        Annotation(390, 400, "ends behind"),
    )


def test_a_recording_that_nobody_ended_can_be_replayed_up_to_its_last_block(tmp_path, monkeypatch):
    # On a disk that is slow, the metadata are not written with every block.
    monkeypatch.setattr(sigmf_file, "time", SimpleNamespace(monotonic=lambda: 0.0))
    blocks = [block(10), block(10, 50), block(10, 60, segment=1, center_hz=868e6)]
    recorder = Recorder(tmp_path / "x.sigmf-meta", {})
    for k, one in enumerate(blocks):
        recorder.write(one)
        assert stretches(replayed(tmp_path / "x.sigmf-meta")) == stretches(blocks[: k + 1])


def test_long_metadata_are_not_written_for_every_gap(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "x.sigmf-meta", {})
    recorder.write(block(10))
    saved = []
    now_s = [0.0]

    def save() -> None:  # which takes a second
        saved.append(now_s[0])
        now_s[0] += 1

    monkeypatch.setattr(recorder.files[0], "_save", save)
    monkeypatch.setattr("liveclf.live.sigmf_file.time.monotonic", lambda: now_s[0])
    recorder.files[0]._save_again_s = 0.0
    for k in range(1, 101):
        recorder.write(block(10, 20 * k))
        now_s[0] += 1
    assert 2 <= len(saved) <= 6


def test_a_recording_that_is_there_is_kept_unless_it_may_be_replaced(tmp_path):
    recorded(tmp_path, [block(10)])
    before = (tmp_path / "x.sigmf-data").read_bytes()
    with pytest.raises(SinkError, match="file exists"):
        recorded(tmp_path, [block(20, 5)])
    assert (tmp_path / "x.sigmf-data").read_bytes() == before
    recorded(tmp_path, [block(20, 5)], overwrite=True)
    assert stretches(replayed(tmp_path / "x.sigmf-meta")) == stretches([block(20, 5)])


class FullDisk:
    """Takes so many bytes, then part of one call, then none; `is_full` also for metadata."""

    def __init__(self, file: Any, room_bytes: int) -> None:
        self._file, self.room_bytes = file, room_bytes

    def write(self, data: memoryview) -> int:
        if not self.room_bytes:
            raise OSError(28, "No space left on device")
        n = self._file.write(data[: self.room_bytes])
        self.room_bytes -= n
        return n

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@pytest.mark.parametrize("room_bytes", [0, 1, 4, 5, 15, 36])
def test_a_full_disk_leaves_a_valid_recording_and_one_sentence(tmp_path, room_bytes):
    blocks = [block(10, fmt=FORMATS["cs16"]), block(10, 30, fmt=FORMATS["cs16"])]
    recorder = Recorder(tmp_path / "x.sigmf-meta", {})
    recorder.write(blocks[0])
    file = recorder.files[0]
    file._data = FullDisk(file._data, room_bytes)
    with pytest.raises(SinkError, match=r"no space left on device; the \d+ samples before are"):
        recorder.write(blocks[1])
    recorder.close()
    left = room_bytes // 4
    kept = [blocks[0], replace(blocks[1], iq=blocks[1].iq[:left])]
    assert stretches(replayed(tmp_path / "x.sigmf-meta")) == stretches(kept)
    assert recorder.n_samples == 10 + left


def test_a_disk_too_full_for_the_metadata_costs_the_newest_samples(tmp_path, monkeypatch):
    blocks = [block(1_000_000), block(100, 1_000_050)]
    recorder = Recorder(tmp_path / "x.sigmf-meta", {})
    recorder.write(blocks[0])
    file = recorder.files[0]
    save, attempts = file._save, []

    def full_once() -> None:
        attempts.append(file.n_samples)
        if len(attempts) <= 2:  # for the capture that the gap begins, and at the end
            raise OSError(28, "No space left on device")
        save()

    monkeypatch.setattr(file, "_save", full_once)
    monkeypatch.setattr(file, "_save_again_s", 0.0)
    with pytest.raises(SinkError, match=r"no space left on device; the 9\d\d,\d{3} samples"):
        recorder.write(blocks[1])
    (first, *_) = replayed(tmp_path / "x.sigmf-meta")
    n = recorder.n_samples
    assert 900_000 < n < 1_000_000
    assert (tmp_path / "x.sigmf-data").read_bytes() == blocks[0].iq[:n].tobytes()
    assert first.start_sample == 0


def test_nothing_is_left_of_a_recording_without_a_sample(tmp_path):
    recorder = Recorder(tmp_path / "x.sigmf-meta", {})
    recorder.write(block(0))
    recorder.close()
    recorder.close()
    assert list(tmp_path.iterdir()) == []
