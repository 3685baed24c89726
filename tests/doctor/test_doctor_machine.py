"""What the doctor says of packages, drivers' libraries, memory and speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from liveclf.doctor import drivers, memory, packages, speed
from liveclf.doctor.drivers import RtlLibrary, SoapyLibrary
from liveclf.sources.isolated import Outcome


def test_what_is_needed_and_not_installed_is_one_fault_with_the_line_that_installs_it():
    there = {"numpy": "2.4", "onnxruntime": None}
    found = {f.topic: f for f in packages.check_packages(lambda name: there.get(name, "1.0"))}
    assert found["packages"].state == "fault"
    assert found["packages"].remedy == "pip install onnxruntime"


def test_what_is_optional_and_not_installed_is_skipped():
    def version_of(name: str) -> str | None:
        return "2.0" if name in packages.NEEDED else None

    states = {f.topic: f.state for f in packages.check_packages(version_of)}
    assert states == {
        "program": "ok", "packages": "ok",
        "RTL-SDR": "skipped", "ZeroMQ": "skipped", "MQTT": "skipped", "training": "skipped",
        "speed on CPUs with AMX": "skipped",
    }  # fmt: skip


def test_tensorflow_counts_under_the_name_of_its_small_build():
    found = {f.topic: f for f in packages.check_packages({"tensorflow-cpu": "2.21"}.get)}
    assert found["training"].message == "tensorflow 2.21 is installed."


def test_versions_are_those_of_this_environment():
    assert packages.installed_version("numpy") == np.__version__
    assert packages.installed_version("no-such-package-at-all") is None


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        ((), "ok"),
        (("rtlsdr_set_dithering",), "ok"),
        (("rtlsdr_set_dithering", "rtlsdr_set_bias_tee"), "warning"),
    ],
)
def test_a_librtlsdr_that_lacks_something_says_so(missing, state):
    found = drivers.judge_rtl(Outcome("ok", "", RtlLibrary("/lib/librtlsdr.so.0", missing, True)))
    assert found.state == state
    assert "/lib/librtlsdr.so.0" in found.message
    assert all(name.removeprefix("rtlsdr_") in found.message for name in missing)


@pytest.mark.parametrize(
    ("library", "state"),
    [
        (SoapyLibrary("0.8.1", "0.8", "0.8", ("librtlsdrSupport.so",)), "ok"),
        (SoapyLibrary("0.8.1", "0.8", "", ("librtlsdrSupport.so",)), "ok"),
        (SoapyLibrary("0.8.1", "0.8", "0.7", ("librtlsdrSupport.so",)), "fault"),
        (SoapyLibrary("0.8.1", "0.8", "0.8", ()), "warning"),
    ],
)
def test_soapy_has_to_be_of_one_piece_and_have_modules(library, state):
    assert drivers.judge_soapy(Outcome("ok", "", library)).state == state


@pytest.mark.parametrize("judge", [drivers.judge_rtl, drivers.judge_soapy])
def test_a_library_that_is_missing_is_skipped_and_one_that_crashes_a_fault(judge):
    missing = judge(Outcome("missing", "It needs X; install it with: apt install x"))
    assert (missing.state, missing.message, missing.remedy) == (
        "skipped", "It needs X.", "apt install x"
    )  # fmt: skip
    crashed = judge(Outcome("failed", "librtlsdr crashed (SIGSEGV)."))
    assert (crashed.state, crashed.message) == ("fault", "librtlsdr crashed (SIGSEGV).")


@pytest.mark.parametrize(("free", "state"), [(64e6, "fault"), (200e6, "ok")])
def test_the_ring_has_to_fit_shared_memory(tmp_path, free, state):
    found = memory.check_shared_memory(100.0, tmp_path, lambda _: int(free))
    assert found.state == state
    assert ("--shm-size" in found.remedy) == (state == "fault")


def test_without_a_folder_of_shared_memory_it_is_skipped(tmp_path):
    assert memory.check_shared_memory(1.0, tmp_path / "shm").state == "skipped"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("MemTotal: 8000000 kB\nMemAvailable:  4000000 kB\n", "ok"),
        ("MemAvailable:  400000 kB\n", "warning"),
        ("MemTotal: 8000000 kB\n", "skipped"),
        ("MemAvailable:\n", "skipped"),
        (None, "skipped"),
    ],
)
def test_memory_is_what_the_system_calls_available(tmp_path: Path, text, state):
    if text is not None:
        (tmp_path / "meminfo").write_text(text)
    assert memory.check_memory(100.0, tmp_path / "meminfo").state == state


@pytest.mark.parametrize(
    ("windows_per_s", "state"), [(3000, "ok"), (2400, "warning"), (1000, "warning")]
)
def test_the_speed_is_told_as_the_rate_it_covers(windows_per_s, state):
    found = speed.judge(windows_per_s, 2.4e6, "vgg16-slim, onnx")
    assert found.state == state
    assert f"every sample up to {windows_per_s * 1024 / 1e6:.2f} MS/s" in found.message


def test_a_machine_that_is_too_slow_is_told_which_share_it_covers_and_a_hop_that_it_keeps():
    found = speed.judge(1000, 2.4e6, "vgg16-slim, onnx")
    assert "43% of 2.4 MS/s" in found.message
    hop = int(found.remedy.split("--hop ")[1].split()[0])
    assert 2.4e6 / hop <= 1000


def test_a_measurement_can_be_left_out():
    from liveclf.config import ModelSettings

    assert speed.check_speed(ModelSettings(), 0.0, 2.4e6).state == "skipped"
