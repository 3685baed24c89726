"""How a run that nobody watches is watched: metrics, health, and words to systemd.

    loop --figures, twice a second--> Snapshot --+--> Health  --> /health/live, /health/ready
                                                 '--> Metrics --> /metrics
    loop --still turning--> Notifier --> systemd

The loop leaves a snapshot and goes on; whoever asks reads the last one.
"""
