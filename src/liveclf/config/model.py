"""Which network labels, and how it keeps up."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.quantities import Auto, Seconds
from liveclf.config.section import Section, one_of, option

# What settings may say that are one name of a few.
WHEN_SLOW = ("auto", "drop-oldest", "stride", "block")

# One setting a line reads as the table it is.
# fmt: off
_MAX_LATE_S = Seconds(0.5)


class ModelSettings(Section, frozen=True):
    """Which network, and how it runs."""

    bundle: Annotated[str, option("name of a bundle in the package, or a bundle folder", "--model", "-m", metavar="NAME|DIR")] = "auto"
    engine: Annotated[str, option("what runs the network: auto, onnx, openvino or keras", "--engine", metavar="NAME")] = "auto"
    precision: Annotated[str, option("which weights and arithmetic: auto, fp32, int8 (onnx, openvino) or mixed (keras: convolutions in half precision)", "--precision", metavar="NAME")] = "auto"
    threads: Annotated[Auto, option("threads of the engine; auto: measured once, what is fastest", "--threads", metavar="N|auto")] = Auto(0)
    batch: Annotated[Auto, option("most windows per call of the network; auto: likewise", "--batch", metavar="N|auto")] = Auto(0)
    max_age_s: Annotated[Seconds, option("how long a live window waits for its batch to fill when no more are waiting", "--max-age", metavar="TIME")] = Seconds(0)
    when_slow: Annotated[str, option("what gives when the network cannot keep up: stride (evenly spaced windows are left out), drop-oldest (those later than --max-late), block (a recording or a pipe waits), auto (stride for a radio, else block)", "--when-slow", metavar="NAME", known=WHEN_SLOW)] = "auto"
    max_late_s: Annotated[Seconds, option("live windows that are later than this are left out, counted", "--max-late", metavar="TIME")] = _MAX_LATE_S

    def __post_init__(self) -> None:
        """Refuse a policy that there is not, and a limit that it would not keep."""
        one_of("when_slow", self.when_slow, WHEN_SLOW)
        if self.when_slow == "block" and self.max_late_s != _MAX_LATE_S:
            raise ValueError(
                f"max_late_s {self.max_late_s:g} leaves windows out and when_slow 'block' leaves"
                " out none; give one of them"
            )


# fmt: on
