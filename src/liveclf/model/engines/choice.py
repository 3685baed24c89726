"""Which engine `auto` is, found without loading one."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from liveclf.config import ModelSettings
from liveclf.model.bundle import KERAS_FILE, Bundle


def gpu_is_visible(root: Path = Path("/")) -> bool:
    """Return whether there seems to be an NVIDIA GPU that this process may use.

    Args:
        root: Of the file system.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        return False
    # Only the second in a container; the last under Windows.
    places = ("proc/driver/nvidia/gpus/*", "dev/nvidia[0-9]*", "usr/lib/wsl/lib/libcuda.so.1")
    return any(any(root.glob(place)) for place in places)


def obstacle(bundle: Bundle, settings: ModelSettings) -> str:
    """Return what keeps the network off a GPU, empty if nothing does.

    Args:
        bundle: Holds the network.
        settings: What else is asked for.
    """
    if settings.precision == "int8":
        return "--precision int8 is for CPUs"
    if settings.threads:
        return f"--threads {settings.threads} is for CPUs"
    if KERAS_FILE not in bundle.info.files:
        return f"bundle {bundle.info.name} has no {KERAS_FILE}"
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    missing = [name for name in ("keras", backend) if find_spec(name) is None]
    if missing:
        return f'{missing[0]} is not installed (pip install "liveclf[gpu]")'
    return ""
