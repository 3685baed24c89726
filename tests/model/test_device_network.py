"""The network on a device: folded, in half precision, native windows, one program a shape."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveclf.dsp.formats import FORMATS
from liveclf.dsp.framer import Framer
from liveclf.dsp.normalise import NativeWindows, normalised
from liveclf.model.bundle import KERAS_FILE, BundleInfo
from liveclf.model.compiled import unit_power
from liveclf.model.engines.keras_engine import KerasEngine
from liveclf.model.fold import flops_per_window, folded
from liveclf.model.vgg16 import build_vgg16
from liveclf.protocols import DeviceEngine
from liveclf.records import Block, FloatArray, SampleFormat, Windows
from liveclf.signals.generator import Labelled

NATIVE = ("cu8", "cs8", "cs16")
BATCH = 9


@pytest.fixture(scope="module")
def engine(written: tuple[Path, BundleInfo]) -> KerasEngine:
    return KerasEngine(written[0] / KERAS_FILE, BATCH)


@pytest.fixture(scope="module")
def x(check: Labelled) -> FloatArray:
    return check.x[:BATCH].astype(np.float32)


def native(x: FloatArray, fmt: SampleFormat, level: float) -> np.ndarray:
    """Return windows as a radio delivers them, (n, window, 2)."""
    limits = np.iinfo(fmt.dtype)
    scaled = np.round(x.transpose(0, 2, 1) * level * fmt.full_scale + fmt.offset)
    return np.clip(scaled, limits.min, limits.max).astype(fmt.dtype)


# -- folding -------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["vgg16-slim", "vgg16-classic"])
@pytest.mark.parametrize("far", [False, True])
def test_a_folded_network_is_the_same_network(preset: str, far: bool, x: FloatArray) -> None:
    """Within float32, also where statistics are nowhere near 0 and 1."""
    model = build_vgg16(5, preset, 0.125)
    rng = np.random.default_rng(4)
    for layer in model.layers:
        if not isinstance(layer, keras.layers.BatchNormalization):
            continue
        n = layer.moving_mean.shape[0]
        spread = 10 ** rng.uniform(-4, 4, n) if far else rng.uniform(0.6, 1.6, n)
        # gamma as large as the deviation: what comes out must be of use to the next layer.
        gamma = np.sqrt(spread) * rng.uniform(0.5, 1.5, n)
        mean = rng.normal(0, 30 if far else 0.3, n)
        layer.set_weights([gamma, rng.normal(0, 0.3, n), mean, spread])
    bare = folded(model)
    norms = [n for n in bare.layers if isinstance(n, keras.layers.BatchNormalization)]
    assert [n.name for n in norms] == (["symbols"] if preset == "vgg16-slim" else [])
    wanted, got = (np.asarray(m(x, training=False)) for m in (model, bare))
    assert np.ptp(wanted) > 1e-2
    assert np.abs(got - wanted).max() < 2e-4 * np.abs(wanted).max()


def test_folding_leaves_the_model_and_what_is_not_linear_alone() -> None:
    inputs = keras.Input((1, 8, 2))
    first = keras.layers.Conv2D(4, (1, 3), activation="relu")(inputs)  # no affine map
    x = keras.layers.BatchNormalization()(first)
    second = keras.layers.Conv2D(4, (1, 3))(x)  # taken twice
    x = keras.layers.Add()([keras.layers.BatchNormalization(scale=False)(second), second])
    x = keras.layers.Conv2D(3, (1, 1))(x)  # this one folds, and has a bias of its own
    model = keras.Model(inputs, keras.layers.BatchNormalization(center=False)(x))
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    before = [w.copy() for w in model.get_weights()]
    bare = folded(model)
    kinds = [type(layer).__name__ for layer in bare.layers]
    assert kinds.count("BatchNormalization") == 2
    z = rng.standard_normal((2, 1, 8, 2)).astype(np.float32)
    assert np.allclose(np.asarray(bare(z)), np.asarray(model(z)), atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_for_convolutions_alone(
    policy: str, network: keras.Model, x: FloatArray
) -> None:
    half = folded(network, policy)
    for layer in half.layers:
        is_half = isinstance(
            layer, keras.layers.Conv2D | keras.layers.Activation | keras.layers.MaxPooling2D
        )
        assert (layer.compute_dtype != "float32") == is_half, layer.name
        assert layer.variable_dtype == "float32"
    wanted, got = (np.asarray(m(x, training=False)) for m in (network, half))
    assert got.dtype == np.float32
    assert not np.array_equal(got, wanted)
    assert np.abs(got - wanted).max() < 0.05 * np.ptp(wanted)


def test_arithmetic_is_counted_as_by_hand() -> None:
    inputs = keras.Input((1, 10, 2))
    x = keras.layers.Conv2D(4, (1, 3), padding="same")(inputs)  # 10 * 4 sums of 3 * 2 products
    model = keras.Model(inputs, keras.layers.Dense(5)(keras.layers.Flatten()(x)))
    assert flops_per_window(model) == 2 * (10 * 4 * 3 * 2 + 40 * 5)


# -- native windows ------------------------------------------------------------------------


@given(name=st.sampled_from(NATIVE), level=st.sampled_from([0.01, 0.1, 0.9]), seed=st.integers(0))
@settings(max_examples=20, deadline=None)
def test_the_device_normalises_as_the_host_does(name: str, level: float, seed: int) -> None:
    fmt = FORMATS[name]
    noise = np.random.default_rng(seed).standard_normal((3, 2, 64)).astype(np.float32)
    q = native(noise, fmt, level)
    wanted, _ = normalised(q.transpose(0, 2, 1), fmt)
    assert np.abs(np.asarray(unit_power(q, np.float32(fmt.offset))) - wanted).max() < 1e-5


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("level", [0.1, 0.5])
def test_native_windows_get_the_logits_of_normalised_ones(
    engine: KerasEngine, name: str, level: float, x: FloatArray
) -> None:
    fmt = FORMATS[name]
    assert engine.accept(fmt)
    q = native(x, fmt, level)
    wanted = engine.predict(normalised(q.transpose(0, 2, 1), fmt)[0])
    for n in (BATCH, 1, 5):
        got = engine.predict(q[:n])
        assert got.shape == (n, wanted.shape[1])
        assert np.abs(got - wanted[:n]).max() < 1e-2 * np.ptp(wanted)
        assert np.array_equal(got.argmax(axis=1), wanted[:n].argmax(axis=1))


def test_a_silent_native_window_spoils_no_other(engine: KerasEngine, x: FloatArray) -> None:
    q = native(x, FORMATS["cs8"], 0.3)
    wanted = engine.predict(q)
    q[3] = 0
    got = engine.predict(q)
    rest = np.arange(BATCH) != 3
    assert np.isfinite(got).all()
    assert np.allclose(got[rest], wanted[rest], atol=1e-4)


def test_one_type_with_two_offsets_is_taken_once_and_floats_never(
    written: tuple[Path, BundleInfo], x: FloatArray
) -> None:
    """A driver's cs8 may have its zero at -0.5; then ours is normalised on the host."""
    engine = KerasEngine(written[0] / KERAS_FILE, 1)
    shifted = SampleFormat("cs8", np.dtype("i1"), -0.5, 127.5)
    assert engine.accept(shifted)
    assert engine.accept(shifted)
    assert not engine.accept(FORMATS["cs8"])
    for name in ("cf32", "cf64", "cs32", "cu32"):
        assert not engine.accept(FORMATS[name])
    assert not engine.accept(SampleFormat("cs16", np.dtype(">i2"), 0.0, 32768.0))
    q = native(x[:1], shifted, 0.02)  # so faint that half a step matters
    wanted = engine.predict(normalised(q.transpose(0, 2, 1), shifted)[0])
    assert np.abs(engine.predict(q) - wanted).max() < 1e-2 * np.ptp(wanted)
    other = engine.predict(normalised(q.transpose(0, 2, 1), FORMATS["cs8"])[0])
    assert np.abs(other - wanted).max() > 1e-2 * np.ptp(wanted)


