"""What is known of a recording, and what its file name tells.

Only the file's own name is read: a folder called 2M is no centre frequency.

    g001_433.92M_250k.cu8                                rtl_433
    gqrx_20240131_235959_433920000_2400000_fc.raw        gqrx, UTC
    SDRSharp_20240131_235959Z_403000kHz_IQ.wav           SDR#, SDRuno, HDSDR: UTC
    baseband_433920000Hz_23-59-59_31-01-2024.wav         SDR++, local time: not used
    RTL-SDR-20240131_235959-433_92MHz-1MSps-1MHz.complex16u   URH, local time
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from msgspec import structs

from liveclf.config import Hertz, SourceSettings
from liveclf.dsp.formats import ENDINGS, FORMATS
from liveclf.errors import UsageError

_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}

# A name with less tells samples per symbol: qpsk_4sps.cs8.
_LEAST_RATE_HZ = 1000.0

# A number with its unit, or else a whole word: `v2M3x` is one word, not 2 M.
# Source: rtl_433, file_type() in src/fileformat.c, which stops at a digit.
_TOKEN = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[a-z]*)(?![a-z0-9])|(?P<word>[a-z0-9]+)")
_UNIT = re.compile(r"(?P<scale>[kmg]?)(?P<kind>hz|sps)")
_GQRX = re.compile(r"gqrx_(\d{8})_(\d{6})_(\d+)_(\d+)_fc")
_UTC = re.compile(r"(?<![a-z0-9])(\d{8})_(\d{6})z(?![a-z0-9])")
# URH writes the decimal point as _ and adds the bandwidth, which is no centre.
_URH = re.compile(r"-(\d+(?:[._]\d+)?)([kmg]?)hz-(\d+(?:[._]\d+)?)([kmg]?)sps")


@dataclass(frozen=True, slots=True)
class Hints:
    """What one origin (the flags, a header, a file name) tells of a recording.

    Attributes:
        format: Name of the sample format, None if not told.
        sample_rate_hz: NaN if not told.
        center_hz: NaN if not told.
        start_time_s: UNIX time of the first sample, NaN if not told.
    """

    format: str | None = None
    sample_rate_hz: float = math.nan
    center_hz: float = math.nan
    start_time_s: float = math.nan

    @classmethod
    def from_flags(cls, settings: SourceSettings) -> Self:
        """Take over what the user said.

        Raises:
            UsageError: The rate is no rate.
        """
        rate_hz = math.nan if settings.rate_hz is None else float(settings.rate_hz)
        if settings.rate_hz is not None and not 0 < rate_hz < math.inf:
            raise UsageError(f"--rate must be above 0 Hz, got {rate_hz:g}.")
        if len(settings.center_hz) > 1:
            raise UsageError(
                f"--freq is given {len(settings.center_hz)} times; only a radio (--device) hops, "
                "a recording has the centre that it was made at."
            )
        center_hz = float(settings.center_hz[0]) if settings.center_hz else math.nan
        return cls(settings.format, rate_hz, center_hz)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was told."""
        values = (self.sample_rate_hz, self.center_hz, self.start_time_s)
        return self.format is None and all(map(math.isnan, values))

    def or_else(self, other: Hints) -> Hints:
        """Return these, completed from `other` where nothing was told."""
        return Hints(
            self.format or other.format,
            _first_known(self.sample_rate_hz, other.sample_rate_hz),
            _first_known(self.center_hz, other.center_hz),
            _first_known(self.start_time_s, other.start_time_s),
        )

    def into_flags(self, settings: SourceSettings) -> SourceSettings:
        """Return the settings with these as if the user had said them, but for the time."""
        return structs.replace(
            settings,
            format=self.format,
            rate_hz=None if math.isnan(self.sample_rate_hz) else Hertz(self.sample_rate_hz),
            center_hz=() if math.isnan(self.center_hz) else (Hertz(self.center_hz),),
        )

    def epoch_s(self, start_sample: int) -> float:
        """Return the UNIX time of sample index 0.

        Args:
            start_sample: Absolute index of the sample taken at `start_time_s`.
        """
        return self.start_time_s - (start_sample / self.sample_rate_hz if start_sample else 0.0)


def from_path(path: Path, settings: SourceSettings) -> Hints:
    """Return what is known of samples without a header: by flags, name and ending.

    Raises:
        UsageError: A flag is wrong.
    """
    by_ending = Hints(ENDINGS.get(path.suffix.lower()))
    return Hints.from_flags(settings).or_else(from_name(path.name)).or_else(by_ending)


def from_name(name: str) -> Hints:
    """Read what a file name tells, by the conventions in the module's docstring.

    Args:
        name: The name without its folder.
    """
    name = name.lower()
    if match := _GQRX.match(name):
        rate_hz, center_hz = float(match[4]), float(match[3])
        return Hints("cf32", rate_hz or math.nan, center_hz, _unix_time(match[1], match[2]))
    start_time_s = _unix_time(match[1], match[2]) if (match := _UTC.search(name)) else math.nan
    hints = Hints(start_time_s=start_time_s)
    if match := _URH.search(name):
        center_hz, rate_hz = (
            float(match[i].replace("_", ".")) * _SCALE[match[i + 1]] for i in (1, 3)
        )
        hints = Hints(None, rate_hz or math.nan, center_hz, start_time_s)
    return hints.or_else(from_tokens(name, _LEAST_RATE_HZ))


def is_override(text: str) -> bool:
    """Tell whether `text` is rtl_433's tokens and nothing else."""
    tokens = [token[0] for token in _TOKEN.finditer(text.lower())]
    return bool(tokens) and not any(from_tokens(token).is_empty for token in tokens)


def from_tokens(text: str, least_rate_hz: float = 0.0) -> Hints:
    """Read rtl_433's tokens, left to right, the last of a kind wins.

    A number and M is the centre, a number and k the rate, whatever the size;
    [kMG]Hz is always a centre, [kMG]sps always a rate; a format is its name.

    Args:
        text: The tokens, with anything but letters and digits between them.
        least_rate_hz: What is below that is not taken for a rate.
    """
    format_name, rate_hz, center_hz = None, math.nan, math.nan
    for token in _TOKEN.finditer(text.lower()):
        if token["word"]:
            format_name = token["word"] if token["word"] in FORMATS else format_name
            continue
        value, unit = float(token["number"]), token["unit"]
        scaled = _UNIT.fullmatch({"m": "mhz", "k": "ksps"}.get(unit, unit))
        if scaled and scaled["kind"] == "hz":
            center_hz = value * _SCALE[scaled["scale"]]
        elif scaled and value > 0 and value * _SCALE[scaled["scale"]] >= least_rate_hz:
            rate_hz = value * _SCALE[scaled["scale"]]
    return Hints(format_name, rate_hz, center_hz)


def _first_known(first: float, second: float) -> float:
    return second if math.isnan(first) else first


def _unix_time(date: str, time: str) -> float:
    try:
        return datetime.strptime(date + time, "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:  # eight digits that are no date
        return math.nan
