"""Finding the reader for a path: the table, overrides, and names with colons."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from replaying import joined, opened, replay

from liveclf import sources
from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.sources import open_source
from liveclf.sources.recording import ReplaySource


def cu8(path: Path, n: int = 3) -> Path:
    path.write_bytes(bytes(2 * n))
    return path


def test_every_line_of_the_table_has_its_reader():
    for module in set(sources.RECORDINGS.values()):
        assert callable(import_module(f"liveclf.sources.{module}").open_recording)
    for module in set(sources.DRIVERS.values()):
        assert callable(import_module(f"liveclf.sources.{module}").open_driver)


@pytest.mark.parametrize("device", ["radio", "radio:00000001", "RADIO:x", "radio://host:1"])
def test_a_device_goes_to_its_driver_with_all_that_follows_it(monkeypatch, device):
    asked = []
    monkeypatch.setitem(sources.DRIVERS, "radio", "some_radio")
    monkeypatch.setattr("liveclf.sources.capture.live.LiveSource", lambda *a: asked.append(a))
    open_source(SourceSettings(rate_hz=Hertz(1e6)), RadioSettings(device=device, gain="3"))
    ((module, settings, radio, _),) = asked
    assert module == "liveclf.sources.some_radio"
    assert (settings.rate_hz, radio.device, radio.gain) == (1e6, device, "3")


def test_a_uri_is_a_device_in_place_of_a_path_too(monkeypatch):
    asked = []
    monkeypatch.setattr("liveclf.sources.capture.live.LiveSource", lambda *a: asked.append(a))
    opened("zmq://127.0.0.1:5555")
    assert asked[0][0] == "liveclf.sources.zeromq"
    assert asked[0][2].device == "zmq://127.0.0.1:5555"


@pytest.mark.parametrize(
    ("settings", "radio", "said"),
    [
        ({}, {"device": "hackrf"}, "Device 'hackrf' is of no known kind; it begins with one of"),
        ({"path": "x.cu8"}, {"device": "rtlsdr"}, "are two sources; give one"),
        ({"path": "x.cu8"}, {"gain": "20"}, "radio.gain = '20' sets a radio; name it with"),
    ],
)
def test_what_does_not_go_together_is_said(settings, radio, said):
    with pytest.raises(UsageError, match=said):
        open_source(SourceSettings(**settings), RadioSettings(**radio))


@pytest.mark.parametrize("path", ["radio", "-:x", "radio/x:y", "rtlsdr:x"])
def test_what_only_looks_like_a_device_is_a_recording(monkeypatch, tmp_path, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=f"Recording {path} does not exist"):
        opened(path)


def test_the_ending_decides_whatever_its_case(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(4, np.complex64))
    (tmp_path / "x.npy").rename(tmp_path / "x.NPY")
    assert isinstance(opened(tmp_path / "x.NPY"), ReplaySource)
    assert opened(tmp_path / "x.NPY").info.n_samples == 4


@pytest.mark.parametrize("name", ["x.iq", "x", "x.unheard_of", "x.cu8.gz"])
def test_format_reads_any_other_ending_as_raw(tmp_path, name):
    assert opened(cu8(tmp_path / name), format="cu8").info.n_samples == 3


# -- overrides --------------------------------------------------------------------------


def test_an_override_counts_as_flags(tmp_path):
    path = cu8(tmp_path / "x_1M_1k_cs16.bin", 4)
    info = opened(f"cu8:433.92M:250k:{path}").info
    assert (info.format, info.sample_rate_hz, info.center_hz) == ("cu8", 250e3, 433.92e6)
    assert info.name == path.name
    assert info.n_samples == 4


def test_flags_go_before_an_override(tmp_path):
    path = cu8(tmp_path / "x.iq", 4)
    info = opened(f"cu8:433.92M:250k:{path}", format="cs16", rate_hz=9.0, center_hz=(8.0,)).info
    assert (info.format, info.sample_rate_hz, info.center_hz) == ("cs16", 9.0, 8.0)


def test_one_token_may_hold_several_and_the_last_wins(tmp_path):
    info = opened(f"cs16-250k:cu8:{cu8(tmp_path / 'x.iq')}").info
    assert (info.format, info.sample_rate_hz) == ("cu8", 250e3)


def test_a_colon_in_the_name_of_a_file_is_no_override(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("Output_2023-08-29_17:23:26_00014.iq", "cu8:x.cs8", "2M:1k:x.cs8"):
        cu8(Path(name))
        info = opened(name, format="cs8").info
        assert (info.name, info.n_samples) == (name, 3)
    assert opened("cu8:x.cs8").info.format == "cs8"  # as its ending says


def test_an_override_before_a_name_with_colons(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cu8(Path("a_17:23:26.iq"))
    info = opened("cu8:1Msps:a_17:23:26.iq").info
    assert (info.name, info.format, info.sample_rate_hz) == ("a_17:23:26.iq", "cu8", 1e6)


@pytest.mark.parametrize(
    "name", ["gone:x.cu8", "cu8:gone.cu8", "C:\\gone.cu8", "x_433.92M_10:22.cu8"]
)
def test_what_is_not_there_is_named_without_the_override(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    cu8(Path("x.cu8"))
    with pytest.raises(SourceError) as caught:
        opened(name)
    assert f"Recording {name.removeprefix('cu8:')} does not exist" in str(caught.value)


def test_no_path_is_the_recording_in_the_package():
    source = opened("")
    assert source.info.name.startswith("demo")
    assert len(source.info.annotations) > 0


@pytest.mark.parametrize("path", ["cu8:", "250k:cu8:"])
def test_no_path(path):
    with pytest.raises(UsageError, match="No recording is given; name a file, or -"):
        opened(path)


def test_a_reader_never_lets_an_error_of_the_system_through(tmp_path, monkeypatch):
    path = cu8(tmp_path / "x.cu8")

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("liveclf.sources.raw.from_path", fail)
    with pytest.raises(SourceError, match=r"x\.cu8 cannot be read: input/output error"):
        opened(path)


# -- the program around it --------------------------------------------------------------


def test_only_the_reader_that_is_needed_is_loaded(tmp_path):
    path = cu8(tmp_path / "x.cu8")
    program = (
        "import sys; from liveclf.config import SourceSettings\n"
        "from liveclf.sources import open_source\n"
        f"list(open_source(SourceSettings(path={str(path)!r})).blocks())\n"
        "print([m for m in ('sigmf', 'jsonschema', 'tarfile', 'scipy', 'onnxruntime') if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"


def test_sources_import_nothing_of_their_siblings():
    forbidden = ("live", "model", "learn", "sinks", "cli", "signals")
    for file in Path(sources.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert not node.module.startswith(tuple(f"liveclf.{name}" for name in forbidden))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_recording(tmp_path):
    def resident_bytes() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    path = tmp_path / "x.cf32"
    path.touch()
    with path.open("r+b") as file:
        file.truncate(2**27)  # sparse
    blocks = opened(path).blocks()
    next(blocks)
    before = resident_bytes()
    n_samples = sum(len(block.iq) for block in blocks)
    assert n_samples == 2**24 - 65_536
    assert resident_bytes() - before < 2**25


def test_blocks_own_their_samples(tmp_path):
    path = tmp_path / "x.cs16"
    np.arange(8, dtype="<i2").tofile(path)
    first = joined(replay(path))
    first[:] = 0
    assert joined(replay(path)).ravel().tolist() == list(range(8))
