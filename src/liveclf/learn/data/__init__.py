"""Labelled windows on their way to a network: read from files or made, split, pooled, supplied."""
