"""Threads and batch: what is measured, what is chosen, and what is remembered where."""

from __future__ import annotations

import gc
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveclf.config import Auto, ModelSettings, RunSettings, load, to_toml
from liveclf.errors import UsageError
from liveclf.model.bundle import DEFAULT, Bundle, BundleInfo, load_bundle
from liveclf.model.engines import open_engine, tuning
from liveclf.model.engines.onnx_engine import OnnxEngine
from liveclf.model.engines.tuning import Choice, Key, best, candidates, cpu_model, measure, tuned
from liveclf.records import FloatArray

KEY = Key(network="ab" * 32, runtime="onnxruntime 1", cpu="a CPU", cores=4, threads=0, batch=0)


class Clockwork:
    """An engine whose calls take a time of its own rule, on a clock of its own."""

    def __init__(self, rule_s=lambda threads, batch: 0.002 + 0.001 * batch / threads):
        self.rule_s, self.now_s, self.calls = rule_s, 0.0, []

    def use(self, threads: int, batch: int) -> None:
        self.threads, self.batch = threads, batch

    def predict(self, x: FloatArray) -> FloatArray:
        assert x.shape == (self.batch, 2, 1024)
        self.calls.append((self.threads, self.batch))
        self.now_s += self.rule_s(self.threads, self.batch)
        return np.zeros((len(x), 3), np.float32)

    def clock(self) -> float:
        return self.now_s


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the tuning will use, not there yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert tuning.cache_folder().is_relative_to(tmp_path)
    return tuning.cache_folder()


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Choice]:
    """Answer measurements with ever other choices, and return those answered."""
    given: list[Choice] = []

    def answer(engine: object, pairs: list[tuple[int, int]]) -> Choice:
        given.append(Choice(*pairs[0], 100.0 + len(given)))
        return given[-1]

    monkeypatch.setattr(tuning, "measure", answer)
    return given


def asked(key: Key = KEY) -> tuple[Choice, list[str]]:
    told: list[str] = []
    return tuned(key, Clockwork(), told.append), told


def test_what_was_measured_is_remembered_and_said_once(cache: Path, measured: list[Choice]) -> None:
    first, told = asked()
    assert [first] == measured
    assert len(told) == 1
    assert f"{first.threads} threads, {first.batch} windows a call" in told[0]
    assert asked() == (first, [])
    assert len(measured) == 1
    assert len(list(cache.iterdir())) == 1  # no scratch file is left behind


@pytest.mark.parametrize(
    "other",
    [
        {"network": "cd" * 32},
        {"runtime": "onnxruntime 2"},
        {"cpu": "another CPU"},
        {"cores": 2},
        {"threads": 2},
        {"batch": 16},
        {"format": 0},
    ],
)
def test_another_network_or_machine_is_measured_by_itself(
    cache: Path, measured: list[Choice], other: dict[str, object]
) -> None:
    first, _ = asked()
    asked(msgspec.structs.replace(KEY, **other))
    assert len(measured) == 2
    assert asked() == (first, [])


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: b"",
        lambda text: text[: len(text) // 2],
        lambda text: b"\xff\xfe" + text,
        lambda text: b"[1, 2]",
        lambda text: text.replace(b'"threads": 4', b'"threads": "four"'),
        lambda text: text.replace(b'"batch": 32', b'"batch": 0'),
        lambda text: text.replace(b'"batch": 32', b'"batch": -5'),
        lambda text: text.replace(b"a CPU", b"b CPU"),
        lambda text: text.replace(b'"format": 1', b'"format": 2'),
    ],
)
def test_a_damaged_file_is_measured_anew_and_replaced(
    cache: Path, measured: list[Choice], damage
) -> None:
    asked()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    assert damage(whole) != whole
    file.write_bytes(damage(whole))
    again, told = asked()
    assert again is measured[1]
    assert len(told) == 1
    assert asked() == (again, [])


@pytest.mark.parametrize("place", ["file in the way", "folder of that name"])
def test_where_nothing_can_be_written_it_is_measured_every_time(
    cache: Path, measured: list[Choice], place: str
) -> None:
    if place == "file in the way":
        cache.parent.parent.mkdir(exist_ok=True)
        cache.parent.write_text("no folder")
    else:
        asked()
        (file,) = cache.iterdir()
        file.unlink()
        file.mkdir()
        measured.clear()
    for n in (1, 2):
        _, told = asked()
        assert len(measured) == n
        assert len(told) == 1
        assert f"not remembered, {cache}: " in told[0]


