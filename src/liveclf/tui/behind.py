"""What a screen shows, and what it can ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from liveclf.records import StreamInfo
from liveclf.view.controls import Controls
from liveclf.view.hub import Hub
from liveclf.view.recordings import Relabelled
from liveclf.view.told import Told


@dataclass(frozen=True)
class Behind:
    """Everything behind the screen.

    Attributes:
        hub: Passes on what is new.
        told: The emissions.
        controls: The sources.
        relabelled: Where corrected ones are kept, None if nowhere.
        seen: The streams.
        about: Of the network, in words.
        has_ended: Whether the run has.
        has_failed: Whether it ended with an error.
        is_interrupted: Whether a signal ends it.
        end: Has it end soon.
    """

    hub: Hub
    told: Told
    controls: Controls
    relabelled: Relabelled | None
    seen: Sequence[StreamInfo]
    about: str
    has_ended: Callable[[], bool]
    has_failed: Callable[[], bool]
    is_interrupted: Callable[[], bool]
    end: Callable[[], Any]
