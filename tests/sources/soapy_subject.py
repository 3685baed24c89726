"""Runs one SoapySDR driver as the capture process does, and prints what came of it as JSON.

Not a test: `faking_soapy` starts it.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import asdict
from typing import Any

import numpy as np

from liveclf.config import RunSettings, load
from liveclf.errors import LiveclfError
from liveclf.sources import soapy
from liveclf.sources.capture.driver import Driver


class RecordingTape:
    """Keeps everything, and stops the driver after so many samples."""

    def __init__(self, driver: Driver, until: int) -> None:
        self._driver, self._left = driver, until
        self.events: list[list[Any]] = []
        self.parts: list[Any] = []

    def write(self, data: Any, *, lost: int = 0, estimated: int = 0) -> None:
        assert not estimated
        self.events.append(["write", len(data), lost])
        self.parts.append(np.array(data))
        self._left -= len(data)
        if self._left <= 0:
            self._driver.stop()

    def overflow(self) -> None:
        self.events.append(["overflow"])

    def retune(self, sample_rate_hz: float, center_hz: float) -> None:
        raise AssertionError("a driver whose rate stays has no reason for this")


def main(job: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"opened": None, "error": None, "events": [], "answers": {}}
    told["closed_s"] = 0.0
    if job.get("find"):
        told["answers"]["found"] = [asdict(found) for found in soapy.find_devices()]
        return told
    run = load(RunSettings, None, {"source": job["settings"], "radio": job["radio"]})
    try:
        driver = soapy.open_driver(run.source, run.radio)
    except LiveclfError as error:
        told["error"] = [type(error).__name__, str(error)]
        return told
    fmt = driver.opened.format
    shown = {
        **asdict(driver.opened),
        "format": [fmt.name, str(fmt.dtype), fmt.offset, fmt.full_scale],
    }
    told["opened"] = shown
    tape = RecordingTape(driver, job.get("until", 100_000))
    if "stop_after_s" in job:
        threading.Timer(job["stop_after_s"], driver.stop).start()
    if "tune" in job:
        told["answers"]["tuned"] = driver.tune(job["tune"])
    if "gains" in job:
        told["answers"]["gains"] = [asdict(driver.set_gain(*gain)) for gain in job["gains"]]
    try:
        driver.stream(tape)
    except LiveclfError as error:
        told["error"] = [type(error).__name__, str(error)]
    before_s = time.monotonic()
    driver.close()
    told["closed_s"] = time.monotonic() - before_s
    told["events"] = tape.events
    if tape.parts:
        np.save(job["received"], np.concatenate(tape.parts))
    return told


if __name__ == "__main__":
    print("\n" + json.dumps(main(json.loads(sys.argv[1]))), flush=True)
