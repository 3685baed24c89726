"""Where samples come from. The tables below are the one place that names the sources.

A radio or a server is a file in this folder with a function `open_driver(settings, radio)`
that returns a `capture.driver.Driver`, and a line in DRIVERS. A new kind of recording is a
file with `open_recording(path, settings)`, and a line in RECORDINGS.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from msgspec import structs

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import ENDINGS
from liveclf.errors import SourceError, UsageError
from liveclf.protocols import Source
from liveclf.sources.names import Hints, from_name, from_tokens, is_override
from liveclf.sources.recording import Recording, ReplaySource
from liveclf.sources.samples import reason

DEMO = Path(__file__).parent.parent / "data" / "demo.sigmf-meta"
"""The recording that ships in the package."""

DRIVERS: dict[str, str] = {
    "rtlsdr": "rtlsdr",
    "soapy": "soapy",
    "rtltcp": "rtltcp",
    "rtl_tcp": "rtltcp",
    "zmq": "zeromq",
    "zmq+sub": "zeromq",
    "zmq+pull": "zeromq",
}
"""What --device begins with, up to the colon -> module of this folder that drives it."""

RADIOS = ("rtlsdr", "soapy")
"""Those of DRIVERS that know what is plugged in: their modules have `find_devices()`."""

RECORDINGS: dict[str, str] = {
    ".sigmf": "sigmf",
    ".sigmf-meta": "sigmf",
    ".sigmf-data": "sigmf",
    ".sigmf.gz": "sigmf",
    ".sigmf.xz": "sigmf",
    ".sigmf.zip": "sigmf",
    ".wav": "wav",
    ".npy": "npy",
}
"""Ending of the file name -> module of this folder that opens it; any other is raw."""


_NO_RADIO = RadioSettings()


def open_source(
    settings: SourceSettings,
    radio: RadioSettings = _NO_RADIO,
    tell: Callable[[str], None] = lambda _: None,
) -> Source:
    """Open what is named: a radio or a server, a pipe, a recording.

    A device is `radio.device`, or a URI in place of a path. Nothing stands for the recording
    in the package.

    The path may begin with what rtl_433 calls an override, `cu8:433.92M:250k:path`,
    which counts as flags. A colon in the name of a file that exists is no such thing.

    Args:
        settings: What to read, from where to where.
        radio: Which device, and how it is to be set.
        tell: Told in a sentence of what happens to a device later.

    Raises:
        SourceError: It cannot be read.
        UsageError: A flag is wrong or cannot be kept.
        MissingExtraError: The driver is not installed.
    """
    if device := _device(settings, radio):
        return _open_device(device, structs.replace(settings, path=""), radio, tell)
    if radio != _NO_RADIO:
        raise UsageError(f"{_flag_of(radio)} sets a radio; name it with --device.")
    if not settings.path:
        settings = structs.replace(settings, path=str(DEMO))
    if not _is_stream(settings.path):
        settings = _split_override(settings)
    if settings.path == "-" or _is_stream(settings.path):
        from liveclf.sources import stdin

        return stdin.open_source(settings)
    return ReplaySource(open_recording(settings), settings)


def driver_module(device: str) -> str:
    """Return the full name of the module that drives a device.

    Raises:
        UsageError: There is none.
    """
    kind = device.partition(":")[0].lower()
    if kind not in DRIVERS:
        known = ", ".join(DRIVERS)
        raise UsageError(f"Device {device!r} is of no known kind; it begins with one of {known}.")
    return f"{__name__}.{DRIVERS[kind]}"


def _open_device(
    device: str, settings: SourceSettings, radio: RadioSettings, tell: Callable[[str], None]
) -> Source:
    from liveclf.sources.capture.live import LiveSource

    module = driver_module(device)
    return LiveSource(module, settings, structs.replace(radio, device=device), tell)


def _device(settings: SourceSettings, radio: RadioSettings) -> str:
    """Return the device that is named, by --device or as a URI in place of a path."""
    kind, colon, _ = settings.path.partition("://")
    uri = settings.path if colon and kind.lower() in DRIVERS else ""
    if radio.device and settings.path:
        raise UsageError(
            f"--device {radio.device} and {settings.path} are two sources; give one of them."
        )
    return radio.device or uri


def _flag_of(radio: RadioSettings) -> str:
    """Return the flag of the first setting that differs from its default."""
    name = next(f for f in structs.asdict(radio) if getattr(radio, f) != getattr(_NO_RADIO, f))
    return f"radio.{name} = {getattr(radio, name)!r}"


def names_recording(path: Path) -> bool:
    """Tell by its name alone whether a file found in a folder is a recording.

    What names its format and has no ending, or one that says only that it holds samples, is
    one; with any other ending it may be notes or results about a recording.
    """
    name, ending = path.name.lower(), path.suffix.lower()
    if name.endswith(tuple(RECORDINGS)) or ending in ENDINGS:
        return True
    return ending in ("", ".iq", ".dat") and from_name(name).format is not None


def open_recording(settings: SourceSettings) -> Recording:
    """Open the file that `settings.path` names.

    Raises:
        SourceError: It cannot be read.
        UsageError: A flag is wrong.
    """
    settings = _split_override(settings)
    path = Path(settings.path)
    name = path.name.lower()
    module = next((m for ending, m in RECORDINGS.items() if name.endswith(ending)), "raw")
    opener: Callable[[Path, SourceSettings], Recording]
    opener = import_module(f"{__name__}.{module}").open_recording
    try:
        return opener(path, settings)
    except OSError as error:
        raise SourceError(f"Recording {path} cannot be read: {reason(error)}.") from None


def _split_override(settings: SourceSettings) -> SourceSettings:
    told, path = Hints(), settings.path
    while ":" in path and not os.path.exists(path):
        token, _, rest = path.partition(":")
        if not is_override(token):
            break
        told, path = from_tokens(token).or_else(told), rest
    if not path:
        raise UsageError("No recording is given; name a file, or - for standard input.")
    hints = Hints.from_flags(settings).or_else(told)
    return hints.into_flags(structs.replace(settings, path=path))


def _is_stream(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)
