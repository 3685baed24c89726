"""`liveclf doctor`: what is in the way, and how to mend it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from liveclf.cli.options import add_settings, resolve
from liveclf.config import DoctorSettings, to_toml

if TYPE_CHECKING:
    from liveclf.doctor.report import Finding

_STYLES = {"ok": "green", "warning": "yellow", "fault": "bold red", "skipped": "dim"}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, DoctorSettings)


def execute(arguments: argparse.Namespace) -> int:
    """Look at everything; 1 if anything is a fault."""
    settings = resolve(arguments, DoctorSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    from liveclf.doctor.examination import examine

    findings = examine(settings)
    told = _as_json(findings) if settings.doctor.json else _as_lines(findings)
    return int(any(finding.state == "fault" for finding in told))


def _as_json(findings: Iterable[Finding]) -> list[Finding]:
    told = list(findings)
    print(json.dumps([asdict(finding) for finding in told], indent=1, ensure_ascii=False))
    return told


def _as_lines(findings: Iterable[Finding]) -> list[Finding]:
    """Print each as it is found: some take seconds."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console, told = Console(file=sys.stdout, highlight=False), []
    for finding in findings:
        told.append(finding)
        state = Text(f"{finding.state:8}", style=_STYLES[finding.state])
        console.print(state, Text(f"{finding.topic}: {finding.message}"), soft_wrap=True)
        if finding.remedy:
            console.print(Padding(Text(f"-> {finding.remedy}"), (0, 0, 0, 9)), soft_wrap=True)
    faults = sum(finding.state == "fault" for finding in told)
    warnings = sum(finding.state == "warning" for finding in told)
    console.print(f"{faults} faults, {warnings} warnings.")
    return told
