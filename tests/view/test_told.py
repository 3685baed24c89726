"""What is kept of emissions, within bounds, and their corrected labels."""

from __future__ import annotations

import json
import time

import pytest

from liveclf.emissions import Emissions
from liveclf.errors import SinkError
from liveclf.view import told
from liveclf.view.clips import cut_clip
from liveclf.view.hub import Hub
from liveclf.view.recordings import Relabelled, checked_label
from liveclf.view.told import Told
from made_up import EMISSION, emission, history


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


# -- labels --------------------------------------------------------------------------------


@pytest.mark.parametrize("label", ["OOK", "pi/4 DQPSK", "C4FM", "802.11 (b)", "Ü"])
def test_labels_of_any_name_are_taken(label):
    assert checked_label(f" {label} ") == label


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot be used"):
        Relabelled(tmp_path / "file")
