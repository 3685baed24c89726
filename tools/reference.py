"""Make a bundle that ships, in two stages that may run on two machines; or renew one.

    python tools/reference.py train  --run runs/slim --out runs/slim-out [--minutes 9] [TRAINING]
    python tools/reference.py finish --weights runs/slim-out --bundle src/liveclf/bundles/vgg16-slim
    python tools/reference.py renew  --bundle src/liveclf/bundles/vgg16-slim --out runs/slim-new
    python tools/reference.py layers --bundle src/liveclf/bundles/vgg16-slim

`train` makes the data on all cores and trains, on whatever backend KERAS_BACKEND names: a
GPU under JAX, or two CPU cores in whatever time there is. After `--minutes` it ends between
two steps; the same command goes on from the last checkpoint. It leaves the weights as
float16 (`weights.npz`), the settings and the history in `--out`, a few megabytes.
TRAINING is any flags of `liveclf train`.

`finish` needs TensorFlow and no accelerator: it builds the network from these weights,
exports it, quantises it, fits temperatures and thresholds on held-out windows and writes
the bundle. Then `liveclf evaluate` measures it on whatever set it was not chosen on.

`renew` exports the weights of a bundle anew, with ranges, temperatures and thresholds from
the same held-out windows: after a change of the code of layers that have no weights.

`layers` gives a bundle written by an earlier version the files of its layers alone, which
run faster; nothing else in it changes.

On a CPU training allocates and frees gigabytes in every step; with jemalloc (Debian:
libjemalloc2), which is used where it is found, a step takes half the processor time.
"""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS, SETTINGS = "weights.npz", "config.toml"
KEPT = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always"


def main(argv: list[str]) -> int:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True)
    first = stages.add_parser("train", help="train and leave float16 weights")
    first.add_argument("--run", type=Path, required=True)
    first.add_argument("--out", type=Path, required=True)
    first.add_argument("--minutes", type=float, default=0, help="0: as long as it takes")
    second = stages.add_parser("finish", help="turn them into a bundle")
    second.add_argument("--weights", type=Path, required=True, metavar="OUT")
    second.add_argument("--bundle", type=Path, required=True)
    third = stages.add_parser("renew", help="export a bundle's weights with the code of today")
    third.add_argument("--bundle", type=Path, required=True)
    third.add_argument("--out", type=Path, required=True)
    fourth = stages.add_parser("layers", help="add the layers alone to a bundle")
    fourth.add_argument("--bundle", type=Path, required=True)
    arguments, training = parser.parse_known_args(argv)
    if arguments.stage == "train":
        return train(arguments.run, arguments.out, arguments.minutes, training)
    if training:
        parser.error(f"{arguments.stage} takes no {' '.join(training)}")
    if arguments.stage == "renew":
        return renew(arguments.bundle, arguments.out)
    if arguments.stage == "layers":
        return layers(arguments.bundle)
    return finish(arguments.weights, arguments.bundle)


def train(run: Path, out: Path, minutes: float, training: list[str]) -> int:
    """Train, or go on, and leave what there is in `out`."""
    with_jemalloc()
    from liveclf.cli.messages import say
    from liveclf.learn import BEST, CHECKPOINT, CONFIG, HISTORY
    from liveclf.learn.data.material import gather
    from liveclf.learn.fit.checkpoint import load_checkpoint
    from liveclf.learn.fit.train import train as learn

    resume = (run / CHECKPOINT).exists()
    if run.exists() and not resume:
        shutil.rmtree(run)  # broken off before its first checkpoint
    settings = settings_of(run if resume else None, training)
    material = gather(settings, run, say, resume=resume)
    try:
        with interrupted_after(minutes):
            model = learn(settings, run, material, say, resume=resume)
    except KeyboardInterrupt:
        say(f"not finished: the same command goes on from {run}")
        if not (run / CHECKPOINT).exists():
            return 130
        model = load_checkpoint(run / (BEST if (run / BEST).exists() else CHECKPOINT))
    out.mkdir(parents=True, exist_ok=True)
    halves: dict[str, Any] = {
        f"{k:03d}": np.asarray(w).astype(np.float16) for k, w in enumerate(model.weights)
    }
    np.savez_compressed(out / WEIGHTS, **halves)
    for name in (CONFIG, HISTORY):
        shutil.copyfile(run / name, out / name)
    print(json.dumps({"step": int(model.optimizer.iterations), "of": settings.fit.steps}))
    return 0


def finish(weights: Path, folder: Path) -> int:
    """Write a bundle from the weights that `train` has left."""
    from liveclf.cli.messages import say
    from liveclf.config import TrainSettings, load
    from liveclf.learn.data.material import gather
    from liveclf.learn.export.bundling import check_exporter, write_bundle
    from liveclf.model.vgg16 import build_vgg16

    check_exporter()
    settings = load(TrainSettings, weights / SETTINGS, {})
    material = gather(settings, weights, say)
    network = settings.network
    model = build_vgg16(len(material.check.classes), network.preset, network.width)
    with np.load(weights / WEIGHTS, allow_pickle=False) as halves:
        model.set_weights([halves[key].astype(np.float32) for key in sorted(halves)])
    tell_accuracies(write_bundle(model, folder, settings, material))
    return 0


def renew(old: Path, folder: Path) -> int:
    """Write a bundle from the weights of another."""
    import keras
    import msgspec

    import liveclf.model.vgg16  # noqa: F401  registers the layers
    from liveclf.cli.messages import say
    from liveclf.config import TrainSettings
    from liveclf.learn.data.material import gather
    from liveclf.learn.export.bundling import check_exporter, write_bundle
    from liveclf.model.bundle import KERAS_FILE, load_bundle

    check_exporter()
    bundle = load_bundle(str(old))
    settings = msgspec.convert(bundle.info.training, TrainSettings)
    material = gather(settings, folder, say)
    model = keras.models.load_model(bundle.file(KERAS_FILE), compile=False)
    bias = bundle.info.noise_bias
    tell_accuracies(write_bundle(model, folder, settings, material, bundle.info.name, bias))
    return 0


def layers(folder: Path) -> int:
    """Cut the networks of a bundle, and write its checksums anew."""
    from liveclf.learn.export.bundling import write_layers
    from liveclf.model.bundle import load_bundle, write_info

    bundle = load_bundle(str(folder))
    write_layers(bundle.folder)
    write_info(bundle.folder, bundle.info)
    return 0


def tell_accuracies(info: Any) -> None:
    """Print how good the bundle is on its own held-out windows."""
    for accuracy in info.accuracy:
        print(f"{accuracy.precision}: {accuracy.overall:.1%} on {accuracy.data}")


def settings_of(run: Path | None, training: list[str]) -> Any:
    """Return the settings of a run that goes on, or those that the flags say."""
    from liveclf.cli.options import Parser, resolve
    from liveclf.cli.train import add_options
    from liveclf.config import TrainSettings, load
    from liveclf.learn import CONFIG

    if run is not None:
        return load(TrainSettings, run / CONFIG, {})
    parser = Parser(prog="reference.py train")
    add_options(parser)
    return resolve(parser.parse_args(training), TrainSettings)


@contextmanager
def interrupted_after(minutes: float) -> Iterator[None]:
    """Send this process an interrupt when the time is up, which training heeds between steps."""
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def with_jemalloc() -> None:
    """Start this program again with jemalloc, once, where it is installed."""
    library = ctypes.util.find_library("jemalloc")
    if library and "LD_PRELOAD" not in os.environ:
        kept = {"LD_PRELOAD": library, "MALLOC_CONF": KEPT}
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | kept)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main(sys.argv[1:]))
