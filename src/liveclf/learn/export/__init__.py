"""From trained weights to a bundle, and to other runtimes."""
