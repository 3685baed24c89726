"""SigMF annotations, judged by the official package and by our own reader."""

from __future__ import annotations

import json
import logging
import os
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sigmf
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf import __version__
from liveclf.config import SourceSettings
from liveclf.dsp.decimate import Decimator
from liveclf.dsp.formats import FORMATS
from liveclf.emissions import Emission, Emissions
from liveclf.errors import SinkError, UsageError
from liveclf.records import Annotation, Capture, Dataset, Detections, StreamInfo
from liveclf.sinks import open_sinks, parse_outputs
from liveclf.sinks import sigmf as module
from liveclf.sinks.sigmf import SAVE_S, SigmfSink
from liveclf.sources import open_source

N = 100_000
IQ = np.random.default_rng(3).integers(0, 256, (N, 2), dtype=np.uint8)


@pytest.fixture
def raw(tmp_path) -> Path:
    """A recording as rtl_433 names it."""
    path = tmp_path / "g001_433.92M_250k.cu8"
    path.write_bytes(IQ.tobytes())
    return path


@pytest.fixture
def pair(tmp_path) -> Path:
    """A SigMF recording of two captures, with an annotation and keys that we do not know."""
    (tmp_path / "x.sigmf-data").write_bytes(IQ.tobytes())
    meta = {
        "global": {
            "core:datatype": "cu8", "core:version": "1.0.0", "core:sample_rate": 250000,
            "core:author": "Ω", "core:offset": 500, "antenna:gain": 3,
            "core:extensions": [{"name": "antenna", "version": "1.0.0", "optional": True}],
        },
        "captures": [
            {"core:sample_start": 500, "core:frequency": 433.92e6, "core:global_index": 0},
            {"core:sample_start": 60500, "core:frequency": 868e6, "core:global_index": 90000},
        ],
        "annotations": [
            {"core:sample_start": 50000, "core:sample_count": 10, "core:label": "theirs"}
        ],
    }  # fmt: skip
    path = tmp_path / "x.sigmf-meta"
    path.write_text(json.dumps(meta), encoding="utf-8")
    return path


def info_of(path: Path, **flags: Any) -> StreamInfo:
    return open_source(SourceSettings(path=str(path), **flags)).info


def annotate(out: Path, info: StreamInfo, *emissions: Emission) -> None:
    output = open_sinks([f"sigmf:{out}"], is_live=False, info=info, reports=Emissions)
    for emission in emissions:
        output.write(Emissions((emission,)))
    (report,) = output.close({"samples": 1})
    assert (report.state, report.n_written, report.message) == ("ok", len(emissions), "")


def meta_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def places(path: Path) -> list[tuple[Any, ...]]:
    return [
        (a["core:sample_start"], a["core:sample_count"], a["core:label"])
        for a in meta_of(path)["annotations"]
    ]


# -- what an annotation says ------------------------------------------------------------


def test_an_emission_is_an_annotation_of_core_and_of_our_own_keys(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1, note="weak"))
    (annotation,) = meta_of(out)["annotations"]
    assert annotation == {
        "core:sample_start": 25_000,
        "core:sample_count": 15_750,
        "core:freq_lower_edge": 433.9504e6 - 21e3,
        "core:freq_upper_edge": 433.9504e6 + 21e3,
        "core:label": "OOK",
        "core:comment": "OOK 97%, family ASK 98%, SNR 18.2 dB, 3 windows, weak",
        "core:generator": f"liveclf {__version__}",
        "liveclf:id": 1,
        "liveclf:state": "closed",
        "liveclf:label": "OOK",
        "liveclf:probability": 0.97,
        "liveclf:family": "ASK",
        "liveclf:family_probability": 0.98,
        "liveclf:top": [["OOK", 0.97], ["4ASK", 0.02]],
        "liveclf:snr_db": 18.25,
        "liveclf:power_dbfs": -31.5,
        "liveclf:symbol_rate_hz": 2000.0,
        "liveclf:n_windows": 3,
        "liveclf:note": "weak",
    }


