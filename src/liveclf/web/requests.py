"""What the page may ask over the websocket: JSON objects with "type", nothing else in them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

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


Control = Pause | Speed | Seek | Tune
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
