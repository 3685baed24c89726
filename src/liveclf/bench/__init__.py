"""How fast the real-time path is on this machine, stage by stage and as a whole.

It knows all siblings, as `doctor` does, and puts them together as `cli.assembly` does.
"""
