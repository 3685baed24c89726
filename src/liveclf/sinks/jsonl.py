"""JSON lines: one record a line, its keys in the order of `Detection` or `Emission`.

A long emission is a line each time it is told; the last line of an id is the one that counts.
"""

from __future__ import annotations

from typing import Any

import msgspec

from liveclf.protocols import Report
from liveclf.sinks.stream import ByteStream


class JsonlSink:
    """Writes each batch as JSON lines, in one piece.

    A value that is not known is null; NaN and infinity, which JSON has no word
    for, never appear.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, report: Report) -> None:
        """Write one batch.

        Raises:
            BrokenPipeError: The reader has gone.
            SinkError: It could not be written.
        """
        self._stream.write(self._encoder.encode_lines(list(report.rows())))

    def close(self, summary: dict[str, Any]) -> None:
        """Close the file; the summary is not part of the records."""
        self._stream.close()
