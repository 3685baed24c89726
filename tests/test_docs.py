"""What the documents promise exists: commands, flags, files, the test command of CI."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from liveclf.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
OTHER_PROGRAMS = {"--version", "--strict"}  # of pip and python, where the text names them


def _flags_of(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    assert main([command, "--help"]) == 0
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", capsys.readouterr().out))


def test_every_command_is_in_the_readme() -> None:
    assert [name for name in COMMANDS if f"liveclf {name}" not in README] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_flag_that_a_document_names_exists(
    document: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known = set().union(*(_flags_of(name, capsys) for name in COMMANDS))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - OTHER_PROGRAMS
    elsewhere = {
        # Of scripts in tools/:
        *("--realisations", "--seed", "--seconds", "--rounds", "--minutes", "--weights"),
        *("--bundle", "--parts", "--seeds", "--windows", "--full-size-steps", "--train", "--times"),
        *("--windows-per-core", "--windows-per-gpu"),
        *("--scenes", "--burst", "--short", "--steady", "--noise", "--dc", "--image", "--spurs"),
        *("--gain-step", "--keep", "--trains", "--only"),
        *("--emissions", "--snr"),
        "--bind",  # of SoapySDRServer
        *("--head", "--address"),  # of ray start
        "--average",  # of the older commit that the model card names
    }
    assert named - known - elsewhere == set()


def test_every_link_within_the_repository_leads_somewhere() -> None:
    for document in DOCUMENTS:
        path = ROOT / document
        targets = re.findall(r"\]\((?!http)([^)#]+)\)", path.read_text(encoding="utf-8"))
        assert [t for t in targets if not (path.parent / t).exists()] == [], document


@pytest.mark.parametrize(
    ("marker", "ending"), [("run command", "liveclf run"), ("test command", "pytest -q")]
)
def test_ci_runs_both_commands_of_the_readme(marker: str, ending: str) -> None:
    """What .ci/run extracts by its own function is the line in the README."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    function = re.search(r"^readme_command\(\) \{.*?^\}", script, re.MULTILINE | re.DOTALL)
    assert function
    found = subprocess.run(
        ["bash", "-c", f"{function[0]}; readme_command '{marker}'"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    assert found.startswith("python3 -m pip install")
    assert found.endswith(ending)
    assert f"readme_command '{marker}'" in script


def test_no_registry_and_no_private_path_is_named() -> None:
    """Nothing in the repository says where packages come from."""
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.splitlines()
    if not files:
        pytest.skip("not a git checkout")
    registry = re.compile(r"pypi\.org|pythonhosted|registry\.npmjs|index-url|deb\.debian\.org")
    for name in files:
        path = ROOT / name
        if path.suffix in {".toml", ".md", ".py", ".cfg", ".txt", ".json", ".yml"}:
            if path == Path(__file__):
                continue
            assert not registry.search(path.read_text(encoding="utf-8")), name
