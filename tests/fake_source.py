"""A source for those that set one from outside: the page and the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from liveclf.errors import UsageError
from liveclf.records import Block, Gain, StreamInfo


@dataclass
class FakeSource:
    """A source that notes what it is told."""

    info: StreamInfo = field(
        default_factory=lambda: StreamInfo("fake", "cf32", 1e6, 433.92e6, None, True)
    )
    can_pause: bool = True
    can_hurry: bool = True
    can_seek: bool = True
    can_tune: bool = False
    is_paused: bool = False
    speed: float = 1.0
    position_s: float = 1.0
    length_s: float = math.nan
    gain: Gain | None = None
    asked: list[Any] = field(default_factory=list)

    def blocks(self) -> Iterator[Block]:
        return iter(())

    def close(self) -> None:
        pass

    def pause(self, wanted: bool) -> None:
        self.is_paused = wanted

    def set_speed(self, speed: float) -> None:
        self.speed = speed

    def seek(self, position_s: float) -> None:
        self.asked.append(position_s)

    def tune(self, center_hz: float) -> None:
        self.asked.append(center_hz)

    def set_gain(self, gain_db: float | None, stage: str = "") -> None:
        if self.gain is None:
            raise UsageError("The gain of fake cannot be set while it runs.")
        stages = [
            replace(one, now_db=gain_db) if one.name == stage and gain_db is not None else one
            for one in self.gain.stages
        ]
        self.gain = replace(self.gain, is_auto=gain_db is None, stages=tuple(stages))
        self.asked.append((gain_db, stage))
