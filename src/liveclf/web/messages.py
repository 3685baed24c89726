"""What the page may say over the websocket: requests as JSON, and that it still reads."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from liveclf.view.requests import Control, Number, Request

MOST_BYTES = 4096
"""Of a message; more ends the connection."""

_Text = Annotated[str, Meta(max_length=200)]


class Here(Request, frozen=True):
    """The browser still reads: the answer to a "ping"."""


class Watch(Request, frozen=True):
    """The waterfall of another stream is wanted."""

    stream: Number


class Select(Request, frozen=True):
    """The samples of an emission are wanted."""

    stream: Number
    id: Number


class Relabel(Request, frozen=True):
    """An emission is something else."""

    stream: Number
    id: Number
    label: _Text


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
