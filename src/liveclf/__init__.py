"""liveclf: samples in from a radio, a file or a socket; modulation labels out."""

__version__ = "0.1.0"
