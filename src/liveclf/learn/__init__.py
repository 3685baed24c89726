"""Training, calibration, export and evaluation. Pure Keras 3: any backend."""

# The files of a run folder.
CONFIG = "config.toml"
CHECKPOINT = "checkpoint.keras"
HISTORY = "history.csv"