def test_no_number_of_windows_and_no_format_makes_another_program(
    engine: KerasEngine, x: FloatArray
) -> None:
    assert isinstance(engine, DeviceEngine)
    before = engine._network.programs
    assert before == 3 * 4  # shapes 1, 8 and 9; float32 and three native types
    for n in range(1, BATCH + 1):
        engine.predict(x[:n])
        for name in NATIVE:
            engine.accept(FORMATS[name])
            engine.predict(native(x[:n], FORMATS[name], 0.3))
    assert engine._network.programs == before


def test_answers_belong_to_what_was_submitted_in_whatever_order_they_are_fetched(
    engine: KerasEngine, x: FloatArray
) -> None:
    waits = [engine.submit(x[k : k + 2]) for k in range(4)]
    got = [wait() for wait in reversed(waits)][::-1]
    for k, logits in enumerate(got):
        assert np.allclose(logits, engine.predict(x[k : k + 2]), atol=1e-5)


# -- the framer ----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from([*NATIVE, "cf32"]),
    hop=st.sampled_from([7, 64, 100]),
    silent=st.lists(st.integers(0, 1800), max_size=3),
    data=st.data(),
)
def test_native_and_normalised_windows_are_the_same_but_for_the_samples(name, hop, silent, data):
    """Skips, powers and places are those of the host, bit for bit."""
    fmt = FORMATS[name]
    iq = (
        native(np.random.default_rng(hop).standard_normal((1, 2, 2000)), fmt, 0.3)[0]
        if (fmt.dtype.kind != "f")
        else np.random.default_rng(hop).standard_normal((2000, 2)).astype(np.float32)
    )
    for start in silent:
        iq[start : start + 200] = np.nan if fmt.dtype.kind == "f" else 0
    edge = data.draw(st.integers(0, 2000))
    usual, framer = (
        Framer(64, hop),
        Framer(64, hop, normalise=NativeWindows(lambda f: f.name in NATIVE)),
    )
    framed = [list(_windows(f, fmt, iq, edge)) for f in (usual, framer)]
    a, b = (Windows.concatenate(parts) for parts in framed)
    assert (usual.skipped, usual.windows) == (framer.skipped, framer.windows)
    for column in ("start_sample", "gap_before", "power_dbfs", "received_s"):
        assert np.array_equal(getattr(a, column), getattr(b, column))
    assert a.window_samples == b.window_samples == 64
    if name == "cf32":
        assert np.array_equal(a.x, b.x)
        return
    assert b.x.dtype == fmt.dtype
    assert np.array_equal(normalised(b.x.transpose(0, 2, 1), fmt)[0], a.x)
    assert not np.shares_memory(b.x, iq)


