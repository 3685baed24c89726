"""The program as it is installed, but every device is driven by the fake of the sources' tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "sources"))

from liveclf import sources
from liveclf.cli import main

sources.driver_module = lambda device: "fake_driver"
if __name__ == "__main__":  # the capture process comes by here too
    sys.exit(main())
