"""IQ recordings in WAV files: I is the left channel, Q the right.

    RIFF | RF64 | BW64, size, WAVE      then chunks, each: id, size, data, padded to even
        ds64    sizes of 64 bits, for those that read 0xFFFFFFFF
        fmt     tag, channels, rate, ..., bits; not always the first chunk
        auxi    SDR programs: start and stop time (UTC), centre frequency, rate
        data    the samples

Source: Microsoft's RIFF and EBU Tech 3306 (RF64); auxi as SDRangel
(sdrbase/dsp/wavfilerecord.h) and SpectraVue write it. Sizes are often wrong, as
programs that stop without care leave them 0 or -1: the file's length decides.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from liveclf.config import SourceSettings
from liveclf.dsp.formats import sample_format
from liveclf.errors import SourceError
from liveclf.records import Capture, Dataset
from liveclf.sources.names import Hints, from_name
from liveclf.sources.recording import Recording
from liveclf.sources.samples import FileSamples, open_binary, size_of, stored_bytes

_FORMS = (b"RIFF", b"RF64", b"BW64")
_UNTIL_END = 0xFFFFFFFF
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_FORMATS = {
    (_PCM, 8): "cu8",
    (_PCM, 16): "cs16",
    (_PCM, 24): "cs24",
    (_PCM, 32): "cs32",
    (_FLOAT, 32): "cf32",
    (_FLOAT, 64): "cf64",
}
_HEAD_BYTES = 256  # as much of a chunk as is looked at
_MOST_CHUNKS = 1000  # zeros after the samples would else be walked 8 bytes at a time


@dataclass(slots=True)
class _Chunks:
    """What the walk over the file has found."""

    heads: dict[bytes, bytes] = field(default_factory=dict)
    data_offset: int = 0
    data_size: int = 0
    note: str = ""


def open_recording(path: Path, settings: SourceSettings) -> Recording:
    """Open a WAV file of two channels.

    Args:
        path: The file.
        settings: Flags that go before the header.

    Raises:
        SourceError: It is no IQ recording, or cannot be read.
        UsageError: A flag is wrong.
    """
    size = size_of(path)
    with open_binary(path) as file:
        chunks = _walk(file, size, path)
    named = from_name(path.name)
    header = _parse_fmt(chunks.heads.get(b"fmt ", b""), path)
    header = header.or_else(_parse_auxi(chunks.heads.get(b"auxi", b""), named.center_hz))
    hints = Hints.from_flags(settings).or_else(header).or_else(named)
    fmt = sample_format(hints.format or "")
    n_samples, rest = divmod(chunks.data_size, stored_bytes(fmt))
    if not n_samples:
        raise SourceError(f"Recording {path} has a header and no samples after it.")
    notes = [chunks.note] if chunks.note else []
    if rest:
        notes.append(f"The last {rest} bytes of {path.name} are no whole sample and are left out.")
    samples = FileSamples(path, fmt, n_samples, ((0, chunks.data_offset),))
    capture = Capture(0, 0, hints.sample_rate_hz, hints.center_hz, hints.epoch_s(0))
    dataset = Dataset(
        path, fmt, n_samples, (capture,),
        header_bytes=chunks.data_offset,
        trailing_bytes=size - chunks.data_offset - n_samples * stored_bytes(fmt),
    )  # fmt: skip
    return Recording(
        path.name, samples, fmt, (capture,), notes=tuple(notes), files=(path,), dataset=dataset
    )


def _walk(file: BinaryIO, file_size: int, path: Path) -> _Chunks:
    head = file.read(12)
    if head[:4] not in _FORMS or head[8:] != b"WAVE":
        raise SourceError(
            f"Recording {path} is no WAV file, whatever its ending says;"
            " if it holds raw samples, rename it to .cs16 or the like."
        )
    chunks, at = _Chunks(), 12
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        if len(head := file.read(8)) < 8:
            break
        name, size = struct.unpack("<4sI", head)
        at += 8
        if name == b"data" and not chunks.data_offset:
            size = _measure_data(chunks, file, at, size, file_size)
        elif name in (b"fmt ", b"auxi", b"ds64"):
            chunks.heads[name] = file.read(min(size, _HEAD_BYTES))
        at += size + size % 2
    if not chunks.data_offset:
        raise SourceError(f"Recording {path} is a WAV file without a data chunk: it is cut short.")
    return chunks


def _measure_data(chunks: _Chunks, file: BinaryIO, offset: int, size: int, file_size: int) -> int:
    """Note where the samples are; return how many bytes to go on by."""
    left = file_size - offset
    if size == _UNTIL_END and b"ds64" in chunks.heads:
        size = int.from_bytes(chunks.heads[b"ds64"][8:16], "little")
    # A size that was written too early, or has wrapped beyond 4 GiB, ends among samples.
    if size in (0, _UNTIL_END) or size > left or not _are_chunks(file, offset + size, file_size):
        chunks.note = "The WAV header does not give the true length; it is read to its end."
        size = left
    chunks.data_offset, chunks.data_size = offset, size
    return size


def _are_chunks(file: BinaryIO, at: int, file_size: int) -> bool:
    """Tell whether there is nothing but whole chunks from `at` to the end of the file."""
    at += at % 2  # chunks begin at even offsets
    for _ in range(_MOST_CHUNKS):
        if at >= file_size:
            return True
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or not (head[:4].isascii() and head[:4].decode().isprintable()):
            return False
        size = int.from_bytes(head[4:], "little")
        at += 8 + size
        if at > file_size:
            return False
        at += at % 2
    return False


def _parse_fmt(fmt: bytes, path: Path) -> Hints:
    if len(fmt) < 16:
        raise SourceError(
            f"Recording {path} is a WAV file without a whole fmt chunk: it is damaged."
        )
    tag, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        # The first two bytes of the sub-format's GUID are the plain tag.
        (tag,) = struct.unpack_from("<H", fmt, 24)
    if channels != 2:
        raise SourceError(
            f"Recording {path} has {channels} channel{'s' * (channels != 1)}; IQ has 2,"
            " I on the left and Q on the right."
        )
    name = _FORMATS.get((tag, (bits + 7) // 8 * 8))
    if name is None:
        raise SourceError(
            f"Recording {path} is WAV of format {tag:#06x} with {bits} bits, which is not read;"
            " save it as PCM or float."
        )
    return Hints(name, _told(rate_hz))


def _parse_auxi(auxi: bytes, named_center_hz: float) -> Hints:
    if len(auxi) < 44:
        return Hints()
    year, month, _, day, hour, minute, second, milli = struct.unpack_from("<8H", auxi)
    center_hz, rate_hz = struct.unpack_from("<2I", auxi, 32)
    # 32 bits wrap at 4.29 GHz; a name that agrees in those bits knows the rest.
    if named_center_hz % 2**32 == center_hz:
        center_hz = named_center_hz
    try:
        moment = datetime(year, month, day, hour, minute, second, milli * 1000, tzinfo=UTC)
    except ValueError:
        # All zero: a program that does not know the time. Else it is text: SDR
        # Console writes XML under the same name.
        if any(auxi[:16]):
            return Hints()
        return Hints(None, _told(rate_hz), _told(center_hz))
    return Hints(None, _told(rate_hz), _told(center_hz), moment.timestamp())


def _told(value: float) -> float:
    return float(value) if value else math.nan
