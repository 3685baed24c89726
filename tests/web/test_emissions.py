"""The samples of emissions: cut out, kept within bounds, downloaded, relabelled."""

from __future__ import annotations

import io
import json
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import sigmf
from serving import (
    CENTER_HZ,
    EMISSION,
    EPOCH_S,
    RATE_HZ,
    answer_to,
    band,
    block,
    connected,
    emission,
    history,
    page,
    served,
)
from starlette.testclient import TestClient

from liveclf.emissions import Emissions
from liveclf.errors import SinkError
from liveclf.live.history import History
from liveclf.web import told
from liveclf.web.app import application
from liveclf.web.clips import _MOST_SAMPLES, block_of, cut_clip, drawn
from liveclf.web.hub import Hub
from liveclf.web.recordings import Relabelled, checked_label
from liveclf.web.told import Told

HERE = "http://127.0.0.1:8433"


def client() -> TestClient:
    return TestClient(application(page()), base_url=HERE)


@contextmanager
def live_page(**other):
    """Serve a page and open its live connection."""
    with served(page(**other)) as host, connected(host) as live:
        yield live


# -- clips ---------------------------------------------------------------------------------


def test_a_clip_is_the_emission_at_baseband_and_at_three_times_its_width():
    clip = cut_clip(EMISSION, history())
    assert clip.is_whole
    assert clip.sample_rate_hz == pytest.approx(3 * EMISSION.bandwidth_hz, rel=0.02)
    assert len(clip.iq) / clip.sample_rate_hz == pytest.approx(EMISSION.duration_s, rel=0.01)
    inner = clip.iq[20:-20]
    spectrum = np.abs(np.fft.fft(inner))
    at_hz = np.fft.fftfreq(len(inner), 1 / clip.sample_rate_hz)[spectrum.argmax()]
    # Against the tone that was put there: 100 kHz above the centre, half of full scale.
    assert clip.offset_hz + at_hz == pytest.approx(100e3, abs=50)
    assert np.abs(inner).mean() == pytest.approx(0.5, rel=0.02)
    first = block_of(clip)
    assert first.center_hz == pytest.approx(CENTER_HZ + clip.offset_hz)
    assert first.epoch_s == pytest.approx(EPOCH_S + 0.02, abs=1e-4)


def test_of_a_long_emission_the_end_is_kept():
    iq = np.exp(2j * np.pi * 0.1 * np.arange(2_000_000))
    wide = emission(sample=0, n_samples=2_000_000, bandwidth_hz=250e3)
    clip = cut_clip(wide, history(iq, 2_000_000))
    assert not clip.is_whole
    assert len(clip.iq) == pytest.approx(_MOST_SAMPLES, rel=0.01)
    assert clip.start_s + len(clip.iq) / clip.sample_rate_hz == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(
    "gone",
    [
        {"sample": 900_000},
        {"offset_hz": None},
        {"bandwidth_hz": None},
    ],
)
def test_of_samples_that_are_not_there_nothing_is_made_up(gone):
    assert cut_clip(emission(**gone), history()) is None


def test_a_clip_does_not_reach_over_a_retune():
    kept = History(1_000_000)
    kept.keep(block(band()[:40_000]))
    kept.keep(block(band()[40_000:], 40_000, segment=1, center_hz=1e9))
    clip = cut_clip(EMISSION, kept)
    assert not clip.is_whole
    assert clip.center_hz == 1e9
    assert len(clip.iq) / clip.sample_rate_hz == pytest.approx(0.01, rel=0.02)


