"""How kernels are compiled: once a machine, and so that threads run them side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

# Sums may be reordered, else they do not run in vectors; what is not finite stays so.
_REORDER = {"reassoc", "contract", "arcp", "nsz"}


def kernel(function: F) -> F:
    """Compile a function over arrays when it is first called, and remember it on disk."""
    compiled = njit(nogil=True, cache=True, fastmath=_REORDER, error_model="numpy")(function)
    return cast(F, compiled)


def part(function: F) -> F:
    """Mark a part of kernels, which becomes one with them: what loops write is theirs alone."""
    return cast(F, njit(inline="always")(function))
