"""The page needs its extra; without it nothing here can be tested."""

from __future__ import annotations

import pytest

for name in ("starlette", "uvicorn", "websockets", "httpx2"):
    pytest.importorskip(name, reason='pip install "liveclf[web,dev]"')