def test_what_is_forgotten_is_measured_anew(cache: Path, measured: list[Choice]) -> None:
    tuning.forget()  # nothing there yet
    asked()
    (cache / "of another program").write_text("kept")
    tuning.forget()
    asked()
    assert len(measured) == 2
    assert (cache / "of another program").exists()


@given(cores=st.integers(1, 300), threads=st.integers(0, 9), batch=st.integers(0, 99))
def test_what_the_user_says_is_kept_and_the_rest_is_tried(
    cores: int, threads: int, batch: int
) -> None:
    pairs = candidates(cores, threads, batch)
    assert len(set(pairs)) == len(pairs) <= 12
    assert {t for t, _ in pairs} == ({threads} if threads else {cores, cores // 2 or 1, 1})
    if batch:
        assert {b for _, b in pairs} == {batch}
    else:
        assert all(b % t == 0 and b // t <= 64 for t, b in pairs)
        assert [b // t for t, b in pairs] == sorted(b // t for t, b in pairs)


def test_the_measurement_finds_the_fastest_and_keeps_to_its_time() -> None:
    engine = Clockwork()
    choice = measure(engine, candidates(4, 0, 0), 1.0, engine.clock)
    assert choice.threads == 4
    assert choice.batch == 4 * 32  # by the rule 97 % of the best; half of it has 92 %
    assert choice.windows_per_s == pytest.approx(128 / 0.034, rel=1e-3)
    assert engine.now_s <= 1.0
    assert len(engine.calls) > 12


def test_a_slow_network_is_tried_in_small_batches_only() -> None:
    engine = Clockwork(lambda threads, batch: 0.04 * batch / threads)
    choice = measure(engine, candidates(2, 0, 0), 1.0, engine.clock)
    assert choice == Choice(2, 16, 50.0)
    assert engine.now_s <= 1.0


def test_one_call_is_made_however_slow_it_is() -> None:
    engine = Clockwork(lambda threads, batch: 100.0)
    assert measure(engine, candidates(2, 0, 0), 1.0, engine.clock) == Choice(2, 16, 0.2)
    assert engine.calls == [(2, 16)]


def test_what_disturbs_one_round_does_not_decide() -> None:
    engine = Clockwork()
    plain = engine.rule_s
    disturbed = iter([30.0] * 12)
    engine.rule_s = lambda t, b: plain(t, b) + next(disturbed, 0.0)
    assert measure(engine, candidates(4, 0, 0), 500.0, engine.clock).batch == 128


def test_fewer_threads_are_taken_where_they_are_clearly_faster() -> None:
    assert best({(4, 32): 90.0, (2, 32): 100.0}).threads == 4  # a disturbance, by all we know
    assert best({(4, 32): 80.0, (2, 32): 100.0}).threads == 2
    assert best({(4, 32): 95.0, (4, 64): 99.0, (4, 16): 80.0}).batch == 32


def test_cpus_are_told_apart(tmp_path: Path) -> None:
    def told(text: str) -> str:
        (tmp_path / "cpuinfo").write_text(text)
        return cpu_model(tmp_path / "cpuinfo")

    x86 = "processor : {}\ncpu family : 25\nmodel : {}\nmodel name : EPYC\ncpu MHz : {}\n\n"
    twice = told(x86.format(0, 1, 2445) + x86.format(1, 1, 3000))
    assert twice == told(x86.format(0, 1, 1000))  # neither the clock nor the count of cores
    assert twice != told(x86.format(0, 17, 1000))
    arm = "CPU implementer : 0x41\nCPU part : {}\n"
    assert told(arm.format("0xd0b")) != told(arm.format("0xd03"))
    assert told("nothing known")
    assert cpu_model(tmp_path / "none")


@pytest.fixture(scope="module")
def bundle(written: tuple[Path, BundleInfo]) -> Bundle:
    return load_bundle(str(written[0]))


@pytest.fixture(scope="module")
def x() -> FloatArray:
    return np.random.default_rng(3).standard_normal((40, 2, 1024), np.float32)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_threads_that_share_a_batch_give_what_one_gives(
    bundle: Bundle, x: FloatArray, precision: str
) -> None:
    path = bundle.file(f"model.{precision}.onnx")
    whole = OnnxEngine(path, precision, 40, 1).predict(x)
    assert np.ptp(whole) > 1
    for threads in (2, 3, 7, 64):
        engine = OnnxEngine(path, precision, 40, threads)
        for n in (1, 2, 5, 40):
            logits = engine.predict(x[:n])
            assert logits.dtype == np.float32
            assert logits.shape == (n, whole.shape[1])
            assert np.allclose(logits, whole[:n], atol=1e-4)
        assert engine.predict(x[:0]).shape == (0, whole.shape[1])
        engine.close()


def test_the_threads_end_with_the_engine(bundle: Bundle, x: FloatArray) -> None:
    def running() -> int:
        return sum(t.name.startswith("onnx") for t in threading.enumerate())

    def ends() -> bool:
        deadline_s = time.monotonic() + 20
        while running() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        return not running()

    gc.collect()
    assert ends()  # those of other tests
    for finish in (lambda engine: engine.close(), lambda engine: None):
        engine = OnnxEngine(bundle.file("model.fp32.onnx"), "fp32", 8, 3)
        engine.predict(x[:8])
        assert 1 <= running() <= 3
        finish(engine)
        del engine
        gc.collect()
        assert ends()


def test_an_engine_is_tuned_when_nothing_is_said(bundle: Bundle, cache: Path) -> None:
    told: list[str] = []
    engine, _ = open_engine(bundle, ModelSettings(), told.append)
    assert len(told) == 1
    assert told[0].startswith("Measured once for this network, machine and onnxruntime ")
    again, _ = open_engine(bundle, ModelSettings(), told.append)
    assert len(told) == 1
    assert (again.batch_size, again.name) == (engine.batch_size, engine.name)


def test_what_is_said_is_not_measured(bundle: Bundle, cache: Path) -> None:
    settings = ModelSettings(batch=Auto(24), threads=Auto(3))
    engine, _ = open_engine(bundle, settings, pytest.fail)
    assert engine.batch_size == 24
    assert engine.name == "onnx int8, 3 threads"
    assert not cache.exists()


def test_half_of_it_is_said(bundle: Bundle, cache: Path) -> None:
    engine, _ = open_engine(bundle, ModelSettings(threads=Auto(3)))
    assert engine.name == "onnx int8, 3 threads"
    assert engine.batch_size % 3 == 0
    assert open_engine(bundle, ModelSettings(batch=Auto(24)))[0].batch_size == 24


def test_auto_is_a_word_and_a_zero() -> None:
    assert ModelSettings().threads == ModelSettings().batch == 0
    for text, number in (("auto", 0), (0, 0), (2, 2)):
        found = load(RunSettings, None, {"model": {"threads": text, "batch": text}}).model
        assert (found.threads, found.batch) == (number, number)
    assert 'threads = "auto"' in to_toml(ModelSettings())
    assert "batch = 16" in to_toml(ModelSettings(batch=Auto(16)))


@pytest.mark.parametrize("key", ["threads", "batch"])
@pytest.mark.parametrize("value", [-1, 1.5, "many", True, "", None, [2]])
def test_neither_a_number_nor_auto_is_wrong_use(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"model\.{key}"):
        load(RunSettings, None, {"model": {key: value}})


def test_a_batch_for_which_there_is_no_memory_is_wrong_use() -> None:
    with pytest.raises(
        UsageError, match=r"model\.batch = 4097: expected a number up to 4096, or auto"
    ):
        load(RunSettings, None, {"model": {"batch": 4097}})


def test_the_packaged_network_needs_no_answer_from_another_machine() -> None:
    """Its labels do not depend on what was measured here."""
    bundle = load_bundle(DEFAULT)
    windows = np.random.default_rng(5).standard_normal((6, 2, 1024), np.float32)
    one = open_engine(bundle, ModelSettings(threads=Auto(1), batch=Auto(6)))[0].predict(windows)
    two = open_engine(bundle, ModelSettings(threads=Auto(2), batch=Auto(32)))[0].predict(windows)
    assert np.allclose(one, two, atol=1e-3)
