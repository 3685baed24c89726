"""What an emission, and a label, must have to be told; set while a run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from liveclf.live.emission_decider import EmissionDecider
from liveclf.live.finder import Finder


class Thresholds:
    """Those of all streams of a run; from any thread.

    An emission that was told before is told to its end, whatever they are then.
    """

    def __init__(self, finders: Sequence[Finder], decider: EmissionDecider) -> None:
        """Take what they apply to.

        Args:
            finders: Of each stream, at least one.
            decider: Of all.
        """
        self._finders, self._decider = tuple(finders), decider

    @property
    def min_snr_db(self) -> float:
        """Weaker emissions are left out, counted; power over noise power in their own band."""
        return self._finders[0].min_snr_db

    @min_snr_db.setter
    def min_snr_db(self, snr_db: float) -> None:
        for finder in self._finders:
            finder.min_snr_db = snr_db

    @property
    def min_probability(self) -> float:
        """A label, or a family, below it is told as unknown."""
        return self._decider.rules.min_probability

    @min_probability.setter
    def min_probability(self, probability: float) -> None:
        self._decider.rules = replace(self._decider.rules, min_probability=probability)
