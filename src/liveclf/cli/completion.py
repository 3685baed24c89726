"""`liveclf completion`: the lines that a shell reads to complete commands, flags and values."""

from __future__ import annotations

import argparse

SHELLS = ("bash", "zsh", "fish")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the command."""
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help='for bash and zsh: eval "$(liveclf completion bash)" in ~/.bashrc or ~/.zshrc;'
        " for fish: liveclf completion fish > ~/.config/fish/completions/liveclf.fish",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print them; they call liveclf itself, so they need not be made anew for a new version."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["liveclf"], shell=arguments.shell))
    return 0
