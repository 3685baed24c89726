"""Make a bundle that ships, in two stages that may run on two machines; or renew one.

    python tools/reference.py train  --run runs/slim --out runs/slim-out [--minutes 9] [TRAINING]
    python tools/reference.py train  --run runs/slim --out runs/slim-out --complete-in 7 [TRAINING]
    python tools/reference.py finish --weights runs/slim-out --bundle src/liveclf/bundles/vgg16-slim
    python tools/reference.py ship   --bundle runs/vgg16 --out src/liveclf/bundles/vgg16
    python tools/reference.py renew  --bundle src/liveclf/bundles/vgg16-slim --out runs/slim-new
    python tools/reference.py layers --bundle src/liveclf/bundles/vgg16-slim

`train` makes the data on all cores and trains, on whatever backend KERAS_BACKEND names: a
GPU under JAX, or two CPU cores in whatever time there is. After `--minutes` it ends between
two steps; the same command goes on from the last checkpoint. With `--complete-in` the learning
rate falls as fast as it must for the training to be complete after so many minutes of steps,
however many of `--steps` that leaves out: for a machine rented by the hour. It leaves the
weights as float16 (`weights.npz`), their average (`average.npz`), the settings and the history
in `--out`, a few megabytes. TRAINING is any flags of `liveclf train`.

`finish` needs TensorFlow and no accelerator: it builds the network from these weights, takes
their average if that is better, exports, quantises, fits temperatures and thresholds on
held-out windows and writes the bundle, and beside it (BUNDLE-WIDTH) one of each student. Then
`liveclf evaluate` measures them on whatever set they were not chosen on.

`ship` copies of a bundle what is run, for a network that is large: the int8 layers, and the
weights as float16, from which `liveclf export` makes the rest.

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
import io
import json
import os
import shutil
import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS, AVERAGE, SETTINGS = "weights.npz", "average.npz", "config.toml"
KEPT = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always"


def main(argv: list[str]) -> int:
    """Run one stage."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    stages = parser.add_subparsers(dest="stage", required=True)
    first = stages.add_parser("train", help="train and leave float16 weights")
    first.add_argument("--run", type=Path, required=True)
    first.add_argument("--out", type=Path, required=True)
    limit = first.add_mutually_exclusive_group()
    limit.add_argument("--minutes", type=float, default=0, help="0: as long as it takes")
    limit.add_argument("--complete-in", type=float, default=0, help="minutes; 0: all steps")
    second = stages.add_parser("finish", help="turn them into a bundle")
    second.add_argument("--weights", type=Path, required=True, metavar="OUT")
    second.add_argument("--bundle", type=Path, required=True)
    second.add_argument(
        "--heldout", type=int, help="windows to fit and measure on; else as trained"
    )
    shipped = stages.add_parser("ship", help="copy what of a large bundle is run")
    shipped.add_argument("--bundle", type=Path, required=True)
    shipped.add_argument("--out", type=Path, required=True)
    third = stages.add_parser("renew", help="export a bundle's weights with the code of today")
    third.add_argument("--bundle", type=Path, required=True)
    third.add_argument("--out", type=Path, required=True)
    fourth = stages.add_parser("layers", help="add the layers alone to a bundle")
    fourth.add_argument("--bundle", type=Path, required=True)
    arguments, training = parser.parse_known_args(argv)
    if arguments.stage == "train":
        limits = arguments.minutes, arguments.complete_in
        return train(arguments.run, arguments.out, *limits, training)
    if training:
        parser.error(f"{arguments.stage} takes no {' '.join(training)}")
    if arguments.stage == "ship":
        return ship(arguments.bundle, arguments.out)
    if arguments.stage == "renew":
        return renew(arguments.bundle, arguments.out)
    if arguments.stage == "layers":
        return layers(arguments.bundle)
    return finish(arguments.weights, arguments.bundle, arguments.heldout)


def train(run: Path, out: Path, minutes: float, complete_min: float, training: list[str]) -> int:
    """Train, or go on, and leave what there is in `out`."""
    with_jemalloc()
    from clocked import Clocked

    from liveclf.cli.messages import say
    from liveclf.learn import BEST, CHECKPOINT, CONFIG, HISTORY
    from liveclf.learn.data.material import gather
    from liveclf.learn.fit.checkpoint import load_checkpoint
    from liveclf.learn.fit.train import take_steps

    resume = (run / CHECKPOINT).exists()
    if run.exists() and not resume:
        shutil.rmtree(run)  # broken off before its first checkpoint
    settings = settings_of(run if resume else None, training)
    material = gather(settings, run, say, resume=resume)
    try:
        with interrupted_after(minutes):
            watching = [Clocked(settings.fit.steps, 60 * complete_min)] if complete_min else []
            model = take_steps(settings, run, material, say, resume=resume, watching=watching)
    except KeyboardInterrupt:
        say(f"not finished: the same command goes on from {run}")
        if not (run / CHECKPOINT).exists():
            return 130
        model = load_checkpoint(run / (BEST if (run / BEST).exists() else CHECKPOINT))
    out.mkdir(parents=True, exist_ok=True)
    for name in (CONFIG, HISTORY):
        shutil.copyfile(run / name, out / name)
    write_halves(model, out / WEIGHTS)
    if settings.fit.average:
        model.optimizer.finalize_variable_values(model.trainable_weights)
        write_halves(model, out / AVERAGE)
    print(json.dumps({"step": int(model.optimizer.iterations), "of": settings.fit.steps}))
    return 0


