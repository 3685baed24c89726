"""The flags: made from the settings, printed as settings, read back as settings."""

from __future__ import annotations

import argparse
import re
from typing import get_args, get_type_hints

import msgspec
import pytest
from command_line import WHOLE_BAND, read, record

from liveclf import __version__, cli
from liveclf.cli import COMMANDS, main
from liveclf.cli.options import Parser, add_settings, resolve
from liveclf.config import Auto, PublishSettings, RunSettings, Section, TrainSettings, load, to_toml

SETTINGS = [("run", RunSettings), ("publish", PublishSettings), ("train", TrainSettings)]


def described(cls: type[Section]) -> list[tuple[str, str, msgspec.Meta, object]]:
    """Return section, name, description and default of every setting."""
    found = []
    for section, kind in get_type_hints(cls).items():
        if section == "streams":  # the same settings once more, for each of several
            continue
        hints = get_type_hints(kind, include_extras=True)
        for field in msgspec.structs.fields(kind):
            metas = [m for m in get_args(hints[field.name])[1:] if isinstance(m, msgspec.Meta)]
            (meta,) = [m for m in metas if m.extra]  # others are limits of a named type
            found.append((section, field.name, meta, field.default))
    return found


@pytest.fixture
def shown(capfd):
    """Return what a command prints with --show-config."""

    def call(*arguments: object) -> str:
        assert main([*map(str, arguments), "--show-config"]) == 0
        out, said = capfd.readouterr()
        assert said == ""
        return out

    return call


# -- help ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "cls"), SETTINGS)
def test_every_setting_has_its_flag_and_its_help(command, cls, capfd):
    assert main([command, "--help"]) == 0
    text = " ".join(capfd.readouterr().out.split())
    for _, name, meta, default in described(cls):
        assert meta.description in text
        flags = meta.extra["flags"]
        assert flags or name == "path"
        for flag in flags:
            assert re.search(rf"(?<![\w-]){flag}(?![\w-])", text), flag
        if isinstance(default, int | float) and not isinstance(default, bool):
            shown = "auto" if isinstance(default, Auto) and not default else f"{default:g}"
            then = (meta.extra or {}).get("tuning")
            shown += f"; {then:g} on recordings" if then is not None else ""
            assert f"{meta.description} (default: {shown})" in text or default >= 1e6


def test_help_names_every_command_with_examples_and_exit_codes(capfd):
    assert main(["--help"]) == 0
    text = capfd.readouterr().out
    for name, (_, what) in COMMANDS.items():
        assert re.search(rf"^ +{name} +{what}$", text, re.MULTILINE)
        assert f"liveclf {name}" in text
    assert "exit codes: 0 done, 1 failed, 2 wrong use, 3 something to install, 130" in text