def test_what_is_not_known_is_left_out(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    unknown = dict.fromkeys(("offset_hz", "bandwidth_hz", "center_hz", "symbol_rate_hz"), None)
    annotate(out, info_of(raw), emission(1, snr_db=float("inf"), **unknown))
    (annotation,) = meta_of(out)["annotations"]
    absent = ("core:freq_lower_edge", "core:freq_upper_edge", "liveclf:snr_db", "liveclf:note")
    assert annotation.keys().isdisjoint({*absent, "liveclf:symbol_rate_hz"})
    sigmf.fromfile(out).validate()


def test_one_that_is_told_again_is_one_annotation_and_all_are_in_order(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(
        out,
        info_of(raw),
        emission(2, state="open", n_samples=100),
        emission(1, label="2FSK"),
        emission(2, label="AM-DSB-SC"),
    )
    assert places(out) == [(25_000, 15_750, "2FSK"), (50_000, 15_750, "AM-DSB-SC")]


# -- recordings that are not SigMF ------------------------------------------------------


def wav_of(path: Path) -> np.ndarray:
    iq = np.arange(2 * N, dtype="<i2").reshape(N, 2)
    fmt = struct.pack("<HHIIHH", 1, 2, 250_000, 1_000_000, 4, 16)
    data = iq.tobytes()
    tail = b"LIST" + struct.pack("<I", 6) + b"abcdef"
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + len(tail)) + body + tail)
    return iq


def test_a_raw_file_is_described_as_a_non_conforming_dataset(raw, emission):
    out = raw.with_name("anything.sigmf-meta")
    before = raw.read_bytes()
    annotate(out, info_of(raw), emission(1))
    meta = meta_of(out)
    assert meta["global"] == {
        "core:datatype": "cu8",
        "core:version": "1.2.6",
        "core:sample_rate": 250e3,
        "core:dataset": raw.name,
        "core:extensions": [{"name": "liveclf", "version": "1.1.0", "optional": True}],
    }
    assert meta["captures"] == [
        {"core:sample_start": 0, "core:global_index": 0, "core:frequency": 433.92e6}
    ]
    theirs = sigmf.fromfile(out)
    theirs.validate()
    assert theirs.sample_count == N
    assert theirs.get_annotations()[0]["core:label"] == "OOK"
    iq = theirs.read_samples(25_000, 100)
    assert np.allclose(iq.real, (IQ[25_000:25_100, 0] - 128.0) / 128)
    (annotation,) = info_of(out).annotations
    assert annotation == Annotation(25_000, 40_750, "OOK", 433_929_400.0, 433_971_400.0, 18.25)
    assert raw.read_bytes() == before


@pytest.mark.parametrize("kind", ["wav", "npy"])
def test_a_header_and_what_follows_the_samples_are_told(tmp_path, emission, kind):
    path, out = tmp_path / f"a_433.92M.{kind}", tmp_path / "a.sigmf-meta"
    if kind == "wav":
        iq = wav_of(path)
    else:
        iq = np.arange(2 * N, dtype="<i2").reshape(N, 2)
        np.save(path, iq)
        with path.open("ab") as file:
            file.write(b"trailing")
    annotate(out, info_of(path), emission(1))
    theirs = sigmf.fromfile(out)
    theirs.validate()
    assert (theirs.datatype, theirs.sample_count) == ("ci16_le", N)
    assert np.allclose(theirs.read_samples(7, 3).imag, iq[7:10, 1] / 32768.0)
    (block, *_) = open_source(SourceSettings(path=str(out))).blocks()
    assert np.array_equal(block.iq, iq[: len(block.iq)])
    assert block.center_hz == 433.92e6


def test_a_link_makes_a_raw_file_a_conforming_recording(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    out.with_suffix(".sigmf-data").symlink_to(raw.name)
    annotate(out, info_of(raw), emission(1))
    assert "core:dataset" not in meta_of(out)["global"]
    sigmf.fromfile(out).validate()


def test_samples_that_sigmf_has_no_word_for_are_refused(tmp_path):
    path = tmp_path / "a.wav"
    fmt = struct.pack("<HHIIHH", 1, 2, 250_000, 1_500_000, 6, 24)
    body = b"WAVEfmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", 600) + bytes(600)
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    with pytest.raises(UsageError, match=r"no word for the cs24 samples of a\.wav; convert it"):
        SigmfSink(tmp_path / "a.sigmf-meta", info_of(path).dataset, "sigmf:a")
    assert not (tmp_path / "a.sigmf-meta").exists()


