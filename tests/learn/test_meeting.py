"""Machines that meet: those that were told otherwise, come late, or are lost."""

from __future__ import annotations

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tones import Tones

from liveclf.config import (
    ClusterSettings,
    FitSettings,
    NetworkSettings,
    TogetherSettings,
    TrainSettings,
    load,
)
from liveclf.errors import TrainingError, UsageError
from liveclf.learn.together.arrive import host, join
from liveclf.learn.together.cluster import card_of
from liveclf.learn.together.meeting import Meeting
from liveclf.learn.together.share import Share

LIMIT_S = 60.0
CARD: dict[str, Any] = {"fit.batch": 128, "fit.seed": 1}


def silent(_: str) -> None:
    pass


@pytest.fixture
def address() -> tuple[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return ("127.0.0.1", int(server.getsockname()[1]))


def meet(
    address: tuple[str, int], folder: Path, card: dict[str, Any], *files: Path
) -> tuple[Future[Meeting], Future[Meeting]]:
    """Let machine 0 and a machine with a card of its own meet."""
    with ThreadPoolExecutor(2) as pool:
        here = pool.submit(host, address, 2, CARD, files, LIMIT_S, silent)
        there = pool.submit(join, address, 1, 2, card, folder, LIMIT_S, silent)
    return here, there


def test_a_flag_that_differs_is_named_on_both_machines(
    address: tuple[str, int], tmp_path: Path
) -> None:
    here, there = meet(address, tmp_path, {**CARD, "fit.batch": 64})
    for machine in (here, there):
        with pytest.raises(UsageError, match=r"fit\.batch is 64 on machine 1 and 128 on machine 0"):
            machine.result()


def test_a_run_that_is_resumed_travels_whole(address: tuple[str, int], tmp_path: Path) -> None:
    sent, folder = tmp_path / "checkpoint.keras", tmp_path / "there"
    folder.mkdir()
    sent.write_bytes(np.random.default_rng(1).bytes(3_000_001))
    (tmp_path / "empty").touch()
    here, there = meet(address, folder, CARD, sent, tmp_path / "empty")
    with here.result(), there.result():
        assert (folder / sent.name).read_bytes() == sent.read_bytes()
        assert (folder / "empty").read_bytes() == b""


def test_a_machine_that_does_not_come_is_named(address: tuple[str, int]) -> None:
    with pytest.raises(TrainingError, match="Machine 1, 2 of 3 did not come within 0"):
        host(address, 3, CARD, (), 0.2, silent)


def test_machine_0_that_is_not_there_is_named(address: tuple[str, int], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="Machine 0 was not at 127"):
        join(address, 1, 2, CARD, tmp_path, 0.2, silent)


def test_data_that_differ_are_named_on_both(address: tuple[str, int], tmp_path: Path) -> None:
    here, there = (machine.result() for machine in meet(address, tmp_path, CARD))
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(m.same, "the file", v) for m, v in ((here, "a"), (there, "b"))]
    for answer in asked:
        with pytest.raises(UsageError, match="the file is another on machine 1 than on machine 0"):
            answer.result()
    here.part("has failed")
    there.part("has failed")


@pytest.mark.parametrize("rank", [0, 1])
def test_a_machine_whose_connection_breaks_off_is_missed(
    rank: int, address: tuple[str, int], tmp_path: Path
) -> None:
    both = [machine.result() for machine in meet(address, tmp_path, CARD)]
    left, gone = both[1 - rank], both[rank]
    told: list[str] = []
    left.watch(lambda: told.append(str(left.fault)))
    for line in gone._lines.values():  # as the kernel does for a process that was killed
        line.close()
    assert left.misses_one(LIMIT_S)
    assert left.fault is not None
    assert left.fault.startswith(f"Machine {rank} of 2 was lost")
    left.part("has failed")


def test_machines_that_have_done_their_part_miss_nobody(
    address: tuple[str, int], tmp_path: Path
) -> None:
    here, there = (machine.result() for machine in meet(address, tmp_path, CARD))
    for machine in (here, there):
        machine.watch(lambda: None)
    with ThreadPoolExecutor(2) as pool:
        for machine in (there, here):
            pool.submit(machine.part, "")
    assert here.fault is None
    assert there.fault is None


def test_no_two_machines_make_the_same_chunk_and_together_they_make_all() -> None:
    made = [Share(rank, 3).chunks(Tones())(k).x for k in range(2) for rank in range(3)]
    for index, x in enumerate(made):
        assert np.array_equal(x, Tones()(index).x)


def test_held_out_windows_are_shared_out_evenly() -> None:
    parts = [Share(rank, 2).of(np.arange(11), 4) for rank in range(2)]
    assert [len(part) for part in parts] == [4, 4]
    assert sorted(np.concatenate(parts)) == list(range(8))


@pytest.mark.parametrize(
    ("cluster", "named"),
    [
        ({"rank": 2, "machines": 2, "address": "a:1"}, "rank 2"),
        ({"machines": 2}, "machines 2"),
        ({"address": "a:1"}, "a:1"),
        ({"address": "a", "machines": 2}, "HOST:PORT"),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(cluster: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        load(TogetherSettings, None, {"cluster": cluster})


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (TrainSettings(fit=FitSettings(freeze=True)), "--freeze"),
        (TrainSettings(network=NetworkSettings(recipe="as-posted")), "--recipe as-posted"),
    ],
)
def test_what_trains_on_one_machine_only_is_refused(settings: TrainSettings, named: str) -> None:
    with pytest.raises(UsageError, match=f"--cluster conflicts with {named}"):
        card_of(ClusterSettings(address="a:1", machines=2), settings, resume=False)
