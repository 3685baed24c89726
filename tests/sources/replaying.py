"""What the tests of the sources share: reading a source to its end, joining blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from liveclf.config import SourceSettings
from liveclf.protocols import Source
from liveclf.records import Block
from liveclf.sources import open_source


def replay(path: Path | str, **settings: Any) -> list[Block]:
    return list(open_source(SourceSettings(path=str(path), **settings)).blocks())


def opened(path: Path | str, **settings: Any) -> Source:
    return open_source(SourceSettings(path=str(path), **settings))


def joined(blocks: Sequence[Block]) -> np.ndarray:
    return np.concatenate([block.iq for block in blocks])


def same(a: float, b: float) -> bool:
    """Equal, where NaN (unknown) equals NaN."""
    return a == b or (math.isnan(a) and math.isnan(b))