def test_a_rate_that_nobody_knows_is_left_out(tmp_path, emission):
    path, out = tmp_path / "a.cu8", tmp_path / "a.sigmf-meta"
    path.write_bytes(IQ.tobytes())
    annotate(out, info_of(path), emission(1, offset_hz=None, bandwidth_hz=None))
    assert "core:sample_rate" not in meta_of(out)["global"]
    assert "core:frequency" not in meta_of(out)["captures"][0]
    sigmf.fromfile(out).validate()


# -- SigMF recordings -------------------------------------------------------------------


def test_the_recordings_own_metadata_are_extended_if_exactly_they_are_named(pair, emission):
    before = meta_of(pair)
    annotate(pair, info_of(pair), emission(1), emission(2, sample=100_000, n_samples=500))
    after = meta_of(pair)
    ours = {"name": "liveclf", "version": "1.1.0", "optional": True}
    theirs = before["global"]["core:extensions"]
    assert after["global"] == before["global"] | {"core:extensions": [*theirs, ours]}
    assert after["captures"] == before["captures"]
    # Sample 100,000 of the stream is 70,000 of the file, as 30,000 were lost; it counts from 500.
    assert places(pair) == [
        (25_500, 15_750, "OOK"),
        (50_000, 10, "theirs"),
        (70_500, 500, "OOK"),
    ]
    assert after["annotations"][2]["core:freq_lower_edge"] == 868e6 + 30.4e3 - 21e3
    sigmf.fromfile(pair).validate()
    told = (Annotation(a.start_sample, a.stop_sample, a.label) for a in info_of(pair).annotations)
    assert tuple(told) == (
        Annotation(25_000, 40_750, "OOK"),
        Annotation(49_500, 49_510, "theirs"),
        Annotation(100_000, 100_500, "OOK"),
    )


def test_another_name_leaves_the_recordings_own_metadata_alone(pair, emission):
    out, before = pair.with_name("labels.sigmf-meta"), pair.read_bytes()
    annotate(out, info_of(pair), emission(1))
    assert pair.read_bytes() == before
    assert meta_of(out)["global"]["core:dataset"] == "x.sigmf-data"
    assert [label for *_, label in places(out)] == ["OOK", "theirs"]
    assert np.array_equal(
        next(iter(open_source(SourceSettings(path=str(out))).blocks())).iq[0], IQ[0]
    )


def test_a_rerun_replaces_what_the_last_run_wrote_and_nothing_else(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1), emission(2), emission(3))
    meta = meta_of(out)
    meta["global"]["core:author"] = "me"
    meta["annotations"].append(
        {"core:sample_start": 10, "core:sample_count": 5, "core:label": "x", "big:n": 10**30}
    )
    meta["annotations"][1]["core:label"] = "garage door"  # corrected by hand
    out.write_text(json.dumps(meta), encoding="utf-8")
    annotate(out, info_of(raw), emission(1, label="2FSK"))
    assert places(out) == [
        (10, 5, "x"),
        (25_000, 15_750, "2FSK"),
        (50_000, 15_750, "garage door"),
    ]
    assert meta_of(out)["annotations"][0]["big:n"] == 10**30
    assert meta_of(out)["global"]["core:author"] == "me"
    assert len(meta_of(out)["global"]["core:extensions"]) == 1


def test_a_rerun_with_the_right_centre_corrects_it(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1))
    annotate(out, info_of(raw, center_hz=(868e6,)), emission(1, center_hz=868.0304e6))
    meta = meta_of(out)
    assert meta["captures"][0]["core:frequency"] == 868e6
    assert meta["annotations"][0]["core:freq_upper_edge"] == 868.0304e6 + 21e3


def test_a_run_that_finds_nothing_removes_what_the_last_one_found(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1))
    annotate(out, info_of(raw))
    assert places(out) == []


# -- where it points --------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 4, 7])
def test_positions_are_those_of_the_file_whatever_is_decimated(raw, emission, factor):
    out = raw.with_name("a.sigmf-meta")
    info = Decimator(factor).describe(info_of(raw))
    last = N // factor
    annotate(
        out, info, emission(1, sample=100, n_samples=50), emission(2, sample=last, n_samples=99)
    )
    assert places(out) == [
        (100 * factor, 50 * factor, "OOK"),
        (last * factor, N - last * factor, "OOK"),
    ]
    assert meta_of(out)["global"]["core:sample_rate"] == 250e3
    info_of(out)  # none is beyond the end


