"""Recordings without a header: interleaved I, Q, I, Q to the end of the file."""

from __future__ import annotations

from pathlib import Path

from liveclf.config import SourceSettings
from liveclf.dsp.formats import FORMATS, sample_format
from liveclf.errors import SourceError
from liveclf.records import Capture, Dataset
from liveclf.sources.names import from_path
from liveclf.sources.recording import Recording
from liveclf.sources.samples import FileSamples, size_of, stored_bytes


def open_recording(path: Path, settings: SourceSettings) -> Recording:
    """Open raw samples.

    The format is the flag's, or one named in the file name, or the one its
    ending stands for; rate, centre and time are the flags' or the name's.

    Args:
        path: The file.
        settings: Flags that go before the name.

    Raises:
        SourceError: The format is unknown or does not fit, or the file cannot be
            read.
        UsageError: A flag is wrong.
    """
    hints = from_path(path, settings)
    size = size_of(path)
    if hints.format is None:
        ending = path.suffix.lower()
        what = f"the ending {ending}" if ending else "a name without an ending"
        raise SourceError(
            f"Recording {path} has {what}, which does not tell its sample format;"
            f" give --format, one of {', '.join(FORMATS)}."
        )
    fmt = sample_format(hints.format)
    n_samples, rest = divmod(size, stored_bytes(fmt))
    if rest:
        raise SourceError(
            f"Recording {path} has {size} bytes, no whole number of {fmt.name} samples of"
            f" {stored_bytes(fmt)} bytes: it is cut short, or of another --format."
        )
    capture = Capture(0, 0, hints.sample_rate_hz, hints.center_hz, hints.epoch_s(0))
    samples = FileSamples(path, fmt, n_samples)
    dataset = Dataset(path, fmt, n_samples, (capture,))
    return Recording(path.name, samples, fmt, (capture,), files=(path,), dataset=dataset)
