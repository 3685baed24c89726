"""What keys have done: to the source of the stream that is shown, and with emissions."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from liveclf.config import Hertz
from liveclf.errors import UsageError
from liveclf.tui.behind import Behind
from liveclf.tui.following import Following
from liveclf.view.clips import Clip
from liveclf.view.recordings import Relabelled, checked_label
from liveclf.view.requests import Pause, Seek, Speed, Tune
from liveclf.view.told import Entry, Key

_SEEK_SHARE = 0.05
_SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)
_NOT_KEPT = "Nothing is kept; start liveclf with --relabelled DIR."


class Commands:
    """Sets the source that is shown, and saves emissions; a `UsageError` says what cannot be."""

    def __init__(self, behind: Behind, following: Following) -> None:
        """Keep whom to tell.

        Args:
            behind: The run.
            following: Knows which stream is shown.
        """
        self._behind, self._following = behind, following

    def state(self) -> dict[str, Any]:
        """Return how the source is set, and what can be."""
        state: dict[str, Any] = self._behind.controls.state()["streams"][self._following.stream]
        return state

    def refusal(self, what: str) -> str:
        """Return why something need not be typed; empty if it may be.

        Args:
            what: "tune", "relabel" or anything else.
        """
        if what == "tune" and not self.state().get("can_tune"):
            return f"{self._following.info.name} cannot be tuned while it runs."
        if what == "relabel" and self._behind.relabelled is None:
            return _NOT_KEPT
        return ""

    def pause(self) -> None:
        """Pause a replay, or let it go on; hold the picture of what cannot wait."""
        state = self.state()
        if state.get("can_pause") and not self._behind.has_ended():
            wanted = not state["is_paused"]
            self._behind.controls.apply(Pause(self._following.stream, wanted))
        else:
            self._following.is_held = not self._following.is_held

    def seek(self, steps: int) -> None:
        """Go elsewhere in a replay."""
        state = self.state()
        position, length = state.get("position_s", 0.0), state.get("length_s", math.nan)
        step_s = _SEEK_SHARE * length if math.isfinite(length) else 1.0
        wanted_s = max(0.0, position + steps * step_s)
        wanted_s = min(wanted_s, length) if length == length else wanted_s
        self._behind.controls.apply(Seek(self._following.stream, wanted_s))

    def speed(self, steps: int) -> None:
        """Have a replay go faster or slower."""
        speed = self.state().get("speed", 1.0)
        at = min(range(len(_SPEEDS)), key=lambda k: abs(_SPEEDS[k] - speed))
        wanted = _SPEEDS[max(0, min(len(_SPEEDS) - 1, at + steps))]
        self._behind.controls.apply(Speed(self._following.stream, wanted))

    def tune(self, text: str) -> None:
        """Have a radio listen elsewhere.

        Args:
            text: The centre, with a unit.
        """
        try:
            center_hz = float(Hertz.parse(text))
        except ValueError as error:
            raise UsageError(f"{text!r} is not {error}.") from None
        self._behind.controls.apply(Tune(self._following.stream, center_hz))

    def export(self, key: Key) -> str:
        """Save an emission as it is, in the folder where the program is; return where.

        Raises:
            ValueError: There is nothing to save.
            SinkError: It cannot be written.
        """
        entry, clip = self._kept(key)
        label = entry.corrected or entry.emission.label
        return f"Saved as {Relabelled(Path.cwd()).save(entry, clip, label)}."

    def relabel(self, key: Key, label: str) -> str:
        """Save an emission with another label, and show it with that; return where.

        Raises:
            ValueError: There is nothing to save, or it is no label.
            SinkError: It cannot be written.
        """
        if self._behind.relabelled is None:
            raise ValueError(_NOT_KEPT)
        entry, clip = self._kept(key)
        checked = checked_label(label)
        name = self._behind.relabelled.save(entry, clip, checked)
        self._behind.told.correct(key, checked)
        return f"Saved as {name}, with the label {checked}."

    def _kept(self, key: Key) -> tuple[Entry, Clip]:
        """Return an emission and its samples."""
        entry = self._behind.told.find(key)
        if entry is None or entry.clip is None:
            raise ValueError("The samples of this emission are no longer there.")
        return entry, entry.clip
