"""The errors a user can meet, and the exit code of each.

    LiveclfError            1  the work failed
     +- UsageError          2  an option or a configuration key is wrong
     +- MissingExtraError   3  a driver or an optional package is not installed
     +- SourceError         1  a recording or a stream cannot be read
     +- BundleError         1  a trained model cannot be loaded
     +- SinkError           1  an output cannot be written
     +- TrainingError       1  a training run or a data set is unusable

Every message is one sentence: what is wrong, where, and what to do.
"""

from __future__ import annotations


class LiveclfError(Exception):
    """Base of everything that is reported without a traceback."""

    exit_code = 1


class UsageError(LiveclfError):
    """An option or configuration key is unknown, malformed or in conflict."""

    exit_code = 2


class MissingExtraError(LiveclfError):
    """Something optional is needed here and is not installed."""

    exit_code = 3

    def __init__(self, needed_for: str, install: str) -> None:
        """Say what is missing and the line that installs it.

        Args:
            needed_for: What cannot be done without it, a sentence without full stop.
            install: The shell command that installs it.
        """
        super().__init__(f"{needed_for}; install it with: {install}")


class SourceError(LiveclfError):
    """A recording or stream cannot be opened or read."""


class BundleError(LiveclfError):
    """A model bundle is missing, damaged or does not fit."""


class SinkError(LiveclfError):
    """An output cannot be opened or written."""


class TrainingError(LiveclfError):
    """A training run or a data set is unusable."""
