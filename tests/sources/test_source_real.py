"""Every recording of the optional data folder opens and is read to its end.

The folder is ../shared/data, or LIVECLF_SHARED_DATA; real/INDEX.csv lists it.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replaying import opened

from liveclf.dsp.formats import as_complex

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LIVECLF_SHARED_DATA", REPOSITORY.parent / "shared" / "data")) / "real"
INDEX = DATA / "INDEX.csv"

needs_data = pytest.mark.skipif(
    not INDEX.exists(), reason=f"no recordings in {DATA}; set LIVECLF_SHARED_DATA to have them read"
)


def index() -> list[dict[str, str]]:
    if not INDEX.exists():
        return []
    with INDEX.open(newline="") as file:
        return list(csv.DictReader(file))


def flags(row: dict[str, str], path: Path) -> dict[str, Any]:
    """Say what the index knows, where the file itself does not."""
    found: dict[str, Any] = {}
    if row["sample_rate_hz"] and path.suffix != ".wav":
        found["rate_hz"] = float(row["sample_rate_hz"])
    if row["center_freq_hz"]:
        found["center_hz"] = (float(row["center_freq_hz"]),)
    if path.suffix in (".iq", ".sigmf-data"):
        found["format"] = row["datatype"]
    return found


@needs_data
@pytest.mark.parametrize("row", index(), ids=lambda row: row["file"])
def test_a_real_recording_is_read_to_its_end(row):
    path = DATA / row["file"]
    source = opened(path, **flags(row, path))
    datatype = row["datatype"].removeprefix("wav_")
    assert source.info.format == datatype
    size = {"cu8": 2, "cs8": 2, "cs16": 4, "cf32": 8}[datatype]
    header = 44 if path.suffix == ".wav" else 0
    n, power = 0, 0.0
    for block in source.blocks():
        assert block.start_sample == n
        samples = as_complex(block.iq, block.format)
        n += len(samples)
        power += float(np.vdot(samples, samples).real)
    assert n == source.info.n_samples
    assert n == pytest.approx((path.stat().st_size - header) / size, abs=100)
    assert 1e-12 < power / n < 1e8
    if row["sample_rate_hz"]:
        assert source.info.sample_rate_hz == float(row["sample_rate_hz"])


@needs_data
def test_the_index_lists_every_file():
    listed = {row["file"] for row in index()}
    there = {str(p.relative_to(DATA)) for p in DATA.rglob("*") if p.is_file()} - {"INDEX.csv"}
    assert there == listed
