"""`liveclf devices`: what radios are there, and what to give as --device."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from liveclf.cli.options import add_settings, resolve
from liveclf.config import DevicesSettings, to_toml

if TYPE_CHECKING:
    from liveclf.sources.finding import Answer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    add_settings(parser, DevicesSettings)


def execute(arguments: argparse.Namespace) -> int:
    """List the devices; that there is none, or a driver is missing, is no error."""
    settings = resolve(arguments, DevicesSettings)
    if arguments.show_config:
        print(to_toml(settings), end="")
        return 0
    from liveclf.sources.finding import ask_all

    listing = settings.devices
    answers = list(ask_all(_drivers(), listing.limit_s))
    if listing.json:
        print(json.dumps([asdict(answer) for answer in answers], indent=1, ensure_ascii=False))
    else:
        _print(answers)
    return 0


def _drivers() -> dict[str, str]:
    """Return the drivers that know what is plugged in, with their modules."""
    from liveclf import sources

    return {name: sources.driver_module(name) for name in sources.RADIOS}


def _print(answers: Sequence[Answer]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=sys.stdout)
    table = Table("--device", "name", "known of it", box=None, pad_edge=False)
    for found in (found for answer in answers for found in answer.found):
        facts = "\n".join(f"{key}: {value}" for key, value in found.facts.items())
        table.add_row(_plain(found.device), _plain(found.name), _plain(facts))
    if table.row_count:
        console.print(table)
    else:
        console.print("No radio was found.")
    for answer in answers:
        if answer.message:
            console.print(f"{answer.driver}: {answer.message}", markup=False, highlight=False)


def _plain(text: str) -> str:
    """Return a text in which nothing is taken for markup."""
    from rich.markup import escape

    return escape(text)
