"""`liveclf run -o sigmf:...`: what was found, in the metadata of the recording."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import sigmf

from liveclf.cli import main
from liveclf.config import RunSettings
from liveclf.sources import DEMO

pytestmark = pytest.mark.skipif(
    "detect" not in RunSettings.__struct_fields__, reason="this run looks for no emissions"
)


@pytest.fixture
def demo(tmp_path) -> Path:
    for ending in (".sigmf-meta", ".sigmf-data"):
        shutil.copy(DEMO.with_suffix(ending), tmp_path)
    return tmp_path / DEMO.name


def annotations(path: Path) -> list[dict[str, Any]]:
    theirs = sigmf.fromfile(path)
    theirs.validate()
    found: list[dict[str, Any]] = theirs.get_annotations()
    return found


def test_a_recording_is_annotated_in_place_and_again(demo, tmp_path, capsys):
    before, lines = annotations(demo), tmp_path / "a.jsonl"
    for _ in range(2):
        arguments = ["run", str(demo), "-q", "-o", f"sigmf:{demo}", "-o", f"jsonl:{lines}"]
        assert main(arguments) == 0, capsys.readouterr().err
        records = {}
        for line in lines.read_text().splitlines():
            row = json.loads(line)
            records[row["id"]] = row
        after = annotations(demo)
        assert [a for a in after if "liveclf:id" not in a] == before
        ours = {a["liveclf:id"]: a for a in after if "liveclf:id" in a}
        assert ours.keys() == records.keys()
        assert ours
        for number, row in records.items():
            one = ours[number]
            assert (one["core:sample_start"], one["core:label"]) == (row["sample"], row["label"])
            edges = [one[f"core:freq_{edge}_edge"] for edge in ("lower", "upper")]
            assert sum(edges) / 2 == pytest.approx(row["center_hz"], abs=0.1)
            assert edges[1] - edges[0] == pytest.approx(row["bandwidth_hz"], abs=0.1)
    capsys.readouterr()
    assert main(["run", str(demo), "-q", "-o", "null"]) == 0  # our own reader takes it


def test_windows_are_not_annotated(demo, capsys):
    before = demo.read_bytes()
    assert main(["run", str(demo), "--no-detect", "-o", f"sigmf:{demo}"]) == 2
    assert "annotates emissions" in capsys.readouterr().err
    assert demo.read_bytes() == before
