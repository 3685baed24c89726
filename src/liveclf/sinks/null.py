"""No output: for measuring, and for a run of which only the summary matters."""

from __future__ import annotations

from typing import Any

from liveclf.protocols import Report


class NullSink:
    """Takes every batch and writes nothing."""

    def write(self, report: Report) -> None:
        """Take one batch."""

    def close(self, summary: dict[str, Any]) -> None:
        """Do nothing."""
