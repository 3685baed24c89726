"""The parts of the bench: noise, stages, the whole beside the engine, latency."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fake_network import FakeEngine, network

from liveclf.bench.latency import measure_latency
from liveclf.bench.noise import N_BLOCKS, NoiseSource, noise, write_recording
from liveclf.bench.rounds import Watch
from liveclf.bench.stages import LOOP, OUTPUTS, measure_stages
from liveclf.bench.whole import measure_whole
from liveclf.config import ModelSettings, Seconds, SourceSettings
from liveclf.dsp.formats import FORMATS, as_complex
from liveclf.sources import open_source

CU8 = FORMATS["cu8"]


class Time:
    """Passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s, self.slept_s = 100.0, []

    def clock(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


# -- noise ---------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
def test_noise_of_every_format_is_20_db_below_full_scale(fmt):
    iq = as_complex(noise(fmt), fmt)
    assert 10 * math.log10(np.mean(np.abs(iq) ** 2)) == pytest.approx(-17, abs=0.1)  # I and Q
    assert abs(np.mean(iq)) < 1e-3


@pytest.mark.parametrize("name", ["cu8", "cs16", "cs24", "cf32"])
def test_a_recording_of_noise_is_read_back_as_it_was_made(name, tmp_path):
    fmt = FORMATS[name]
    write_recording(tmp_path / "noise", fmt)
    source = open_source(SourceSettings(path=str(tmp_path / "noise"), format=name))
    read = np.concatenate([block.iq for block in source.blocks()])
    made = noise(fmt)
    if name == "cs24":  # of 32 bits, 24 are stored
        made = made & ~0xFF
    assert np.array_equal(read, made)


@pytest.mark.parametrize("rate_hz", [250e3, 2.4e6, 61.44e6])
def test_a_paced_source_delivers_each_block_when_its_last_sample_has_come(rate_hz):
    time, n = Time(), 1_000_003
    source = NoiseSource(CU8, rate_hz, n, is_paced=True, clock=time.clock, sleep=time.sleep)
    assert source.info.is_live
    at = 0
    for block in source.blocks():
        assert block.start_sample == at
        if not len(block.iq):  # nothing waits
            continue
        at += len(block.iq)
        assert time.now_s == pytest.approx(100 + at / rate_hz)
        assert block.received_s == pytest.approx(time.now_s)
        assert len(block.iq) / rate_hz <= 0.0101
        assert block.iq.nbytes <= 65_536
    assert at == n
    assert max(time.slept_s) <= 0.1


def test_a_paced_source_does_not_wait_for_a_reader_that_is_late():
    time = Time()
    source = NoiseSource(CU8, 1e6, 100_000, is_paced=True, clock=time.clock, sleep=time.sleep)
    blocks = (block for block in source.blocks() if len(block.iq))
    next(blocks)
    time.now_s += 50  # the reader was busy
    for block in blocks:
        assert block.received_s == pytest.approx(100 + (block.start_sample + len(block.iq)) / 1e6)
    assert time.now_s == pytest.approx(150.01)


@pytest.mark.parametrize("is_paced", [True, False])
def test_a_source_ends_when_it_is_closed(is_paced):
    time = Time()
    source = NoiseSource(CU8, 1e6, 10**9, is_paced=is_paced, clock=time.clock, sleep=time.sleep)
    blocks = source.blocks()
    next(blocks)
    source.close()
    assert list(blocks) == []


# -- stages --------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 96, 2000])
def test_every_stage_is_measured_and_the_shares_are_those_of_the_loop(batch_size):
    engine = FakeEngine(1000, batch_size)
    found = measure_stages(network(engine), FORMATS["cs16"], 1e6, Watch(0.1))
    assert found
    stages = {stage.name: stage for stage in found[0]}
    assert tuple(stages) == (*LOOP, *OUTPUTS)
    for stage in stages.values():
        assert stage.us_per_window == pytest.approx(1e6 / stage.speed.windows_per_s)
        assert stage.samples_per_s == pytest.approx(1024 * stage.speed.windows_per_s)
    assert sum(stages[name].share for name in LOOP) == pytest.approx(1)
    bytes_per_sample = {name: stage.bytes_per_sample for name, stage in stages.items()}
    assert bytes_per_sample["integers to windows"] == 4 + 8
    assert bytes_per_sample["batching"] == 8 + 8
    assert bytes_per_sample["engine"] == 8 + 3 * 4 / 1024
    assert bytes_per_sample["null"] == 0
    assert bytes_per_sample["jsonl"] > bytes_per_sample["csv"] > 0
    limit = found[1]
    assert limit.samples_per_s == pytest.approx(1024 * limit.speed.windows_per_s)
    assert 0 < limit.ratio < 1  # nothing is made as fast as it is copied
    assert 0 < limit.ratio_new < 1


# -- the whole -----------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 100, 128])
def test_an_engine_of_known_speed_is_found_to_have_it_and_the_whole_as_well(batch_size):
    engine = FakeEngine(500, batch_size)

    def source(n: int) -> NoiseSource:
        return NoiseSource(CU8, 2.4e6, n, is_paced=False)

    watch = Watch(10.0, clock=engine.clock)
    found = measure_whole(network(engine), source, ["null"], watch)
    assert found
    assert found.engine.windows_per_s == pytest.approx(500)
    (whole,) = found.outputs
    assert whole.speed.windows_per_s == pytest.approx(500)
    assert whole.samples_per_s == pytest.approx(512_000)
    assert whole.ratio == pytest.approx(1)
    assert set(engine.batches) == {batch_size}  # no batch is cut short by the end of a stream
    assert engine.now_s < 15


def test_what_the_path_costs_beside_the_engine_is_in_the_ratio():
    engine = FakeEngine(500)

    class Slow(NoiseSource):
        def blocks(self):
            for block in super().blocks():
                engine.now_s += len(block.iq) / 1024 / 1000  # 1 ms a window; the engine takes 2
                yield block

    found = measure_whole(
        network(engine),
        lambda n: Slow(CU8, 2.4e6, n, is_paced=False),
        ["null"],
        Watch(10.0, clock=engine.clock),
    )
    assert found
    assert found.outputs[0].ratio == pytest.approx(2 / 3)


# -- latency -------------------------------------------------------------------------------


def test_latency_counts_from_the_last_sample_of_each_window():
    """At 102,400 samples/s in blocks of 2 windows, batches of 4: each waits for the last."""
    engine = FakeEngine(math.inf, 4)
    settings = ModelSettings(max_age_s=Seconds(10))
    found = measure_latency(network(engine), CU8, 102_400.0, settings, Watch(0.8))
    assert found
    assert found.windows == 80
    assert found.coverage == 1
    # Windows come each 10 ms: of a batch of four, the first waits 30 ms and the last not at all.
    assert 10 <= found.p50_ms <= found.p99_ms <= found.max_ms
    assert found.p99_ms >= 29
    assert "up to 4 windows" in found.policy


def test_a_latency_that_is_ended_tells_of_the_records_so_far():
    engine = FakeEngine(math.inf, 1)

    def is_over() -> bool:
        return len(engine.batches) >= 20

    watch = Watch(60.0, is_over)
    found = measure_latency(network(engine), CU8, 102_400.0, ModelSettings(), watch)
    assert found
    assert 20 <= found.windows < 40


def test_there_is_no_latency_without_a_record():
    engine = FakeEngine(math.inf)
    watch = Watch(60.0, lambda: True)
    assert measure_latency(network(engine), CU8, 1e6, ModelSettings(), watch) is None


def test_noise_is_of_whole_windows_so_that_its_end_is_no_loss():
    assert len(noise(CU8)) == N_BLOCKS * 65_536
    assert len(noise(CU8)) % 1024 == 0
