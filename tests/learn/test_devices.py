"""What a training computes on, decided from what there is."""

from __future__ import annotations

import keras
import pytest

from liveclf.errors import UsageError
from liveclf.learn.fit import devices
from liveclf.learn.fit.devices import computing_in, policy_name, replicas, spread


def pretend(monkeypatch: pytest.MonkeyPatch, backend: str, *found: str) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    monkeypatch.setattr(keras.distribution, "list_devices", lambda: list(found))


@pytest.mark.parametrize(
    ("mixed", "backend", "found", "policy"),
    [
        ("auto", "tensorflow", ["cpu:0"], "float32"),
        ("auto", "tensorflow", ["gpu:0"], "mixed_float16"),
        ("auto", "jax", ["gpu:0"], "mixed_bfloat16"),
        ("auto", "jax", ["tpu:0"], "mixed_bfloat16"),
        ("auto", "torch", ["gpu:0"], "float32"),
        ("off", "tensorflow", ["gpu:0"], "float32"),
        ("on", "tensorflow", ["cpu:0"], "mixed_bfloat16"),
        ("on", "tensorflow", ["gpu:0"], "mixed_float16"),
        ("on", "torch", [], "mixed_bfloat16"),
    ],
)
def test_half_precision_is_the_one_that_the_device_is_good_at(
    mixed: str, backend: str, found: list[str], policy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, backend, *found)
    assert policy_name(mixed) == policy


def test_layers_are_built_in_a_precision_and_the_next_ones_are_not() -> None:
    with computing_in("mixed_bfloat16"):
        assert keras.layers.Dense(1).compute_dtype == "bfloat16"
    assert keras.layers.Dense(1).compute_dtype == "float32"


def broken_off() -> None:
    with computing_in("mixed_bfloat16"):
        raise KeyboardInterrupt


def test_the_precision_is_put_back_when_building_fails() -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_off()
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(("backend", "found"), [("tensorflow", ["gpu:0"]), ("jax", ["cpu:0"])])
def test_one_device_needs_no_spreading(
    backend: str, found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, backend, *found)
    with spread(128, pytest.fail):
        assert replicas() == 1


def test_on_tensorflow_several_gpus_are_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "tensorflow", "gpu:0", "gpu:1")
    told: list[str] = []
    with spread(128, told.append):
        assert replicas() == 1
    (line,) = told
    assert line.startswith("1 of 2 GPUs is used")
    assert "KERAS_BACKEND=jax" in line


def test_on_jax_a_batch_that_does_not_divide_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "jax", "gpu:0", "gpu:1", "gpu:2")
    with pytest.raises(UsageError, match="--batch 128 does not divide among 3 devices"):
        spread(128, pytest.fail)


def test_on_jax_a_batch_is_spread_over_all_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, "jax", "gpu:0", "gpu:1")
    made: list[list[str]] = []

    class DataParallel:
        def __init__(self, devices: list[str]) -> None:
            made.append(devices)

        def scope(self) -> object:
            return computing_in("float32")

    monkeypatch.setattr(devices.keras.distribution, "DataParallel", DataParallel)
    told: list[str] = []
    with spread(128, told.append):
        assert made == [["gpu:0", "gpu:1"]]
    assert told == ["training on 2 devices"]
