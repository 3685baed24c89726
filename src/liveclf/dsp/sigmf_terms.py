"""What our types say, in the terms of SigMF.

Source: SigMF specification 1.2.6. A datatype is stored as it came, in its byte order; what
SigMF has no name for becomes cf32.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import Any

from liveclf.dsp.formats import FORMATS
from liveclf.records import Block, Capture, SampleFormat, iso_utc

SPECIFICATION = "1.2.6"
EXTENSION = {"name": "liveclf", "version": "1.1.0", "optional": True}
"""What has to be declared where a key of ours is used; docs/outputs.md describes those."""


def stored_format(fmt: SampleFormat) -> SampleFormat:
    """Return how samples of this format are stored: as they are where SigMF has a name for it."""
    return fmt if _usual(fmt) else FORMATS["cf32"]


def _usual(fmt: SampleFormat) -> SampleFormat | None:
    """Return what SigMF's name for the same numbers stands for, None if it has none."""
    return FORMATS.get(f"c{fmt.dtype.kind.replace('i', 's')}{8 * fmt.dtype.itemsize}")


def global_of(fmt: SampleFormat, rate_hz: float, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the global object.

    Args:
        fmt: How the samples are stored, of `stored_format`.
        rate_hz: NaN if unknown.
        about: What else is known; keys without a value are left out.
    """
    usual = _usual(fmt)
    assert usual is not None
    datatype = usual.name.replace("s", "i")
    if fmt.dtype.itemsize > 1:
        datatype += "_be" if fmt.dtype == fmt.dtype.newbyteorder(">") else "_le"
    info: dict[str, Any] = {"core:datatype": datatype, "core:version": SPECIFICATION}
    if rate_hz > 0:
        info["core:sample_rate"] = rate_hz
    if (fmt.offset, fmt.full_scale) != (usual.offset, usual.full_scale):
        # Twelve bits in sixteen, for one; core has no word for it.
        info["core:extensions"] = [EXTENSION]
        info |= {"liveclf:offset": fmt.offset, "liveclf:full_scale": fmt.full_scale}
    return info | {key: value for key, value in about.items() if value}


def capture_of(first: Block | Capture, start: int) -> dict[str, Any]:
    """Return the capture that begins with a block, or that a recording has.

    Args:
        first: Its first block, or itself.
        start: Where in the file that begins.
    """
    capture: dict[str, Any] = {"core:sample_start": start, "core:global_index": first.start_sample}
    if not math.isnan(first.center_hz):
        capture["core:frequency"] = first.center_hz
    elapsed_s = first.start_sample / first.sample_rate_hz if first.start_sample else 0.0
    with contextlib.suppress(ValueError, OverflowError, OSError):  # unknown, or of no calendar
        capture["core:datetime"] = iso_utc(first.epoch_s + elapsed_s)
    return capture
