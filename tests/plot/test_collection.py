"""Emissions as they are told: the last word on each counts."""

from __future__ import annotations

import msgspec
import pytest
from scene import emission

from liveclf.emissions import Emission
from liveclf.errors import SourceError
from liveclf.plot.collection import Collection, read_emissions


def written(path, *emissions: Emission, more: bytes = b""):
    path.write_bytes(msgspec.json.Encoder().encode_lines(list(emissions)) + more)
    return path


def test_the_last_line_of_an_emission_counts(tmp_path):
    lines = [
        emission(id=1, state="open", n_samples=10),
        emission(id=2, label="2FSK"),
        emission(id=1, state="closed", n_samples=99),
    ]
    records = read_emissions(written(tmp_path / "x.jsonl", *lines), "rec.cf32").records()
    assert records == [lines[2], lines[1]]


def test_fields_of_later_versions_and_empty_lines_are_no_fault(tmp_path):
    line = msgspec.json.encode(msgspec.to_builtins(emission()) | {"new": 1})
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n" + line + b"\n\n")
    assert read_emissions(path, "").records() == [emission()]


def test_of_several_streams_that_of_the_recording_is_taken(tmp_path):
    lines = [emission(stream=0, source="a.cu8"), emission(stream=1, source="b.cu8", label="FM")]
    path = written(tmp_path / "x.jsonl", *lines)
    assert read_emissions(path, "b.cu8").records() == [lines[1]]
    with pytest.raises(SourceError, match=r"2 streams \(a.cu8, b.cu8\) and none of them is c.cu8"):
        read_emissions(path, "c.cu8")


def test_one_stream_may_have_any_name(tmp_path):
    path = written(tmp_path / "x.jsonl", emission(source="moved.cu8"))
    assert len(read_emissions(path, "rec.cu8").records()) == 1


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (b'{"time": null, "label": "OOK"}\n', "line 2 is no emission"),
        (b"PNG\n", "line 2 is no emission"),
        (b"\xff\xfe\n", "line 2 is no emission"),
        (b"[" * 2_000_000, "has a line of 2,000,000 bytes"),
    ],
)
def test_what_is_no_emission_is_named(tmp_path, more, said):
    path = written(tmp_path / "x.jsonl", emission(), more=more)
    with pytest.raises(SourceError, match=said) as error:
        read_emissions(path, "")
    assert str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none.jsonl cannot be read: No such file"):
        read_emissions(tmp_path / "none.jsonl", "")


def test_what_there_is_no_room_for_is_counted_once():
    collection = Collection(most=2)
    for k in (1, 2, 3, 3, 2, 4, 4):
        collection.add(emission(id=k, n_samples=k))
    assert [record.id for record in collection.records()] == [1, 2]
    assert collection.n_over == 2
