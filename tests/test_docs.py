"""What the documents promise exists: commands, flags, files, the test command of CI."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from functools import cache
from importlib import import_module
from io import StringIO
from pathlib import Path

import jsonschema
import msgspec
import pytest

from liveclf.cli import COMMANDS, build_parser, main
from liveclf.cli.options import Parser, resolve
from liveclf.config import RunSettings, load
from liveclf.errors import UsageError
from liveclf.sinks import parse_outputs
from liveclf.sources.capture import timeline
from test_architecture import LAYERS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")))
OTHER_PROGRAMS = {"--version", "--strict"}  # of pip and python, where the text names them


@cache
def _flags_of(command: str) -> set[str]:
    with redirect_stdout(StringIO()) as shown:
        assert main([command, "--help"]) == 0
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", shown.getvalue()))


def test_every_command_is_in_the_readme() -> None:
    assert [name for name in COMMANDS if f"liveclf {name}" not in README] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_flag_that_a_document_names_exists(document: str) -> None:
    known = set().union(*(_flags_of(name) for name in COMMANDS))
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - OTHER_PROGRAMS
    elsewhere = {
        # Of scripts in tools/:
        *("--realisations", "--seed", "--seconds", "--rounds", "--minutes", "--weights"),
        *("--bundle", "--parts", "--seeds", "--windows", "--full-size-steps", "--train", "--times"),
        *("--windows-per-core", "--windows-per-gpu", "--complete-in", "--batches"),
        *("--scenes", "--burst", "--short", "--steady", "--noise", "--dc", "--image", "--spurs"),
        *("--gain-step", "--keep", "--trains", "--only"),
        *("--emissions", "--snr", "--pairs", "--passes", "--chromium"),
        "--bind",  # of SoapySDRServer
        *("--rm", "--publish", "--group-add", "--shm-size", "--health-on-failure"),  # of podman
        "--now",  # of systemctl
        *("--head", "--address"),  # of ray start
        "--average",  # of the older commit that the model card names
    }
    assert named - known - elsewhere == set()


def test_every_flag_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        for flag in _flags_of(name) - {"--help"}:
            assert re.search(rf"`{flag}(?![\w-])", reference), f"{name} {flag}"


def test_the_reference_is_made_from_the_settings() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_config_reference.py"))
    assert tool["FILE"].read_text(encoding="utf-8") == tool["text"](), (
        "run python tools/make_config_reference.py"
    )


def test_every_key_of_a_file_is_in_the_reference() -> None:
    """Counted by what --show-config prints with every key set, not by the tool's own loop."""
    reference = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name, command in _commands().items():
        if command.settings is None:
            continue
        for section, table in msgspec.to_builtins(command.settings(), enc_hook=float).items():
            for key in table if section != "streams" else ():
                assert f"\n| `{key}` |" in reference, f"{name}: {section}.{key}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page}" not in index} == set()


