"""The network, the bundle it travels in, and the engines that run it."""
