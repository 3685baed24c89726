"""`--log-format json`: every line on standard error is an object, whatever is said."""

from __future__ import annotations

import json
import logging
import re
import warnings
from datetime import datetime

import pytest
from command_line import LIGHT, record

from liveclf.cli import main, messages
from liveclf.notes import Note

JSON = ("--log-format", "json")


def notes(text: str | bytes) -> list[dict]:
    text = text.decode() if isinstance(text, bytes) else text
    said = [json.loads(line) for line in text.splitlines()]
    for note in said:
        assert list(note)[:4] == ["time", "level", "event", "message"]
        assert note["time"].endswith("Z")
        datetime.fromisoformat(note["time"])
        assert note["level"] in ("info", "warning", "error")
        assert re.fullmatch(r"[a-z_]+", note["event"])
    return said


def events(said: list[dict]) -> list[str]:
    return [note["event"] for note in said]


@pytest.fixture(autouse=True)
def text_again():
    yield
    messages.speak("text")


def test_a_run_tells_its_start_its_statistics_and_its_end(tmp_path, capfd):
    path = record(tmp_path / "x_433.92M_1000k.cu8", 600_000)
    flags = ("--realtime", "--stats", "0.1", *JSON, "-o", "null", *LIGHT)
    assert main(["run", str(path), *flags]) == 0
    said = notes(capfd.readouterr().err)
    found = events(said)
    assert (found[0], found[-1]) == ("start", "summary")
    assert {"statistics"} == set(found[1:-1])
    first, last = said[0], said[-1]
    assert (first["source"], first["format"]) == (path.name, "cu8")
    assert (first["sample_rate_hz"], first["center_hz"]) == (1e6, 433.92e6)
    assert last["samples"] == 600_000
    (null,) = last["outputs"]
    assert (null["name"], null["state"], null["n_dropped"]) == ("null", "ok", 0)
    counts = [note["samples"] for note in said[1:]]
    assert counts == sorted(counts)


def test_text_is_as_it_was(tmp_path, capfd):
    path = record(tmp_path / "x_1000k.cu8", 20_000)
    assert main(["run", str(path), "-o", "null", *LIGHT]) == 0
    text = capfd.readouterr().err
    lines = text.splitlines()
    assert lines[0].startswith("x_1000k.cu8: cu8, 1 MS/s")
    assert not any(line.startswith("{") for line in lines)
    assert re.search(r"^stream +20,000 samples", text, re.M)


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [
        (["run", "no-such-file.cu8", *JSON], 1, "SourceError"),
        (["run", "--log-format=json", "--no-such-flag"], 2, "UsageError"),
        (["run", *JSON, "--hop", "0"], 2, "UsageError"),
        (["publish", "no-such-file.cu8", *JSON], 1, "SourceError"),
    ],
)
def test_an_error_is_an_object_too(arguments, code, kind, capfd):
    assert main(arguments) == code
    (said,) = notes(capfd.readouterr().err)
    assert (said["event"], said["level"], said["kind"]) == ("error", "error", kind)
    assert not said["message"].startswith("liveclf:")


def test_a_traceback_is_a_field(capfd):
    assert main(["run", "no-such-file.cu8", *JSON, "--debug"]) == 1
    (said,) = notes(capfd.readouterr().err)
    assert "Traceback" in said["traceback"]


def test_the_file_of_settings_may_ask_for_it(tmp_path, capfd):
    (file := tmp_path / "c.toml").write_text('[output]\nlog_format = "json"\nto = ["null"]\n')
    assert main(["run", "-n", "5000", "--config", str(file), *LIGHT]) == 0
    assert events(notes(capfd.readouterr().err))[-1] == "summary"


def test_quiet_stays_quiet(capfd):
    assert main(["run", "-n", "5000", "-q", *JSON, "-o", "null", *LIGHT]) == 0
    assert capfd.readouterr().err == ""


def test_the_next_command_speaks_text_again(capfd):
    main(["run", "no-such-file.cu8", *JSON])
    capfd.readouterr()
    assert main(["run", "no-such-file.cu8"]) == 1
    assert capfd.readouterr().err.startswith("liveclf: ")


def test_what_is_logged_or_warned_of_is_an_object(capfd):
    messages.speak("json")
    logging.getLogger("liveclf.x").warning("a %s\nb", "line", extra={"event": "output_slow"})
    logging.getLogger("other").info("too little to tell")
    warnings.warn("old", UserWarning, stacklevel=1)
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("liveclf.x").exception("It has ended.")
    first, second, third = notes(capfd.readouterr().err)
    assert (first["event"], first["level"]) == ("output_slow", "warning")
    assert first["message"] == "a line\nb"
    assert first["logger"] == "liveclf.x"
    assert "UserWarning: old" in second["message"]
    assert third["level"] == "error"
    assert "ValueError: bad" in third["traceback"]


def test_a_field_hides_nothing_and_what_json_has_not_is_null(capfd):
    messages.speak("json")
    messages.say(Note("x", "start", time="never", level_="y", rate_hz=float("nan")))
    (said,) = notes(capfd.readouterr().err)
    assert said["rate_hz"] is None
    assert said["message"] == "x"


def test_publish_tells_in_json_too(tmp_path, capfd):
    zmq = pytest.importorskip("zmq", reason="pyzmq is not installed")
    path = record(tmp_path / "x_1000k.cu8", 10_000)
    with zmq.Context() as context, context.socket(zmq.PULL) as listening:
        listening.linger = 0
        listening.connect(f"ipc://{tmp_path}/iq")
        flags = ("--to", f"ipc://{tmp_path}/iq", "--socket", "push", *JSON)
        assert main(["publish", str(path), *flags]) == 0
    found = notes(capfd.readouterr().err)
    assert events(found)[-1] == "summary"
    assert (found[-1]["samples"], found[-1]["samples_lost"]) == (10_000, 0)
