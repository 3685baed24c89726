"""Names of classes, and the list of RadioML 2018.01A that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from liveclf.errors import TrainingError, UsageError
from liveclf.learn.data.class_names import RADIOML_2018_PUBLISHED, read_class_file
from liveclf.learn.data.datasets import Dataset, open_dataset
from liveclf.signals.classes import RADIOML_2018_CLASSES


def dataset(
    tmp_path: Path, y: Any, attribute: Any = None, class_file: str | None = None
) -> Dataset:
    """Open a file with these labels and names."""
    with h5py.File(tmp_path / "set.hdf5", "w") as file:
        file["X"], file["Y"] = np.ones((len(y), 1024, 2), np.float16), y
        if attribute is not None:
            file.attrs["classes"] = attribute
    if class_file is None:
        return open_dataset(tmp_path / "set.hdf5")
    (tmp_path / "classes.txt").write_text(class_file, encoding="utf-8")
    return open_dataset(tmp_path / "set.hdf5", tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "attribute",
    [
        '["A", "8PSK", "C d"]',
        b'["A", "8PSK", "C d"]',
        np.bytes_(b'["A", "8PSK", "C d"]'),
        ["A", "8PSK", "C d"],
        np.array([b"A", b"8PSK", b"C d"]),
        "A\n8PSK\nC d\n",
        "('A', '8PSK', 'C d')",
    ],
)
def test_names_are_read_from_the_attribute(tmp_path: Path, attribute: Any) -> None:
    data = dataset(tmp_path, np.eye(3), attribute)
    assert data.classes == ("A", "8PSK", "C d")
    assert data.notes == ()


@pytest.mark.parametrize(
    "text",
    [
        '["A", "8PSK", "C d"]',
        '\ufeff[\n "A",\n "8PSK",\n "C d"\n]\n',
        "A\n8PSK\n\nC d",
        " A\r\n8PSK\r\nC d\r\n",
        "['A', '8PSK', 'C d']",
        "classes = ['A',\n '8PSK',\n 'C d']\n",
        "classes=('A', '8PSK', 'C d')",
    ],
)
def test_a_class_file_comes_before_the_attribute(tmp_path: Path, text: str) -> None:
    data = dataset(tmp_path, np.eye(3), '["x", "y", "z"]', text)
    assert data.classes == ("A", "8PSK", "C d")


def test_a_class_file_is_read_and_never_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = f"classes = [open({str(mark)!r}, 'w').name]"
    with pytest.raises(TrainingError, match="names 0"):
        dataset(tmp_path, np.eye(3), None, text)
    assert not mark.exists()


@pytest.mark.parametrize("y", [np.eye(24), np.arange(24), np.arange(24)[:, None]])
def test_24_classes_without_names_are_those_of_radioml_in_their_true_order(
    tmp_path: Path, y: Any
) -> None:
    data = dataset(tmp_path, y)
    assert data.classes[:4] == ("OOK", "4ASK", "8ASK", "BPSK")
    assert data.classes[16:] == (
        *("256QAM", "AM-SSB-WC", "AM-SSB-SC", "AM-DSB-WC", "AM-DSB-SC", "FM", "GMSK", "OQPSK"),
    )
    assert len(data.notes) == 1
    assert "does not name its 24 classes; they are taken for those of RadioML" in data.notes[0]


def test_other_classes_without_names_are_numbered_and_a_note_says_so(tmp_path: Path) -> None:
    """So that the posted ask.hdf5 trains as it is, and claims nothing."""
    data = dataset(tmp_path, np.eye(3))
    assert data.classes == ("class 0", "class 1", "class 2")
    assert len(data.notes) == 1
    assert "called class 0 to class 2; give names with --classes FILE" in data.notes[0]


def test_a_note_tells_of_classes_that_have_no_windows(tmp_path: Path) -> None:
    names = json.dumps(list("ABCDE"))
    assert dataset(tmp_path, np.eye(5)[[0, 2, 4]], names).notes == (
        f"Data set {tmp_path / 'set.hdf5'} has no windows of 2 of its 5 classes: B, D.",
    )
    assert dataset(tmp_path, np.array([1, 2, 3]), names).notes[0].endswith(": A, E.")
    of_radioml = dataset(tmp_path, np.eye(24)[:3]).notes
    assert of_radioml[1].endswith(": BPSK, QPSK, 8PSK, 16PSK, 32PSK, 16APSK and 15 more.")


def test_24_classes_with_names_are_what_they_say(tmp_path: Path) -> None:
    names = [f"mod {k}" for k in range(24)]
    assert dataset(tmp_path, np.eye(24), json.dumps(names)).classes == tuple(names)
    assert dataset(tmp_path, np.eye(24), json.dumps(RADIOML_2018_CLASSES)).notes == ()


def test_the_published_list_is_a_permutation_of_the_true_one() -> None:
    assert sorted(RADIOML_2018_PUBLISHED) == sorted(RADIOML_2018_CLASSES)
    assert RADIOML_2018_PUBLISHED[:3] == ("32PSK", "16APSK", "32QAM")
    assert RADIOML_2018_PUBLISHED[22:] == ("OOK", "16QAM")


# As it stands in the archive of the data set.
PUBLISHED = """classes = ['32PSK',
 '16APSK',
 '32QAM',
 'FM',
 'GMSK',
 '32APSK',
 'OQPSK',
 '8ASK',
 'BPSK',
 '8PSK',
 'AM-SSB-SC',
 '4ASK',
 '16PSK',
 '64APSK',
 '128QAM',
 '128APSK',
 'AM-DSB-SC',
 'AM-SSB-WC',
 '64QAM',
 'QPSK',
 '256QAM',
 'AM-DSB-WC',
 'OOK',
 '16QAM']"""
IN_JSON = json.dumps(RADIOML_2018_PUBLISHED)


@pytest.mark.parametrize("y", [np.eye(24), np.arange(24)])
@pytest.mark.parametrize(
    ("attribute", "class_file", "words"),
    [
        (None, PUBLISHED, r"classes\.txt is the list.*: leave --classes out"),
        (None, IN_JSON, r"classes\.txt is the list.*: leave --classes out"),
        (None, "\n".join(RADIOML_2018_PUBLISHED).lower(), "leave --classes out"),
        (IN_JSON, None, "its attribute 'classes' is the list.*: put that into a file"),
        (list(RADIOML_2018_PUBLISHED), None, "its attribute 'classes' is the list"),
    ],
)
def test_the_wrong_list_of_radioml_is_refused_with_the_right_one(
    tmp_path: Path, y: Any, attribute: Any, class_file: str | None, words: str
) -> None:
    with pytest.raises(TrainingError, match=words) as caught:
        dataset(tmp_path, y, attribute, class_file)
    assert "the right order is OOK, 4ASK, 8ASK, BPSK, " in str(caught.value)
    assert ", FM, GMSK, OQPSK: " in str(caught.value)


def test_the_way_out_of_a_wrong_attribute_works(tmp_path: Path) -> None:
    right = "\n".join(RADIOML_2018_CLASSES)
    assert dataset(tmp_path, np.eye(24), IN_JSON, right).classes == RADIOML_2018_CLASSES


def test_other_data_may_begin_like_the_wrong_list(tmp_path: Path) -> None:
    names = RADIOML_2018_PUBLISHED[:3]
    assert dataset(tmp_path, np.eye(3), json.dumps(names)).classes == names


@pytest.mark.parametrize(
    ("y", "attribute", "words"),
    [
        (np.eye(3), '["A", "B"]', "Y has 3 classes, its attribute 'classes' names 2"),
        (np.eye(3), '["A", "B", "C", "D"]', "Y has 3 classes, its attribute 'classes' names 4"),
        (np.eye(3), "A, B, C", "names 1"),
        (np.eye(3), "[1, 2, 3]", "names 0"),
        (np.eye(3), '["A", "B", ', "names 1"),
        (np.eye(3), "", "names 0"),
        (np.eye(3), np.array([1, 2, 3]), "names 0"),
        (np.eye(3), 3, "names 0"),
        (np.arange(3), "[]", "names 0"),
        (np.eye(3), '["A", "B", "A"]', "has the name A twice"),
        (np.eye(3), '["A", "B", " "]', "has an empty name"),
        (np.array([0, 1, 2, 4, 4]), '["A", "B", "C"]', "label 4 at row 3 of Y is outside"),
    ],
)
def test_names_that_do_not_fit_the_labels_are_refused(
    tmp_path: Path, y: Any, attribute: Any, words: str
) -> None:
    with pytest.raises(TrainingError, match=words) as caught:
        dataset(tmp_path, y, attribute)
    assert "set.hdf5" in str(caught.value)


def test_a_class_file_that_cannot_be_read_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.txt cannot be read: No such file"):
        read_class_file(tmp_path / "none.txt")
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(UsageError, match=r"classes\.txt is no text"):
        read_class_file(tmp_path / "classes.txt")
