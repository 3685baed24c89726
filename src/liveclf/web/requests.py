"""What the page may ask over the websocket: JSON objects with "type", nothing else in them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from liveclf.config.section import Probability, SnrLimit

MOST_BYTES = 4096
"""Of a message; more ends the connection."""

_Number = Annotated[int, Meta(ge=0, le=2**53)]
_Text = Annotated[str, Meta(max_length=200)]


class Request(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """Any of them."""


class Here(Request, frozen=True):
    """The browser still reads: the answer to a "ping"."""


class Watch(Request, frozen=True):
    """The waterfall of another stream is wanted."""

    stream: _Number


class Select(Request, frozen=True):
    """The samples of an emission are wanted."""

    stream: _Number
    id: _Number


class Relabel(Request, frozen=True):
    """An emission is something else."""

    stream: _Number
    id: _Number
    label: _Text


class Pause(Request, frozen=True):
    """A replay is to wait, or to go on."""

    stream: _Number
    wanted: bool


class Speed(Request, frozen=True):
    """A replay is to go faster or slower."""

    stream: _Number
    speed: Annotated[float, Meta(ge=0.05, le=16)]


class Seek(Request, frozen=True):
    """A replay is to go on elsewhere."""

    stream: _Number
    position_s: Annotated[float, Meta(ge=0, le=1e9)]


class Tune(Request, frozen=True):
    """A radio is to listen elsewhere."""

    stream: _Number
    center_hz: Annotated[float, Meta(ge=0, le=1e12)]


class SetGain(Request, frozen=True, tag="gain"):
    """A radio is to amplify more, or less."""

    stream: _Number
    gain_db: Annotated[float, Meta(ge=-200, le=200)] | None  # none: automatic
    stage: Annotated[str, Meta(max_length=40)] = ""


class Threshold(Request, frozen=True):
    """What is told is to have more, or less; what is not named stays."""

    min_snr_db: SnrLimit | None = None
    min_probability: Probability | None = None


Control = Pause | Speed | Seek | Tune | SetGain | Threshold
Any = Here | Watch | Select | Relabel | Control
_decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Any)


def read(text: str) -> Any:
    """Read a message.

    Raises:
        ValueError: It is none of these.
    """
    if len(text) > MOST_BYTES:
        raise ValueError("The message is too long.")
    return _decoder.decode(text)
