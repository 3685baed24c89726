"""Real recordings, where they are at hand: each opens, and is labelled to its end."""

from __future__ import annotations

import csv
import json
import os
import wave
from pathlib import Path

import numpy as np
import pytest

from liveclf.cli import main

REAL = Path(os.environ.get("LIVECLF_SHARED_DATA", "../shared/data")) / "real"
INDEX = REAL / "INDEX.csv"
DTYPES = {"cu8": np.uint8, "cs8": np.int8, "cs16": np.int16, "cf32": np.float32}

pytestmark = pytest.mark.skipif(
    not INDEX.exists(), reason=f"no recordings in {REAL}; point LIVECLF_SHARED_DATA at them"
)


def _rows() -> list[dict[str, str]]:
    if not INDEX.exists():
        return []
    with INDEX.open(newline="") as file:
        return list(csv.DictReader(file))


def _starts(path: Path, datatype: str) -> list[int]:
    """Return where the windows start that hold any signal at all, read without our readers."""
    if path.suffix == ".wav":
        with wave.open(str(path)) as recording:
            raw = np.frombuffer(recording.readframes(recording.getnframes()), np.int16)
    else:
        raw = np.fromfile(path, DTYPES[datatype])
    n_windows = len(raw) // 2 // 1024
    silent = ~raw[: n_windows * 2048].reshape(n_windows, 2048).any(axis=1)
    return [1024 * k for k in range(n_windows) if not silent[k]]


def _flags(row: dict[str, str], path: Path) -> list[str]:
    """Give what neither the name nor a header tells."""
    flags = [] if path.suffix == ".wav" else ["--format", row["datatype"]]
    if row["sample_rate_hz"]:
        flags += ["--rate", row["sample_rate_hz"]]
    if row["center_freq_hz"]:
        flags += ["--freq", row["center_freq_hz"]]
    return flags


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row["file"])
def test_every_window_of_the_recording_is_accounted_for(
    row: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every window that holds a signal gets a record; windows of zeros are skipped and said."""
    path = REAL / row["file"]
    labels = tmp_path / "labels.jsonl"
    assert main(["run", str(path), *_flags(row, path), "--no-detect", "-o", f"jsonl:{labels}"]) == 0
    records = [json.loads(line) for line in labels.read_text().splitlines()]
    expected = _starts(path, row["datatype"])
    said = capfd.readouterr().err
    assert [r["sample"] for r in records] == expected
    if row["sample_rate_hz"]:
        rate_hz = float(row["sample_rate_hz"])
        assert records[-1]["elapsed_s"] == pytest.approx(expected[-1] / rate_hz)
    else:
        assert records[-1]["elapsed_s"] is None
        assert "sample rate is not known" in said
    if row["center_freq_hz"]:
        assert records[0]["center_hz"] == float(row["center_freq_hz"])
