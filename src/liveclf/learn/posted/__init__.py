"""The posted network and its training, with their own faults, to compare."""
