"""What can be asked of a run while it goes on, from the page or from the screen."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from liveclf.config.section import Probability, SnrLimit

Number = Annotated[int, Meta(ge=0, le=2**53)]
"""Of a stream or an emission."""


class Request(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Any of them; as JSON an object with "type"."""


class Pause(Request, frozen=True):
    """A replay is to wait, or to go on."""

    stream: Number
    wanted: bool


class Speed(Request, frozen=True):
    """A replay is to go faster or slower."""

    stream: Number
    speed: Annotated[float, Meta(ge=0.05, le=16)]


class Seek(Request, frozen=True):
    """A replay is to go on elsewhere."""

    stream: Number
    position_s: Annotated[float, Meta(ge=0, le=1e9)]


class Tune(Request, frozen=True):
    """A radio is to listen elsewhere."""

    stream: Number
    center_hz: Annotated[float, Meta(ge=0, le=1e12)]


class SetGain(Request, frozen=True, tag="gain"):
    """A radio is to amplify more, or less."""

    stream: Number
    gain_db: Annotated[float, Meta(ge=-200, le=200)] | None  # none: automatic
    stage: Annotated[str, Meta(max_length=40)] = ""


class Threshold(Request, frozen=True):
    """What is told is to have more, or less; what is not named stays."""

    min_snr_db: SnrLimit | None = None
    min_probability: Probability | None = None


Control = Pause | Speed | Seek | Tune | SetGain | Threshold