def test_the_version_is_printed(capfd):
    assert main(["--version"]) == 0
    assert capfd.readouterr().out == f"liveclf {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "liveclf: the following arguments are required: COMMAND (see liveclf --help).\n"),
        (["walk"], "invalid choice: 'walk' (choose from"),
        (["run", "--walk"], "liveclf: unrecognized arguments: --walk (see liveclf --help).\n"),
        (["train", "--steps", "0"], "expected `int` >= 1, got '0' (see liveclf train --help).\n"),
        (["train", "walk"], "unrecognized arguments: walk"),
        (["evaluate"], "the following arguments are required: bundle, --data"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(arguments, message, capfd):
    assert main(arguments) == 2
    out, said = capfd.readouterr()
    assert out == ""
    assert message in said
    assert said.startswith("liveclf: ")
    assert said.endswith(".\n")
    assert said.count("\n") == 1


# -- the resolved configuration ------------------------------------------------------------


@pytest.mark.parametrize(("command", "cls"), SETTINGS)
def test_without_flags_the_defaults_are_shown(command, cls, shown):
    assert shown(command) == to_toml(cls())


RUN_FLAGS = [
    "x.cu8",
    "--plot",
    "x.png",
    "--format",
    "cs16",
    "--rate",
    "2.4M",
    "-f",
    "433.92MHz",
    "--start",
    "1s",
    "-T",
    "1m",
    "-n",
    "1k",
    "--loop",
    "--realtime",
    "--decimate",
    "4",
    "--no-checksum",
    *("--gain", "20"),
    *("--ppm", "1.5"),
    *("--bandwidth", "200k"),
    *("--antenna", "RX2"),
    *("--channel", "1"),
    "--bias-tee",
    *("--direct-sampling", "q"),
    *("--offset", "100k"),
    *("--device-option", "biastee=true"),
    *("--dwell", "2s"),
    *("--buffer", "1s"),
    *("--max-retries", "3"),
    *("--no-detect", "--min-snr", "6", "--gap", "20ms", "--report", "2s"),
    "--hop",
    "256",
    "-m",
    "vgg16",
    "--engine",
    "onnx",
    "--precision",
    "fp32",
    "--threads",
    "2",
    "--batch",
    "16",
    "--max-age",
    "10ms",
    *("--max-late", "1s"),
    *("--when-slow", "stride"),
    "-o",
    "table",
    "-o",
    "jsonl:x",
    "--top-k",
    "5",
    "--min-probability",
    "0.5",
    "--stats",
    "2s",
    "--quiet",
    *("--save-unknown", "unknown"),
    *("--save-unknown-max", "10M"),
    *("--log-format", "json"),
    *("--metrics", "0.0.0.0:9000", "--health-limit", "1m"),
]


def test_what_is_shown_is_read_back_and_shown_the_same(shown, tmp_path):
    text = shown("run", *RUN_FLAGS)
    file = tmp_path / "c.toml"
    file.write_text(text)
    assert shown("run", "--config", file) == text
    settings = load(RunSettings, file, {})
    default = RunSettings()
    for section, name, _, _ in described(RunSettings):
        if name == "device":  # beside the recording it would be another stream
            continue
        if section in ("web", "tui"):  # go with --detect alone, and are tested below
            continue
        value = getattr(getattr(settings, section), name)
        assert value != getattr(getattr(default, section), name), f"{section}.{name}"
    assert settings.source.rate_hz == 2.4e6
    assert settings.source.center_hz == (433.92e6,)
    assert settings.source.duration_s == 60
    assert settings.output.to == ("table", "jsonl:x")


def test_the_flags_of_the_page_are_shown_and_read_back(shown, tmp_path):
    flags = ["--web-token", "0123456789abcdef", "--relabelled", "x", "--web-keep", "1M"]
    text = shown("run", "--web", "--tui", *flags)
    (file := tmp_path / "c.toml").write_text(text)
    assert shown("run", "--config", file) == text
    settings = load(RunSettings, file, {})
    web = settings.web
    assert settings.tui.wanted
    assert (web.at, web.token) == ("127.0.0.1:8433", "0123456789abcdef")
    assert (web.relabelled, web.keep_bytes) == ("x", 1_000_000)


# What no arithmetic makes of the default.
OTHER = {
    "preset": "vgg16",
    "width": "0.5",
    "start": "runs/stage1/bundle",
    "added": "DMR",
    "students": "0.5",
    "mixed": "off",
    "on_stuck": "warn",
    "direct_sampling": "q",
    "file": "set.hdf5",
    "class_file": "names.txt",
}


def test_every_flag_of_training_is_shown_and_read_back(shown, tmp_path):
    flags: list[str] = []
    for _, name, meta, default in described(TrainSettings):
        if isinstance(default, bool):
            flag = meta.extra["flags"][0]
            flags.append(f"--no-{flag[2:]}" if default else flag)
            continue
        if name == "recipe":  # there is one other, which has no students
            continue
        value = OTHER[name] if name in OTHER else repr(default / 2)
        if isinstance(default, int):
            value = str(default + 1)
        flags += [meta.extra["flags"][0], value]
    text = shown("train", *[f.replace("-3.0", "-2.5") for f in flags])
    for line, default_line in zip(
        text.replace("width = 0.5\n", "")
        .replace('[\n    "DMR",\n]', '["DMR"]')
        .replace("[\n    0.5,\n]", "[0.5]")
        .splitlines(),
        to_toml(TrainSettings()).splitlines(),
        strict=True,
    ):
        same = line == default_line and not line.startswith(("[", "recipe"))
        assert not line or not same
    file = tmp_path / "c.toml"
    file.write_text(text)
    assert shown("train", "--config", file) == text


def test_flags_go_over_the_file_and_the_file_over_the_defaults(shown, tmp_path):
    file = tmp_path / "c.toml"
    file.write_text("[source]\nloop = true\nrealtime = true\ndecimate = 4\n[window]\nhop = 256\n")
    text = shown("run", "--config", file, "--decimate", "8", "--no-loop", "--no-detect")
    assert "decimate = 8\n" in text
    assert "loop = false\n" in text
    assert "realtime = true\n" in text
    assert "hop = 256\n" in text
    assert 'batch = "auto"\n' in text


def test_a_configuration_is_what_runs(tmp_path, capfd):
    path = record(tmp_path / "x.cu8", 5000)
    file = tmp_path / "c.toml"
    file.write_text(f'[source]\npath = "{path}"\nrate_hz = "1M"\n[window]\nhop = 2000\n')
    assert main(["run", "--config", str(file), "-q", *WHOLE_BAND]) == 0
    assert [r["sample"] for r in read(capfd.readouterr().out)] == [0, 2000]
    assert main(["run", "--config", str(file), "-q", "--hop", "500", *WHOLE_BAND]) == 0
    assert [r["elapsed_s"] for r in read(capfd.readouterr().out)] == [k * 5e-4 for k in range(8)]


def test_flags_that_were_not_given_are_no_flags():
    parser = Parser(prog="x")
    add_settings(parser, RunSettings)
    arguments = parser.parse_args([])
    given = [value for name, value in vars(arguments).items() if "." in name]
    assert all(value in (None, []) for value in given)
    assert resolve(arguments, RunSettings) == RunSettings()


# -- training ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "--resume needs --run DIR"),
        (["--resume", "--run", "{folder}"], "there is no run to resume"),
        (
            ["--resume", "--run", "{folder}", "--steps", "5", "--lr", "1"],
            "--resume conflicts with fit.learning_rate, fit.steps:",
        ),
        (["--resume", "--run", "{folder}", "--config", "c.toml"], "conflicts with --config:"),
        (["--config", "{folder}/no.toml"], "no.toml cannot be read"),
    ],
)
def test_training_is_not_begun_by_wrong_use(arguments, message, tmp_path, capfd):
    assert main(["train", *(a.replace("{folder}", str(tmp_path)) for a in arguments)]) == 2
    said = capfd.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_run_has_the_settings_it_began_with(tmp_path, shown):
    from liveclf.learn import CONFIG

    text = shown("train", "--steps", "123", "--seed", "9")
    (tmp_path / CONFIG).write_text(text)
    assert shown("train", "--resume", "--run", tmp_path) == text


