"""What `liveclf doctor` looks at: one file per subject, each a few functions.

A function takes the places that it reads (/sys, /proc, /dev) as arguments, so that it is
tested on made-up ones, and returns a `Finding`.
"""
