"""Signals of known modulation: modulators, channel impairments, window generator."""
