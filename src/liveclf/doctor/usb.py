"""RTL-SDR dongles as the kernel sees them: permissions, modules in the way, USB memory.

Sources: Linux, Documentation/ABI/testing/sysfs-bus-usb and drivers/usb/core/devio.c;
librtlsdr, include/rtl-sdr.h and src/librtlsdr.c (15 transfers of 256 KiB).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from liveclf.doctor.report import Finding

RTL_IDS = {("0bda", "2832"), ("0bda", "2838")}
KERNEL_MODULE = "dvb_usb_rtl28xxu"
RULE_FOLDERS = (
    Path("/etc/udev/rules.d"),
    Path("/run/udev/rules.d"),
    Path("/usr/lib/udev/rules.d"),
    Path("/lib/udev/rules.d"),
)
_RULE_REMEDY = (
    "install the rules (Debian, Ubuntu: sudo apt install rtl-sdr), then plug the radio in again"
)
_BUFFER_MB = 4  # of the transfers of one dongle, by librtlsdr's defaults


@dataclass(frozen=True)
class Dongle:
    """An RTL-SDR that is plugged in.

    Attributes:
        product: As it says, "" if it does not.
        serial: As it says, "" if it does not.
        bus: Number of its USB bus.
        number: Its own on that bus.
    """

    product: str
    serial: str
    bus: int
    number: int

    @property
    def name(self) -> str:
        """How messages call it."""
        return " ".join(part for part in (self.product or "RTL-SDR", self.serial) if part)

    def node(self, dev: Path) -> Path:
        """Return the file through which programs reach it, below /dev."""
        return dev / f"bus/usb/{self.bus:03}/{self.number:03}"


def find_dongles(sys: Path = Path("/sys")) -> list[Dongle] | None:
    """List the dongles; None where the kernel lists no USB devices at all."""
    try:
        folders = sorted((sys / "bus/usb/devices").iterdir())
    except OSError:
        return None
    found = []
    for folder in folders:
        if (_text(folder / "idVendor"), _text(folder / "idProduct")) in RTL_IDS:
            with contextlib.suppress(ValueError):  # unplugged just now
                place = int(_text(folder / "busnum")), int(_text(folder / "devnum"))
                found.append(Dongle(_text(folder / "product"), _text(folder / "serial"), *place))
    return found


def check_dongles(dongles: Sequence[Dongle] | None) -> Finding:
    """Say what is plugged in."""
    if dongles is None:
        return Finding("RTL-SDR plugged in", "skipped", "This system does not list USB devices.")
    if not dongles:
        return Finding("RTL-SDR plugged in", "skipped", "None is plugged in.")
    return Finding("RTL-SDR plugged in", "ok", f"{', '.join(d.name for d in dongles)}.")


def check_permissions(
    dongles: Sequence[Dongle],
    dev: Path = Path("/dev"),
    may_use: Callable[[Path], bool] = lambda node: os.access(node, os.R_OK | os.W_OK),
) -> Finding:
    """Say whether this user may open the dongles."""
    topic = "USB permissions"
    if not dongles:
        return Finding(topic, "skipped", "No RTL-SDR is plugged in.")
    for dongle in dongles:
        node = dongle.node(dev)
        if not node.exists():
            return Finding(
                topic, "fault", f"{dongle.name} is plugged in, but {node} is not here.",
                "in a container, pass the device on: --device /dev/bus/usb",
            )  # fmt: skip
        if not may_use(node):
            said = f"This user may not open {dongle.name} ({node})."
            return Finding(topic, "fault", said, _RULE_REMEDY)
    return Finding(topic, "ok", "This user may open every RTL-SDR.")


def check_rules(folders: Sequence[Path] = RULE_FOLDERS) -> Finding:
    """Say whether a udev rule opens the dongles to users."""
    topic, is_linux = "udev rule", False
    for folder in folders:
        with contextlib.suppress(OSError):
            for file in sorted(folder.glob("*.rules")):
                is_linux = True
                text = _text(file).lower()
                if "0bda" in text and ("2832" in text or "2838" in text):
                    return Finding(topic, "ok", f"{file} names the RTL-SDR.")
    if not is_linux:
        return Finding(topic, "skipped", "There is no udev here.")
    return Finding(topic, "warning", "No udev rule opens RTL-SDRs to all users.", _RULE_REMEDY)


def check_kernel_module(modules: Path = Path("/proc/modules")) -> Finding:
    """Say whether the kernel's television driver is there, which takes dongles for itself."""
    topic = "kernel module"
    if not modules.exists():
        return Finding(topic, "skipped", "This system does not list its kernel modules.")
    loaded = {line.split(" ")[0] for line in _text(modules).splitlines()}
    if KERNEL_MODULE not in loaded:
        return Finding(topic, "ok", f"{KERNEL_MODULE} is not loaded.")
    return Finding(
        topic,
        "warning",
        f"{KERNEL_MODULE}, the television driver, is loaded and takes RTL-SDRs for itself.",
        f"sudo modprobe -r {KERNEL_MODULE}; and for good: "
        f"echo 'blacklist {KERNEL_MODULE}' | sudo tee /etc/modprobe.d/no-rtl.conf",
    )


def check_blog_v4(dongles: Sequence[Dongle], library_knows_it: bool | None) -> Finding:
    """Say whether the library can drive the dongles of the newer circuit.

    Args:
        dongles: What is plugged in.
        library_knows_it: None if that is not known.
    """
    topic = "RTL-SDR Blog V4"
    if not any("Blog V4" in dongle.product for dongle in dongles):
        return Finding(topic, "skipped", "None is plugged in.")
    if library_knows_it:
        return Finding(topic, "ok", "librtlsdr knows it.")
    wrong = "librtlsdr does not know it, and would tune it wrongly"
    maybe = "it has another circuit, and it is not known whether librtlsdr knows that"
    return Finding(
        topic,
        "warning" if library_knows_it is None else "fault",
        f"One is plugged in: {maybe if library_knows_it is None else wrong}.",
        'install the library that comes with pip install "liveclf[rtlsdr]", or librtlsdr 2.0.2 '
        "or newer",
    )


def check_usb_memory(n_dongles: int, sys: Path = Path("/sys")) -> Finding:
    """Say whether the kernel allows enough memory for the transfers of all dongles."""
    topic, place = "USB memory", sys / "module/usbcore/parameters/usbfs_memory_mb"
    text = _text(place)
    if not text.isdecimal():
        return Finding(topic, "skipped", "This system does not tell its limit.")
    limit_mb, needed_mb = int(text), _BUFFER_MB * max(1, n_dongles)
    if limit_mb == 0:
        return Finding(topic, "ok", "Without a limit.")
    if limit_mb >= needed_mb:
        return Finding(topic, "ok", f"{limit_mb} MB, and {needed_mb} MB are needed.")
    return Finding(
        topic, "fault", f"{limit_mb} MB, and {needed_mb} MB are needed.",
        f"echo {max(16, 2 * needed_mb)} | sudo tee {place}",
    )  # fmt: skip


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