# -- evaluation ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["vgg99", "--data", "x.hdf5"], 1, "Model 'vgg99' is neither a bundle in the package"),
        (["auto", "--data", "{folder}/no.hdf5"], 1, r"no.hdf5 is not there"),
        (["auto", "--data", "{folder}", "--engine", "abacus"], 2, "--engine 'abacus' is not known"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(arguments, code, message, tmp_path, capfd):
    assert main(["evaluate", *(a.replace("{folder}", str(tmp_path)) for a in arguments)]) == code
    out, said = capfd.readouterr()
    assert out == ""
    assert message in said
    assert said.count("\n") == 1


# -- errors --------------------------------------------------------------------------------


class Broken:
    """A command with a fault of ours in it."""

    @staticmethod
    def add_options(parser: argparse.ArgumentParser) -> None:
        """Add nothing."""

    @staticmethod
    def execute(arguments: argparse.Namespace) -> int:
        """Fail."""
        raise ZeroDivisionError("one by none")


@pytest.fixture
def broken(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "broken_command", Broken)
    monkeypatch.setitem(cli.COMMANDS, "break", ("broken_command", "fail"))


@pytest.mark.usefixtures("broken")
def test_a_fault_of_ours_is_one_line_and_code_1(capfd):
    assert main(["break"]) == 1
    assert capfd.readouterr().err == (
        "liveclf: internal error, ZeroDivisionError: one by none; --debug shows where\n"
    )


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("arguments", [["--debug", "break"], ["break", "--debug"]])
def test_debug_shows_where(arguments, capfd):
    assert main(arguments) == 1
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert "raise ZeroDivisionError" in said
    assert said.splitlines()[-1].startswith("liveclf: internal error, ZeroDivisionError")


def test_debug_shows_a_users_error_too(capfd, tmp_path):
    assert main(["run", str(tmp_path / "no.cu8"), "--debug"]) == 1
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].endswith("does not exist; check the path.")
