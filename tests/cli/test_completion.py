"""What a shell completes: asked of real shells, and of the tables that words come from."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from liveclf.cli import COMMANDS, build_parser, main
from liveclf.cli.completing import give_completers
from liveclf.cli.completion import SHELLS
from liveclf.model.engines import ENGINES
from liveclf.sinks import SINKS

# What a shell has in its variables when TAB is pressed at the end of each line, and what it offers.
_BASH = r"""
eval "$(liveclf completion bash)"
completes=$(complete -p liveclf | sed -E 's/.* -F ([^ ]+) .*/\1/')
for line; do
  COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9 COMPREPLY=()
  read -ra COMP_WORDS <<< "$line"
  [[ $line == *" " ]] && COMP_WORDS+=("")
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  $completes liveclf "${COMP_WORDS[COMP_CWORD]}" ""
  printf '%s\n' "${COMPREPLY[@]}" "=="
done
"""
_ZSH = r"""
compdef() { completes=$1; }
_describe() { print -rl -- "${completions[@]}"; }
eval "$(liveclf completion zsh)"
for line; do
  BUFFER=$line CURSOR=${#line} words=(${(z)line})
  CURRENT=${#words}; [[ $line == *" " ]] && (( CURRENT++ ))
  $completes
  print "=="
done
"""
_FISH = """
liveclf completion fish | source
for line in $argv
  complete --do-complete "$line"
  echo "=="
end
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return one in which `liveclf` is this source, as a program of its own."""
    program = tmp_path / "bin" / "liveclf"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m liveclf "$@"\n')
    program.chmod(0o755)
    source = str(Path(__file__).parents[2] / "src")
    return os.environ | {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": source,
        "HOME": str(tmp_path),
    }


def ask(
    shell: str, lines: tuple[str, ...], environment: dict[str, str], folder: Path
) -> list[set[str]]:
    """Return what a shell offers at the end of each line."""
    program = {
        "bash": ["bash", "--norc", "-c", _BASH, "bash"],
        "zsh": ["zsh", "-f", "-c", _ZSH, "zsh"],
        "fish": ["fish", "--no-config", "-c", _FISH],
    }[shell]
    done = subprocess.run(
        [*program, *lines],
        env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert not done.stderr, done.stderr
    behind = ":" if shell == "zsh" else "\t"  # a description
    answers = done.stdout.split("==\n")[:-1]
    assert len(answers) == len(lines)
    return [
        {word.partition(behind)[0].strip() for word in answer.splitlines() if word.strip()}
        for answer in answers
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_completes_commands_flags_names_and_files(shell, environment, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "band.sigmf-meta").touch()
    lines = ("liveclf ", "liveclf run --eng", "liveclf run --engine ", "liveclf plot ban")
    assert ask(shell, lines, environment, tmp_path) == [
        set(COMMANDS),
        {"--engine"},
        {"auto", *ENGINES},
        {"band.sigmf-meta"},
    ]


def test_behind_a_colon_comes_the_file_of_an_output(environment, tmp_path):
    (tmp_path / "labels.jsonl").touch()
    lines = ("liveclf run -o ", "liveclf run -o jsonl:lab", "liveclf run -o mqtt:lab")
    kinds, files, brokers = ask("bash", lines, environment, tmp_path)
    assert {name for name in kinds if ":" not in name} == {"auto", "table", "jsonl", "csv", "null"}
    assert {name[:-1] for name in kinds if ":" in name} == {k for k in SINKS if SINKS[k].target}
    assert files == {"labels.jsonl"}  # bash splits words at a colon and completes what is behind it
    assert brokers == set()


def test_a_value_of_few_names_offers_them_and_a_number_offers_no_file(environment, tmp_path):
    (tmp_path / "band.sigmf-meta").touch()
    wanted = {
        "liveclf run --when-slow ": {"auto", "drop-oldest", "stride", "block"},
        "liveclf train --preset ": {"vgg16", "vgg16-slim", "vgg16-classic"},
        "liveclf evaluate vgg16-s": {"vgg16-slim"},
        "liveclf run --device soa": {"soapy"},
        "liveclf run --gain ": set(),
    }
    assert ask("bash", tuple(wanted), environment, tmp_path) == [*wanted.values()]


def test_every_value_has_a_way_to_be_completed():
    parser = build_parser()
    give_completers(parser)
    for name, command in parser._subparsers._group_actions[0].choices.items():
        for action in command._actions:
            assert action.choices or callable(action.completer), f"{name} {action.dest}"


@pytest.mark.parametrize("line", ["liveclf run --engine ", "liveclf train --", "liveclf run -o "])
def test_a_press_of_tab_loads_nothing_heavy(line):
    program = (
        "import sys, os, atexit\n"
        "os._exit = lambda code: sys.exit(code)\n"
        "atexit.register(lambda: os.write(9, ' '.join(sys.modules).encode()))\n"
        "from liveclf.cli import main\nmain()"
    )
    read, write = os.pipe()
    with os.fdopen(read) as loaded:
        subprocess.run(
            ["bash", "-c", 'exec "$@" 8>/dev/null 9>&"$PIPE"', "bash", sys.executable, "-c", program],
            env=os.environ
            | {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line))}
            | {"PIPE": str(write)},
            pass_fds=[write], check=False, timeout=60,
        )  # fmt: skip
        os.close(write)
        names = set(loaded.read().split())
    assert "liveclf.cli.completing" in names
    assert names.isdisjoint({"tensorflow", "keras", "onnxruntime", "scipy", "h5py", "matplotlib"})


def test_the_lines_for_a_shell_are_all_that_is_printed(capsys):
    for shell in SHELLS:
        assert main(["completion", shell]) == 0
        out, said = capsys.readouterr()
        assert "liveclf" in out
        assert said == ""


def test_a_shell_that_is_not_known_is_refused(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "tcsh" in capsys.readouterr().err
