"""Finds a librtlsdr that works and gives it to pyrtlsdr, which declares its functions.

pyrtlsdr 0.5.1 does not load with the library of most distributions: it wants functions
(dithering, GPIO) that only the fork in its own wheel has. Here they may be missing; one that
is asked for all the same says that it is not supported.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from liveclf.errors import MissingExtraError, UsageError

INSTALL = 'pip install "liveclf[rtlsdr]"'
NOT_SUPPORTED = -12  # what libusb calls it

_OPTIONAL = (
    "rtlsdr_set_dithering",
    "rtlsdr_set_bias_tee",
    "rtlsdr_set_gpio_output",
    "rtlsdr_set_gpio_input",
    "rtlsdr_set_gpio_bit",
    "rtlsdr_get_gpio_bit",
    "rtlsdr_set_gpio_byte",
    "rtlsdr_get_gpio_byte",
    "rtlsdr_set_gpio_status",
)
# Where pyrtlsdr asks for its library, if that is installed.
_WHEEL = "pyrtlsdrlib"
_NAMES = (
    "librtlsdr.so.2",
    "librtlsdr.so.0",
    "librtlsdr.so",
    "librtlsdr.dylib",
    "rtlsdr.dll",
    "librtlsdr.dll",
)


@dataclass(frozen=True)
class Library:
    """A librtlsdr that pyrtlsdr has taken.

    Attributes:
        path: The file.
        version: Of pyrtlsdr.
        missing: Functions that it lacks and that stand for "not supported".
        binding: pyrtlsdr's module of declared functions and types.
    """

    path: str
    version: str
    missing: tuple[str, ...]
    binding: ModuleType

    def function(self, name: str) -> Any:
        """Return the function `rtlsdr_NAME`."""
        return getattr(self.binding.librtlsdr, f"rtlsdr_{name}")

    def has(self, name: str) -> bool:
        """Say whether there is a function `rtlsdr_NAME`."""
        return f"rtlsdr_{name}" not in self.missing and hasattr(
            self.binding.librtlsdr, f"rtlsdr_{name}"
        )

    def knows_blog_v4(self) -> bool:
        """Say whether it can drive an RTL-SDR Blog V4; an older library hears nothing with it."""
        try:
            return b"Blog V4" in Path(self.path).read_bytes()
        except OSError:
            return True  # not known, and no reason to alarm anyone


class _Forgiving(ctypes.CDLL):
    """A shared library in which functions of `_OPTIONAL` may be missing."""

    missing: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """Find a function, or what stands for it."""
        if name not in self.missing:
            return super().__getattr__(name)
        return _Missing()


class _Missing:
    """Stands for a function that is not there; takes the types that ctypes wants."""

    def __call__(self, *arguments: object) -> int:
        """Say that it is not supported."""
        return NOT_SUPPORTED


@lru_cache(maxsize=1)
def load_library(path: str = "") -> Library:
    """Load pyrtlsdr with a library: one in LD_LIBRARY_PATH, as it was put there on purpose.

    Else what comes with pyrtlsdr or the system's, whichever is complete. The first that a
    process loads is the one it keeps.

    Args:
        path: The file of the library to take, none: found by itself.

    Raises:
        MissingExtraError: pyrtlsdr is not installed, or no library that works.
        UsageError: `path` is no such library.
    """
    if find_spec("rtlsdr") is None:
        raise MissingExtraError("Reading an RTL-SDR needs pyrtlsdr", INSTALL)
    found = _load(path) if path else _find()
    if found is None and path:
        raise UsageError(
            f"--device-option library={path} cannot be loaded; give the file of a librtlsdr."
        )
    if found is None:
        raise MissingExtraError("Reading an RTL-SDR needs librtlsdr, which is not found", INSTALL)
    try:
        binding, version = _import_pyrtlsdr(found)
    except (ImportError, AttributeError) as error:  # says which function there is not
        raise MissingExtraError(
            f"pyrtlsdr cannot use the librtlsdr in {_file_of(found)} ({error})", INSTALL
        ) from error
    taken = binding.librtlsdr
    return Library(_file_of(taken), version, getattr(taken, "missing", ()), binding)


def _find() -> _Forgiving | None:
    """Return what LD_LIBRARY_PATH has, else a complete library, else what lacks least."""
    best: _Forgiving | None = None
    for folder in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep):
        for name in _NAMES if folder else ():
            if library := _load(os.path.join(folder, name)):
                return library
    for path in _candidates():
        library = _load(path)
        if library is None:
            continue
        if not library.missing:
            return library
        if best is None or len(library.missing) < len(best.missing):
            best = library
    return best


def _candidates() -> Iterator[str]:
    try:
        wheel = import_module(f"{_WHEEL}.lib")
    except ImportError:
        pass
    else:
        yield from (str(path) for path in wheel.get_library_files())
    yield from _NAMES
    if found := find_library("rtlsdr"):
        yield found


def _load(path: str) -> _Forgiving | None:
    try:
        library = _Forgiving(path)
    except OSError:
        return None
    if not hasattr(library, "rtlsdr_open"):
        return None
    library.missing = tuple(name for name in _OPTIONAL if not hasattr(library, name))
    return library


def _import_pyrtlsdr(library: _Forgiving) -> tuple[ModuleType, str]:
    """Import pyrtlsdr so that it takes this library.

    It asks its library wheel for one first: for as long as the import takes, this is it.
    """
    before = sys.modules.get(_WHEEL)
    stand_in = ModuleType(_WHEEL)
    vars(stand_in)["load_librtlsdr"] = lambda: library
    sys.modules[_WHEEL] = stand_in
    try:
        package = import_module("rtlsdr")
        return import_module("rtlsdr.librtlsdr"), str(package.__version__)
    finally:
        del sys.modules[_WHEEL]
        if before is not None:
            sys.modules[_WHEEL] = before


class _Place(ctypes.Structure):
    """What `dladdr` answers."""

    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def _file_of(library: ctypes.CDLL) -> str:
    """Return the file that a library came from, where the system tells."""
    place = _Place()
    try:
        address = ctypes.cast(library.rtlsdr_open, ctypes.c_void_p)
        known = ctypes.CDLL(None).dladdr(address, ctypes.byref(place))
    except (AttributeError, OSError, TypeError):  # Windows
        known = 0
    return os.fsdecode(place.file) if known and place.file else str(library._name)
