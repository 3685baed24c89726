"""Opening an HDF5 file; one that is cut short, or is none, is refused with what it is."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liveclf.errors import MissingExtraError, TrainingError
from liveclf.model.bundle import WINDOW_SAMPLES

_HEAD_BYTES = 1024
_TAR_BLOCK = 512

# Source: pickletools; protocol 2 and later begin with PROTO, 0 and 1 with what they hold.
_PICKLE = re.compile(rb"\x80[\x02-\x05]|\([dlt]p\d+\r?\n|c[\w.]+\r?\n\w+\r?\n|[}\]]q")
_CUT_SHORT = re.compile(r"truncated file: eof = (\d+).*stored_eof = (\d+)")

_COMPRESSED: dict[bytes, tuple[str, Callable[..., Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ": ("xz", lzma.open),
}
_FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (
        _PICKLE,
        "is a Python pickle, as RadioML 2016.10A is: it is not opened, since a pickle can run "
        f"code, and windows of that set have 128 samples, not {WINDOW_SAMPLES}; take RadioML "
        "2018.01A, which is HDF5, or make a data set with 'liveclf synth'",
    ),
    (re.compile(rb"\x93NUMPY"), "is a NumPy array; write it with its labels as HDF5 X and Y"),
    (re.compile(rb"PK\x03\x04"), "is a zip archive or a NumPy .npz; unpack or convert it to HDF5"),
    (re.compile(rb"MATLAB 5"), "is a MATLAB 5 file; save it with -v7.3, which is HDF5"),
    (
        re.compile(rb"\s*<(!doctype|html|\?xml)", re.IGNORECASE),
        "is a web page, as a download that needs a login leaves it; fetch the file itself",
    ),
    (re.compile(rb".{257}ustar", re.DOTALL), "is a tar archive; unpack it first"),
)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a data set for reading.

    Raises:
        MissingExtraError: h5py is not installed.
        TrainingError: It is not there, cut short or no HDF5, or reading it fails.
    """
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "Reading HDF5 needs h5py", 'pip install "liveclf[train]"'
        ) from error
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise TrainingError(f"Data set {path} {_fault(path, error)}.") from error
    with file:
        try:
            yield file
        except (OSError, RuntimeError) as error:  # what h5py raises for damage inside
            raise TrainingError(f"Data set {path} cannot be read: {error}.") from error


def member(file: Any, key: str) -> Any:
    """Return the HDF5 data set of that name, None if there is none, or none with values."""
    import h5py

    found = file.get(key)
    return found if isinstance(found, h5py.Dataset) and found.shape is not None else None


def _fault(path: Path, error: OSError) -> str:
    """Say what is wrong with a file that does not open, to go behind its name."""
    if not path.exists():
        return "is not there"
    if path.is_dir():
        return "is a folder; name the HDF5 file in it"
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as unreadable:
        return f"cannot be opened: {unreadable.strerror}"
    if not head:
        return "is empty; fetch or make it again"
    if cut := _CUT_SHORT.search(str(error)):
        return (
            f"is cut short, {cut[1]} bytes of {cut[2]}, as an interrupted download leaves it; "
            "fetch it again"
        )
    return _foreign(path, head) or f"is not readable HDF5: {error}"


def _foreign(path: Path, head: bytes) -> str | None:
    """Say what a file is instead of HDF5, None if its first bytes do not tell."""
    for magic, (name, open_compressed) in _COMPRESSED.items():
        if head.startswith(magic):
            inside = _first_bytes(path, open_compressed)
            # A tar archive has a header of one block before its first member.
            if _PICKLE.match(inside) or _PICKLE.match(inside[_TAR_BLOCK:]):
                return f"is compressed, and inside it {_FOREIGN[0][1]}"
            return f"is compressed ({name}); unpack it first"
    return next((what for pattern, what in _FOREIGN if pattern.match(head)), None)


def _first_bytes(path: Path, open_compressed: Callable[..., Any]) -> bytes:
    try:
        with open_compressed(path) as file:
            return bytes(file.read(_HEAD_BYTES))
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return b""  # damaged: it is still called compressed
