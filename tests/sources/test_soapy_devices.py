"""Which SoapySDR device is meant, what is listed, and where its Python binding is found."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
from faking_soapy import FakeSoapy

from liveclf.errors import MissingExtraError
from liveclf.sources.soapy.binding import load
from liveclf.sources.soapy.devices import device_strings

BARE = {"radio": {"device": "soapy"}}


def test_the_only_device_needs_no_name(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run(BARE, file=path)
    assert got.opened is not None
    assert got.opened["name"] == "Fake 0"


def test_of_several_devices_one_has_to_be_named(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run(BARE, file=path, devices=2)
    assert got.error == (
        "UsageError",
        "--device soapy: 2 devices are there; choose one of soapy:driver=fakeradio,serial=0,"
        " soapy:driver=fakeradio,serial=1.",
    )


def test_each_that_is_listed_opens_by_its_own_string(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    found = soapy.run({"find": True}, file=path, devices=2).answers["found"]
    assert [one["device"] for one in found] == [
        "soapy:driver=fakeradio,serial=0",
        "soapy:driver=fakeradio,serial=1",
    ]
    for serial, one in enumerate(found):
        got = soapy.run({"radio": {"device": one["device"]}}, file=path, devices=2)
        assert got.opened is not None
        assert got.opened["name"] == f"Fake {serial}"
        assert not any("fits" in note for note in got.opened["notes"])


def test_the_first_of_several_that_fit_is_said_to_be_so(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"radio": {"device": "soapy:driver=fakeradio"}}, file=path, devices=2)
    assert got.opened is not None
    assert got.opened["notes"][0].startswith("soapy:driver=fakeradio fits 2 devices")


def test_no_device_and_a_wrong_one_are_said(soapy: FakeSoapy) -> None:
    got = soapy.run(BARE, devices=0)
    assert got.error is not None
    assert got.error[0] == "SourceError"
    assert "finds no device" in got.error[1]
    got = soapy.run({"radio": {"device": "soapy:driver=nothing"}})
    assert got.error is not None
    assert got.error[0] == "SourceError"
    assert "soapy:driver=nothing cannot be opened" in got.error[1]


def test_a_device_in_use_is_listed_and_not_opened(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    [one] = soapy.run({"find": True}, file=path, refuse="open").answers["found"]
    assert "fake radio is in use" in one["facts"]["state"]
    got = soapy.run({}, file=path, refuse="open")
    assert got.error is not None
    assert got.error[0] == "SourceError"
    assert "fake radio is in use" in got.error[1]


def test_what_is_listed_tells_the_ranges_and_leaves_the_screen_alone(soapy: FakeSoapy) -> None:
    path, _ = soapy.recording("i2")
    got = soapy.run({"find": True}, file=path)
    [one] = got.answers["found"]
    assert one["name"] == "Fake radio 0"
    assert one["facts"]["sample rate"] == "225001 to 300000 or 900001 to 30000000 Hz"
    assert one["facts"]["gain LNA"] == "0 to 40 dB"
    assert one["facts"]["serial"] == "0"
    assert got.printed.strip() == ""  # the module prints on stdout, stderr and SoapySDR's log


def test_devices_of_one_serial_number_are_told_apart() -> None:
    twins = [{"driver": "rtlsdr", "label": "A, B", "serial": "1", "rtl": str(i)} for i in (0, 1)]
    other = {"driver": "airspy", "serial": "9", "label": "x"}
    assert device_strings([*twins, other]) == [
        "soapy:driver=rtlsdr,serial=1,rtl=0",
        "soapy:driver=rtlsdr,serial=1,rtl=1",
        "soapy:driver=airspy,serial=9",
    ]


def test_a_binding_that_is_nowhere_names_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "SoapySDR", None)  # import says that there is none
    with pytest.raises(MissingExtraError, match=r"apt install python3-soapysdr.*conda install"):
        load((tmp_path,))


def test_a_binding_for_another_python_is_called_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "_SoapySDR.cpython-37m-x86_64-linux-gnu.so").touch()
    monkeypatch.setitem(sys.modules, "SoapySDR", None)
    with pytest.raises(MissingExtraError, match=r"cpython-37m.*built for another"):
        load((tmp_path,))
    assert str(tmp_path) not in sys.path


def test_a_binding_of_this_python_is_taken_from_its_folder_alone(tmp_path: Path) -> None:
    (tmp_path / f"_SoapySDR{EXTENSION_SUFFIXES[0]}").touch()
    (tmp_path / "SoapySDR.py").write_text("def setLogLevel(level): pass\n")
    (tmp_path / "json.py").write_text("raise SystemExit('the environment is hidden')\n")
    code = (
        "import sys, pathlib\n"
        # Whether or not the real one is installed here.
        "sys.meta_path.insert(0, type('No', (), {'find_spec': staticmethod(lambda name, path,"
        " target=None: None)}))\n"
        "from liveclf.sources.soapy import binding as soapy_binding\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "print(soapy_binding._import_from(folder).__file__)\n"
        "assert str(folder) not in sys.path\n"
        "import json\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == str(tmp_path / "SoapySDR.py")
