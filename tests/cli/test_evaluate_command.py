"""`liveclf evaluate`, with the packaged bundle on small sets and recordings."""

from __future__ import annotations

import json
import re
import tarfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command_line import bundle_copy

from liveclf.cli import main
from liveclf.learn.data.datasets import open_dataset
from liveclf.learn.data.split import make_split, write_split
from liveclf.sources import DEMO

WINDOW = 1024
META = json.loads(DEMO.read_text())
LABELS = list(dict.fromkeys(a["core:label"] for a in META["annotations"]))
EACH = 3  # windows of a class in the small sets


def demo_windows(label: str) -> np.ndarray:
    """Cut the windows of a modulation out of the recording in the package, by hand."""
    raw = np.fromfile(DEMO.with_suffix(".sigmf-data"), np.uint8).reshape(-1, 2)
    place = next(a for a in META["annotations"] if a["core:label"] == label)
    start, n = place["core:sample_start"], place["core:sample_count"]
    assert start % WINDOW == 0
    assert n % WINDOW == 0
    return raw[start : start + n].reshape(-1, WINDOW, 2).astype(np.float32) - 127.5


def write_set(
    path: Path, labels: list[str], names: list[str] | None = None, each: int = EACH, **columns: Any
) -> Path:
    """Write windows of the modulations `labels`, as an HDF5 that calls them `names`."""
    names = names or labels
    with h5py.File(path, "w") as file:
        file["X"] = np.concatenate([demo_windows(label)[:each] for label in labels])
        file["Y"] = np.repeat(np.eye(len(labels)), each, axis=0)
        file["Z"] = np.tile([0.0, 20.0, 20.0], each * len(labels))[: each * len(labels)]
        for key, values in columns.items():
            file[key] = values
        if len(names) == len(labels):
            file.attrs["classes"] = json.dumps(names)
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_set(tmp_path / "small.hdf5", ["OOK", "BPSK", "FM"])


