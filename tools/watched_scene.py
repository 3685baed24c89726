"""The recording that is watched where the page or the screen is pictured or measured."""

from __future__ import annotations

from pathlib import Path

from liveclf.signals.scene.files import write_scene
from liveclf.signals.scene.plan import SceneSettings, plan
from liveclf.signals.scene.receive import Receiver, receive


def write_watched_scene(settings: SceneSettings, folder: Path) -> Path:
    """Write a scene as a receiver of 8 bits has it, its band as wide as the rate.

    Args:
        settings: What is in it.
        folder: Where.

    Returns:
        The path of the metadata.
    """
    receiver = Receiver(rate_hz=settings.band_hz, format="cu8")
    scene = receive(plan(settings), settings.duration_s, receiver, settings.seed)
    return write_scene(scene, folder / "band")
