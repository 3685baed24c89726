"""A change of gain, on its way from the user to the driver."""

from __future__ import annotations

from dataclasses import dataclass

from liveclf.errors import UsageError
from liveclf.records import Gain


@dataclass(frozen=True, slots=True)
class GainWanted:
    """What is asked of a driver.

    Attributes:
        gain_db: None for automatic.
        stage: Which, "" for all together.
    """

    gain_db: float | None
    stage: str


def check_gain(name: str, gain: Gain | None, wanted: GainWanted) -> None:
    """Refuse what a radio does not have.

    Args:
        name: Of the source, for messages.
        gain: What it has, None if its gain cannot be set while it runs.
        wanted: What is asked.

    Raises:
        UsageError: It has no such gain.
    """
    if gain is None:
        raise UsageError(f"The gain of {name} cannot be set while it runs.")
    if wanted.gain_db is None:
        if not gain.has_auto:
            raise UsageError(f"{name} has no automatic gain; set it in dB.")
        return
    stage = next((stage for stage in gain.stages if stage.name == wanted.stage), None)
    if stage is None:
        known = ", ".join(stage.name for stage in gain.stages if stage.name) or "none by name"
        raise UsageError(f"{name} has no gain stage {wanted.stage!r}; it has {known}.")
    if not stage.low_db <= wanted.gain_db <= stage.high_db:
        what = f"Gain {stage.name}".strip()
        raise UsageError(
            f"{what} {wanted.gain_db:g} dB: {name} has {stage.low_db:g} to {stage.high_db:g} dB."
        )
