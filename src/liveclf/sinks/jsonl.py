"""JSON lines: one `Detection` a line, its keys in the order of the record."""

from __future__ import annotations

from typing import Any

import msgspec

from liveclf.records import Detections
from liveclf.sinks.stream import ByteStream


class JsonlSink:
    """Writes each batch as JSON lines, in one piece.

    A value that is not known is null; NaN and infinity, which JSON has no word
    for, never appear.
    """

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._encoder = msgspec.json.Encoder()

    def write(self, detections: Detections) -> None:
        """Write one batch.

        Raises:
            BrokenPipeError: The reader has gone.
            SinkError: It could not be written.
        """
        self._stream.write(self._encoder.encode_lines(list(detections.rows())))

    def close(self, summary: dict[str, Any]) -> None:
        """Close the file; the summary is not part of the records."""
        self._stream.close()
