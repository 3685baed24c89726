"""The network, the bundle it travels in, and the engines that run it."""

WINDOW_SAMPLES = 1024
