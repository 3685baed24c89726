"""Students: smaller networks that learn, beside a larger one, to answer what it answers.

    windows -> matched filter, constellation -+-> teacher ------------------> its logits
                                              +-> student -> as the teacher? -> loss

All see the same windows, and what has no weights is worked out once for all of them. A student
sees no labels, only the probabilities of its teacher as it is at that step; the teacher learns
nothing from it.

Source: Hinton et al., "Distilling the Knowledge in a Neural Network", section 2; that student
and teacher see the same view, for long, and without labels: Beyer et al., "Knowledge
distillation: A good teacher is patient and consistent", section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from liveclf.config import STUDENT_PRESET
from liveclf.model.vgg16 import build_vgg16

TEMPERATURE = 2.0  # Beyer et al., section 3.1, find 1 to 10 much alike
_TEACHING = "teaching"
_SEEN = ("matched", "constellation")  # beside the windows


@keras.saving.register_keras_serializable(package="liveclf")
class Teaching(layers.Layer):  # type: ignore[misc]  # keras is untyped
    """Passes on the teacher's logits, and adds how far each student is from them to the loss.

    Input the logits of teacher and students, each (n, classes) float32; output the first.
    """

    def call(self, logits: Sequence[Any]) -> Any:
        """Compare."""
        teacher, *students = logits
        wanted = ops.stop_gradient(ops.log_softmax(teacher / TEMPERATURE))
        for student in students:
            got = ops.log_softmax(student / TEMPERATURE)
            far = ops.sum(ops.exp(wanted) * (wanted - got), axis=-1)
            # Gradients shrink with the square of the temperature (Hinton et al., section 2).
            self.add_loss(TEMPERATURE**2 * ops.mean(far))
        return teacher

    def compute_output_shape(self, input_shape: Sequence[Any]) -> Any:
        """Return the shape of the logits."""
        return input_shape[0]


def with_students(teacher: keras.Model, widths: Sequence[float]) -> keras.Model:
    """Put students beside a network.

    Args:
        teacher: Of a joint preset, not compiled.
        widths: Of the students, each a `vgg16-slim`.

    Returns:
        A model with the inputs and outputs of the teacher, see `networks_in`; without students
        the teacher itself.
    """
    if not widths:
        return teacher
    seen = [teacher.input, *(teacher.get_layer(name).output for name in _SEEN)]
    n_classes = teacher.output.shape[-1]
    answers = [_student(f"student{k}", n_classes, w)(seen) for k, w in enumerate(widths, 1)]
    taught = Teaching(dtype="float32", name=_TEACHING)([teacher.output, *answers])
    return keras.Model(teacher.input, taught, name=teacher.name)


def networks_in(model: keras.Model) -> list[keras.Model]:
    """Return what holds the layers of the teacher, then those of each student."""
    students = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return [model, *students]


def _student(name: str, n_classes: int, width: float) -> keras.Model:
    """Return what of a student has weights; its inputs are windows, and what teachers see."""
    whole = build_vgg16(n_classes, STUDENT_PRESET, width)
    seen = [whole.input, *(whole.get_layer(layer).output for layer in _SEEN)]
    return keras.Model(seen, whole.output, name=name)
