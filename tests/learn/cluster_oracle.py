"""What one process makes of the windows of two machines: the weights that these must have.

cluster_oracle.py RUN       prints by how much the weights of its checkpoint differ
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main(run: Path) -> None:
    import keras
    import numpy as np
    from tones import little_network

    from liveclf.config import TrainSettings, load
    from liveclf.learn import CHECKPOINT, CONFIG
    from liveclf.learn.data.feed import Feed
    from liveclf.learn.data.material import gather
    from liveclf.learn.fit.optimiser import compile_model
    from liveclf.learn.together.share import Share

    settings = load(TrainSettings, run / CONFIG, {})
    fit, data = settings.fit, settings.data
    chunks = gather(settings, run, print, resume=True).chunks
    keras.utils.set_random_seed(fit.seed)
    model = little_network(3, settings.network.preset, settings.network.width)
    compile_model(model, settings)
    before = model.get_weights()
    shares = [Share(rank, 2) for rank in range(2)]
    feeds = [
        Feed(s.chunks(chunks), data, fit.seed, s.batch(fit.batch), rank=s.rank) for s in shares
    ]
    batches = [iter(feed) for feed in feeds]
    for _ in range(fit.steps):
        parts = [next(b) for b in batches]
        x, y = (np.concatenate(both) for both in zip(*parts, strict=True))
        model.train_on_batch(x, y)
    for feed in feeds:
        feed.close()
    of_machines = keras.models.load_model(run / CHECKPOINT).get_weights()
    trained = model.get_weights()
    apart = [float(np.abs(a - b).max()) for a, b in zip(trained, of_machines, strict=True)]
    moved = [float(np.abs(a - b).max()) for a, b in zip(trained, before, strict=True)]
    print(f"apart {max(apart):.3e} moved {max(moved):.3e}")


if __name__ == "__main__":  # the processes that read windows come by here too
    main(Path(sys.argv[1]))
