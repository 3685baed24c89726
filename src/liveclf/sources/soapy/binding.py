"""SoapySDR's Python binding: where it is found, what it prints, what it cannot ask."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

from liveclf.dsp.formats import FORMATS
from liveclf.errors import MissingExtraError
from liveclf.records import SampleFormat

RX = 1
"""SOAPY_SDR_RX."""

_INSTALL = (
    "sudo apt install python3-soapysdr soapysdr-module-all"
    " (or, in a conda environment, conda install -c conda-forge soapysdr)"
)
_NEEDED = "A radio through SoapySDR needs its Python binding"

# The binding is on no package index: distributions put it into their own Python's folders,
# which a virtual environment does not look into.
_PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
_FOLDERS = (
    Path("/usr/lib/python3/dist-packages"),
    Path(f"/usr/local/lib/{_PYTHON}/dist-packages"),
    Path(f"/usr/local/lib/{_PYTHON}/site-packages"),
    Path(f"/usr/lib64/{_PYTHON}/site-packages"),
    Path(f"/usr/lib/{_PYTHON}/site-packages"),
)

_FORMATS = {
    "CU8": "cu8",
    "CS8": "cs8",
    "CU16": "cu16",
    "CS16": "cs16",
    "CS32": "cs32",
    "CF32": "cf32",
    "CF64": "cf64",
}
"""Soapy's name -> ours; any other, such as the packed CS12, is asked for as CF32."""


def load(folders: tuple[Path, ...] = _FOLDERS) -> Any:
    """Import SoapySDR, from the distribution's folder where it is nowhere else.

    Raises:
        MissingExtraError: It is not there, or not for this Python.
    """
    if loaded := sys.modules.get("SoapySDR"):
        return loaded
    try:
        return _quietened(import_module("SoapySDR"))
    except ModuleNotFoundError:
        pass
    except ImportError as error:
        raise _unusable(str(error)) from None
    for folder in folders:
        if any((folder / f"_SoapySDR{suffix}").is_file() for suffix in EXTENSION_SUFFIXES):
            return _import_from(folder)
    for folder in folders:
        for other in sorted(folder.glob("_SoapySDR*.so")):
            raise _unusable(f"{other} was built for another")
    raise MissingExtraError(f"{_NEEDED}, which is on no package index", _INSTALL)


def _import_from(folder: Path) -> Any:
    # Last, so that nothing else comes from there instead of from the environment.
    sys.path.append(str(folder))
    try:
        return _quietened(import_module("SoapySDR"))
    except ImportError as error:
        raise _unusable(str(error)) from None
    finally:
        sys.path.remove(str(folder))


def _unusable(why: str) -> MissingExtraError:
    version = sysconfig.get_python_version()
    return MissingExtraError(f"{_NEEDED} for Python {version}, and {why}", _INSTALL)


class Messages:
    """The last warnings that SoapySDR's drivers logged, instead of on the screen."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=8)

    def __call__(self, level: int, message: str) -> None:
        """Keep a message; called by SoapySDR, from any thread."""
        warning = 4  # SOAPY_SDR_WARNING; higher numbers are chatter
        # Looking for servers on the network is no business of a radio that is plugged in.
        if level <= warning and "avahi" not in message.lower():
            self._lines.append(" ".join(message.split()).rstrip("."))

    def take(self) -> list[str]:
        """Return those since the last call, each once."""
        lines = list(dict.fromkeys(self._lines))
        self._lines.clear()
        return lines


messages = Messages()
"""What the drivers of this process had to say."""


def _quietened(soapy: Any) -> Any:
    # UHD writes a letter on the terminal for every overflow unless told otherwise.
    os.environ.setdefault("UHD_LOG_FASTPATH_DISABLE", "1")
    if hasattr(soapy, "registerLogHandler"):
        soapy.registerLogHandler(messages)
        atexit.register(soapy.registerLogHandler, None)  # drivers log after Python's end
    else:
        soapy.setLogLevel(1)  # SOAPY_SDR_FATAL
    return soapy


@contextmanager
def off_the_screen() -> Iterator[None]:
    """Send to nowhere what driver libraries print by themselves on stdout and stderr."""
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(stream, os.dup(stream)) for stream in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for stream, _ in saved:
            os.dup2(nowhere, stream)
        yield
    finally:
        for stream, copy in saved:
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nowhere)


def stream_format(soapy: Any, device: Any, channel: int) -> tuple[str, SampleFormat]:
    """Choose the format to stream in: the converter's own, where it is one we know.

    Returns:
        Soapy's name of it, and how to read it.
    """
    native, full_scale = _native_format(soapy, device, channel)
    if native not in _FORMATS or native not in device.getStreamFormats(RX, channel):
        return "CF32", FORMATS["cf32"]
    fmt = FORMATS[_FORMATS[native]]
    if native == "CS8" and device.getDriverKey().lower() == "rtlsdr":
        # The converter's bytes less 128; their zero is at 127.5.
        return native, SampleFormat(fmt.name, fmt.dtype, -0.5, 127.5)
    if fmt.offset == 0 and 0 < full_scale <= fmt.full_scale:
        fmt = SampleFormat(fmt.name, fmt.dtype, 0.0, full_scale)  # 12 bits: 2048
    return native, fmt


def _native_format(soapy: Any, device: Any, channel: int) -> tuple[str, float]:
    """Ask through the C interface, as the binding cannot return a number by reference."""
    try:
        ask = ctypes.CDLL(soapy._SoapySDR.__file__).SoapySDRDevice_getNativeStreamFormat
    except (AttributeError, OSError):
        return "", 0.0
    ask.restype = ctypes.c_char_p
    ask.argtypes = (
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_size_t,
        ctypes.POINTER(ctypes.c_double),
    )
    full_scale = ctypes.c_double()
    name: bytes | None = ask(int(device.this), RX, channel, ctypes.byref(full_scale))
    return (name or b"").decode(), full_scale.value
