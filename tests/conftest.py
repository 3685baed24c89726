"""What holds for all tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No test reads or writes what was measured for the user; its processes inherit this.
_cache = tempfile.TemporaryDirectory(prefix="liveclf-tests-")
os.environ["XDG_CACHE_HOME"] = _cache.name

# The same examples in every run, and no limit of time on a machine that is busy.
settings.register_profile(
    "liveclf", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("liveclf")

# Where the files are that take longest. Begun last, one of them would keep one process at work
# while the others have nothing left to do.
LONGEST = ("tools", "learn", "model", "cli")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the folders that take longest."""
    rank = {folder: k for k, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.parent.name, len(rank)))


@pytest.fixture
def eagerly() -> Iterator[None]:
    """Train without graphs, which take longer to compile than a few steps do to make."""
    tf = pytest.importorskip("tensorflow")
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say of two strings of bytes where they part; the whole of samples helps nobody."""
    if op != "==" or not isinstance(left, bytes) or not isinstance(right, bytes):
        return None
    parted = (k for k, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
    at = next(parted, min(len(left), len(right)))
    return [
        f"{len(left):,} bytes == {len(right):,} bytes",
        f"the first {at:,} are the same, then {left[at : at + 16]!r} and {right[at : at + 16]!r}",
    ]
