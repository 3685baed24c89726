"""RTL-SDR dongles through pyrtlsdr: `--device rtlsdr`, `rtlsdr:SERIAL` or `rtlsdr:INDEX`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from ctypes import string_at
from typing import Any

from liveclf.config import RadioSettings, SourceSettings
from liveclf.dsp.formats import sample_format
from liveclf.errors import SourceError
from liveclf.records import Gain
from liveclf.sources.capture.driver import Found, Opened, Tape
from liveclf.sources.rtlsdr.dongles import Dongle, OpenDongle, choose, find_dongles, reason
from liveclf.sources.rtlsdr.library import Library, load_library
from liveclf.sources.rtlsdr.settings import RATES, Wanted, read_settings
from liveclf.sources.rtlsdr.setup import Kept, apply, megahertz, set_gain, tune

# A transfer of USB is a multiple of this, and holds some 10 ms: so long its first sample waits
# for its last. There are so many of them that a process which does not get to run for half a
# second loses nothing, within the 16 MB that Linux lets all USB devices have together.
_TRANSFER_BYTES = 16_384
_TRANSFER_S = 0.01
_TRANSFERS = 64
_STOP_S = 1.0
# A retune is heard once the transfers under way have come and the tuner has settled.
_SETTLE_S = 0.08


def open_driver(settings: SourceSettings, radio: RadioSettings) -> RtlSdrDriver:
    """Open and set the dongle that `radio.device` names.

    Raises:
        MissingExtraError: pyrtlsdr or librtlsdr is not installed.
        SourceError: The dongle is not there or does not open.
        UsageError: It cannot be set like this.
    """
    wanted = read_settings(settings, radio)
    library = load_library(wanted.library)
    dongle, notes = choose(find_dongles(library), radio.device.partition(":")[2])
    opened = OpenDongle(library, dongle)
    try:
        kept = apply(opened, wanted)
    except BaseException:
        opened.close()
        raise
    return RtlSdrDriver(opened, wanted, kept, notes)


def find_devices() -> list[Found]:
    """List the dongles that are plugged in; each is opened for a moment.

    Raises:
        MissingExtraError: pyrtlsdr or librtlsdr is not installed.
    """
    library = load_library()
    dongles = find_dongles(library)
    serials = [dongle.serial for dongle in dongles]
    return [
        Found(
            device=f"rtlsdr:{d.serial if serials.count(d.serial) == 1 and d.serial else d.index}",
            name=" ".join(filter(None, (d.maker, d.product))) or "RTL-SDR",
            facts=_facts(library, d),
        )
        for d in dongles
    ]


def _facts(library: Library, dongle: Dongle) -> dict[str, str]:
    facts = {"index": str(dongle.index), "serial": dongle.serial or "not readable"}
    try:
        opened = OpenDongle(library, dongle)
    except SourceError as error:
        return {**facts, "problem": str(error)}
    gains = opened.gains_tenth_db()
    reach = opened.range_hz()
    opened.close()
    facts |= {"tuner": opened.tuner, "rate": f"{RATES} Hz"}
    if reach:
        facts["frequency"] = f"{megahertz(reach[0])} to {megahertz(reach[1])}"
    if gains:
        facts["gain"] = f"auto, or {gains[0] / 10:g} to {gains[-1] / 10:g} dB in {len(gains)} steps"
    return facts


class RtlSdrDriver:
    """An open dongle, see `capture.driver.Driver`."""

    def __init__(
        self, dongle: OpenDongle, wanted: Wanted, kept: Kept, notes: tuple[str, ...]
    ) -> None:
        """Take a dongle that is set.

        Args:
            dongle: Open; closed by `close`.
            wanted: How it was to be set.
            kept: How it is set.
            notes: On how it was chosen.
        """
        self._dongle, self._wanted = dongle, wanted
        self.opened = Opened(
            name=dongle.name,
            format=sample_format("cu8"),
            sample_rate_hz=kept.rate_hz,
            center_hz=kept.center_hz,
            notes=(*notes, *kept.notes),
            settle_s=_SETTLE_S,
            gain=kept.gain,
        )
        self._stopping = threading.Event()
        self._ended = threading.Event()
        self._ended.set()
        self._failure: BaseException | None = None

    def stream(self, tape: Tape) -> None:
        """Deliver samples until `stop`.

        Raises:
            SourceError: The dongle ended by itself.
        """
        self._ended.clear()
        try:
            code = self._dongle.call("reset_buffer")
            if code >= 0 and not self._stopping.is_set():
                code = self._read(tape)
        finally:
            self._ended.set()
        if self._failure is not None:
            raise self._failure
        if not self._stopping.is_set():
            # Whatever the code: an unplugged one may well return 0.
            raise SourceError(
                f"{self.opened.name} ended the stream ({reason(code)}): unplugged, or a USB fault."
            )

    def tune(self, center_hz: float) -> float:
        """Tune while it streams, from another thread."""
        return tune(self._dongle, center_hz)

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        """Set the gain while it streams, from another thread; there is but one stage."""
        return set_gain(self._dongle, gain_db)

    def stop(self) -> None:
        """End `stream` soon, from another thread."""
        self._stopping.set()
        # What is cancelled before it runs goes on running, so this is said until it is heard.
        until_s = time.monotonic() + _STOP_S
        while not self._ended.is_set() and time.monotonic() < until_s:
            if self._dongle.call("cancel_async") == 0:
                return
            self._ended.wait(0.02)

    def close(self) -> None:
        """Switch the bias-tee off and release the dongle, unless it still streams."""
        if not self._ended.is_set():
            return  # would never return; the system releases it with the process
        if self._wanted.bias_tee:
            self._dongle.call("set_bias_tee", 0)
        self._dongle.close()

    def _read(self, tape: Tape) -> int:
        """Read until cancelled or gone; returns the code of the library."""
        rate_bytes = 2 * self.opened.sample_rate_hz * _TRANSFER_S
        n_bytes = max(1, round(rate_bytes / _TRANSFER_BYTES)) * _TRANSFER_BYTES
        callback = self._dongle.library.binding.rtlsdr_read_async_cb_t(self._deliverer(tape))
        return self._dongle.call("read_async", callback, None, _TRANSFERS, n_bytes)

    def _deliverer(self, tape: Tape) -> Callable[[Any, int, object], None]:
        """Return what librtlsdr calls with each buffer."""

        def deliver(buffer: Any, n_bytes: int, _context: object) -> None:
            # ctypes prints what is raised in here, and the stream would go on.
            try:
                if self._failure is None:
                    tape.write(string_at(buffer, n_bytes))
            except BaseException as error:
                self._failure = error
            if self._failure is not None or self._stopping.is_set():
                self._dongle.call("cancel_async")

        return deliver