def test_symbols_are_found_where_there_is_a_line_of_their_rate():
    """QPSK at 5 samples a symbol, raised cosine: four clusters, of this rate."""
    rng = np.random.default_rng(4)
    symbols = np.exp(1j * (np.pi / 4 + np.pi / 2 * rng.integers(0, 4, 1500)))
    t = np.arange(-40, 41) / 5
    with np.errstate(invalid="ignore", divide="ignore"):
        pulse = np.sinc(t) * np.cos(np.pi * 0.5 * t) / (1 - (2 * 0.5 * t) ** 2)
    pulse[~np.isfinite(pulse)] = np.sinc(1 / (2 * 0.5)) * np.pi / 4
    train = np.zeros(7500, complex)
    train[::5] = symbols
    y = np.convolve(train, pulse, "same") * np.exp(2j * np.pi * 0.003 * np.arange(7500))
    clip = cut_clip(
        emission(sample=0, n_samples=7500, offset_hz=0.0, bandwidth_hz=330e3), history(y)
    )
    shown = drawn(clip)
    assert shown["symbol_rate_hz"] == pytest.approx(RATE_HZ / 5, rel=1e-3)
    points = np.array(shown["points"]) @ [1, 1j]
    corners = np.exp(1j * (np.pi / 4 + np.pi / 2 * np.arange(4)))
    nearest = np.abs(points[:, None] / np.abs(points).mean() - corners).min(axis=1)
    assert np.median(nearest) < 0.15


def test_of_noise_samples_are_shown_and_no_symbols():
    shown = drawn(cut_clip(emission(sample=60_000, bandwidth_hz=300e3), history()))
    assert shown["symbol_rate_hz"] is None
    assert len(shown["points"]) == 512
    assert np.mean(np.square(shown["trace"]).sum(axis=1)) == pytest.approx(1, rel=0.5)


# -- what is kept --------------------------------------------------------------------------


def test_the_newest_are_kept_within_bounds_of_number_and_bytes(monkeypatch):
    monkeypatch.setattr(told, "MOST_EMISSIONS", 20)
    monkeypatch.setattr(told, "_CREDIT_S", 1e9)
    one = cut_clip(EMISSION, history()).iq.nbytes
    kept = Told([history()], Hub(1), 5 * one)
    kept._budget_s = 1e9
    for k in range(50):
        kept.write(Emissions((emission(id=k),)))
    assert len(kept._entries) == 20
    with_clip = [key for key, entry in kept._entries.items() if entry.clip]
    assert with_clip == [(0, k) for k in range(45, 50)]
    assert kept._n_bytes == 5 * one
    assert kept.find((0, 29)) is None
    assert kept.find((0, 30)).clip is not None  # cut again, as its samples are still there


def test_a_flood_of_emissions_is_not_all_cut_and_that_is_counted(monkeypatch):
    def slow(*_):
        time.sleep(0.3)

    monkeypatch.setattr(told, "cut_clip", slow)
    kept, began_s = Told([history()], Hub(1), 10**9), time.monotonic()
    kept.write(Emissions(tuple(emission(id=k) for k in range(1000))))
    assert time.monotonic() - began_s < 3
    assert kept.not_cut == 1000


def test_what_is_told_again_replaces_and_keeps_its_correction():
    kept = Told([history()], Hub(1), 10**9)
    kept.write(Emissions((emission(state="open", probability=0.4),)))
    kept.correct((0, 7), "BPSK")
    kept.write(Emissions((EMISSION,)))
    (message,) = kept.newest()
    (item,) = json.loads(message)["items"]
    assert (item["state"], item["probability"], item["corrected"]) == ("closed", 0.9, "BPSK")


# -- downloads -----------------------------------------------------------------------------


def test_a_download_is_a_sigmf_archive_that_the_library_reads(tmp_path):
    answer = client().get("/emission/0/7")
    assert answer.status_code == 200
    name = "emission-0-7-434.0200MHz"
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.sigmf"'
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        names = [m.name for m in tar.getmembers() if m.isfile()]
        assert names == [f"{name}/{name}.sigmf-meta", f"{name}/{name}.sigmf-data"]
    path = tmp_path / f"{name}.sigmf"
    path.write_bytes(answer.content)
    read = sigmf.fromarchive(str(path))
    read.validate()
    iq = read.read_samples()
    clip = cut_clip(EMISSION, history())
    assert np.array_equal(iq, clip.iq)
    (annotation,) = read.get_annotations()
    assert annotation["core:label"] == "OOK"
    assert annotation["core:sample_count"] == len(iq)
    assert annotation["core:freq_lower_edge"] == 434.0e6
    assert read.get_global_info()["core:sample_rate"] == pytest.approx(120e3, rel=0.02)
    assert read.get_captures()[0]["core:frequency"] == pytest.approx(434.02e6, abs=1e3)