@pytest.fixture
def evaluated(capfd: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs the command and returns its JSON."""

    def run(*arguments: Any, bundle: Any = "auto") -> dict[str, Any]:
        assert main(["evaluate", str(bundle), *map(str, arguments), "--json"]) == 0
        out, said = capfd.readouterr()
        assert "\r" not in said  # no bar where nobody looks
        assert out.count("\n") == 1
        return dict(json.loads(out))

    return run


@pytest.fixture
def refused(capfd: pytest.CaptureFixture[str]) -> Any:
    """Return a function that runs the command and returns its code and its one sentence."""

    def run(*arguments: Any) -> tuple[int, str]:
        code = main(["evaluate", "auto", *map(str, arguments)])
        out, said = capfd.readouterr()
        assert out == ""
        assert said.count("\n") == 1
        return code, said

    return run


# -- data sets -----------------------------------------------------------------------------


def test_a_set_is_measured_as_the_recording_that_it_was_cut_from(
    evaluated: Any, tmp_path: Path
) -> None:
    """Two ways to the same windows, which share neither reader nor cutter."""
    whole = write_set(tmp_path / "whole.hdf5", LABELS, each=20)
    as_set, as_recording = evaluated("--data", whole), evaluated("--data", DEMO)
    assert as_set["n"] == 20 * len(LABELS)
    for key in ("n", "overall", "family", "by_class", "by_family", "classes", "calibration"):
        assert as_recording[key] == as_set[key], key
    assert as_recording["by_snr"] == {}
    assert as_recording["high"] is None
    assert as_recording["notes"] == [
        "60 windows lie wholly inside no annotation of demo.sigmf-meta: not measured."
    ]


def test_the_json_has_what_it_always_had_and_more(evaluated: Any, small: Path) -> None:
    found = evaluated("--data", small)
    assert found["data"] == "small.hdf5"
    assert found["n"] == 9
    assert found["by_snr"].keys() == {"0.0", "20.0"}
    assert found["by_class"].keys() == {"OOK", "BPSK", "FM"}
    assert found["by_class"]["OOK"] == [3, 1.0, 1.0]
    assert found["precision"] == "int8"
    assert found["high"]["n"] == 6
    assert found["by_class_and_snr"]["OOK"]["20.0"][0] == 2


def test_tables_and_report_are_written(
    small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "auto", "--data", str(small), "--out", str(tmp_path / "out")]) == 0
    out, said = capfd.readouterr()
    assert "small.hdf5, 9 windows, onnx int8" in out
    for words in ("SNR dB", "class", "family right", "10 dB and above", "ECE", "BPSK", "100.0%"):
        assert words in out
    assert said == f"report: {tmp_path / 'out' / 'report.html'}\n"
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"report.html", "evaluation.json", "accuracy.png", "reliability.png"} <= written
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["n"] == 9


def test_names_that_would_do_something_to_a_terminal_or_a_page_do_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    names = ["OOK", "[red]odd\x1b[31m", "<script>alert(1)</script>"]
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK", "FM"], names)
    out = tmp_path / "out"
    flags = ["--data", str(path), "--ignore-unknown", "--out", str(out)]
    assert main(["evaluate", "auto", *flags]) == 0
    shown = capfd.readouterr().out
    assert "[red]odd?[31m" in shown
    assert "\x1b" not in shown
    text = (out / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_groups_of_windows_are_told_apart(evaluated: Any, tmp_path: Path) -> None:
    columns = {"channel": [b"flat", b"flat", b"deep"] * 3, "sps": [2.0, 5.0, 16.0] * 3}
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK", "FM"], **columns)
    found = evaluated("--data", path)["by_group"]
    assert {name: score["n"] for name, score in found["channel"].items()} == {"flat": 6, "deep": 3}
    assert {name: score["n"] for name, score in found["sps"].items()} == {
        "2-4": 3,
        "4-8": 3,
        "8-16": 3,
    }


def test_classes_that_the_bundle_does_not_know_are_named_or_rejected(
    evaluated: Any, refused: Any, tmp_path: Path
) -> None:
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK", "FM"], ["OOK", "chirp", "odd"])
    code, said = refused("--data", path)
    assert code == 1
    assert "does not know chirp, odd of a.hdf5; --ignore-unknown" in said
    found = evaluated("--data", path, "--ignore-unknown")
    assert found["n"] == EACH
    assert found["strangers"]["by_class"].keys() == {"chirp", "odd"}
    assert found["strangers"]["by_class"]["chirp"][2] == "BPSK"
    assert 0 <= found["strangers"]["auroc"] <= 1
    assert found["high"]["strangers"]["n"] == 4


def test_names_may_come_from_a_file(evaluated: Any, tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK", "FM"], ["one", "two", "three"])
    (tmp_path / "classes.txt").write_text("OOK\nBPSK\nFM\n")
    found = evaluated("--data", path, "--classes", tmp_path / "classes.txt")
    assert found["overall"] == 1.0
    assert found["by_class"].keys() == {"OOK", "BPSK", "FM"}


def test_only_the_classes_of_radioml_may_be_scored(evaluated: Any, tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.hdf5", ["OOK", "2FSK", "OFDM", "FM"])
    assert evaluated("--data", path, "--radioml")["by_class"].keys() == {"OOK", "FM"}


def test_a_part_of_a_split_may_be_measured(evaluated: Any, refused: Any, tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK"], each=10)
    data = open_dataset(path)
    split = make_split(data.y, data.snr_db, seed=1, test_share=0.2, validation_share=0.25)
    write_split(tmp_path / "split.npz", split, data)
    flags = ("--data", path, "--split", tmp_path / "split.npz")
    assert evaluated(*flags)["n"] == len(split.test) == 4
    found = evaluated(*flags, "--part", "train")
    assert found["n"] == len(split.train) == 12
    at_20_db = int(np.sum(data.snr_db[split.train] == 20))
    assert found["by_snr"]["20.0"][0] == at_20_db
    other = write_set(tmp_path / "other.hdf5", ["OOK", "FM"], each=10)
    code, said = refused("--data", other, "--split", tmp_path / "split.npz")
    assert code == 2
    assert "give the data set it was made for" in said


def test_what_a_network_was_trained_on_is_said(evaluated: Any, tmp_path: Path) -> None:
    path = write_set(tmp_path / "a.hdf5", ["OOK", "BPSK"], each=10)
    data = open_dataset(path)
    bundle = bundle_copy(tmp_path, data_sha256=data.fingerprint())
    notes = evaluated("--data", path, bundle=bundle)["notes"]
    assert [note for note in notes if "was trained on windows of a.hdf5; --split FILE" in note]
    split = make_split(data.y, data.snr_db, seed=1, test_share=0.2, validation_share=0.25)
    write_split(tmp_path / "split.npz", split, data)
    assert (
        evaluated("--data", path, "--split", tmp_path / "split.npz", bundle=bundle)["notes"] == []
    )


def test_the_threshold_and_the_temperature_are_those_of_the_weights(
    evaluated: Any, tmp_path: Path
) -> None:
    path = write_set(tmp_path / "a.hdf5", LABELS)
    bundle = bundle_copy(
        tmp_path, thresholds={"int8": 0.9, "fp32": 0.0}, temperature={"int8": 3.0, "fp32": 1.0}
    )
    held = evaluated("--data", path, bundle=bundle)
    assert (held["min_probability"], held["temperature"]) == (0.9, 3.0)
    assert held["unknown"] > 0.2
    free = evaluated("--data", path, "--precision", "fp32", bundle=bundle)
    assert (free["min_probability"], free["unknown"]) == (0.0, 0.0)
    assert free["precision"] == "fp32"


# -- recordings ----------------------------------------------------------------------------


def recording(
    folder: Path, annotations: list[tuple[int, int, str]], of: str = "BPSK", name: str = "rec"
) -> Path:
    """Write a recording of one modulation, with (start, length, label) as its annotations."""
    iq = demo_windows(of).reshape(-1, 2) / 128
    iq.astype("<f4").tofile(folder / f"{name}.sigmf-data")
    meta = {
        "global": {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:sample_rate": 1e6},
        "captures": [{"core:sample_start": 0}],
        "annotations": [
            {"core:sample_start": start, "core:sample_count": n, "core:label": label}
            for start, n, label in sorted(annotations)
        ],
    }
    (folder / f"{name}.sigmf-meta").write_text(json.dumps(meta))
    return folder / f"{name}.sigmf-meta"


def test_only_windows_wholly_inside_an_annotation_count(evaluated: Any, tmp_path: Path) -> None:
    path = recording(tmp_path, [(100, 4 * WINDOW, "BPSK"), (10 * WINDOW, WINDOW, "BPSK")])
    found = evaluated("--data", path)
    # Of windows 0 to 19, 1 to 3 are inside the first, 10 is the second.
    assert found["by_class"] == {"BPSK": [4, 1.0, 1.0]}
    assert found["notes"] == [
        "16 windows lie wholly inside no annotation of rec.sigmf-meta: not measured."
    ]


def test_labels_are_spelt_in_any_case_and_a_family_counts_for_itself(
    evaluated: Any, tmp_path: Path
) -> None:
    path = recording(tmp_path, [(0, 4 * WINDOW, "bpsk"), (8 * WINDOW, 5 * WINDOW, "Psk")])
    found = evaluated("--data", path)
    assert found["by_class"] == {"BPSK": [4, 1.0, 1.0], "PSK": [5, None, 1.0]}
    assert found["by_family"] == {"PSK": [9, 1.0, 1.0]}
    assert (found["n"], found["overall"], found["family"]) == (9, 1.0, 1.0)
    assert sum(found["calibration"]["n"]) == 4


def test_a_label_of_no_class_is_an_error_that_names_it_or_a_stranger(
    evaluated: Any, refused: Any, tmp_path: Path
) -> None:
    annotations = [(0, 4 * WINDOW, "BPSK"), (8 * WINDOW, 5 * WINDOW, "door bell")]
    path = recording(tmp_path, annotations)
    code, said = refused("--data", path)
    assert code == 1
    assert "does not know door bell of rec.sigmf-meta" in said
    found = evaluated("--data", path, "--ignore-unknown")
    assert found["strangers"]["n"] == 5
    assert evaluated("--data", path, "--radioml")["n"] == 4  # not asked for, so no matter


def test_annotations_that_contradict_each_other_are_no_truth(
    evaluated: Any, tmp_path: Path
) -> None:
    """But a note over the whole band does not contradict the name of a signal in it."""
    path = recording(
        tmp_path,
        [
            (0, 8 * WINDOW, "BPSK"),
            (6 * WINDOW, 4 * WINDOW, "QPSK"),
            (7 * WINDOW, WINDOW, "BPSK"),
            (0, 20 * WINDOW, "the whole band"),
        ],
    )
    found = evaluated("--data", path, "--ignore-unknown")
    assert {name: row[0] for name, row in found["by_class"].items()} == {"BPSK": 6, "QPSK": 2}
    assert found["strangers"]["n"] == 10
    assert found["notes"] == [
        "2 windows lie in annotations of rec.sigmf-meta that contradict each other: not measured."
    ]


def test_every_kind_of_sigmf_file_is_read(evaluated: Any, tmp_path: Path) -> None:
    path = recording(tmp_path, [(0, 4 * WINDOW, "BPSK")])
    with tarfile.open(tmp_path / "packed.sigmf", "w") as archive:
        for part in (path, path.with_suffix(".sigmf-data")):
            archive.add(part, f"rec/{part.name}")
    for name in ("rec.sigmf-data", "packed.sigmf"):
        assert evaluated("--data", tmp_path / name)["n"] == 4


def test_windows_may_overlap_and_a_recording_be_decimated(evaluated: Any, tmp_path: Path) -> None:
    path = recording(tmp_path, [(0, 4 * WINDOW, "BPSK")])
    assert evaluated("--data", path, "--hop", 256)["n"] == 13
    whole = recording(tmp_path, [(0, 20 * WINDOW, "BPSK")], name="whole")
    assert evaluated("--data", whole, "--decimate", 2)["n"] == 10  # up to the last sample


def test_several_files_are_one_set_whose_parts_are_told_apart(
    evaluated: Any, small: Path, tmp_path: Path
) -> None:
    path = recording(tmp_path, [(0, 4 * WINDOW, "BPSK")])
    found = evaluated("--data", small, "--data", path)
    assert found["n"] == 9 + 4
    assert found["by_class"]["BPSK"][0] == 3 + 4
    files = {name: score["n"] for name, score in found["by_group"]["file"].items()}
    assert files == {"small.hdf5": 9, "rec.sigmf-meta": 4}
    assert found["data"] == "small.hdf5, rec.sigmf-meta"


# -- what cannot be ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ([], "rec.sigmf-meta has no annotation with a label"),
        ([(5, WINDOW, "BPSK")], "no window of 1024 samples wholly inside"),
    ],
)
def test_a_recording_without_truth_is_refused(
    refused: Any, tmp_path: Path, annotations: list[tuple[int, int, str]], words: str
) -> None:
    code, said = refused("--data", recording(tmp_path, annotations), "--no-detect")
    assert code == 1
    assert words in said


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--part", "train"], "--part train is of a split; give it with --split FILE"),
        (["--part", "all"], "invalid choice: 'all'"),
        (["--hop", "512"], "--hop is for recordings, and no --data is one"),
        (["--decimate", "2"], "--decimate is for recordings"),
        (["--no-checksum"], "--no-checksum is for recordings"),
        (["--decimate", "0", "--data", "x.sigmf"], "source.decimate = 0"),
        (["--hop", "0", "--data", "x.sigmf"], "window.hop = 0"),
        (["--hop", "many"], "invalid int value: 'many'"),
        (["--split", "s.npz", "--data", "b.hdf5"], "--split is of one HDF5"),
        (["--split", "s.npz", "--data", "x.sigmf"], "--split is of one HDF5"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    refused: Any, flags: list[str], words: str
) -> None:
    code, said = refused("--data", "a.hdf5", *flags)
    assert code == 2
    assert words in said


def test_what_the_refusal_of_a_changed_recording_advises_works(
    refused: Any, evaluated: Any, tmp_path: Path
) -> None:
    path = recording(tmp_path, [(0, 4 * WINDOW, "BPSK")])
    meta = json.loads(path.read_text())
    meta["global"]["core:sha512"] = "0" * 128
    path.write_text(json.dumps(meta))
    code, said = refused("--data", path)
    assert code == 1
    (advised,) = re.findall(r"--[\w-]+", said)
    assert evaluated("--data", path, advised)["n"] == 4
    assert evaluated("--data", path, advised, "--detect")["n"] == 4


def test_class_names_are_for_sets(refused: Any) -> None:
    code, said = refused("--data", "x.sigmf-meta", "--classes", "c.txt")
    assert (code, "--classes is for HDF5, and no --data is one" in said) == (2, True)


def test_a_recording_that_is_not_there_is_named(refused: Any, tmp_path: Path) -> None:
    code, said = refused("--data", tmp_path / "no.sigmf-meta")
    assert code == 1
    assert "no.sigmf-meta does not exist" in said


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(
    refused: Any, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = refused("--data", "none.hdf5", "--out", small)
    assert code == 1
    assert f"{small} cannot be made" in said
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, said = refused("--data", "none.hdf5", "--out", small.parent / "out")
    assert code == 3
    assert "Pictures need matplotlib; install it with: pip install" in said
