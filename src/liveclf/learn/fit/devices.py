"""On what a training computes: precision, and the accelerators of one machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

from liveclf.errors import UsageError


def accelerators() -> list[str]:
    """List the GPUs and TPUs that the backend computes on, as "gpu:0"."""
    if keras.backend.backend() not in ("tensorflow", "jax"):
        return []  # Keras cannot list those of PyTorch
    return [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]


def policy_name(mixed: str) -> str:
    """Return the name of the Keras policy in which a new network computes.

    Args:
        mixed: "auto", "on" or "off".
    """
    present = accelerators()
    if mixed == "off" or (mixed == "auto" and not present):
        return "float32"
    float16 = keras.backend.backend() == "tensorflow" and present
    return "mixed_float16" if float16 else "mixed_bfloat16"


@contextlib.contextmanager
def computing_in(policy: str) -> Iterator[None]:
    """Build layers in a precision, and leave the global one as it was."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def spread(batch: int, tell: Callable[[str], None]) -> AbstractContextManager[Any]:
    """Return a context in which a network is trained on all accelerators of this machine.

    Args:
        batch: Windows per step, over all of them.
        tell: Takes a sentence if only one of several is used.

    Raises:
        UsageError: The batch does not divide.
    """
    present = accelerators()
    if len(present) < 2:
        return nullcontext()
    if keras.backend.backend() != "jax":
        tell(
            f"1 of {len(present)} GPUs is used; Keras trains on all of them on JAX: "
            'pip install "jax[cuda12]" and set KERAS_BACKEND=jax'
        )
        return nullcontext()
    if batch % len(present):
        raise UsageError(f"--batch {batch} does not divide among {len(present)} devices.")
    tell(f"training on {len(present)} devices")
    scope: AbstractContextManager[Any] = keras.distribution.DataParallel(devices=present).scope()
    return scope


def replicas() -> int:
    """Return over how many devices a batch is spread now."""
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else int(distribution.device_mesh.devices.size)