def test_a_download_of_samples_that_are_gone_says_so():
    made = page()
    made.told.write(Emissions((emission(id=8, sample=5_000_000),)))
    answer = TestClient(application(made), base_url=HERE).get("/emission/0/8")
    assert (answer.status_code, "--web-keep" in answer.text) == (410, True)


# -- labels --------------------------------------------------------------------------------


def relabel(live, label: str, **other):
    return answer_to(
        live, "said", **({"type": "relabel", "stream": 0, "id": 7, "label": label} | other)
    )


def test_a_corrected_label_is_saved_as_sigmf_and_told_to_all(tmp_path):
    with live_page(folder=tmp_path / "new" / "ones") as live:
        said = relabel(live, " 2FSK ")
        assert said["is_done"], said
        assert relabel(live, "BPSK")["is_done"]  # thought better of it
    (path,) = (tmp_path / "new" / "ones").glob("*.sigmf-meta")
    assert path.name in said["message"]
    read = sigmf.fromfile(str(path))
    read.validate()
    (annotation,) = read.get_annotations()
    assert annotation["core:label"] == "BPSK"
    assert "liveclf said OOK" in annotation["core:comment"]
    assert "Corrected by hand" in annotation["core:comment"]
    assert len(read.read_samples()) == annotation["core:sample_count"]


def test_a_correction_reaches_every_browser(tmp_path):
    with (
        served(page(folder=tmp_path)) as host,
        connected(host) as one,
        connected(host) as other,
    ):
        relabel(one, "LoRa")
        message = {"items": [{"corrected": None}]}
        while not message["items"][0]["corrected"]:
            message = answer_to(other, "emissions", type="here")
        assert message["items"][0]["corrected"] == "LoRa"


@pytest.mark.parametrize(
    "label",
    [
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "/etc/passwd",
        "",
        "   ",
        "a\nb",
        "x" * 41,
        "\u202eevil",
        "a\x00b",
        ".hidden",
        "-rf",
    ],
)
def test_what_is_no_label_is_refused_and_nothing_written(label, tmp_path):
    with live_page(folder=tmp_path) as live:
        assert not relabel(live, label)["is_done"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("label", ["OOK", "pi/4 DQPSK", "C4FM", "802.11 (b)", "Ü"])
def test_labels_of_any_name_are_taken(label):
    assert checked_label(f" {label} ") == label


def test_without_a_folder_nothing_is_saved():
    with live_page() as live:
        assert "--relabelled DIR" in relabel(live, "OOK")["message"]


def test_of_an_emission_that_is_none_nothing_is_saved(tmp_path):
    with live_page(folder=tmp_path) as live:
        assert not relabel(live, "OOK", id=99)["is_done"]
        assert not relabel(live, "OOK", stream=99)["is_done"]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be used"):
        Relabelled(tmp_path / "file")


def test_two_runs_in_one_folder_do_not_write_over_each_other(tmp_path, monkeypatch):
    for second in (1, 2):
        monkeypatch.setattr(
            time, "gmtime", lambda s=second: time.struct_time([2026, 1, 1, 0, 0, s, 0, 0, 0])
        )
        with live_page(folder=tmp_path) as live:
            relabel(live, "OOK")
    assert len(list(Path(tmp_path).glob("*.sigmf-meta"))) == 2


# -- the live connection -------------------------------------------------------------------


def test_the_samples_of_an_emission_are_drawn_when_asked_for():
    with live_page() as live:
        clip = answer_to(live, "samples", type="select", stream=0, id=7)["clip"]
        assert len(clip["trace"]) == 256
        assert answer_to(live, "samples", type="select", stream=0, id=1)["clip"] is None
