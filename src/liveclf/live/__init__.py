"""The real-time path: batcher, decider, statistics, and the loop that joins them."""
