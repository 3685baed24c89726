"""What is compiled in front of the network: against NumPy and Keras, and behind an engine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from frontend_by_hand import matched_by_hand
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from symbols_by_hand import constellation_by_hand

from liveclf.config import Auto, ModelSettings
from liveclf.errors import TrainingError
from liveclf.learn.export.layers import cut
from liveclf.model.blind.constants import FEATURES
from liveclf.model.blind.equaliser import equalise, scaled
from liveclf.model.blind.front import front
from liveclf.model.blind.matched_filter import let_through
from liveclf.model.bundle import LAYER_FILES, ONNX_FILES, BundleInfo, load_bundle, write_info
from liveclf.model.engines import open_engine
from liveclf.model.frontend import MatchedFilter
from liveclf.model.symbols import Constellation
from liveclf.signals.generator import make_chunk

Real = NDArray[np.float32]
ALIKE = 5e-3  # see `test_symbols`: of single precision in another order


@pytest.fixture(scope="module")
def windows() -> Real:
    """Return windows of all classes."""
    return make_chunk(2, 0, (0.0, 30.0)).x[:96].astype(np.float32)


def alike(found: Real, wanted: Real) -> float:
    """Return the share of windows that agree; of two lines alike either may be the taller."""
    return float(np.mean(np.all(np.abs(found - wanted) < ALIKE, axis=1)))


def test_it_is_what_numpy_says_in_double_precision(windows: Real) -> None:
    matched, features = front(windows)
    assert matched.dtype == features.dtype == np.float32
    assert features.shape == (96, FEATURES)
    assert np.abs(matched - matched_by_hand(windows)).max() < 1e-3
    assert alike(features, constellation_by_hand(matched)) > 0.95


def test_it_is_what_the_layers_of_keras_say(windows: Real) -> None:
    matched, features = front(windows)
    wanted = np.asarray(MatchedFilter()(windows))
    assert np.abs(matched - wanted).max() < 1e-4
    assert alike(features, np.asarray(Constellation()(wanted))) > 0.95


def test_an_echo_is_undone() -> None:
    """Symbols of constant modulus, one a sample, and an echo half as strong one later."""
    phases = np.random.default_rng(1).integers(0, 4, (8, 1024))
    sent = np.exp(0.5j * np.pi * phases)
    heard = sent + 0.5j * np.roll(sent, 1, axis=1)
    weight = np.full((8, 1024), 1 / 1024, np.float32)
    z = np.stack([heard.real, heard.imag], axis=1).astype(np.float32)
    before = scaled(z, weight)
    after = equalise(before, weight, np.full(8, 1e5, np.float32))

    def spread(y: Real) -> float:
        return float(np.std(np.hypot(y[:, 0], y[:, 1])))

    assert spread(before) > 0.3
    assert spread(after) < 0.3 * spread(before)


@given(st.lists(st.integers(0, 40), max_size=6))
@settings(max_examples=20, deadline=None)
def test_a_window_is_the_same_in_any_batch(windows: Real, cuts: list[int]) -> None:
    few = windows[:40]
    parts = [front(part) for part in np.split(few, sorted(cuts)) if len(part)]
    matched, features = front(few)
    assert np.array_equal(np.concatenate([part[0] for part in parts]), matched)
    assert np.array_equal(np.concatenate([part[1] for part in parts]), features)


def test_windows_may_lie_in_any_way_and_be_read_only(windows: Real) -> None:
    """A kernel that met another layout would be compiled anew, in the middle of a stream."""
    few = np.asfortranarray(windows[:8])
    few.flags.writeable = False
    assert np.array_equal(front(few)[1], front(windows[:8])[1])
    assert len(let_through.signatures) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_window_that_is_no_signal_spoils_no_other(windows: Real, value: float) -> None:
    spoilt = windows[:8].copy()
    spoilt[3, 1, 500] = value
    _, features = front(spoilt)
    _, wanted = front(windows[:8])
    others = [0, 1, 2, 4, 5, 6, 7]
    assert features[others] == pytest.approx(wanted[others], abs=1e-5)


def test_silence_is_finite() -> None:
    matched, features = front(np.zeros((2, 2, 1024), np.float32))
    assert not matched.any()
    assert np.isfinite(features).all()
    wanted = np.asarray(Constellation()(np.zeros((2, 2, 1024), np.float32)))
    assert features == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_layers_behind_it_are_the_whole_network(
    written: tuple[Path, BundleInfo], tmp_path: Path, windows: Real, precision: str, threads: int
) -> None:
    asked = ModelSettings(engine="onnx", precision=precision, threads=Auto(threads), batch=Auto(96))
    shutil.copytree(written[0], whole := tmp_path / "whole")
    for file in LAYER_FILES.values():
        (whole / file).unlink()
    write_info(whole, written[1])
    layers, _ = open_engine(load_bundle(str(written[0])), asked)
    all_of_it, _ = open_engine(load_bundle(str(whole)), asked)
    found, wanted = layers.predict(windows), all_of_it.predict(windows)
    scale = np.std(wanted)
    # In eight bits what lies at the edge between two steps may fall on either side.
    assert (
        np.quantile(np.abs(found - wanted).max(1), 0.9) < (1e-2, 0.2)[precision == "int8"] * scale
    )
    assert np.abs(found - wanted[::-1]).max() > 0.5 * scale  # the comparison can fail


def test_where_it_cannot_be_compiled_the_whole_network_runs(
    written: tuple[Path, BundleInfo], windows: Real, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "liveclf.model.blind.front", None)
    told: list[str] = []
    asked = ModelSettings(engine="onnx", precision="fp32", threads=Auto(1), batch=Auto(8))
    engine, _ = open_engine(load_bundle(str(written[0])), asked, told.append)
    assert "slower without numba" in told[0]
    assert engine.predict(windows[:8]).shape == (8, len(written[1].classes))


def test_a_long_compilation_is_told(
    written: tuple[Path, BundleInfo], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liveclf.model.engines.cpu._SHORT_S", 0.0)
    told: list[str] = []
    asked = ModelSettings(engine="onnx", precision="fp32", threads=Auto(1), batch=Auto(8))
    open_engine(load_bundle(str(written[0])), asked, told.append)
    assert [line for line in told if "once" in line]


def test_a_graph_with_other_names_is_refused(
    written: tuple[Path, BundleInfo], tmp_path: Path
) -> None:
    model = onnx.load(written[0] / ONNX_FILES["fp32"])
    for node in model.graph.node:
        node.name = node.name.replace("/symbols_", "/other_").replace("/symbols/", "/other/")
    onnx.save(model, tmp_path / "other.onnx")
    with pytest.raises(TrainingError, match="has 0 tensors from constellation to symbols"):
        cut(tmp_path / "other.onnx", tmp_path / "layers.onnx")
    assert not (tmp_path / "layers.onnx").exists()
