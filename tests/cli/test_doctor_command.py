"""`liveclf doctor`: what it prints and its exit code."""

from __future__ import annotations

import json
import re

import pytest

from liveclf.cli import main
from liveclf.config import CheckSettings, DoctorSettings, ModelSettings, RadioSettings
from liveclf.doctor import examination, memory, usb
from liveclf.doctor.report import Finding
from liveclf.sources import isolated
from liveclf.sources.isolated import Outcome

OK = Finding("one", "ok", "It is [fine].")
WARNING = Finding("two", "warning", "It is slow.", "buy another")
FAULT = Finding("three", "fault", "It is broken.", "sudo mend --it")


@pytest.fixture
def findings(monkeypatch):
    def find(*given: Finding) -> None:
        monkeypatch.setattr(examination, "examine", lambda settings: iter(given))

    return find


@pytest.fixture
def no_libraries(monkeypatch):
    """Let nothing be asked in another process."""
    asked = []

    def call(name, function, *arguments, limit_s):
        asked.append((name, function, arguments))
        return Outcome("missing", "It needs X; install it with: pip install x")

    monkeypatch.setattr(isolated, "call", call)
    return asked


@pytest.mark.parametrize(("given", "code"), [([OK, WARNING], 0), ([OK, FAULT], 1), ([], 0)])
@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_only_a_fault_is_a_failure(findings, capsys, given, code, flags):
    findings(*given)
    assert main(["doctor", *flags]) == code


def test_each_finding_has_its_remedy_below_it(findings, capsys):
    findings(OK, WARNING, FAULT)
    main(["doctor"])
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "ok       one: It is [fine].",
        "warning  two: It is slow.",
        "         -> buy another",
        "fault    three: It is broken.",
        "         -> sudo mend --it",
        "1 faults, 1 warnings.",
    ]


def test_json_holds_all_of_it(findings, capsys):
    findings(OK, FAULT)
    main(["doctor", "--json"])
    assert json.loads(capsys.readouterr().out) == [
        {"topic": "one", "state": "ok", "message": "It is [fine].", "remedy": ""},
        {
            "topic": "three",
            "state": "fault",
            "message": "It is broken.",
            "remedy": "sudo mend --it",
        },
    ]


def settings(measure_s: float = 0.0, device: str = "", bundle: str = "auto") -> DoctorSettings:
    return DoctorSettings(
        doctor=CheckSettings(measure_s=measure_s, listen_s=1.0),
        radio=RadioSettings(device=device),
        model=ModelSettings(bundle=bundle, batch=8, threads=1),
    )


def test_every_subject_is_looked_at_and_this_machine_is_measured(no_libraries):
    found = {f.topic: f for f in examination.examine(settings(0.05))}
    assert list(found) == [
        "program", "packages", "RTL-SDR", "ZeroMQ", "MQTT", "speed on CPUs with AMX", "training", "librtlsdr",
        "RTL-SDR plugged in", "USB permissions", "udev rule", "kernel module", "RTL-SDR Blog V4",
        "USB memory", "SoapySDR", "shared memory", "memory", "speed",
    ]  # fmt: skip
    assert re.search(
        r"windows/s \(vgg16-slim, (onnx|openvino) int8, 1 threads\)", found["speed"].message
    )
    assert [name for name, *_ in no_libraries] == ["librtlsdr", "SoapySDR"]


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(no_libraries, monkeypatch):
    def breaks(*_: object) -> Finding:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(memory, "check_memory", breaks)
    monkeypatch.setattr(usb, "check_rules", breaks)
    found = {f.topic: f for f in examination.examine(settings(0.05, bundle="no-such"))}
    assert found["memory"].message == "RuntimeError: no such thing"
    states = {topic: found[topic].state for topic in ("memory", "udev rule", "speed")}
    assert set(states.values()) == {"fault"}
    assert "no-such" in found["speed"].message


def test_a_device_is_listened_to_by_the_module_of_its_driver(no_libraries):
    *_, last = examination.examine(settings(device="rtlsdr:0001"))
    name, function, arguments = no_libraries[-1]
    assert (name, function) == ("rtlsdr:0001", "liveclf.doctor.listening:listen")
    assert arguments[0] == "liveclf.sources.rtlsdr"
    assert arguments[3] == 1.0
    assert (last.topic, last.state, last.remedy) == ("rtlsdr:0001", "fault", "pip install x")


def test_a_device_that_nobody_knows_is_a_fault(no_libraries):
    *_, last = examination.examine(settings(device="no-such"))
    assert last.state == "fault"
    assert "begins with one of rtlsdr" in last.message