def test_every_configuration_in_the_repository_is_told_of() -> None:
    told = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    told += (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    told += (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for path in ROOT.glob("configs/*.toml"):
        assert f"](../configs/{path.name})" in told, path.name


# -- links ---------------------------------------------------------------------------------


def _anchors(text: str) -> set[str]:
    """Return what the headings of a page can be linked to by, as GitHub makes it."""
    anchors, seen, in_code = set[str](), Counter[str](), False
    for line in text.splitlines():
        in_code ^= line.startswith("```")
        if not in_code and (heading := re.match(r"#+ +(.*)", line)):
            kept = re.sub(r"[^\w\- ]", "", heading[1].strip().lower()).replace(" ", "-")
            anchors.add(f"{kept}-{seen[kept]}" if seen[kept] else kept)
            seen[kept] += 1
    return anchors


def _without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_within_the_repository_leads_somewhere(document: str) -> None:
    path = ROOT / document
    text = _without_code(path.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\((?!http)([^)]+)\)", text):
        name, _, anchor = target.partition("#")
        there = path.parent / name if name else path
        assert there.exists(), f"{document} -> {target}"
        if anchor:
            assert anchor in _anchors(there.read_text(encoding="utf-8")), f"{document} -> {target}"


def test_a_heading_is_linked_to_as_github_does() -> None:
    text = "# A page\n## `[source]` of run, plot\n```sh\n# no heading\n```\n## 2.4 MS/s: so\n## A page\n"
    assert _anchors(text) == {"a-page", "source-of-run-plot", "24-mss-so", "a-page-1"}


# -- what can be typed ---------------------------------------------------------------------

_SEPARATORS = {"|", "||", "&&", ";", "&", ">", ">>", "<", "(", ")"}


@cache
def _parser() -> Parser:
    return build_parser()


def _commands() -> dict[str, Parser]:
    return dict(_parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr]


def _shell_lines(text: str) -> Iterator[str]:
    """Yield the lines of the code blocks of a page, those that go on joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    blocks.append("\n".join(re.findall(r"^ {4}(liveclf .*)", text, re.MULTILINE)))
    for block in blocks:
        yield from block.replace("\\\n", " ").splitlines()


def _calls(line: str) -> Iterator[list[str]]:
    """Yield the words behind each `liveclf` of a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _SEPARATORS:
            words.append(word)
            continue
        while words and re.fullmatch(r"\w+=.*", words[0]):
            del words[0]
        if words and words[0] == "liveclf":
            yield words[1:]
        words = []


def _told(document: str) -> list[list[str]]:
    """Return every command line of a page; the name of a command alone is no more than a name."""
    text = (ROOT / document).read_text(encoding="utf-8")
    text = re.sub(r"^\| `liveclf .*` \| 2 \|.*$", "", text, flags=re.MULTILINE)  # told to be wrong
    calls = [call for line in _shell_lines(text) for call in _calls(line)]
    spans = re.findall(r"(?<!`)`(liveclf [^`]+)`(?!`)", _without_code(text))
    calls += [call for span in spans for call in _calls(" ".join(span.split())) if len(call) > 1]
    return calls


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_line_is_understood(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words, its values, and what they say together; nothing is opened."""
    monkeypatch.chdir(ROOT)
    parser, commands = _parser(), _commands()
    for call in _told(document):
        try:
            parsed = parser.parse_args(call)
            settings = commands[parsed.command].settings
            resolved = resolve(parsed, settings) if settings else None
            if isinstance(resolved, RunSettings):  # without options: they name files to be read
                parse_outputs([output.partition("?")[0] for output in resolved.output.to])
        except SystemExit:  # --help and --version
            continue
        except UsageError as error:
            pytest.fail(f"{document}: liveclf {shlex.join(call)}: {error}")


def test_command_lines_are_found_and_a_wrong_one_is_not_understood() -> None:
    assert len(_told("docs/sources.md")) > 10
    line = "A=1 rtl_sdr - | liveclf run - --rate 1M > out && liveclf bench # liveclf none"
    assert list(_calls(line)) == [["run", "-", "--rate", "1M"], ["bench"]]
    with pytest.raises(UsageError):
        build_parser().parse_args(["run", "--no-such-flag"])


# -- examples ------------------------------------------------------------------------------


def _examples(language: str) -> list[tuple[str, str]]:
    return [
        (document, block)
        for document in DOCUMENTS
        for block in re.findall(
            rf"^```{language}\n(.*?)^```",
            (ROOT / document).read_text(encoding="utf-8"),
            re.MULTILINE | re.DOTALL,
        )
    ]


@pytest.mark.parametrize(("document", "example"), _examples("json"))
def test_every_json_example_is_what_its_schema_says(document: str, example: str) -> None:
    value = json.loads(example)
    kind = {"state": "emission", "level_db": "detection"}
    for key, name in kind.items():
        if key in value and "label" in value:
            schema = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text(encoding="utf-8"))
            jsonschema.validate(value, schema)


@pytest.mark.parametrize(("document", "example"), _examples("toml"))
def test_every_toml_example_is_a_configuration_of_a_command(
    document: str, example: str, tmp_path: Path
) -> None:
    file = tmp_path / "example.toml"
    file.write_text(example, encoding="utf-8")
    refusals = []
    for command in _commands().values():
        try:
            if command.settings and load(command.settings, file, {}):
                return
        except UsageError as error:
            refusals.append(str(error))
    pytest.fail(f"{document}: no command takes it: {refusals}")


@pytest.mark.parametrize(("document", "example"), _examples("python"))
def test_every_python_example_is_python(document: str, example: str) -> None:
    compile(example, document, "exec")


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


# -- what pages say of the program ---------------------------------------------------------

ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
RELIABILITY = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
PACKAGE = ROOT / "src" / "liveclf"


def test_the_diagram_shows_what_there_is() -> None:
    (diagram,) = re.findall(r"```mermaid\n(.*?)```", ARCHITECTURE, re.DOTALL)
    places = [place for label in re.findall(r'\["(.*?)"\]', diagram) for place in label.split(", ")]
    assert [place for place in places if not (PACKAGE / place).exists()] == []
    parts = {place.partition("/")[0] for place in places}
    assert {"sources", "dsp", "live", "model", "sinks", "web"} <= parts
    nodes = set(re.findall(r"(\w+)\[", diagram))
    ends = re.findall(r"^ +(\w+)(?:\[.*?\])? --.*?(?:--)?> (\w+)", diagram, re.MULTILINE)
    assert {end for pair in ends for end in pair} == nodes
    for record in re.findall(r'-- "([A-Z]\w+)"', diagram):
        assert any(f"class {record}" in file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))


def test_the_rows_of_the_architecture_are_those_that_are_checked() -> None:
    rows = re.findall(r"^\| \d+ \| (?:`.*`) \|$", ARCHITECTURE, re.MULTILINE)
    assert rows == [
        f"| {k} | {', '.join(f'`{part}`' for part in parts)} |" for k, parts in enumerate(LAYERS, 1)
    ]


def test_the_limits_that_a_page_states_are_those_of_the_code() -> None:
    stated = re.findall(r"`([a-z_.]+)\.([A-Z_]+)` = ([\d,.]+)", ARCHITECTURE)
    assert len(stated) > 5
    for module, name, value in stated:
        limit = getattr(import_module(f"liveclf.{module}"), name)
        assert float(limit) == float(value.replace(",", "")), f"{module}.{name}"


def test_every_cause_of_a_loss_is_told() -> None:
    told = " ".join(RELIABILITY.split())
    text = "\n".join(file.read_text("utf-8") for file in PACKAGE.rglob("*.py"))
    causes = {
        *re.findall(r'Loss\("(.*?)"', text),
        *re.findall(r'(?:skipped|left_out)\["(.*?)"\]', text),
        *(timeline.DEVICE, timeline.CLOCK, timeline.AWAY, timeline.SETTLING, timeline.OVERWRITTEN),
    }
    assert len(causes) > 10
    assert {cause for cause in causes if cause not in told} == set()


@pytest.mark.parametrize(
    ("command", "code", "has"),
    re.findall(r"^\| `liveclf (.*?)` \| (\d) \| (?:`(.*)`)? *\|$", RELIABILITY, re.MULTILINE),
)
def test_the_exit_codes_are_those_that_are_told(
    command: str,
    code: str,
    has: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)) == int(code)
    said = capfd.readouterr().err
    assert has in said
    assert len(said.strip().splitlines()) <= 1
