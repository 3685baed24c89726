"""Training, calibration, export and evaluation. Pure Keras 3: any backend."""

# The files of a run folder.
CONFIG = "config.toml"
SPLIT = "split.npz"
RECORDINGS = "recordings.json"
CHECKPOINT = "checkpoint.keras"
BEST = "best.keras"
HISTORY = "history.csv"
CURVES = "curves.png"
TENSORBOARD = "tensorboard"
