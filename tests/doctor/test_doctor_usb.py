"""What the doctor says of USB, on made-up /sys, /proc, /dev and rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveclf.doctor import usb
from liveclf.doctor.usb import Dongle

V3 = Dongle("RTL2838UHIDIR", "00000001", 1, 5)
V4 = Dongle("Blog V4", "00000002", 2, 17)


def plug(root: Path, place: str, **values: str) -> None:
    folder = root / "bus/usb/devices" / place
    folder.mkdir(parents=True)
    for name, value in values.items():
        (folder / name).write_text(value + "\n")


@pytest.fixture
def sys_tree(tmp_path):
    """Two dongles, a hub and an interface, which has no ids."""
    plug(tmp_path, "1-1", idVendor="0bda", idProduct="2838", busnum="1", devnum="5",
         product=V3.product, serial=V3.serial)  # fmt: skip
    plug(tmp_path, "2-4.1", idVendor="0bda", idProduct="2832", busnum="2", devnum="17",
         product=V4.product, serial=V4.serial)  # fmt: skip
    plug(tmp_path, "usb1", idVendor="1d6b", idProduct="0002", busnum="1", devnum="1")
    plug(tmp_path, "3-1", idVendor="0bda", idProduct="8153", busnum="3", devnum="2")
    plug(tmp_path, "1-1:1.0", bInterfaceNumber="00")
    return tmp_path


def dev_tree(root: Path, *dongles: Dongle) -> Path:
    for dongle in dongles:
        dongle.node(root).parent.mkdir(parents=True)
        dongle.node(root).touch()
    return root


def test_dongles_are_found_by_their_ids(sys_tree):
    assert usb.find_dongles(sys_tree) == [V3, V4]
    assert usb.check_dongles([V3, V4]).message == "RTL2838UHIDIR 00000001, Blog V4 00000002."


def test_a_dongle_that_was_just_unplugged_or_tells_nothing_is_no_crash(tmp_path):
    plug(tmp_path, "1-1", idVendor="0bda", idProduct="2838")
    plug(tmp_path, "1-2", idVendor="0bda", idProduct="2838", busnum="1", devnum="3")
    (found,) = usb.find_dongles(tmp_path) or []
    assert (found.name, found.number) == ("RTL-SDR", 3)


def test_a_system_without_a_list_is_skipped(tmp_path):
    assert usb.find_dongles(tmp_path) is None
    assert usb.check_dongles(None).state == "skipped"
    assert usb.check_dongles([]).state == "skipped"


@pytest.mark.parametrize("allowed", [True, False])
def test_a_dongle_that_may_not_be_opened_is_a_fault_with_the_rules_as_remedy(tmp_path, allowed):
    dev = dev_tree(tmp_path, V3, V4)
    assert V4.node(dev) == tmp_path / "bus/usb/002/017"
    found = usb.check_permissions([V3, V4], dev, lambda node: allowed or node != V4.node(dev))
    assert found.state == ("ok" if allowed else "fault")
    assert ("apt install rtl-sdr" in found.remedy) is not allowed
    assert allowed or "Blog V4 00000002" in found.message


def test_permissions_of_a_real_file_are_asked_of_the_system(tmp_path):
    dev = dev_tree(tmp_path, V3)
    assert usb.check_permissions([V3], dev).state == "ok"


def test_a_dongle_outside_the_container_is_a_fault(tmp_path):
    found = usb.check_permissions([V3], tmp_path)
    assert found.state == "fault"
    assert "--device /dev/bus/usb" in found.remedy


def test_without_a_dongle_permissions_are_skipped(tmp_path):
    assert usb.check_permissions([], tmp_path).state == "skipped"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('ATTRS{idVendor}=="0bda", ATTRS{idProduct}=="2838", MODE="0660"', "ok"),
        ('ATTRS{idVendor}=="0BDA", ATTRS{idProduct}=="2832"', "ok"),
        ('ATTRS{idVendor}=="0bda", ATTRS{idProduct}=="8153"', "warning"),
        ("# 2838", "warning"),
        (None, "skipped"),
    ],
)
def test_the_udev_rule_is_looked_for_in_all_folders(tmp_path, text, state):
    (tmp_path / "b").mkdir()
    if text is not None:
        (tmp_path / "b" / "60-rtl.rules").write_text(text)
        (tmp_path / "b" / "60-note.txt").write_text("0bda 2838")
    assert usb.check_rules([tmp_path / "a", tmp_path / "b"]).state == state


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ("rtl2832 36864 0 - Live 0x0\ndvb_usb_rtl28xxu 45056 0 - Live 0x0\n", "warning"),
        ("dvb_usb_rtl28xxu_not 1 0\nusbcore 1 2 dvb_usb_rtl28xxu,\n", "ok"),
        ("", "ok"),
    ],
)
def test_the_kernel_module_in_the_way_is_named_with_its_remedy(tmp_path, lines, state):
    (tmp_path / "modules").write_text(lines)
    found = usb.check_kernel_module(tmp_path / "modules")
    assert found.state == state
    assert ("modprobe -r dvb_usb_rtl28xxu" in found.remedy) == (state == "warning")


def test_a_system_without_kernel_modules_is_skipped(tmp_path):
    assert usb.check_kernel_module(tmp_path / "modules").state == "skipped"


@pytest.mark.parametrize(
    ("dongles", "known", "state"),
    [
        ([V3], False, "skipped"),
        ([], None, "skipped"),
        ([V3, V4], True, "ok"),
        ([V4], False, "fault"),
        ([V4], None, "warning"),
    ],
)
def test_a_blog_v4_needs_a_library_that_knows_it(dongles, known, state):
    found = usb.check_blog_v4(dongles, known)
    assert found.state == state
    assert bool(found.remedy) == (state in ("fault", "warning"))


@pytest.mark.parametrize(
    ("limit", "n_dongles", "state"),
    [("16", 1, "ok"), ("16", 4, "ok"), ("16", 5, "fault"), ("0", 9, "ok"), ("2", 0, "fault")],
)
def test_usb_memory_has_to_do_for_all_dongles(tmp_path, limit, n_dongles, state):
    folder = tmp_path / "module/usbcore/parameters"
    folder.mkdir(parents=True)
    (folder / "usbfs_memory_mb").write_text(limit + "\n")
    found = usb.check_usb_memory(n_dongles, tmp_path)
    assert found.state == state
    assert (str(folder / "usbfs_memory_mb") in found.remedy) == (state == "fault")


def test_usb_memory_that_is_not_told_is_skipped(tmp_path):
    assert usb.check_usb_memory(1, tmp_path).state == "skipped"