@settings(max_examples=100, deadline=None)
@given(
    lengths=st.lists(st.integers(0, 50), min_size=1, max_size=5),
    gaps=st.lists(st.integers(0, 30), min_size=5, max_size=5),
    start=st.integers(0, 300),
    length=st.integers(0, 100),
)
def test_a_stretch_of_the_stream_is_the_same_stretch_of_the_file(
    tmp_path_factory, emission, lengths, gaps, start, length
):
    """Against a table of every sample of the file and where in the stream it was."""
    captures, at, absolute, stream_of = [], 0, 0, []
    for n, gap in zip(lengths, gaps, strict=False):
        absolute += gap
        captures.append(Capture(at, absolute, 1e6, 0.0, 0.0))
        stream_of += range(absolute, absolute + n)
        at, absolute = at + n, absolute + n
    folder = tmp_path_factory.mktemp("x")
    data = folder / "a.cu8"
    data.write_bytes(bytes(2 * at))
    dataset = Dataset(data, FORMATS["cu8"], at, tuple(captures))
    sink = SigmfSink(folder / "a.sigmf-meta", dataset, "sigmf:a")
    sink.write(Emissions((emission(1, sample=start, n_samples=length),)))
    sink.close({})
    ((first, count, _),) = places(folder / "a.sigmf-meta")
    wanted = [k for k, s in enumerate(stream_of) if start <= s < start + length]
    assert list(range(first, first + count)) == wanted
    assert first + count <= at


# -- when it is written -----------------------------------------------------------------


