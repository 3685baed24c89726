"""Numbers with a unit, as people type them."""

from __future__ import annotations

import math
import re
from typing import Any

_MOST = 4096  # windows at once, or threads
_SI = {"": 0, "k": 3, "m": 6, "g": 9}
_QUANTITY = re.compile(
    r"([-+]?(?:\d+(?:_\d+)*\.?\d*|\.\d+))(?:e([-+]?\d{1,4}))?\s*([kmg]?)(?:hz|sps)?", re.IGNORECASE
)
_NUMBER = r"(\d+\.?\d*|\.\d+)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m(?!s))?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?")


class Hertz(float):
    """A frequency or rate in Hz; as text also 433.92M, 250k, 1.2GHz, 433e6."""

    @classmethod
    def parse(cls, value: Any) -> Hertz:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither.
        """
        return cls(_quantity(value, "a frequency such as 433.92M, 250k or 433920000"))


class Seconds(float):
    """A duration in seconds; as text also 1h23m, 90s, 250ms."""

    @classmethod
    def parse(cls, value: Any) -> Seconds:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither, or negative.
        """
        wanted = "a duration such as 2.5, 250ms or 1h23m"
        if isinstance(value, str):
            text = value.strip().lower()
            if text and (match := _DURATION.fullmatch(text)):
                parts = (float(part or 0) for part in match.groups())
                value = sum(n * s for n, s in zip(parts, (3600, 60, 1, 1e-3), strict=True))
            else:
                try:
                    value = float(text)
                except ValueError:
                    raise ValueError(wanted) from None
        seconds = _finite(value, wanted)
        if seconds < 0:
            raise ValueError(wanted)
        return cls(seconds)


class Count(int):
    """A number of samples; as text also 250k, 1e6, 2M."""

    @classmethod
    def parse(cls, value: Any) -> Count:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither, or not a positive whole number.
        """
        wanted = "a count such as 100000, 250k or 1e6"
        number = _quantity(value, wanted)
        if number != int(number) or number < 1:
            raise ValueError(wanted)
        return cls(number)


class Auto(int):
    """A number of at least 1; 0, as text auto, for what a measurement finds best."""

    @classmethod
    def parse(cls, value: Any) -> Auto:
        """Read a number or "auto".

        Raises:
            ValueError: It is neither.
        """
        wanted = f"a number up to {_MOST}, or auto"
        number = 0.0 if value == "auto" else _quantity(value, wanted)
        if number != int(number) or not 0 <= number <= _MOST:
            raise ValueError(wanted)
        return cls(number)

    def __str__(self) -> str:
        return f"{int(self)}" if self else "auto"


def _quantity(value: Any, wanted: str) -> float:
    """Read a number, or a text with an SI prefix and a unit."""
    if isinstance(value, str):
        if not (match := _QUANTITY.fullmatch(value.strip())):
            raise ValueError(wanted)
        # Through the exponent, so that 1.001k is 1001 and not 1000.9999999999999.
        exponent = int(match[2] or 0) + _SI[match[3].lower()]
        value = float(f"{match[1]}e{exponent}")
    return _finite(value, wanted)


def _finite(value: Any, wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(wanted)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(wanted)
    return number
