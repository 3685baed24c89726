"""One of several machines that train together: the program, with a network that is small.

cluster_member.py SECONDS_A_STEP liveclf's arguments...
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

if __name__ == "__main__":  # the processes that read windows come by here too
    import keras
    from tones import little_network

    from liveclf.cli import main
    from liveclf.learn.fit import average, checkpoint, train

    pause_s = float(sys.argv[1])

    class Pausing(train.Interrupt):
        """Makes steps long enough for something to happen between them."""

        def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
            print(f"step {batch}", flush=True)
            time.sleep(pause_s)
            super().on_train_batch_end(batch, logs)

    average._BATCHES = 8
    train.Interrupt = Pausing  # type: ignore[misc]
    train.build_vgg16 = checkpoint.build_vgg16 = little_network
    keras.config.disable_traceback_filtering()
    sys.exit(main(sys.argv[2:]))
