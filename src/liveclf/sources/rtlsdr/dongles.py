"""RTL-SDR dongles: which are there, which one is meant, and an open one."""

from __future__ import annotations

from ctypes import byref, c_int, c_ubyte
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liveclf.errors import SourceError
from liveclf.sources.rtlsdr.library import Library

KERNEL_MODULE = "dvb_usb_rtl28xxu"
"""The kernel's television driver, which takes a dongle for itself."""

_REASONS = {
    -1: "input/output error",
    -2: "invalid parameter",
    -4: "it is not there any more",
    -5: "not found",
    -7: "it did not answer in time",
    -8: "overflow",
    -9: "the USB transfer broke",
    -10: "interrupted",
    -11: "out of memory for USB transfers",
    -12: "not supported",
    -22: "invalid argument",
}
_TUNERS = ("unknown tuner", "E4000", "FC0012", "FC0013", "FC2580", "R820T", "R828D")
# What each reaches as a rule, in MHz.
_RANGES_MHZ: dict[str, tuple[float, float]] = {
    "E4000": (52, 2200),
    "FC0012": (22, 948.6),
    "FC0013": (22, 1100),
    "FC2580": (146, 924),
    "R820T": (24, 1766),
    "R828D": (24, 1766),
}


@dataclass(frozen=True)
class Dongle:
    """A dongle that is plugged in.

    Attributes:
        index: How librtlsdr counts it, from 0.
        serial: "" if it could not be read.
        maker: As it says.
        product: As it says.
        code: 0, or why its strings could not be read.
    """

    index: int
    serial: str
    maker: str
    product: str
    code: int

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"RTL-SDR {self.serial or f'number {self.index}'}"

    @property
    def is_blog_v4(self) -> bool:
        """It has another circuit than all others, and needs a library that knows it."""
        return "Blog V4" in self.product


def find_dongles(library: Library) -> list[Dongle]:
    """List what is plugged in."""
    count = library.function("get_device_count")()
    return [_dongle(library, index) for index in range(count)]


def _dongle(library: Library, index: int) -> Dongle:
    buffers = [(c_ubyte * 256)() for _ in range(3)]
    code = library.function("get_device_usb_strings")(index, *buffers)
    maker, product, serial = (
        bytes(buffer).partition(b"\0")[0].decode("utf-8", "replace").strip() for buffer in buffers
    )
    return Dongle(index, serial, maker, product, min(code, 0))


def choose(dongles: list[Dongle], wanted: str) -> tuple[Dongle, tuple[str, ...]]:
    """Find the dongle that is meant.

    Args:
        dongles: What is there.
        wanted: A serial number, an index, or "" for the first.

    Returns:
        The dongle, and sentences on how `wanted` was understood where that is not plain.

    Raises:
        SourceError: It is not there (but may be plugged in later).
    """
    if not dongles:
        raise SourceError("No RTL-SDR is plugged in; plug one in, or look for it with lsusb.")
    if not wanted:
        return dongles[0], ()
    if same := [dongle for dongle in dongles if dongle.serial == wanted]:
        return same[0], _notes_on_serial(same, wanted, len(dongles))
    if wanted.isdecimal() and int(wanted) < len(dongles):
        dongle = dongles[int(wanted)]
        return dongle, (f"No serial number is {wanted}; it is taken for an index.",)
    for dongle in dongles:
        if dongle.code:  # it may be this one
            raise SourceError(refusal(dongle, dongle.code))
    there = ", ".join(f"rtlsdr:{d.serial or d.index}" for d in dongles)
    raise SourceError(f"Device rtlsdr:{wanted} is not plugged in; there is {there}.")


def _notes_on_serial(same: list[Dongle], wanted: str, n_dongles: int) -> tuple[str, ...]:
    notes = []
    if len(same) > 1:
        notes.append(
            f"{len(same)} RTL-SDRs have the serial number {wanted} and the first is taken; "
            "give an index, or each its own number with rtl_eeprom -s."
        )
    if wanted.isdecimal() and int(wanted) < n_dongles and same[0].index != int(wanted):
        notes.append(f"{wanted} is a serial number here, and is not taken for an index.")
    return tuple(notes)


def reason(code: int) -> str:
    """Say in words what a code of librtlsdr means."""
    return f"{_REASONS[code]}, code {code}" if code in _REASONS else f"code {code}"


def kernel_module_is_loaded(modules: Path = Path("/proc/modules")) -> bool:
    """Say whether the kernel's television driver is there and in the way."""
    try:
        lines = modules.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.split(" ")[0] == KERNEL_MODULE for line in lines)


def refusal(dongle: Dongle, code: int) -> str:
    """Say why a dongle did not open, and what to do."""
    if code == -3:
        return (
            f"{dongle.name} may not be opened by this user; install its udev rules "
            "(Debian, Ubuntu: sudo apt install rtl-sdr) and plug it in again."
        )
    if code == -6 and kernel_module_is_loaded():
        return (
            f"{dongle.name} is held by the kernel's television driver; "
            f"let it go with: sudo modprobe -r {KERNEL_MODULE}"
        )
    if code == -6:
        return f"{dongle.name} is in use by another program; end that one first."
    return f"{dongle.name} does not open ({reason(code)}); plug it in again, or elsewhere."


class OpenDongle:
    """A dongle that is open. Errors close nothing: that is for `close`, once nothing streams.

    pyrtlsdr's own `RtlSdr` closes the device in each of its error paths, which never returns
    while samples are being read; it also rounds frequencies to kHz and tunes to 80 MHz first,
    which not every tuner can. So its functions are called here without it.
    """

    def __init__(self, library: Library, dongle: Dongle) -> None:
        """Open it.

        Raises:
            SourceError: It does not open.
        """
        self.library, self.dongle = library, dongle
        self._device = library.binding.p_rtlsdr_dev(None)
        code = library.function("open")(byref(self._device), dongle.index)
        if code < 0 or not self._device:
            raise SourceError(refusal(dongle, code))
        tuner = self.call("get_tuner_type")
        self.tuner = _TUNERS[tuner] if 0 < tuner < len(_TUNERS) else _TUNERS[0]

    @property
    def name(self) -> str:
        """How messages call it."""
        return f"{self.dongle.name} ({self.tuner})"

    def call(self, name: str, *arguments: Any) -> int:
        """Call `rtlsdr_NAME` with this device; returns its code, negative for an error."""
        code = self.library.function(name)(self._device, *arguments)
        return c_int(code).value  # where pyrtlsdr declares a code as unsigned

    def ask(self, name: str) -> int:
        """Call a function that returns an unsigned value."""
        return int(self.library.function(name)(self._device))

    def gains_tenth_db(self) -> list[int]:
        """Return the gains that the tuner has, in tenths of a dB, ascending."""
        n = max(0, self.call("get_tuner_gains", None))
        gains = (c_int * max(1, n))()
        n = min(n, max(0, self.call("get_tuner_gains", gains)))
        return sorted(gains[:n])

    def range_hz(self) -> tuple[float, float] | None:
        """Return from where to where the tuner reaches as a rule, None if not known."""
        if self.tuner not in _RANGES_MHZ:
            return None
        low_mhz, high_mhz = _RANGES_MHZ[self.tuner]
        if self.dongle.is_blog_v4:
            low_mhz = 0.5  # has a converter for short waves
        return low_mhz * 1e6, high_mhz * 1e6

    def close(self) -> None:
        """Release it. Never returns while samples are being read."""
        if self._device:
            self.call("close")
            self._device = self.library.binding.p_rtlsdr_dev(None)