def write_halves(model: Any, path: Path) -> None:
    """Write all weights of a model as float16, in their order."""
    halves: dict[str, Any] = {
        f"{k:03d}": np.asarray(w).astype(np.float16) for k, w in enumerate(model.weights)
    }
    np.savez_compressed(path, **halves)


def read_halves(path: Path) -> list[Any]:
    """Return what `write_halves` has written, as float32."""
    with np.load(path, allow_pickle=False) as halves:
        return [halves[key].astype(np.float32) for key in sorted(halves)]


def finish(weights: Path, folder: Path, heldout: int | None) -> int:
    """Write bundles from the weights that `train` has left."""
    from liveclf.cli.messages import say
    from liveclf.config import TrainSettings, load
    from liveclf.learn.data.material import gather
    from liveclf.learn.export.bundling import check_exporter, write_bundle, write_students
    from liveclf.learn.fit.average import choose
    from liveclf.learn.fit.optimiser import compile_model
    from liveclf.learn.fit.teaching import with_students
    from liveclf.model.vgg16 import build_vgg16

    check_exporter()
    others = {"data": {"heldout_windows": heldout}} if heldout else {}
    settings = load(TrainSettings, weights / SETTINGS, others)
    material = gather(settings, weights, say)
    network = settings.network
    model = build_vgg16(len(material.check.classes), network.preset, network.width)
    model = with_students(model, network.students)
    compile_model(model, settings)
    model.set_weights(read_halves(weights / WEIGHTS))
    if (weights / AVERAGE).exists():
        choose(model, read_halves(weights / AVERAGE), material.chunks, material.check, say)
    tell_accuracies(write_bundle(model, folder, settings, material))
    for _, info in write_students(model, folder, settings, material):
        tell_accuracies(info)
    return 0


def ship(whole: Path, folder: Path) -> int:
    """Copy the int8 layers and, as float16, the weights of a bundle."""
    from liveclf.model.bundle import KERAS_FILE, LAYER_FILES, load_bundle, write_info

    bundle = load_bundle(str(whole))
    folder.mkdir(parents=True)
    shutil.copyfile(bundle.file(LAYER_FILES["int8"]), folder / LAYER_FILES["int8"])
    halve(bundle.file(KERAS_FILE), folder / KERAS_FILE)
    write_info(folder, bundle.info)
    return 0


def halve(whole: Path, small: Path) -> None:
    """Copy a Keras file with its weights as float16; Keras makes float32 of them again."""
    import h5py

    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".h5"):
                copy = io.BytesIO()
                with h5py.File(io.BytesIO(content)) as file, h5py.File(copy, "w") as halved:
                    file.visititems(partial(_copy_half, halved))
                content = copy.getvalue()
            new.writestr(name, content)


def _copy_half(file: Any, name: str, node: Any) -> None:
    """Put a group or an array into a file under the same name."""
    if hasattr(node, "dtype"):
        of = np.float16 if node.dtype == np.float32 else node.dtype
        copy = file.create_dataset(name, data=node[()].astype(of))
    else:
        copy = file.require_group(name)
    copy.attrs.update(node.attrs)


def renew(old: Path, folder: Path) -> int:
    """Write a bundle from the weights of another."""
    import keras
    import msgspec

    from liveclf.cli.messages import say
    from liveclf.config import TrainSettings
    from liveclf.learn.data.material import gather
    from liveclf.learn.export.bundling import check_exporter, write_bundle
    from liveclf.model.bundle import KERAS_FILE, load_bundle
    from liveclf.model.vgg16 import PRESETS  # and registers the layers

    check_exporter()
    bundle = load_bundle(str(old))
    settings = msgspec.convert(bundle.info.training, TrainSettings)
    material = gather(settings, folder, say)
    model = keras.models.load_model(bundle.file(KERAS_FILE), compile=False)
    info, own = bundle.info, settings.network
    is_own = (info.preset, info.width) == (own.preset, own.width or PRESETS[own.preset].width)
    student = None if is_own else info.width
    written = write_bundle(model, folder, settings, material, info.name, info.noise_bias, student)
    tell_accuracies(written)
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
