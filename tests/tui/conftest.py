"""The screen needs its extra; without it nothing here can be tested."""

from __future__ import annotations

import pytest

pytest.importorskip("textual", reason='pip install "liveclf[tui]"')
