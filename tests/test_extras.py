"""Every install line that a message names is one of the extras that there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_messages_and_documents_name_extras_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = [*ROOT.glob("src/liveclf/**/*.py"), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    named = {
        extra
        for file in files
        for extra in re.findall(r"(?:liveclf|\.)\[(\w+)\]", file.read_text(encoding="utf-8"))
        if "install" in file.read_text(encoding="utf-8")
    }
    assert {"rtlsdr", "zeromq", "train"} <= named <= set(project["optional-dependencies"])
