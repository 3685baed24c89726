"""What clients of a hub get, and a browser over its websocket.

Text is JSON, an object with "type". Binary is one row of the waterfall, little endian:

    0  uint8    1
    1  uint8    number of the stream
    2  uint16   bins n
    4  float32  dB full scale of the value 0
    8  float32  dB of one step
    12 float32  dB full scale of the noise, of one bin
    16 float64  first sample that it covers, over the sample rate, s
    24 float64  how long it is, s
    32 float64  centre, Hz, NaN if unknown
    40 float64  sample rate, Hz
    48 float64  UNIX time of sample 0, NaN if unknown
    56 uint8    peak power, n; then mean power, n; then the noise floor, n; lowest frequency first
"""

from __future__ import annotations

import struct
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import numpy as np

from liveclf.dsp.waterfall import Rows
from liveclf.emissions import Emission
from liveclf.records import FloatArray

HEADER = struct.Struct("<BBHfffddddd")
_ROW = 1
_STEP_DB = 0.5
_BELOW_NOISE_DB = 25.0  # of 127 dB that a byte holds
_NO_POWER_DB = -250.0

_encode = msgspec.json.Encoder().encode


def text(kind: str, **content: Any) -> str:
    """Return a message of text; NaN and infinity become null."""
    return _encode({"type": kind} | content).decode()


def row_message(rows: Rows, k: int, floor_dbfs: FloatArray, stream: int) -> bytes:
    """Return a row as its message.

    Args:
        rows: With the row.
        k: Which of them.
        floor_dbfs: Noise of each bin, (n_bins,) float32.
        stream: Number of the stream.
    """
    n_bins = len(floor_dbfs)
    noise_db = max(float(np.median(floor_dbfs)), _NO_POWER_DB)
    zero_db = noise_db - _BELOW_NOISE_DB
    header = HEADER.pack(
        _ROW, min(stream, 255), n_bins, zero_db, _STEP_DB, noise_db,
        int(rows.start_sample[k]) / rows.sample_rate_hz,
        rows.row_samples / rows.sample_rate_hz,
        rows.center_hz, rows.sample_rate_hz, rows.epoch_s,
    )  # fmt: skip
    lines = (rows.peak_dbfs[k], rows.mean_dbfs[k], floor_dbfs)
    return header + b"".join(_bytes(line, zero_db) for line in lines)


def _bytes(dbfs: FloatArray, zero_db: float) -> bytes:
    steps = (np.fmax(dbfs, _NO_POWER_DB) - zero_db) / _STEP_DB
    return np.clip(np.round(steps), 0, 255).astype(np.uint8).tobytes()


def emission_fields(emission: Emission, corrected: str | None) -> dict[str, Any]:
    """Return an emission as clients get it."""
    return asdict(emission) | {"corrected": corrected}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the waterfall, read back from its message.

    Attributes:
        stream: Number of the stream.
        noise_dbfs: Noise of one bin.
        start_s: First sample that it covers, over the sample rate.
        duration_s: How long it is.
        center_hz: NaN if unknown.
        sample_rate_hz: Of the stream.
        epoch_s: UNIX time of sample 0, NaN if unknown.
        peak_dbfs: Highest power of each bin, (n,) float32, lowest frequency first.
        mean_dbfs: Mean power, likewise.
        floor_dbfs: Noise floor, likewise.
    """

    stream: int
    noise_dbfs: float
    start_s: float
    duration_s: float
    center_hz: float
    sample_rate_hz: float
    epoch_s: float
    peak_dbfs: FloatArray
    mean_dbfs: FloatArray
    floor_dbfs: FloatArray


def read_row(message: bytes) -> Row:
    """Read what `row_message` wrote, to half a step."""
    _, stream, n_bins, zero_db, step_db, noise_db, *numbers = HEADER.unpack_from(message)
    levels = np.frombuffer(message, np.uint8, 3 * n_bins, HEADER.size).reshape(3, n_bins)
    return Row(stream, noise_db, *numbers, *np.float32(zero_db) + np.float32(step_db) * levels)
