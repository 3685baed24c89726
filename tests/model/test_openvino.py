"""The OpenVINO engine: what ONNX Runtime answers, from any share of a batch, or a clear refusal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from liveclf.config import Auto, ModelSettings
from liveclf.errors import BundleError, MissingExtraError, UsageError
from liveclf.model import engines
from liveclf.model.bundle import Bundle, load_bundle
from liveclf.model.engines import cpu, onnx_engine, openvino_engine
from liveclf.model.engines.openvino_engine import OpenVinoEngine
from liveclf.records import FloatArray
from liveclf.signals.generator import make_chunk

needs_openvino = pytest.mark.skipif(
    not OpenVinoEngine.runtime, reason='needs OpenVINO: pip install "liveclf[openvino]"'
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("vgg16-slim")


@pytest.fixture(scope="module")
def x() -> FloatArray:
    return make_chunk(77, 1, (10.0, 30.0)).x[:72].astype(np.float32)


def quiet(_line: str) -> None:
    """Say nothing."""


@needs_openvino
@pytest.mark.parametrize(("precision", "same"), [("fp32", 1.0), ("int8", 0.9)])
def test_it_answers_what_onnx_runtime_answers(
    bundle: Bundle, x: FloatArray, precision: str, same: float
) -> None:
    wanted = cpu.engine_of(onnx_engine.OnnxEngine, bundle, precision, 72, 1, quiet)[0].predict(x)
    got = cpu.engine_of(OpenVinoEngine, bundle, precision, 72, 2, quiet)[0].predict(x)
    assert np.mean(got.argmax(1) == wanted.argmax(1)) >= same
    tolerance = 1e-3 if precision == "fp32" else 1.0  # its integers are rounded otherwise
    assert np.median(np.abs(got - wanted)) < tolerance


@needs_openvino
def test_a_share_of_any_size_is_answered_as_by_itself(bundle: Bundle, x: FloatArray) -> None:
    """Shares are filled up with zeros, of which nothing is left."""
    engine, _ = cpu.engine_of(OpenVinoEngine, bundle, "int8", 72, 1, quiet)
    whole = engine.predict(x)
    for n in (1, 3, 5, 13, 33, 65):
        assert engine.predict(x[:n]) == pytest.approx(whole[:n], abs=1e-4)
    engine.use(2, 72)
    assert engine.predict(x) == pytest.approx(whole, abs=1e-4)
    first, second = engine.submit(x[:40]), engine.submit(x[40:])  # two ahead, as the loop does
    assert np.concatenate([first(), second()]) == pytest.approx(whole, abs=1e-4)
    engine.close()


@needs_openvino
def test_a_damaged_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "layers.onnx").write_bytes(b"no network")
    with pytest.raises(BundleError, match=r"OpenVINO refuses .*layers\.onnx") as caught:
        OpenVinoEngine(tmp_path / "layers.onnx", "int8", 1)
    assert "\n" not in str(caught.value)


@needs_openvino
def test_it_is_opened_by_its_name(bundle: Bundle) -> None:
    settings = ModelSettings(engine="openvino", threads=Auto(1), batch=Auto(4))
    engine, precision = engines.open_engine(bundle, settings)
    assert precision == "int8"
    assert engine.name == "openvino int8, 1 threads"


@needs_openvino
def test_half_precision_is_for_another_engine(bundle: Bundle) -> None:
    with pytest.raises(UsageError, match="--precision mixed conflicts with --engine openvino"):
        engines.open_engine(bundle, ModelSettings(engine="openvino", precision="mixed"))


def test_without_it_the_line_that_installs_it_is_named(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenVinoEngine, "runtime", "")
    with pytest.raises(MissingExtraError, match=r'pip install "liveclf\[openvino\]"'):
        engines.open_engine(bundle, ModelSettings(engine="openvino"))


class Measured:
    """An engine that has been measured."""

    def __init__(self, windows_per_s: float) -> None:
        self.windows_per_s, self.closed = windows_per_s, False

    def predict(self, x: FloatArray) -> FloatArray:
        return np.zeros((len(x), 30), np.float32)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("onnx", "openvino"), [(300.0, 700.0), (700.0, 300.0)])
def test_the_faster_of_the_two_is_taken(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, onnx: float, openvino: float
) -> None:
    opened: list[tuple[str, int]] = []
    made: list[Measured] = []

    def opener(name: str, rate: float) -> object:
        def open_engine(_b: Bundle, settings: ModelSettings, _t: object) -> tuple[Measured, str]:
            opened.append((name, int(settings.threads)))
            made.append(Measured(rate))
            return made[-1], "int8"

        return open_engine

    monkeypatch.setattr(engines, "gpu_is_visible", lambda: False)
    monkeypatch.setattr(engines, "find_spec", lambda name: name)
    monkeypatch.setattr(onnx_engine, "open_engine", opener("onnx", onnx))
    monkeypatch.setattr(openvino_engine, "open_engine", opener("openvino", openvino))
    engine, _ = engines.open_engine(bundle, ModelSettings(threads=Auto(1)))
    assert opened[:2] == [("onnx", 0), ("openvino", 0)]  # each as fast as it can be
    assert opened[2:] == [("openvino" if openvino > onnx else "onnx", 1)]  # as it was asked for
    assert isinstance(engine, Measured)
    assert [one.closed for one in made] == [True, True, False]


def test_where_it_is_not_installed_nothing_is_measured_for_the_choice(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "gpu_is_visible", lambda: False)
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)
    opened: list[str] = []
    monkeypatch.setattr(
        onnx_engine,
        "open_engine",
        lambda *_: (opened.append("onnx"), (Measured(0.0), "int8"))[1],
    )
    engines.open_engine(bundle, ModelSettings())
    assert opened == ["onnx"]