class Clock:
    """Stands still."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def sink_on(raw: Path, clock: Clock) -> SigmfSink:
    return SigmfSink(raw.with_name("a.sigmf-meta"), info_of(raw).dataset, "sigmf:a", clock=clock)


def test_it_is_written_every_few_seconds_also_while_nothing_comes(raw, emission):
    clock, out = Clock(), raw.with_name("a.sigmf-meta")
    sink = sink_on(raw, clock)
    assert not out.exists()
    sink.write(Emissions((emission(1),)))
    assert not out.exists()
    clock.now_s = SAVE_S
    sink.redraw()
    assert places(out) == [(25_000, 15_750, "OOK")]
    sigmf.fromfile(out).validate()  # what a run that is killed now leaves
    written = out.stat().st_mtime_ns
    clock.now_s *= 3
    sink.redraw()  # nothing new
    assert out.stat().st_mtime_ns == written
    sink.write(Emissions((emission(2),)))
    assert len(places(out)) == 2
    assert [p.name for p in raw.parent.iterdir() if "part" in p.name] == []


def test_the_thread_of_the_output_writes_in_time(raw, emission, monkeypatch):
    monkeypatch.setattr(module, "SAVE_S", 0.05)
    out = raw.with_name("a.sigmf-meta")
    output = open_sinks([f"sigmf:{out}"], is_live=True, info=info_of(raw), reports=Emissions)
    output.write(Emissions((emission(1),)))
    give_up_s = time.monotonic() + 30
    while not out.exists():
        assert time.monotonic() < give_up_s
        time.sleep(0.01)
    assert len(places(out)) == 1
    output.close({})


def test_until_it_is_written_the_file_is_as_it_was(raw, emission):
    clock, out = Clock(), raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1))
    before = out.read_bytes()
    sink = sink_on(raw, clock)
    sink.close({})  # the run never began
    assert out.read_bytes() == before


def test_a_link_stays_one_and_rights_stay_what_they_were(raw, emission):
    folder = raw.parent / "real"
    folder.mkdir()
    link, real = raw.with_name("a.sigmf-meta"), folder / "b.sigmf-meta"
    annotate(link, info_of(raw), emission(1))
    link.rename(real)
    real.chmod(0o640)
    link.symlink_to(real)
    annotate(link, info_of(raw), emission(1), emission(2))
    assert link.is_symlink()
    assert len(places(real)) == 2
    assert real.stat().st_mode & 0o777 == 0o640


def test_a_disk_that_fails_leaves_the_last_whole_file(raw, emission, monkeypatch):
    clock, out = Clock(), raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1))
    before = out.read_bytes()
    sink = sink_on(raw, clock)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    clock.now_s = SAVE_S
    with pytest.raises(SinkError, match=r"sigmf:a cannot be written: No space left on device\."):
        sink.write(Emissions((emission(2),)))
    assert out.read_bytes() == before
    assert list(raw.parent.glob("*.part")) == []


def test_there_is_a_limit_and_what_came_before_it_is_written(raw, emission, monkeypatch):
    monkeypatch.setattr(module, "MOST_ANNOTATIONS", 3)
    out = raw.with_name("a.sigmf-meta")
    output = open_sinks([f"sigmf:{out}"], is_live=False, info=info_of(raw), reports=Emissions)
    for number in (1, 2, 3, 3, 4):
        output.write(Emissions((emission(number, sample=number),)))
    (report,) = output.close({})
    assert (report.n_written, report.n_dropped, report.state) == (4, 1, "failed")
    assert "takes no more than 3 annotations" in report.message
    assert len(places(out)) == 3


# -- what is refused --------------------------------------------------------------------


def refused(said: str, out: str | Path, info: StreamInfo, kind: Any = UsageError) -> None:
    with pytest.raises(kind, match=said):
        open_sinks([f"sigmf:{out}"], is_live=False, info=info, reports=Emissions)


def test_a_radio_is_to_be_recorded_first(tmp_path, info):
    refused("demo.cu8 is none; record it with `liveclf record`", tmp_path / "a.sigmf-meta", info)


def test_loops_archives_and_other_formats_have_no_place_to_point_to(raw, pair, tmp_path):
    packed = tmp_path / "packed.sigmf"
    theirs = sigmf.fromfile(pair, skip_checksum=True)
    theirs.archive(packed)
    cases = [
        info_of(raw, loop=True),
        info_of(packed),
        info_of(pair, format="cs8"),
    ]
    for one in cases:
        refused("give one alone, unpacked", tmp_path / "a.sigmf-meta", one)


def test_windows_are_not_annotated(raw):
    with pytest.raises(UsageError, match="annotates emissions, and this run tells windows"):
        open_sinks(["sigmf:a.sigmf-meta"], is_live=False, info=info_of(raw), reports=Detections)


@pytest.mark.parametrize("text", ["sigmf", "sigmf:", "sigmf:-"])
def test_a_file_has_to_be_given(text):
    with pytest.raises(UsageError, match="lacks its file"):
        parse_outputs([text])


def test_the_name_tells_the_kind(raw):
    refused("has to end in .sigmf-meta", raw.with_name("a.json"), info_of(raw))
    refused("has to end in .sigmf-meta", raw, info_of(raw))


def test_metadata_of_another_recording_are_not_written_over(raw, pair):
    before = pair.read_bytes()
    refused(f"describes x.sigmf-data, not {raw.name}; choose another", pair, info_of(raw))
    assert pair.read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"global": {}}', '{"global": 1}', "\x00"])
def test_what_is_no_metadata_is_not_written_over(raw, text):
    out = raw.with_name("a.sigmf-meta")
    out.write_text(text)
    refused("is there and holds no SigMF metadata", out, info_of(raw), SinkError)
    assert out.read_text() == text


def test_a_folder_that_is_not_there_is_said_before_the_run(raw):
    out = raw.parent / "no" / "a.sigmf-meta"
    refused(f"folder {out.parent} does not exist", out, info_of(raw), SinkError)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_what_is_write_protected_is_not_replaced(raw, emission):
    out = raw.with_name("a.sigmf-meta")
    annotate(out, info_of(raw), emission(1))
    out.chmod(0o400)
    refused("Permission denied", out, info_of(raw), SinkError)


def test_elsewhere_it_says_what_is_missing_beside_it(raw, emission, caplog, tmp_path):
    (tmp_path / "far").mkdir()
    out = tmp_path / "far" / "a.sigmf-meta"
    with caplog.at_level(logging.WARNING):
        annotate(out, info_of(raw), emission(1))
    assert f"describes {raw}, which is not beside it" in caplog.text
    out.with_name(raw.name).symlink_to(raw)
    caplog.clear()
    annotate(out, info_of(raw), emission(1))
    assert caplog.text == ""
    sigmf.fromfile(out).validate()
