"""An emission as a SigMF recording, and those kept with a corrected label."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from liveclf import __version__
from liveclf.emissions import Emission
from liveclf.errors import SinkError
from liveclf.live.sigmf_file import SigmfFile
from liveclf.view.clips import Clip, block_of
from liveclf.view.told import Entry

MOST_LABEL = 40
_LABEL = re.compile(rf"[^\W_][\w .+/()-]{{0,{MOST_LABEL - 1}}}")


def name_of(emission: Emission) -> str:
    """Return a file's name: of numbers alone, whatever the source is called."""
    center = "" if emission.center_hz is None else f"-{emission.center_hz / 1e6:.4f}MHz"
    return f"emission-{emission.stream}-{emission.id}{center}"


def checked_label(text: str) -> str:
    """Return a label that may be saved.

    Raises:
        ValueError: It is none.
    """
    label = text.strip()
    if not _LABEL.fullmatch(label):
        raise ValueError(
            f"A label has 1 to {MOST_LABEL} letters, digits, spaces and .+/()- and begins with a"
            " letter or a digit."
        )
    return label


def write(path: Path, entry: Entry, clip: Clip, label: str) -> None:
    """Write an emission.

    Args:
        path: Of the metadata, ending in .sigmf-meta; replaced if it is there.
        entry: What is known of it.
        clip: Its samples.
        label: Of the annotation.

    Raises:
        SinkError: It cannot be written.
    """
    e, block = entry.emission, block_of(clip)
    file = SigmfFile(
        path,
        block,
        {"core:description": f"One emission, cut out of {e.source}."},
        overwrite=True,
    )
    try:
        file.write(block)
        file.annotate(0, len(block.iq), label=label, **_words(e, label))
    finally:
        file.close()


def _words(e: Emission, label: str) -> dict[str, Any]:
    """Return what the annotation says besides the label."""
    guesses = ", ".join(f"{name} {share:.1%}" for name, share in e.top)
    by_hand = " Corrected by hand." if label != e.label else ""
    words: dict[str, Any] = {
        "generator": f"liveclf {__version__}",
        "comment": f"liveclf said {e.label} ({guesses}), SNR {e.snr_db:g} dB.{by_hand}",
    }
    if e.center_hz is not None and e.bandwidth_hz is not None:
        words["freq_lower_edge"] = e.center_hz - e.bandwidth_hz / 2
        words["freq_upper_edge"] = e.center_hz + e.bandwidth_hz / 2
    return words


class Relabelled:
    """The folder of emissions with corrected labels.

    Attributes:
        folder: Where it is.
        saved: Names of the files written in this run.
    """

    def __init__(self, folder: Path) -> None:
        """Make the folder.

        Raises:
            SinkError: There is no such folder and it cannot be made.
        """
        self.folder, self.saved = folder, set[str]()
        # Two runs in one folder do not write over each other's.
        self._run = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"Folder {folder} cannot be used: {error.strerror}.") from None

    def save(self, entry: Entry, clip: Clip, label: str) -> str:
        """Keep an emission with another label; one corrected twice is written over.

        Returns:
            The name of the file.

        Raises:
            SinkError: It cannot be written.
        """
        name = f"{self._run}-{name_of(entry.emission)}.sigmf-meta"
        write(self.folder / name, entry, clip, label)
        self.saved.add(name)
        return name
