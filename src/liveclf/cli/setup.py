"""A run as everything beside its loop sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liveclf.config import RunSettings
from liveclf.live.pipeline import Stream
from liveclf.records import StreamInfo

if TYPE_CHECKING:
    from liveclf.model.bundle import BundleInfo


@dataclass(frozen=True)
class Setup:
    """What is known of a run before it begins.

    Attributes:
        settings: All of them.
        streams: In the order of their numbers.
        seen: What is known of each, as the framer sees it.
        model: Of the network.
        engine: What runs it, in words.
    """

    settings: RunSettings
    streams: Sequence[Stream]
    seen: Sequence[StreamInfo]
    model: BundleInfo
    engine: str

    @property
    def network(self) -> str:
        """The network and what runs it, in words."""
        return f"{self.model.name}, {self.engine}"
