"""Write the JSON schemas of the records that `liveclf run` writes.

    python tools/make_schemas.py

Writes docs/detection.schema.json and docs/emission.schema.json, from the types and the
docstrings of `records.Detection` and `emissions.Emission`.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import msgspec

from liveclf.emissions import Emission
from liveclf.records import Detection

FOLDER = Path(__file__).parent.parent / "docs"
RECORDS = (Detection, Emission)
_NULL = {"type": "null"}


def file_of(record: type) -> Path:
    """Return where the schema of a record is kept."""
    return FOLDER / f"{record.__name__.lower()}.schema.json"


def schema_of(record: type) -> dict[str, Any]:
    """Return the JSON schema of a record as it stands in a line."""
    (schema,) = msgspec.json.schema(record)["$defs"].values()
    told = _attributes(record)
    properties = {
        name: {"description": told[name], **_or_null(kind)}
        for name, kind in schema["properties"].items()
    }
    about = inspect.cleandoc(record.__doc__ or "").partition("\n\nAttributes:")[0]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": schema["title"],
        "description": _joined(about),
        "type": "object",
        "required": schema["required"],
        "properties": properties,
    }


def text_of(record: type) -> str:
    """Return what its file holds."""
    return json.dumps(schema_of(record), indent=1, ensure_ascii=False) + "\n"


def _or_null(kind: Any) -> Any:
    """Let every number be null, as one that is not finite is written."""
    if kind == {"type": "number"}:
        return {"anyOf": [kind, _NULL]}
    if isinstance(kind, list):
        return [_or_null(part) for part in kind]
    if isinstance(kind, dict) and _NULL not in kind.get("anyOf", ()):
        return {key: _or_null(part) for key, part in kind.items()}
    return kind


def _attributes(record: type) -> dict[str, str]:
    """Return what the docstring says of each attribute."""
    text = inspect.cleandoc(record.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", text, re.MULTILINE)
    return {name: _joined(about) for name, about in found}


def _joined(text: str) -> str:
    return " ".join(text.split()).replace("None", "null")


if __name__ == "__main__":
    for one in RECORDS:
        file_of(one).write_text(text_of(one), encoding="utf-8")
        print(file_of(one))
