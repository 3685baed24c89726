"""Workers that die: every recording has one outcome, and no more than a few are taken ahead."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from stand_in_labeller import label

from liveclf.scan.crew import work_through
from liveclf.scan.listing import Found
from liveclf.scan.local import LocalWorkplace

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")


def found(path: object) -> Found:
    return Found(str(path), 1, (1,))


def test_a_recording_that_kills_its_workers_fails_alone(tmp_path):
    names = ["a", "deadly", "b", "once", "c", "d"]
    said: list[str] = []
    outcomes = list(
        work_through(
            [found(tmp_path / name) for name in names],
            LocalWorkplace(label, 2), lambda: False, said.append,
        )
    )  # fmt: skip
    errors = {os.path.basename(o.result.path): o.result.error for o in outcomes}
    assert len(outcomes) == len(names)
    assert set(errors) == set(names)
    assert [name for name, error in errors.items() if error] == ["deadly"]
    assert "died 2 times" in errors["deadly"]
    assert len(said) == 3


def test_no_more_is_taken_than_there_are_workers(tmp_path):
    taken = 0

    def files() -> Iterator[Found]:
        nonlocal taken
        for k in range(20):
            taken += 1
            yield found(tmp_path / f"{k}")

    outcomes = work_through(files(), LocalWorkplace(label, 1), lambda: False, lambda _: None)
    assert taken == 0
    for k, _ in enumerate(outcomes):
        assert taken == k + 1


def test_work_that_is_stopped_ends_though_recordings_are_left(tmp_path):
    seen: list[str] = []
    outcomes = work_through(
        (found(tmp_path / f"{k}") for k in range(1000)),
        LocalWorkplace(label, 1), lambda: len(seen) >= 3, lambda _: None,
    )  # fmt: skip
    for outcome in outcomes:
        seen.append(outcome.result.path)
    assert len(seen) == 3
