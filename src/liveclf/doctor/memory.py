"""Memory for the ring between the capture process and the program."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from liveclf.doctor.report import Finding

_SPARE_MB = 400.0  # what the program itself takes, generously


def check_shared_memory(
    ring_mb: float,
    folder: Path = Path("/dev/shm"),
    free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
) -> Finding:
    """Say whether the ring fits.

    Args:
        ring_mb: Its size.
        folder: Where the system keeps shared memory.
        free_bytes: Asks the system how much is free there.
    """
    topic = "shared memory"
    try:
        free_mb = free_bytes(folder) / 1e6
    except OSError:
        return Finding(topic, "skipped", f"There is no {folder} here.")
    told = f"{free_mb:,.0f} MB are free, and the ring takes {ring_mb:,.1f} MB."
    if free_mb >= ring_mb:
        return Finding(topic, "ok", told)
    return Finding(
        topic, "fault", told, "make --buffer shorter; in a container, give it more: --shm-size 256m"
    )


def check_memory(ring_mb: float, meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """Say whether there is memory for the program and the ring."""
    topic = "memory"
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        values = dict(line.split(":", 1) for line in lines if ":" in line)
        available_mb = int(values["MemAvailable"].split()[0]) * 1024 / 1e6
    except (OSError, KeyError, ValueError, IndexError):
        return Finding(topic, "skipped", "This system does not tell what is free.")
    told = f"{available_mb:,.0f} MB are available, and about {_SPARE_MB + ring_mb:,.0f} MB wanted."
    if available_mb >= _SPARE_MB + ring_mb:
        return Finding(topic, "ok", told)
    return Finding(topic, "warning", told, "end other programs, or make --buffer shorter")