def _windows(framer: Framer, fmt: SampleFormat, iq: np.ndarray, edge: int):
    for first, part in ((0, iq[:edge]), (edge, iq[edge:])):
        yield from framer.push(Block(part, fmt, first, 0, 1e6, 0.0, 0.0, 0.0))


# -- the other backend ---------------------------------------------------------------------


def test_jax_gives_the_same_logits_and_makes_no_further_program(
    written: tuple[Path, BundleInfo], engine: KerasEngine, x: FloatArray, tmp_path: Path
) -> None:
    pytest.importorskip("jax", reason="JAX is not installed")
    x = x[:1]  # one program for the network: it takes long to compile
    q = native(x, FORMATS["cu8"], 0.3)
    engine.accept(FORMATS["cu8"])
    np.savez(tmp_path / "in.npz", x=x, q=q)
    program = f"""
import numpy as np
from pathlib import Path
from liveclf.dsp.formats import FORMATS
from liveclf.model.engines.keras_engine import KerasEngine
engine = KerasEngine(Path({str(written[0] / KERAS_FILE)!r}), 1)
assert engine.name == "keras fp32 on jax", engine.name
assert engine.accept(FORMATS["cu8"])
before, given = engine._network.programs, np.load({str(tmp_path / "in.npz")!r})
waits = [engine.submit(given[key]) for key in ("x", "q")]
np.savez({str(tmp_path / "out.npz")!r}, **dict(zip("xq", (wait() for wait in waits))))
engine.predict(given["q"])
assert engine._network.programs == before == 4
"""
    environment = os.environ | {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    got = np.load(tmp_path / "out.npz")
    for key, given_windows in (("x", x), ("q", q)):
        wanted = engine.predict(given_windows)
        assert np.abs(got[key] - wanted).max() < 1e-2 * np.ptp(wanted)
