"""The network that is measured, and what the loop needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from liveclf.config import ModelSettings, OutputSettings
from liveclf.live.decider import Decider
from liveclf.model.engines import find_bundle, open_engine
from liveclf.protocols import Engine


@dataclass(frozen=True)
class Network:
    """An engine and the names of its logits.

    Attributes:
        name: Of the bundle.
        engine: Runs it.
        precision: Of its weights.
        classes: Names of the logits.
        families: Family of each.
        temperature: Divisor of the logits.
        min_probability: Below it a label is unknown.
    """

    name: str
    engine: Engine
    precision: str
    classes: tuple[str, ...]
    families: Mapping[str, str]
    temperature: float = 1.0
    min_probability: float = 0.0

    def decider(self) -> Decider:
        """Return what makes labels of its logits, as `liveclf run` has it."""
        return Decider(
            self.classes,
            self.families,
            self.temperature,
            top_k=OutputSettings().top_k,
            min_probability=self.min_probability,
        )


def open_network(settings: ModelSettings) -> Network:
    """Load and warm up the network of the settings.

    Raises:
        LiveclfError: As `load_bundle` and `open_engine`.
    """
    info = (bundle := find_bundle(settings)).info
    engine, precision = open_engine(bundle, settings)
    return Network(
        name=info.name,
        engine=engine,
        precision=precision,
        classes=info.classes,
        families=info.families,
        temperature=info.temperature[precision],
        min_probability=info.threshold(precision),
    )
