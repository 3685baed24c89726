"""The SigMF metadata that annotations are added to: those that there are, else new ones.

Source: SigMF specification 1.2.6. A recording of another kind, such as a .cu8 or a .wav, is
described as what the specification calls a Non-Conforming Dataset: `core:dataset` names the
file, `core:header_bytes` and `core:trailing_bytes` say what in it is not samples.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from liveclf.dsp.sigmf_terms import EXTENSION, capture_of, global_of, stored_format
from liveclf.errors import SinkError, UsageError
from liveclf.records import Dataset, StreamInfo

META, DATA = ".sigmf-meta", ".sigmf-data"


def dataset_of(info: StreamInfo, name: str) -> Dataset:
    """Return the file that a stream replays.

    Args:
        info: The stream.
        name: How messages call the output.

    Raises:
        UsageError: There is none to point into.
    """
    if info.dataset is not None:
        return info.dataset
    if info.files:
        raise UsageError(
            f"--output {name} annotates one recording, read once and as its own metadata say, and"
            f" {info.name} is several, in an archive, in a loop, or read with another --format;"
            " give one alone, unpacked."
        )
    raise UsageError(
        f"--output {name} annotates a recording, and {info.name} is none; record it with"
        " `liveclf record`, then run on what that wrote."
    )


def begin(path: Path, dataset: Dataset, name: str) -> dict[str, Any]:
    """Return the metadata of a recording as they are before anything is added.

    What describes the samples comes from the recording's own metadata, or is worked out.
    Annotations, and what else others wrote, come from `path` if it exists.

    Args:
        path: The file that will be written.
        dataset: The recording.
        name: How messages call the output.

    Raises:
        UsageError: The file is no place for them, or SigMF has no words for the samples.
        SinkError: Metadata that are there cannot be read.
    """
    if path.suffix != META:
        raise UsageError(f"--output {name}: the file has to end in {META}.")
    there = _read(path, name) if path.exists() else {}
    if there and not _is_of(path, there, dataset):
        raise UsageError(
            f"--output {name} is there and describes {_data_name(path, there)}, not"
            f" {dataset.path.name}; choose another name."
        )
    own = _read(dataset.metadata, name) if dataset.metadata else _described(dataset, name)
    info = there.get("global", {}) | own["global"]
    _point(info, path, dataset)
    _declare(info)
    annotations = there.get("annotations", own["annotations"])
    return there | own | {"global": info, "annotations": annotations}


def is_beside(path: Path, dataset: Dataset) -> bool:
    """Tell whether the samples are where readers of the metadata look for them."""
    return any(
        _is_same(path.with_name(name), dataset.path)
        for name in (dataset.path.name, path.with_suffix(DATA).name)
    )


def _described(dataset: Dataset, name: str) -> dict[str, Any]:
    """Describe a recording that has no metadata of its own."""
    if stored_format(dataset.format) != dataset.format or dataset.format.name == "cs24":
        raise UsageError(
            f"--output {name}: SigMF has no word for the {dataset.format.name} samples of"
            f" {dataset.path.name}; convert it with `liveclf record`, then run on what that wrote."
        )
    captures = [capture_of(capture, capture.start) for capture in dataset.captures]
    if dataset.header_bytes:
        captures[0]["core:header_bytes"] = dataset.header_bytes
    trailing = {"core:trailing_bytes": dataset.trailing_bytes}
    info = global_of(dataset.format, dataset.captures[0].sample_rate_hz, trailing)
    return {"global": info, "captures": captures, "annotations": []}


def _point(info: dict[str, Any], path: Path, dataset: Dataset) -> None:
    """Name the file of the samples, unless it is the one that goes without saying."""
    info.pop("core:dataset", None)
    implied = path.with_suffix(DATA)
    is_implied = implied.name == dataset.path.name or _is_same(implied, dataset.path)
    if not is_implied or dataset.header_bytes or dataset.trailing_bytes:
        info["core:dataset"] = dataset.path.name


def _declare(info: dict[str, Any]) -> None:
    """Say that keys of ours are used, which nobody has to know."""
    others = [e for e in info.get("core:extensions", ()) if e.get("name") != EXTENSION["name"]]
    info["core:extensions"] = [*others, EXTENSION]


def _is_of(path: Path, meta: dict[str, Any], dataset: Dataset) -> bool:
    """Tell whether metadata that are there describe this recording."""
    name = _data_name(path, meta)
    return name == dataset.path.name or _is_same(path.with_name(name), dataset.path)


def _data_name(path: Path, meta: dict[str, Any]) -> str:
    return str(meta["global"].get("core:dataset", path.with_suffix(DATA).name))


def _is_same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        return one.samefile(other)
    return False


def _read(path: Path, name: str) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise SinkError(f"{name}: {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        meta = None
    if not _is_metadata(meta):
        raise SinkError(f"{name}: {path} is there and holds no SigMF metadata; remove it.")
    found: dict[str, Any] = meta
    return found


def _is_metadata(meta: Any) -> bool:
    if not isinstance(meta, dict) or not isinstance(meta.get("global"), dict):
        return False
    lists = [meta.get(key) for key in ("captures", "annotations")]
    return all(isinstance(x, list) and all(isinstance(y, dict) for y in x) for x in lists)
