"""Keeps the IQ of emissions that were not recognised, so that it can be labelled and trained on.

    loop --Block--> History
    loop --Heard--> Remembering (the decider's place) --what has ended--> Candidates
    loop --Emissions--> [queue] --> UnknownEmissionSaver --take--> Candidates, --Block--> SigmfFile

One SigMF recording per emission, of the whole band while it lasted and a little before and
after. An emission ends long before the network has answered, if other windows share its batch:
so its samples are put aside as it ends, and dropped when it turns out to be known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

from liveclf.dsp.detect.resolution import NOMINAL_RATE_HZ, Resolution
from liveclf.emissions import Emission, Emissions, Heard
from liveclf.live.emission_decider import EmissionDecider
from liveclf.live.history import History
from liveclf.live.unknown_folder import UnknownFolder
from liveclf.records import Block, FloatArray, Windows

# Of an emission that lasts longer the end is kept.
_LONGEST_S = 1.0
_MARGIN_S = 0.05
_PENDING_BYTES = 64_000_000


class Candidates:
    """The samples of emissions that have ended and may turn out to be unknown.

    `take` may be called from another thread.
    """

    def __init__(
        self, sample_rate_hz: float, gap_s: float, limit_bytes: int = _PENDING_BYTES
    ) -> None:
        """Set how much is remembered.

        Args:
            sample_rate_hz: Of the stream, NaN if unknown.
            gap_s: Longest pause inside an emission.
            limit_bytes: Most that is put aside; then the oldest goes.
        """
        rate_hz = sample_rate_hz if sample_rate_hz > 0 else NOMINAL_RATE_HZ
        resolution = Resolution.at(rate_hz, gap_s)
        self._longest, self._margin = round(_LONGEST_S * rate_hz), round(_MARGIN_S * rate_hz)
        told_behind = resolution.memory_rows * resolution.hop_samples
        self.history = History(self._longest + 2 * self._margin + told_behind)
        self._limit_bytes, self._n_bytes = limit_bytes, 0
        self._kept: OrderedDict[int, list[Block]] = OrderedDict()
        self._lock = Lock()

    def remember(self, heard: Heard) -> None:
        """Put the samples of an emission aside that has ended."""
        n_samples = heard.stop_sample - heard.start_sample
        margin = min(n_samples, self._margin)
        first = max(heard.start_sample, heard.stop_sample - self._longest)
        blocks = self.history.between(first - margin, heard.stop_sample + margin)
        own = [b.stretch for b in blocks if b.start_sample <= first < b.start_sample + len(b.iq)]
        if not own:
            return  # too long ago
        blocks = [replace(b, iq=b.iq.copy()) for b in blocks if b.stretch == own[0]]
        with self._lock:
            self._kept[heard.id] = blocks
            self._n_bytes += _bytes_of(blocks)
            while self._n_bytes > self._limit_bytes:
                _, oldest = self._kept.popitem(last=False)
                self._n_bytes -= _bytes_of(oldest)

    def take(self, number: int) -> list[Block]:
        """Return the samples of an emission and forget them; none if they have gone."""
        with self._lock:
            blocks = self._kept.pop(number, [])
            self._n_bytes -= _bytes_of(blocks)
            return blocks


class Remembering:
    """A decider of emissions that puts the samples aside of those that have ended."""

    def __init__(self, decider: EmissionDecider, candidates: Candidates) -> None:
        """Stand before a decider, of one stream."""
        self._decider, self._candidates = decider, candidates

    def decide(self, windows: Windows, logits: FloatArray, now_s: float) -> Emissions:
        """Take what the network says of a batch."""
        return self._decider.decide(windows, logits, now_s)

    def hear(self, stream: int, heard: Sequence[Heard], now_s: float) -> Emissions:
        """Take what is known of emissions."""
        for one in heard:
            if one.has_ended:
                self._candidates.remember(one)
        return self._decider.hear(stream, heard, now_s)


class UnknownEmissionSaver:
    """Writes recordings of unknown emissions into a folder; a `Sink`.

    Attributes:
        kept: Emissions whose samples were kept.
        not_kept: Unknown emissions that were not, by reason: "full" (the folder has reached
            its limit) and "late" (their samples were no longer there).
    """

    def __init__(
        self, folder: Path, candidates: Candidates, *, limit_bytes: int, generator: str
    ) -> None:
        """Make the folder.

        Args:
            folder: Where the recordings go.
            candidates: Where the samples come from.
            limit_bytes: Most that all recordings in the folder may take together.
            generator: What gave the labels, for the annotations.

        Raises:
            SinkError: There is no such folder and it cannot be made.
        """
        self._folder = UnknownFolder(folder, limit_bytes, "unknown emissions", generator)
        self._candidates, self._generator = candidates, generator
        self.kept = 0
        self.not_kept = {"full": 0, "late": 0}

    def write(self, told: Emissions) -> None:
        """Keep the unknown ones among those that have ended.

        Raises:
            SinkError: They cannot be written.
        """
        for emission in told.rows():
            if emission.state == "closed":
                blocks = self._candidates.take(emission.id)
                if emission.label == "unknown":
                    self._keep(emission, blocks)

    def close(self, summary: dict[str, Any]) -> None:
        """Do nothing: every recording is whole as soon as it is written."""

    def report(self) -> str:
        """Say what was kept, and what was not."""
        full, late = self.not_kept["full"], self.not_kept["late"]
        why = "as they were told too late, or their ends were not seen in one piece"
        return self._folder.report(self.kept, full, late, why)

    def _keep(self, emission: Emission, blocks: list[Block]) -> None:
        if not blocks:
            self.not_kept["late"] += 1
            return
        if not self._folder.has_room(blocks):
            self.not_kept["full"] += 1
            return
        file = self._folder.begin(blocks[0])
        try:
            for block in blocks:
                self._folder.store(file, block)
            stop = emission.sample + emission.n_samples
            first = max(emission.sample, blocks[0].start_sample)
            file.annotate(first, stop, generator=self._generator, **_words(emission, first))
        finally:
            self._folder.end(file)
        self.kept += 1


def _words(emission: Emission, first: int) -> dict[str, Any]:
    """Return what the annotation says.

    Args:
        emission: What is known of it.
        first: Sample that the annotation begins with.
    """
    guesses = ", ".join(f"{name} {share:.0%}" for name, share in emission.top if share > 0)
    said = [f"Guesses over {emission.n_windows} windows: {guesses}"] if emission.n_windows else []
    said.append(f"{emission.snr_db:.0f} dB over the noise in its band")
    if emission.note:
        said.append(emission.note)
    if first > emission.sample:
        said.append(f"the first {first - emission.sample:,} samples are not kept")
    words: dict[str, Any] = {"label": "unknown", "comment": f"{'; '.join(said)}."}
    # From 0 Hz where the radio's centre is not known.
    middle_hz = emission.offset_hz if emission.center_hz is None else emission.center_hz
    if middle_hz is not None and emission.bandwidth_hz is not None:
        words["freq_lower_edge"] = middle_hz - emission.bandwidth_hz / 2
        words["freq_upper_edge"] = middle_hz + emission.bandwidth_hz / 2
    return words


def _bytes_of(blocks: Sequence[Block]) -> int:
    return sum(block.iq.nbytes for block in blocks)
