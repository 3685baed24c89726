"""Comma-separated values: a header, then one `Detection` or `Emission` a line.

A long emission is a line each time it is told; the last line of an id is the one that counts.
"""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from typing import Any

from liveclf.emissions import Emission
from liveclf.protocols import Report
from liveclf.records import Detection
from liveclf.sinks.stream import ByteStream


class CsvSink:
    """Writes each batch as CSV lines, in one piece.

    The columns are the fields of the record. `top` is written as
    `BPSK:0.91 QPSK:0.05`; a value that is not known is an empty cell.
    """

    def __init__(self, stream: ByteStream, record: type[Detection | Emission]) -> None:
        """Write nothing yet.

        Args:
            stream: Where to.
            record: What is told; its fields are the header.
        """
        self._stream = stream
        self._columns = tuple(field.name for field in fields(record))
        self._has_header = False

    def write(self, report: Report) -> None:
        """Write one batch.

        Raises:
            BrokenPipeError: The reader has gone.
            SinkError: It could not be written.
        """
        self._write(
            [[_cell(getattr(row, name)) for name in self._columns] for row in report.rows()]
        )

    def close(self, summary: dict[str, Any]) -> None:
        """Close the file; one without records still has its header."""
        try:
            self._write([])
        finally:
            self._stream.close()

    def _write(self, rows: list[list[object]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if not self._has_header:
            writer.writerow(self._columns)
        writer.writerows(rows)
        self._stream.write(text.getvalue().encode())
        self._has_header = True


def _cell(value: Any) -> object:
    if isinstance(value, float):
        return value if value - value == 0 else None  # neither NaN nor infinite
    if isinstance(value, list):
        return " ".join(f"{label}:{probability}" for label, probability in value)
    return value
