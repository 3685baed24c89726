"""The samples of emissions on the page: downloaded, relabelled, drawn."""

from __future__ import annotations

import io
import tarfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import sigmf
from serving import answer_to, connected, emission, page, served
from starlette.testclient import TestClient

from liveclf.emissions import Emissions
from liveclf.view.clips import cut_clip
from liveclf.web.app import application
from made_up import EMISSION, history

HERE = "http://127.0.0.1:8433"


def client() -> TestClient:
    return TestClient(application(page()), base_url=HERE)


@contextmanager
def live_page(**other):
    """Serve a page and open its live connection."""
    with served(page(**other)) as host, connected(host) as live:
        yield live


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


def test_without_a_folder_nothing_is_saved():
    with live_page() as live:
        assert "--relabelled DIR" in relabel(live, "OOK")["message"]


def test_of_an_emission_that_is_none_nothing_is_saved(tmp_path):
    with live_page(folder=tmp_path) as live:
        assert not relabel(live, "OOK", id=99)["is_done"]
        assert not relabel(live, "OOK", stream=99)["is_done"]
    assert list(tmp_path.iterdir()) == []


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
