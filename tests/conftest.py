"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# The same examples in every run, and no limit of time on a machine that is busy.
settings.register_profile("liveclf", derandomize=True, deadline=None)
settings.load_profile("liveclf")
