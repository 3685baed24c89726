"""The loop with finders: engines of either kind, several streams, what is counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from fake_parts import CLASSES, FAMILY_OF, FakeEngine, FakeSource
from test_finder import BURSTS, WINDOW, blocks_of, bursts
from test_in_flight import FakeDevice

from liveclf.config import DetectSettings
from liveclf.emissions import Emission, Emissions
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.live.finder import Finder
from liveclf.live.stats import Cut, Stats
from liveclf.protocols import Engine
from liveclf.records import Block

RULES = Rules(CLASSES, FAMILY_OF, 1.0, top_k=2, min_probability=0.0, report_s=1.0)


class Told:
    """Keeps what is told."""

    all_closed = False

    def __init__(self) -> None:
        self.records: list[Emission] = []

    def write(self, told: Emissions) -> None:
        self.records += told.rows()


def run(
    streams: list[list[Block]], engine: Engine
) -> tuple[list[Emission], dict, list[pipeline.Stream]]:
    sources = [FakeSource(blocks, name=f"s{k}") for k, blocks in enumerate(streams)]
    laid_out = [
        pipeline.Stream(source, [], Finder(WINDOW, DetectSettings(), k), Stats(FAMILY_OF))
        for k, source in enumerate(sources)
    ]
    output = Told()
    decider = EmissionDecider(RULES, [source.info for source in sources])
    batcher = Batcher(engine.batch_size, 1e9)
    pipeline.run(laid_out, batcher, engine, decider, output, clock=lambda: 0.0)
    cut = Cut.together([stream.framer for stream in laid_out])
    figures = Stats.together([stream.stats for stream in laid_out]).summary(cut, 1.0)
    return output.records, figures, laid_out


def bpsk(batch_size: int = 4) -> FakeEngine:
    return FakeEngine(batch_size, lambda k: 0)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_every_emission_is_told_once_to_its_end_whatever_the_batch(batch_size):
    records, figures, _ = run([blocks_of(bursts(), 5000)], bpsk(batch_size))
    assert [(r.id, r.state, r.label) for r in sorted(records, key=lambda r: r.id)] == [
        (k, "closed", "BPSK") for k in (1, 2, 3)
    ]
    assert figures["emissions"] == len(BURSTS)
    assert figures["classified"] == figures["windows"] == sum(r.n_windows for r in records)
    assert (figures["coverage"], figures["unclassified"]) == (1.0, 0)
    assert figures["labels"] == {"BPSK": 3}


class Device(FakeDevice):
    """A device that would take samples as they are, and gets windows of float."""

    def accept(self, fmt: object) -> bool:
        return True

    def submit(self, x: np.ndarray) -> Callable[[], np.ndarray]:
        assert x.dtype == np.float32
        assert x.shape[1:] == (2, WINDOW)
        return super().submit(x)


def test_a_device_gives_what_an_engine_in_the_loop_gives():
    blocks = blocks_of(bursts(), 5000)
    records, figures, _ = run([blocks], Device(batch_size=4))
    others, other_figures, _ = run([blocks], FakeEngine(4))
    assert sorted(records, key=lambda r: r.id) == sorted(others, key=lambda r: r.id)
    assert figures == other_figures


def test_emissions_of_several_streams_are_numbered_each_for_itself():
    alike = blocks_of(bursts(), 5000)
    other = blocks_of(bursts(seed=2), 7000)
    records, figures, streams = run([alike, other, alike], bpsk())
    of = {k: sorted(r.id for r in records if r.stream == k) for k in range(3)}
    assert of == {0: [1, 2, 3], 1: [1, 2, 3], 2: [1, 2, 3]}
    assert {(r.stream, r.source) for r in records} == {(k, f"s{k}") for k in range(3)}
    for r in records:
        assert r.sample == pytest.approx(BURSTS[r.id - 1][0], abs=200)
    assert [stream.stats.emissions for stream in streams] == [3, 3, 3]
    assert figures["emissions"] == 9


def test_what_the_network_takes_for_noise_is_counted_not_told():
    records, figures, _ = run([blocks_of(bursts(), 5000)], FakeEngine(4, lambda k: 3))
    assert records == []
    assert (figures["emissions"], figures["noise"]) == (0, 3)


def test_where_nothing_is_found_there_is_nothing_to_tell():
    quiet = bursts()[:140_000]
    records, figures, _ = run([blocks_of(quiet, 5000)], bpsk())
    assert records == []
    assert (figures["windows"], figures["coverage"], figures["samples"]) == (0, None, 140_000)
