"""Python and what is installed in it; nothing is imported for this."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from importlib import metadata

from liveclf import __version__
from liveclf.doctor.report import Finding

NEEDED = ("numpy", "scipy", "onnxruntime", "msgspec", "rich", "sigmf", "jsonschema")
# What else there may be -> (what for, how it is installed)
OPTIONAL = {
    "pyrtlsdr": ("RTL-SDR", 'pip install "liveclf[rtlsdr]"'),
    "pyzmq": ("ZeroMQ", 'pip install "liveclf[zeromq]"'),
    "paho-mqtt": ("MQTT", 'pip install "liveclf[mqtt]"'),
    "openvino": ("speed on CPUs with AMX", 'pip install "liveclf[openvino]"'),
    "tensorflow": ("training", 'pip install "liveclf[train]"'),
}

# Name -> version, None if it is not installed.
VersionOf = Callable[[str], str | None]


def installed_version(name: str) -> str | None:
    """Return the version of a package, None if it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_packages(version_of: VersionOf = installed_version) -> Iterator[Finding]:
    """Look at what is needed, and at what is optional.

    Args:
        version_of: Where versions are looked up.
    """
    yield Finding(
        "program",
        "ok",
        f"liveclf {__version__}, Python {platform.python_version()}, {platform.platform()}.",
    )
    versions = {name: version_of(name) for name in NEEDED}
    missing = [name for name, version in versions.items() if version is None]
    there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    if missing:
        yield Finding(
            "packages",
            "fault",
            f"Not installed: {', '.join(missing)}.",
            f"pip install {' '.join(missing)}",
        )
    else:
        yield Finding("packages", "ok", f"{there}.")
    for name, (purpose, install) in OPTIONAL.items():
        # GPU builds and small builds of TensorFlow go by names of their own.
        version = version_of(name) or version_of(f"{name}-cpu")
        if version:
            yield Finding(purpose, "ok", f"{name} {version} is installed.")
        else:
            yield Finding(purpose, "skipped", f"{name} is not installed.", install)
