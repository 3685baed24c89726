"""Columns that group windows, and several sets as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from liveclf.learn.score.groups import FILE, group_by, pooled
from liveclf.learn.score.verdicts import Answers


def members(column: Any) -> dict[str, list[int]]:
    """Return the rows of every group that has some."""
    group, names = group_by(column)
    found = {name: np.flatnonzero(group == k).tolist() for k, name in enumerate(names)}
    assert len(group) == len(column)
    return {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize(
    "column",
    [
        np.array(["flat", "multipath", "", "flat"]),
        np.array([b"flat", b"multipath", b"", b"flat"]),
        np.array([b"flat", "multipath", "", "flat"], object),
    ],
    ids=["text", "bytes", "objects"],
)
def test_text_groups_by_its_value(column: Any) -> None:
    assert members(column) == {"flat": [0, 3], "multipath": [1]}


def test_numbers_group_by_octaves_and_the_largest_includes_its_end() -> None:
    sps = np.array([2, 3.99, 4, 7.9, 8, 16, np.nan, 0, -1], np.float32)
    assert members(sps) == {"2-4": [0, 1], "4-8": [2, 3], "8-16": [4, 5]}
    assert members(np.array([16.5, 2.0])) == {"2-4": [1], "16-32": [0]}
    assert members(np.array([4, 4])) == {"4-8": [0, 1]}
    assert members(np.full(3, np.nan)) == {}


def answers(name: str, classes: tuple[str, ...], y: list[int], **groups: Any) -> Answers:
    logits = np.full((len(y), 2), len(name), np.float32)
    columns = {key: np.array(column) for key, column in groups.items()}
    return Answers(name, logits, np.array(y), np.arange(len(y), dtype=np.float32), classes, columns)


def test_one_set_stays_as_it_is() -> None:
    only = answers("one", ("A",), [0])
    assert pooled([only]) is only


def test_sets_that_number_their_classes_otherwise_become_one() -> None:
    both = pooled([answers("one", ("A", "B"), [0, 1]), answers("three", ("C", "B"), [1, 0, 1])])
    assert [both.classes[k] for k in both.y] == ["A", "B", "B", "C", "B"]
    assert both.snr_db.tolist() == [0, 1, 0, 1, 2]
    assert both.logits[:, 0].tolist() == [3, 3, 5, 5, 5]
    assert both.name == "one, three"
    assert members(both.groups[FILE]) == {"one": [0, 1], "three": [2, 3, 4]}


def test_what_only_some_sets_tell_is_not_told_of_the_others() -> None:
    both = pooled(
        [
            answers("one", ("A",), [0, 0], channel=["flat", "deep"], sps=[2.0, 9.0]),
            answers("two", ("A",), [0]),
            answers("three", ("A",), [0], channel=[b"flat"], sps=[3]),
        ]
    )
    assert members(both.groups["channel"]) == {"flat": [0, 3], "deep": [1]}
    assert members(both.groups["sps"]) == {"2-4": [0, 3], "8-16": [1]}


def test_a_column_of_numbers_here_and_text_there_is_text() -> None:
    both = pooled([answers("a", ("A",), [0], sps=[2.5]), answers("b", ("A",), [0], sps=["low"])])
    assert members(both.groups["sps"]) == {"2.5": [0], "low": [1]}


def test_files_of_the_same_name_are_told_apart_and_many_are_not_all_named() -> None:
    many = pooled([answers("rec", ("A",), [0]) for _ in range(5)])
    assert len(members(many.groups[FILE])) == 5
    assert many.name == "rec (1), rec (2), rec (3) and 2 more"
