"""`python -m liveclf`."""

import sys

from liveclf.cli import main

sys.exit(main())
