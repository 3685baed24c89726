"""Which recordings a folder holds, each of them once."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from liveclf.errors import UsageError
from liveclf.scan.listing import Listing, list_recordings
from liveclf.sources import names_recording


def listed(*paths: Path, leave_out: Path = Path("/nowhere")) -> Listing:
    return list_recordings(map(str, paths), names_recording, leave_out)


def names(listing: Listing) -> list[str]:
    return sorted(Path(found.path).name for found in listing.files)


def write(path: Path, n: int = 2) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(n))
    return path


def test_folders_are_searched_and_what_is_no_recording_is_counted(tmp_path):
    for name in ("a.cu8", "b/c.WAV", "b/d/e_cs16.iq", "b/f.npy", "no.txt", "b/notes_cu8.json"):
        write(tmp_path / name)
    listing = listed(tmp_path)
    assert names(listing) == ["a.cu8", "c.WAV", "e_cs16.iq", "f.npy"]
    assert listing.n_other == 2


def test_the_largest_are_first(tmp_path):
    sizes = {"a.cu8": 10, "b.cu8": 1000, "c.cu8": 100, "d.cu8": 100}
    for name, size in sizes.items():
        write(tmp_path / name, size)
    assert [Path(f.path).name for f in listed(tmp_path).files] == [
        "b.cu8", "c.cu8", "d.cu8", "a.cu8",
    ]  # fmt: skip


def test_what_is_given_twice_or_linked_counts_once(tmp_path):
    file = write(tmp_path / "in" / "a.cu8")
    (tmp_path / "in" / "same.cu8").symlink_to(file)
    (tmp_path / "also").symlink_to(tmp_path / "in")
    roundabout = tmp_path / "in" / ".." / "in" / "a.cu8"
    assert len(listed(tmp_path, file, roundabout, tmp_path / "also", tmp_path).files) == 1


def test_links_in_a_circle_end(tmp_path):
    write(tmp_path / "a" / "b" / "x.cu8")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    listing = listed(tmp_path)
    assert [f.path for f in listing.files] == [str(tmp_path / "a" / "b" / "x.cu8")]


def test_a_sigmf_pair_is_one_known_by_the_times_of_both(tmp_path):
    meta, data = write(tmp_path / "r.sigmf-meta", 3), write(tmp_path / "r.sigmf-data", 40)
    alone = write(tmp_path / "alone.sigmf-data", 5)
    before = listed(tmp_path, data, meta).files
    assert [f.path for f in before] == [str(meta), str(alone)]
    assert before[0].bytes == 43
    os.utime(data, ns=(1, 1))
    assert listed(tmp_path).files[0].modified_ns == (meta.stat().st_mtime_ns, 1)
    assert listed(data).files == listed(meta).files


def test_a_data_set_of_another_name_is_part_of_its_metadata(tmp_path):
    meta = tmp_path / "r.sigmf-meta"
    meta.write_text(json.dumps({"global": {"core:dataset": "samples.cs16"}}))
    data = write(tmp_path / "samples.cs16", 400)
    listing = listed(tmp_path)
    assert [f.path for f in listing.files] == [str(meta)]
    assert listing.files[0].bytes == meta.stat().st_size + data.stat().st_size


def test_the_folder_of_the_results_is_not_searched(tmp_path):
    write(tmp_path / "a.cu8")
    write(tmp_path / "out" / "b.cu8")
    assert names(listed(tmp_path, leave_out=tmp_path / "out")) == ["a.cu8"]


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.cu8 is not there"):
        listed(tmp_path / "gone.cu8")
