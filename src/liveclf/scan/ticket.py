"""scan.json: by what model and with which settings the results of a folder were made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec

from liveclf import __version__
from liveclf.config import ScanSettings, to_toml
from liveclf.errors import SinkError, UsageError

FILE = "scan.json"


def ticket_of(settings: ScanSettings, model: str, model_sha256: str) -> dict[str, Any]:
    """Return everything that a result depends on, beside the recording.

    Args:
        settings: Of the scan.
        model: Name of the bundle.
        model_sha256: Its checksum.
    """
    import tomllib

    told = tomllib.loads(to_toml(msgspec.structs.replace(settings, work=type(settings.work)())))
    told.pop("work", None)
    told["source"].pop("paths", None)
    for name in ("output", "overwrite"):
        told["results"].pop(name, None)
    # Where the bundle lies is not what it is.
    for name in ("bundle", "max_age_s", "max_late_s"):
        told["model"].pop(name, None)
    settled = {f"{section}.{key}": v for section, part in told.items() for key, v in part.items()}
    return {
        "liveclf": __version__, "model": model, "model_sha256": model_sha256, **settled,
    }  # fmt: skip


def check_ticket(folder: Path, ticket: dict[str, Any]) -> None:
    """Compare with what the folder was made with, or write it down.

    Raises:
        UsageError: Something differs.
        SinkError: It cannot be read or written.
    """
    path = folder / FILE
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        _write(path, ticket)
        return
    except (OSError, ValueError) as error:
        raise SinkError(f"{path} cannot be read: {error}; give --overwrite.") from None
    for key in [*known, *(key for key in ticket if key not in known)]:
        if known.get(key) != ticket.get(key):
            raise UsageError(
                f"{folder} holds results with {key} = {_shown(known.get(key))}, and this scan has "
                f"{_shown(ticket.get(key))}; give --overwrite to label all anew, or another "
                "--output."
            )


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value}"


def _write(path: Path, ticket: dict[str, Any]) -> None:
    new = path.with_name(f".{path.name}.tmp")
    try:
        new.write_text(json.dumps(ticket, indent=2) + "\n", encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}.") from None
