"""Stands in for the labeller in a worker process: some recordings kill it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from liveclf.scan.labeller import Outcome
from liveclf.scan.listing import Found
from liveclf.scan.results import FileResult


def label(found: Found) -> Outcome:
    """Die at "deadly" recordings always, at "once" ones the first time."""
    if "deadly" in found.path:
        os.kill(os.getpid(), signal.SIGKILL)
    mark = Path(found.path)
    if "once" in found.path and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(FileResult.of(found, samples=1), 0.0, os.getpid())
