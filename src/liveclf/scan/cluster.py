"""Workers on a Ray cluster, each an actor.

Files, results and model have to be at the same paths on every machine, as on a network disk.
"""

from __future__ import annotations

import os
from concurrent.futures import Future
from typing import Any

from liveclf.errors import LiveclfError, MissingExtraError
from liveclf.scan.labeller import Labeller, Outcome
from liveclf.scan.listing import Found
from liveclf.signals.workers import cores

LOCAL = "local"


class RayWorkplace:
    """A cluster; what Ray prints stays off the user's screen, but for errors."""

    def __init__(self, labeller: Labeller, workers: int, address: str) -> None:
        """Connect, or start Ray on this machine.

        Args:
            labeller: What each worker does.
            workers: How many; 0 for one for each core of the cluster.
            address: That of the cluster, or "local".

        Raises:
            MissingExtraError: Ray is not installed.
            LiveclfError: There is no cluster at that address.
        """
        # Off, unless the user wants it: nothing of a scan is anybody else's business.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError as error:
            raise MissingExtraError(
                f"--cluster {address} needs {error.name or 'ray'}", 'pip install "liveclf[cluster]"'
            ) from error
        self._ray = ray
        self.died: type[BaseException] = ray.exceptions.RayActorError
        quiet: dict[str, Any] = {"logging_level": "error", "log_to_driver": False}
        try:
            if address == LOCAL:
                ray.init(LOCAL, num_cpus=workers or cores(), include_dashboard=False, **quiet)
            else:
                ray.init(address, **quiet)
        except Exception as error:  # its exceptions share no other base
            first_line = str(error).partition("\n")[0]
            raise LiveclfError(
                f"--cluster {address}: Ray cannot be reached: {first_line}"
            ) from error
        self.n_workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._labeller = ray.put(labeller)
        # Neither restarted nor tried again by Ray: the crew does that, and counts.
        self._actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(_Actor)

    def hire(self) -> _RayWorker:
        """Return one more worker; it begins where the cluster has a core free."""
        return _RayWorker(self._ray, self._actor.remote(self._labeller))

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        self._ray.shutdown()


class _RayWorker:
    def __init__(self, ray: Any, actor: Any) -> None:
        self._ray, self._actor = ray, actor

    def submit(self, found: Found) -> Future[Outcome]:
        future: Future[Outcome] = self._actor.label.remote(found).future()
        return future

    def close(self) -> None:
        self._ray.kill(self._actor)


class _Actor:
    """What runs on the cluster."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller

    def label(self, found: Found) -> Outcome:
        """Label one recording."""
        return self._labeller(found)
