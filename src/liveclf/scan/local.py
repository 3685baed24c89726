"""Workers that are processes of this machine.

Each has a pool of its own from the standard library, of one process. In a pool of several, as
`concurrent.futures` and loky have them, one that dies breaks the work of all; pebble replaces
it, but its processes take their work from one pipe under one lock, which a process that is
killed may hold.
"""

from __future__ import annotations

from concurrent.futures.process import BrokenProcessPool

from liveclf.scan.labeller import Labeller, Outcome
from liveclf.scan.listing import Found
from liveclf.signals.workers import Makers, cores


class LocalWorkplace:
    """This machine; a worker is a `Makers` of one process, which ends when we do."""

    died = BrokenProcessPool

    def __init__(self, labeller: Labeller, workers: int) -> None:
        """Prepare; the processes begin with their first recording.

        Args:
            labeller: What each does.
            workers: How many; 0 for one a core.
        """
        self._labeller = labeller
        self.n_workers = workers or cores()

    def hire(self) -> Makers[Found, Outcome]:
        """Return one more worker."""
        return Makers(self._labeller, 1)

    def close(self) -> None:
        """Nothing is held here."""
