"""A network compiled by its backend, which takes batches ahead of its answers.

Each shape of batch is one program, made once. TensorFlow and JAX return as soon as the work
is queued, so the copy of a batch overlaps the work on the one before it. Where the samples
come as the integers of the radio, they are normalised on the device by a program of its own:
the network is compiled once a shape, whatever the format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

# Of what radios deliver: 2 to 4 bytes a sample, where float32 has 8.
NATIVE_DTYPES = (np.dtype("u1"), np.dtype("i1"), np.dtype("<i2"))

_Program = Callable[..., Any]


class Compiled:
    """Runs windows, normalised (n, 2, window) float32 or native (n, window, 2) integers.

    Attributes:
        programs: How many were made; constant once it is built.
    """

    def __init__(self, model: keras.Model, shapes: Sequence[int]) -> None:
        """Compile it, and run every shape once.

        Args:
            model: The network, as `fold.folded` returns it.
            shapes: Numbers of windows that it will be given.
        """
        make = {"tensorflow": _tensorflow, "jax": _jax}.get(keras.backend.backend(), _eager)
        self.programs = 0
        self._network, self._normalise = make(model, self._note)
        window = model.input.shape[2]
        for n in shapes:
            np.asarray(self(np.zeros((n, 2, window), np.float32)))
            for dtype in NATIVE_DTYPES:
                np.asarray(self._normalise(np.zeros((n, window, 2), dtype), np.float32(0)))

    def __call__(self, x: NDArray[Any], offset: float = 0.0) -> Any:
        """Return logits on the device; to make an array of them waits for the work.

        Args:
            x: Windows, as many as one of the shapes.
            offset: Of native ones, the value at zero signal.
        """
        if x.dtype.kind == "f":
            return self._network(x)
        return self._network(self._normalise(x, np.float32(offset)))

    def _note(self) -> None:
        self.programs += 1


def prepare_backend() -> None:
    """Let others use the same GPU, and let float32 mean float32."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # A Fourier transform as a product of matrices does not survive 10 bits of mantissa.
        tf.config.experimental.enable_tensor_float_32_execution(False)
        for gpu in tf.config.list_physical_devices("GPU"):
            try:
                tf.config.experimental.set_memory_growth(gpu, True)
            except RuntimeError:  # in use by this process already, as it was set up then
                break
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_default_matmul_precision", "float32")


def has_gpu() -> bool:
    """Ask Keras; its JAX raises where there is none, and its PyTorch has no answer."""
    try:
        return bool(keras.distribution.list_devices("gpu"))
    except (AttributeError, RuntimeError):
        return False


def unit_power(x: Any, offset: Any) -> Any:
    """Do on the device what `dsp.normalise.normalised` does on the host.

    Args:
        x: Native windows (n, window, 2).
        offset: Value at zero signal.

    Returns:
        Shape (n, 2, window) float32, unit mean power; silent windows are left as they are.
    """
    y = ops.transpose(ops.cast(x, "float32") - offset, (0, 2, 1))
    power = 2.0 * ops.mean(ops.square(y), axis=(1, 2), keepdims=True)
    return y * ops.rsqrt(ops.where(power > 0, power, 1.0))


def _tensorflow(model: keras.Model, note: Callable[[], None]) -> tuple[_Program, _Program]:
    import tensorflow as tf

    def network(x: Any) -> Any:
        note()
        return model(x, training=False)

    def normalise(x: Any, offset: Any) -> Any:
        note()
        return unit_power(x, offset)

    # XLA pays on a GPU; on a CPU its convolutions are slower than oneDNN's.
    jit = has_gpu()

    def per_shape(function: _Program) -> _Program:
        made: dict[Any, Any] = {}  # a function that sees several shapes warns of them

        def call(*inputs: Any) -> Any:
            x = [tf.convert_to_tensor(part) for part in inputs]
            key = (tuple(x[0].shape), x[0].dtype)
            if key not in made:
                made[key] = tf.function(function, jit_compile=jit).get_concrete_function(*x)
            return made[key](*x)

        return call

    return per_shape(network), per_shape(normalise)


def _jax(model: keras.Model, note: Callable[[], None]) -> tuple[_Program, _Program]:
    import jax

    def network(weights: Any, x: Any) -> Any:
        note()
        return model.stateless_call(*weights, x, training=False)[0]

    def normalise(x: Any, offset: Any) -> Any:
        note()
        return unit_power(x, offset)

    # As arguments: constants would be folded anew into each of the programs.
    weights = [[v.value for v in model.trainable_variables]]
    weights.append([v.value for v in model.non_trainable_variables])
    return partial(jax.jit(network), weights), jax.jit(normalise)


def _eager(model: keras.Model, _: Callable[[], None]) -> tuple[_Program, _Program]:
    """Any other backend: Keras' own way, which waits for each batch."""
    return model.predict_on_batch, lambda x, offset: unit_power(ops.convert_to_tensor(x), offset)
