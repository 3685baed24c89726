"""`liveclf run --tui`: what is refused, and the screen on a real terminal."""

from __future__ import annotations

import json
import os
import signal
import socket
import termios
import threading
import time
from collections.abc import Callable

import pytest
from command_line import LIGHT, record

from liveclf.cli import main
from liveclf.sources import DEMO

if os.name != "posix":
    pytest.skip("there is no pseudo-terminal here", allow_module_level=True)
pytest.importorskip("textual", reason='pip install "liveclf[tui]"')
pytest.importorskip("pyte", reason="pip install pyte")

from on_terminal import OnTerminal

LOOPED = ("run", "--tui", "--loop", "--realtime", *LIGHT)
SUMMARY = "source demo.sigmf-meta"


# -- refused -------------------------------------------------------------------------------


def test_where_standard_output_is_no_terminal_there_is_no_screen(capsys):
    assert main(["run", "--tui", *LIGHT]) == 2
    err = capsys.readouterr().err
    assert "standard output is none" in err
    assert err.count("\n") == 1


def test_without_its_extra_the_line_that_installs_it_is_said(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert main(["run", "--tui", *LIGHT]) == 3
    assert 'pip install "liveclf[tui]"' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "table"], "--output table and --tui both write to the terminal"),
        (["-o", "jsonl"], "give --output jsonl:FILE"),
        (["-o", "csv:-"], "give --output csv:FILE"),
        (["--no-detect"], "leave out one of them"),
    ],
)
def test_what_would_write_over_the_screen_is_refused(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr("liveclf.cli.tui.check_terminal", lambda: None)
    assert main(["run", "--tui", *arguments, *LIGHT]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_stream_without_a_rate_has_no_screen(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("liveclf.cli.tui.check_terminal", lambda: None)
    assert main(["run", str(record(tmp_path / "rec.cu8")), "--tui", *LIGHT]) == 2
    assert "give --rate" in capsys.readouterr().err


@pytest.mark.parametrize("term", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_is_refused(term):
    with OnTerminal("run", "--tui", TERM=term) as program:
        assert program.end() == 2
        assert f"TERM={term}" in program.said


# -- shown ---------------------------------------------------------------------------------


def test_a_recording_is_shown_with_its_labels_and_stays_until_q(tmp_path):
    out = tmp_path / "out.jsonl"
    arguments = ("run", "--tui", "-o", f"jsonl:{out}", *LIGHT)
    with OnTerminal(*arguments, size=(30, 130)) as program:
        screen = program.until("ended")
        assert len(out.read_text().splitlines()) == 11  # whole before anybody leaves
        assert "demo.sigmf-meta · 433.92 MHz · 250 kS/s · cu8" in screen
        program.until("GMSK")
        program.until("▀")
        program.type("q")
        assert program.end() == 0
        assert SUMMARY in program.afterwards
        assert "11 records written" in program.afterwards
        assert "--tui: nothing was lost" in program.afterwards
        assert termios.tcgetattr(program.fd) == program.before
    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert "GMSK" in {r["label"] for r in records}


def fills(n_lines: int, word: str) -> Callable[[str], bool]:
    """Return whether the title with a word is the first line, and that of keys the last."""

    def seen(screen: str) -> bool:
        lines = screen.splitlines()
        assert len(lines) == n_lines
        return word in lines[0] and lines[-1].startswith(" q")

    return seen


def test_the_screen_has_the_size_of_the_terminal_whatever_the_environment_says():
    with OnTerminal(*LOOPED, COLUMNS="80", LINES="24") as program:
        program.until(fills(16, "live"))
        program.type(" ")
        program.until(fills(16, "paused"))
        program.resize((12, 40))
        program.until(fills(12, "paused"))
        program.type("q")
        assert program.end() == 0
        assert SUMMARY in program.afterwards


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda program: program.type("\x03"), 130),
        (lambda program: os.kill(program.pid, signal.SIGINT), 130),
        (lambda program: os.kill(program.pid, signal.SIGTERM), 143),
    ],
    ids=["Ctrl-C", "SIGINT", "SIGTERM"],
)
def test_an_interrupted_run_gives_the_terminal_back_before_it_tells_the_summary(end, code):
    with OnTerminal(*LOOPED) as program:
        program.until("live")
        end(program)
        assert program.end() == code
        assert SUMMARY in program.afterwards
        assert "Traceback" not in program.said
        assert "\x1b[?25h" in program.said[program.said.rindex("\x1b[?25l") :]  # the cursor is back
        assert "\x1b[?1003l" in program.said  # and the mouse


def test_interrupted_twice_it_ends_at_once_and_the_terminal_is_back():
    with OnTerminal(*LOOPED) as program:
        program.until("live")
        os.kill(program.pid, signal.SIGINT)
        time.sleep(0.01)
        os.kill(program.pid, signal.SIGINT)
        assert program.end(30) == 130
        assert "source" in program.afterwards
        assert "Traceback" not in program.said
        assert termios.tcgetattr(program.fd) == program.before


def test_a_source_that_breaks_is_told_on_the_terminal_as_it_was():
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        connection.sendall(b"RTL0" + (5).to_bytes(4, "big") + (29).to_bytes(4, "big"))
        connection.sendall(bytes(range(256)) * 2000)
        time.sleep(3)
        connection.close()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    device = f"rtltcp://127.0.0.1:{server.getsockname()[1]}"
    radio = ("--device", device, "--freq", "433.92M", "--rate", "250k", "--max-retries", "0")
    with OnTerminal("run", "--tui", *radio, *LIGHT) as program:
        assert program.end() == 1
        assert "liveclf: " in program.afterwards
        assert "Traceback" not in program.said
        assert termios.tcgetattr(program.fd) == program.before


def test_samples_come_by_standard_input_and_keys_by_the_terminal():
    reading, writing = os.pipe()
    samples = DEMO.with_suffix(".sigmf-data").read_bytes()
    threading.Thread(target=lambda: os.write(writing, samples[:60_000]), daemon=True).start()
    stream = ("-", "--format", "cu8", "--rate", "250k", "--freq", "433.92M")
    with OnTerminal("run", *stream, "--tui", *LIGHT, stdin=reading) as program:
        program.until("live")
        program.type("q")
        assert program.end() == 0
    os.close(writing)
    os.close(reading)


def test_a_terminal_that_takes_nothing_holds_up_neither_the_run_nor_its_end(tmp_path):
    out = tmp_path / "out.jsonl"
    with OnTerminal(*LOOPED, "-o", f"jsonl:{out}", size=(40, 120)) as program:
        program.until("live")
        n_before = len(out.read_text().splitlines())
        until_s = time.monotonic() + 60
        while len(out.read_text().splitlines()) < n_before + 40:  # and nobody reads the screen
            assert time.monotonic() < until_s
            time.sleep(0.1)
        os.kill(program.pid, signal.SIGINT)
        time.sleep(4)  # in which its outputs are written to their ends
        whole = out.read_text()
        assert program.end(30) == 130
        assert out.read_text() == whole


def test_colours_and_characters_are_those_that_the_terminal_has():
    poor = {"TERM": "xterm", "COLORTERM": "", "NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    with OnTerminal("run", "--tui", *LIGHT, **poor, LC_ALL="C", PYTHONUTF8="0") as program:
        program.until("ended")
        assert program.until("16QAM").isascii()
        program.type("q")
        assert program.end() == 0
        assert "\x1b[38;" not in program.said
