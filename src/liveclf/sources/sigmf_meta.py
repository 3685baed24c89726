"""What SigMF metadata says: format, layout, captures and annotations.

Source: SigMF specification 1.2.6. Sample indices in the metadata are absolute;
those of the file are smaller by core:offset.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.dsp.formats import sample_format
from liveclf.errors import SourceError
from liveclf.records import SampleFormat
from liveclf.sources.samples import Piece, stored_bytes, with_byte_order

_DATATYPE = re.compile(r"([cr])(f32|f64|[iu]8|[iu]16|[iu]32)(?:_(le|be))?")
_MOST_COUNTED = 2**62  # so that what is counted on from it still fits 64 bits


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the samples of a data set lie.

    Attributes:
        n_samples: How many there are.
        offset: Index that the metadata gives to the first.
        pieces: The stretches between headers, byte offsets within the data set.
    """

    n_samples: int
    offset: int
    pieces: tuple[Piece, ...]


def parse(text: bytes, path: Path) -> dict[str, Any]:
    """Read and validate a .sigmf-meta file.

    Args:
        text: Its content.
        path: How messages call it.

    Raises:
        SourceError: It is no JSON, or not what the SigMF schema asks for.
    """
    try:
        meta: dict[str, Any] = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"SigMF metadata {path} is not valid JSON: {error}.") from None

    from jsonschema import ValidationError  # type: ignore[import-untyped]  # comes with sigmf
    from sigmf.validate import validate

    try:
        with warnings.catch_warnings():
            # An extension that is used and not declared harms nobody here.
            warnings.simplefilter("ignore", DeprecationWarning)
            validate(meta)
    except ValidationError as error:
        where = error.json_path.removeprefix("$").lstrip(".") or "the top level"
        raise SourceError(
            f"SigMF metadata {path} is not compliant, at {where}: {_short(error.message)}."
        ) from None
    return meta


def dataset_name(meta: dict[str, Any], meta_path: Path, ending: str) -> str:
    """Return the name of the data set file, in the folder of the metadata.

    Raises:
        SourceError: The metadata names a file somewhere else.
    """
    name = str(meta["global"].get("core:dataset", meta_path.stem + ending))
    if Path(name).name != name or "\\" in name or "\0" in name:
        raise SourceError(
            f"SigMF metadata {meta_path} names the data set {name!r}; it has to lie beside it."
        )
    return name


def format_of(meta: dict[str, Any], path: Path) -> SampleFormat:
    """Translate core:datatype, such as ci16_le.

    Raises:
        SourceError: It is not complex, or not one that exists.
    """
    datatype = meta["global"]["core:datatype"]
    match = _DATATYPE.fullmatch(datatype)
    if not match:
        raise SourceError(f"Recording {path} has the datatype {datatype!r}, which is not SigMF's.")
    if match[1] == "r":
        raise SourceError(
            f"Recording {path} has the datatype {datatype}: real samples, not IQ;"
            " convert it to a complex datatype."
        )
    fmt = sample_format("c" + match[2].replace("i", "s"))
    fmt = _scaled(fmt, meta["global"])
    return with_byte_order(fmt, np.dtype(">u2")) if match[3] == "be" else fmt


def _scaled(fmt: SampleFormat, info: dict[str, Any]) -> SampleFormat:
    """Return the format with the scale that our own recordings tell where it is not the usual."""
    scale = [info.get(f"liveclf:{key}", math.nan) for key in ("offset", "full_scale")]
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in scale):
        return fmt
    return replace(fmt, offset=float(scale[0]), full_scale=float(scale[1])) if scale[1] > 0 else fmt


def lay_out(meta: dict[str, Any], size: int, fmt: SampleFormat, path: Path) -> Layout:
    """Find where samples lie between headers and trailing bytes.

    Args:
        meta: The metadata.
        size: Bytes of the data set.
        fmt: How a sample is stored.
        path: How messages call the recording.

    Raises:
        SourceError: The data set does not fit its metadata, or has several channels.
    """
    info, per_sample = meta["global"], stored_bytes(fmt)
    if index(info, "core:num_channels", 1) != 1:
        raise SourceError(
            f"Recording {path} has {info['core:num_channels']} channels; split it, one to a file."
        )
    offset = index(info, "core:offset")
    headers = sum(index(capture, "core:header_bytes") for capture in meta["captures"])
    n_bytes = size - headers - index(info, "core:trailing_bytes")
    n_samples, rest = divmod(n_bytes, per_sample)
    if rest or n_samples <= 0:
        raise SourceError(
            f"Recording {path} has {n_bytes} bytes of samples, no whole number of {fmt.name}"
            f" samples of {per_sample} bytes: it is cut short, or not {fmt.name}."
        )
    counts = [index(capture, "core:global_index") for capture in meta["captures"]]
    if max(offset, *counts, 0) > _MOST_COUNTED:
        raise SourceError(f"Recording {path} counts its samples from an index beyond 2^62.")
    return Layout(n_samples, offset, _pieces(meta, offset, n_samples, per_sample, path))


def index(values: dict[str, Any], key: str, default: int = 0) -> int:
    """Return an index or count; the schema lets 500.0 pass as an integer."""
    return int(values.get(key, default))


def _pieces(
    meta: dict[str, Any], offset: int, n_samples: int, per_sample: int, path: Path
) -> tuple[Piece, ...]:
    pieces, skipped = [(0, 0)], 0
    for number, capture in enumerate(meta["captures"], 1):
        start = index(capture, "core:sample_start") - offset
        if not 0 <= start <= n_samples:
            raise SourceError(
                f"Recording {path} has {n_samples} samples and its capture {number} begins at"
                f" {start}: the data are cut short, or the metadata belong to other data."
            )
        skipped += index(capture, "core:header_bytes")
        pieces.append((start, start * per_sample + skipped))
    return tuple(pieces)


def _short(message: str) -> str:
    return message if len(message) <= 200 else f"{message[:200]}..."
