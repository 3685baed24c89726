"""Training on several machines, with JAX: each computes its share, the gradients are averaged.

Keras on TensorFlow cannot do this yet: `fit` under MultiWorkerMirroredStrategy fails at its
first batch (Keras issue 20585). `keras.distribution.DataParallel` on JAX can. What knows of
JAX in particular is in this file.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from liveclf import __version__
from liveclf.config import ClusterSettings, TrainSettings
from liveclf.errors import LiveclfError, MissingExtraError, TrainingError, UsageError
from liveclf.learn import CHECKPOINT, CONFIG, HISTORY, SPLIT
from liveclf.learn.together.arrive import host, join
from liveclf.learn.together.line import Message
from liveclf.learn.together.meeting import Meeting
from liveclf.learn.together.share import Share

Tell = Callable[[str], None]

_NOTICE_S = 5.0  # a broken collective is often seen before the broken connection is
_GRACE_S = 15.0  # to end by itself; in a collective that waits for ever nothing can


class Cluster:
    """The machines of one training, seen from one of them.

    Attributes:
        run: Folder of the run: on machine 0 the real one, on others a temporary one.
        share: Which part of the windows is made here.
        writes: Whether this is the machine that writes checkpoints, history and bundle.
    """

    def __init__(self, settings: ClusterSettings, meeting: Meeting, run: Path, tell: Tell) -> None:
        """Take what has met."""
        self.run, self.share = run, Share(settings.rank, settings.machines)
        self.writes = settings.rank == 0
        self.said = False
        self._settings, self._meeting, self._tell = settings, meeting, tell

    def same(self, what: str, value: str) -> None:
        """Make sure that something is the same on all machines: see `Meeting.same`."""
        self._meeting.same(what, value)

    def spread(self, batch: int, tell: Tell) -> AbstractContextManager[Any]:
        """Return a context in which a network is trained on all devices of all machines.

        Args:
            batch: Windows per step, over all of them.
            tell: Takes a sentence on how many there are.

        Raises:
            UsageError: The batch does not divide.
        """
        self._meeting.watch(self._end)
        _connect(self._settings)
        import keras

        devices = keras.distribution.list_devices()
        if batch % len(devices):
            raise UsageError(f"--batch {batch} does not divide among {len(devices)} devices.")
        tell(f"training on {len(devices)} devices of {self.share.machines} machines")
        # Every machine makes its own part of a batch; Keras must not divide that again.
        parallel = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        scope: AbstractContextManager[Any] = parallel.scope()
        return scope

    def _end(self) -> None:
        """End a process that waits for a machine that is lost, if it does not end by itself."""
        time.sleep(_GRACE_S)
        if not self.said:
            self._tell(str(self._meeting.fault))
        from rich.console import Console

        Console(stderr=True).show_cursor(True)
        os._exit(1)


def agreeing() -> Any:
    """Return a callback that ends the training on all machines when machine 0 ends it."""
    import keras
    import numpy as np
    from jax.experimental import multihost_utils

    class Agreement(keras.callbacks.Callback):  # type: ignore[misc]  # keras is untyped
        """Comes last: what has come before it on machine 0 is written when others go on."""

        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            """Take over what machine 0 has decided."""
            stop = np.int32(self.model.stop_training)
            self.model.stop_training = bool(multihost_utils.broadcast_one_to_all(stop))

    return Agreement()


def card_of(cluster: ClusterSettings, settings: TrainSettings | None, *, resume: bool) -> Message:
    """Return what has to be the same on all machines, by the names that a user knows.

    Args:
        cluster: What this machine was told of the others.
        settings: Of the run; None if they come from machine 0.
        resume: Whether a run is resumed: then all have the settings of machine 0.

    Raises:
        UsageError: Several machines cannot train like that.
    """
    if settings and (settings.fit.freeze or settings.network.recipe != "ours"):
        which = "--freeze" if settings.fit.freeze else f"--recipe {settings.network.recipe}"
        raise UsageError(f"--cluster conflicts with {which}, which trains on one machine only.")
    card: Message = {"version": __version__, "machines": cluster.machines, "resume": resume}
    if settings and not resume:
        sections = msgspec.json.decode(msgspec.json.encode(settings))  # lists, as they arrive
        card |= {f"{s}.{key}": v for s in sections for key, v in sections[s].items()}
        del card["data.workers"]  # each as many as it has cores for
    return card


@contextlib.contextmanager
def joined(
    settings: ClusterSettings, card: Message, run: Path, tell: Tell, *, resume: bool
) -> Iterator[Cluster]:
    """Meet the other machines, and end with them.

    Args:
        settings: Where, and which machine this is.
        card: What has to be the same on all of them, by name.
        run: Folder of the run, which is machine 0's.
        tell: Takes sentences.
        resume: Whether it is resumed: the others get what machine 0 has of it.

    Raises:
        UsageError: The machines were told different things.
        TrainingError: One did not come, or was lost.
    """
    check_backend()
    here = settings.at()
    with tempfile.TemporaryDirectory(prefix="liveclf-") as temporary:
        folder = Path(temporary) / "run"
        if settings.rank:
            folder.mkdir()
            wait_s = settings.wait_s
            meeting = join(here, settings.rank, settings.machines, card, folder, wait_s, tell)
            if not resume:
                folder.rmdir()
        else:
            files = [run / name for name in (CONFIG, SPLIT, CHECKPOINT, HISTORY)]
            given = [path for path in files if resume and path.exists()]
            meeting, folder = host(here, settings.machines, card, given, settings.wait_s, tell), run
        with meeting:
            cluster = Cluster(settings, meeting, folder, tell)
            try:
                yield cluster
            except Exception as error:
                own = isinstance(error, LiveclfError)
                if not meeting.misses_one(0 if own else _NOTICE_S):
                    raise
                cluster.said = True
                raise TrainingError(str(meeting.fault)) from error


def check_backend() -> None:
    """Refuse a backend that trains on one machine only.

    Raises:
        UsageError: Keras is not on JAX.
        MissingExtraError: JAX is not installed.
    """
    if os.environ.get("KERAS_BACKEND") != "jax":
        raise UsageError(
            "--cluster trains on JAX, since Keras on TensorFlow cannot on several machines; "
            "set KERAS_BACKEND=jax on each."
        )
    if not find_spec("jax"):
        raise MissingExtraError("--cluster needs JAX", "pip install jax")


def _connect(settings: ClusterSettings) -> None:
    """Let JAX know of all machines, at the port after the one where they met."""
    import jax
    from jax.experimental import multihost_utils

    name, port = settings.at()
    jax.distributed.initialize(
        coordinator_address=f"{name}:{port + 1}",
        coordinator_bind_address=f"{name}:{port + 1}",
        num_processes=settings.machines,
        process_id=settings.rank,
        initialization_timeout=max(1, round(settings.wait_s)),
        shutdown_timeout_seconds=round(_GRACE_S),
    )
    if jax.default_backend() != "cpu":
        return  # NCCL may need the service again
    # Gloo, once connected, needs it no more; and the service aborts every process, with a page
    # of C++, when machine 0 is lost.
    multihost_utils.sync_global_devices("liveclf")
    jax.distributed.shutdown()
