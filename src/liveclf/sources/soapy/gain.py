"""The gain of a SoapySDR device while it streams."""

from __future__ import annotations

from typing import Any

from liveclf.records import Gain, GainStage
from liveclf.sources.soapy.binding import RX


def read_gain(device: Any, channel: int) -> Gain | None:
    """Return how the gain is set, and what can be; None if the driver does not tell."""
    at = (RX, channel)
    try:
        has_auto = bool(device.hasGainMode(*at))
        is_auto = has_auto and bool(device.getGainMode(*at))
        names = tuple(device.listGains(*at))
        # One that stands alone is the whole.
        wanted = ("", *names) if len(names) > 1 else ("",)
        stages = tuple(_stage(device, at, name) for name in wanted)
    except RuntimeError:
        return None
    return Gain(is_auto, has_auto, tuple(s for s in stages if s.low_db < s.high_db))


def change_gain(device: Any, channel: int, gain_db: float | None, stage: str) -> Gain:
    """Set the gain, and read it back.

    Args:
        device: Open; it may stream.
        channel: Which receiver.
        gain_db: None for automatic.
        stage: "" for the radio to share out.

    Raises:
        RuntimeError: The driver refused.
    """
    at = (RX, channel)
    if device.hasGainMode(*at):
        device.setGainMode(*at, gain_db is None)
    if gain_db is not None:
        device.setGain(*at, *((stage,) if stage else ()), float(gain_db))
    gain = read_gain(device, channel)
    if gain is None:
        raise RuntimeError("it does not tell its gain")
    return gain


def _stage(device: Any, at: tuple[int, int], name: str) -> GainStage:
    where = (*at, name) if name else at
    reach = device.getGainRange(*where)
    now_db = float(device.getGain(*where))
    return GainStage(name, reach.minimum(), reach.maximum(), reach.step(), now_db)
