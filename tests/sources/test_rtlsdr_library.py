"""Finding a librtlsdr: the complete one, an old one, the system's, none."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from pathlib import Path
from typing import Any

import fake_radio
import pytest
from fake_radio import Probe, ProbeError

from liveclf.config import Hertz, RadioSettings, SourceSettings

SOURCE = SourceSettings(center_hz=(Hertz(433.92e6),))
RADIO = RadioSettings(device="rtlsdr")


@pytest.fixture
def start() -> Iterator[Callable[[dict[str, str]], Probe]]:
    """Start processes, and end them."""
    started: list[Probe] = []

    def begin(variables: dict[str, str]) -> Probe:
        started.append(Probe(variables))
        return started[-1]

    yield begin
    for probe in started:
        probe.kill()


def loaded(path: str = "") -> tuple[str, tuple[str, ...], bool]:
    from liveclf.sources.rtlsdr.library import load_library

    library = load_library(path)
    return library.path, library.missing, library.has("set_dithering")


def loaded_from(candidates: list[str]) -> Any:
    from liveclf.sources.rtlsdr import library as rtlsdr_library

    os.environ["LD_LIBRARY_PATH"] = ""
    rtlsdr_library._candidates = lambda: iter(candidates)
    return loaded()


def loaded_without_pyrtlsdr() -> Any:
    sys.modules["rtlsdr"] = None  # type: ignore[assignment]
    return loaded()


def listed_by_the_system() -> Any:
    from liveclf.sources.rtlsdr import library as rtlsdr_library

    rtlsdr_library._candidates = lambda: iter([find_library("rtlsdr")])
    return loaded()[1], fake_radio.found()


def _file(*switches: str) -> str:
    return str(fake_radio.library_folder(*switches) / "librtlsdr.so")


def test_a_complete_library_lacks_nothing(start):
    assert start(fake_radio.environment())(loaded) == (_file(), (), True)


def test_pyrtlsdr_works_with_a_library_that_lacks_what_it_wants(start, tmp_path):
    assert not hasattr(ctypes.CDLL(_file("OLD")), "rtlsdr_set_dithering")
    probe = start(fake_radio.environment("OLD"))
    path, missing, dithers = probe(loaded)
    assert (path, len(missing), dithers) == (_file("OLD"), 8, False)
    recording = tmp_path / "noise.cu8"
    recording.write_bytes(os.urandom(1_000_000))
    heard = probe(fake_radio.listen, SOURCE, RADIO, file=recording, speed=0)
    assert heard.data == recording.read_bytes()


def test_what_an_old_library_cannot_do_is_said(start):
    probe = start(fake_radio.environment("OLD"))
    radio = RadioSettings(device="rtlsdr", options=("dithering=off",))
    with pytest.raises(ProbeError, match="dithering=off is not possible with the librtlsdr") as e:
        probe(fake_radio.open_once, SOURCE, radio)
    assert e.value.kind == "UsageError"
    radio = RadioSettings(device="rtlsdr", bandwidth_hz=Hertz(1.45e6))
    notes = probe(fake_radio.open_once, SOURCE, radio).notes
    assert "Bandwidth was set to 1.45 MHz; this librtlsdr cannot tell it." in notes


@pytest.mark.parametrize("switches", [(), ("OLD",)])
def test_a_library_in_the_path_is_meant_whatever_it_lacks(start, switches):
    """Such as the fork for the Blog V4."""
    variables = fake_radio.environment(*switches)
    variables["LD_LIBRARY_PATH"] = f"{variables['LD_LIBRARY_PATH']}:{Path(_file()).parent}"
    assert start(variables)(loaded)[0] == _file(*switches)


@pytest.mark.parametrize("order", [("OLD", ""), ("", "OLD")])
def test_a_complete_library_is_taken_before_one_that_is_not(start, order):
    files = [_file(switch) if switch else _file() for switch in order]
    assert start(fake_radio.environment())(loaded_from, files)[0] == _file()


def test_a_library_that_is_named_is_taken(start):
    probe = start(fake_radio.environment())
    assert probe(loaded, _file("OLD"))[0] == _file("OLD")
    options = (f"library={_file('OLD')}", "dithering=on")
    radio = RadioSettings(device="rtlsdr", options=options)
    with pytest.raises(ProbeError, match=_file("OLD")):
        probe(fake_radio.open_once, SOURCE, radio)


@pytest.mark.parametrize("name", ["nothing.so", "text.so"])
def test_a_library_that_is_named_and_is_none_is_wrong_use(start, tmp_path, name):
    (tmp_path / "text.so").write_text("this is no library")
    with pytest.raises(ProbeError, match=name) as raised:
        start(fake_radio.environment())(loaded, str(tmp_path / name))
    assert raised.value.kind == "UsageError"


def test_any_other_library_is_passed_over(start):
    other = find_library("c")
    assert start(fake_radio.environment())(loaded_from, [other, _file("OLD")])[0] == _file("OLD")


@pytest.mark.parametrize("call", [loaded_from, loaded_without_pyrtlsdr])
def test_without_a_library_or_pyrtlsdr_it_says_how_to_install_them(start, call):
    arguments = ([],) if call is loaded_from else ()
    with pytest.raises(ProbeError) as raised:
        start(fake_radio.environment())(call, *arguments)
    assert (raised.value.kind, raised.value.exit_code) == ("MissingExtraError", 3)
    assert 'install it with: pip install "liveclf[rtlsdr]"' in str(raised.value)


def test_a_library_that_lacks_what_is_needed_is_named(start):
    with pytest.raises(ProbeError, match="rtlsdr_cancel_async") as raised:
        start(fake_radio.environment("ANCIENT"))(loaded_from, [_file("ANCIENT")])
    assert raised.value.kind == "MissingExtraError"
    assert _file("ANCIENT") in str(raised.value)


def test_the_library_of_the_distribution_works(start):
    if find_library("rtlsdr") is None:
        pytest.skip("the distribution's librtlsdr is not installed")
    missing, found = start({})(listed_by_the_system)
    assert isinstance(missing, tuple)
    assert isinstance(found, list)  # of what is plugged into this machine


def test_it_needs_no_library_to_be_imported():
    program = "import sys, liveclf.sources.rtlsdr; print('rtlsdr' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"
