"""What docs/outputs.md and the JSON schemas promise is what is written."""

from __future__ import annotations

import json
import re
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from liveclf.cli import main
from liveclf.emissions import Emission, Emissions
from liveclf.records import Detection
from liveclf.sinks.jsonl import JsonlSink
from liveclf.sinks.sigmf import FIELDS
from liveclf.sinks.stream import ByteStream

ROOT = Path(__file__).parent.parent
DOCUMENT = (ROOT / "docs" / "outputs.md").read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "make_schemas.py"))
SECTIONS = {Emission: "## An emission", Detection: "## A window"}
RECORDS = list(SECTIONS)


def validator(record: type) -> Any:
    schema = json.loads(TOOL["file_of"](record).read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema)


def check(record: type, row: dict[str, Any]) -> None:
    validator(record).validate(row)
    assert list(row) == [field.name for field in fields(record)]


def section_of(record: type) -> str:
    return DOCUMENT.partition(SECTIONS[record] + "\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("record", RECORDS)
def test_the_schemas_are_those_of_the_records(record):
    told = TOOL["file_of"](record).read_text(encoding="utf-8")
    assert told == TOOL["text_of"](record), "run python tools/make_schemas.py"


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_documented_in_its_order(record):
    named = re.findall(r"^\| `(\w+)` \|", section_of(record), re.MULTILINE)
    assert named == [field.name for field in fields(record)]


@pytest.mark.parametrize("record", RECORDS)
def test_the_example_is_a_record(record):
    (example,) = re.findall(r"```json\n(.*?)```", section_of(record), re.DOTALL)
    check(record, json.loads(example))


def test_the_keys_of_annotations_are_documented():
    section = DOCUMENT.partition("## SigMF annotations\n")[2]
    listed = re.search(r"fields of the record \(`([^`]*)`\)", section)
    assert listed
    assert tuple(listed[1].split()) == FIELDS


def test_lines_of_a_run_are_what_the_schema_says(tmp_path):
    out = tmp_path / "a.jsonl"
    assert main(["run", "-q", "-n", "100k", "-o", f"jsonl:{out}"]) == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    for row in rows:
        check(Emission if "state" in row else Detection, row)
    assert rows


class Collected(ByteStream):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__("collected", -1, owned=False)
        self.text = b""

    def write(self, data: bytes) -> None:
        self.text += data


def line_of(**values: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "id": 1, "state": "open", "sample": 0, "n_samples": 9, "snr_db": 1.5, "power_dbfs": -3.0,
        "label": "OOK", "family": "ASK", "probability": 0.5, "family_probability": 1.0,
        "top": [("OOK", 0.5)], "n_windows": 1, "latency_s": 0.1, "stream": 0, "source": "a",
    }  # fmt: skip
    nothing = {field.name: None for field in fields(Emission) if field.name not in known}
    stream = Collected()
    JsonlSink(stream).write(Emissions((Emission(**nothing | known | values),)))
    row: dict[str, Any] = json.loads(stream.text)
    return row


def test_an_emission_of_which_little_is_known_is_what_the_schema_says():
    check(Emission, line_of())
    check(
        Emission, line_of(snr_db=float("inf"), power_dbfs=float("-inf"), probability=float("nan"))
    )


def test_the_schema_tells_what_is_no_record():
    row = line_of()
    for wrong in ({"state": "over"}, {"id": "1"}, {"top": [["OOK"]]}, {"label": None}):
        assert not validator(Emission).is_valid(row | wrong)
    del row["truth"]
    assert not validator(Emission).is_valid(row)
