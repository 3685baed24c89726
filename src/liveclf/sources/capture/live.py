"""A radio or a server as a source: opened, watched, and opened again when it has gone."""

from __future__ import annotations

import math
import time
import weakref
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace

from msgspec import structs

from liveclf.config import Hertz, RadioSettings, SourceSettings
from liveclf.errors import LiveclfError, MissingExtraError, SourceError, UsageError
from liveclf.notes import Note
from liveclf.records import Block, Gain, StreamInfo
from liveclf.sources.capture.backoff import BackOff
from liveclf.sources.capture.child import Failure
from liveclf.sources.capture.driver import Opened
from liveclf.sources.capture.gain import GainWanted, check_gain
from liveclf.sources.capture.process import CaptureProcess, open_process
from liveclf.sources.capture.ring import Slot
from liveclf.sources.capture.timeline import Timeline
from liveclf.sources.pacing import wanted_span

_OPEN_S = 15.0  # some radios load firmware
_MOST_ASKED = 32  # changes of gain that wait for the next poll
_POLL_S = 0.05  # how often silence is passed on, and news of the process are read


class LiveSource:
    """A `Source` around capture processes, one after the other; `Tunable` and `Adjustable`.

    Attributes:
        n_gone: See `protocols.Returning`.
        n_attempts: See there.
    """

    def __init__(
        self,
        module: str,
        settings: SourceSettings,
        radio: RadioSettings,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Open the device.

        Args:
            module: With the `open_driver` of this kind of device.
            settings: Rate, centres, limits.
            radio: What else to set.
            tell: Told in a sentence of what happens to the device later.

        Raises:
            SourceError: It is not there or does not work.
            UsageError: It cannot be set like this.
            MissingExtraError: Its driver is not installed.
        """
        _check(settings)
        shift_hz = float(radio.offset_hz)
        tuned = tuple(Hertz(center_hz + shift_hz) for center_hz in settings.center_hz)
        self._settings, self._radio = structs.replace(settings, center_hz=tuned), radio
        self._module, self._tell = module, tell
        self._closed = False  # no Event: set by signal handlers, see `pacing.Pacer`
        self._process = open_process(module, self._settings, radio, _OPEN_S)
        self._cleanup = weakref.finalize(self, self._process.stop)
        if (failure := self._process.failure) or not (opened := self._process.opened):
            self._cleanup()
            raise _error_of(failure or Failure("The driver did not open.", 1))
        self._opened: Opened = opened
        try:
            _, self._end = wanted_span(settings, opened.sample_rate_hz)
            _check_hopping(settings, opened)
        except UsageError:
            self._cleanup()
            raise
        self.info = StreamInfo(
            name=opened.name,
            format=opened.format.name,
            sample_rate_hz=opened.sample_rate_hz,
            center_hz=opened.center_hz,
            n_samples=None,
            is_live=True,
            notes=opened.notes,
        )
        self.n_gone = self.n_attempts = 0
        self._timeline = Timeline(opened)
        self._back_off = BackOff()
        self._poll_due_s = 0.0
        self._shift_hz = shift_hz
        self._asked_hz = deque[float](maxlen=1)  # to tune to
        self._heard_hz = math.nan  # where it stands
        self._asked_gain = deque[GainWanted]()
        self._has_asked_gain = False

    @property
    def can_tune(self) -> bool:
        """Whether it stays where it is put: it does not hop, and takes commands."""
        is_timed = not math.isnan(self._opened.sample_rate_hz)
        return self._opened.can_tune and is_timed and len(self._settings.center_hz) < 2

    @property
    def buffer_fill(self) -> float:
        """Share of the capture buffer that waits for us."""
        return self._process.fill

    def tune(self, center_hz: float) -> None:
        """Ask for another centre, from any thread; a refusal is told."""
        self._asked_hz.append(center_hz + self._shift_hz)

    @property
    def gain(self) -> Gain | None:
        """As it is set, None if it cannot be set while it streams."""
        return self._process.gain

    def set_gain(self, gain_db: float | None, stage: str = "") -> None:
        """Ask for another gain, from any thread; a refusal of the driver is told.

        Args:
            gain_db: None for automatic.
            stage: Which of `Gain.stages`.

        Raises:
            UsageError: It has no such gain, or is still busy with others.
        """
        wanted = GainWanted(gain_db, stage)
        check_gain(self.info.name, self.gain, wanted)
        if len(self._asked_gain) >= _MOST_ASKED:
            raise UsageError(f"{self.info.name} is busy with other changes; try again.")
        self._asked_gain.append(wanted)
        self._has_asked_gain = True

    def close(self) -> None:
        """End the stream; called by signal handlers too, so it only sets a flag."""
        self._closed = True

    def blocks(self) -> Iterator[Block]:
        """Yield blocks as they come, and an empty one while none do.

        Raises:
            SourceError: The device has gone and did not come back within `max_retries`.
            UsageError, MissingExtraError: The driver says that it will never go on.
        """
        try:
            while not self._closed:
                failure = yield from self._listen()
                if failure is None:
                    return
                yield from self._come_back(failure)
        finally:
            self._cleanup()

    def _listen(self) -> Generator[Block, None, Failure | None]:
        """Yield what one process captures; return why it ended, None at the end wanted."""
        process, stall_s = self._process, self._opened.stall_s or math.inf
        # Not before: what came while the network was loaded would be late from the start.
        process.begin(self._opened)
        heard_s, wait_s = time.monotonic(), _POLL_S
        while not self._closed:
            if (slot := self._next_slot(process, wait_s)) is not None:
                heard_s, wait_s = time.monotonic(), 0.0  # if no more is there, that is said at once
                if (block := self._wanted(self._timeline.block(slot, self._opened))) is None:
                    return None
                self._back_off.heard()
                self._heard_hz = block.center_hz
                yield block
            elif process.failure is not None:
                return process.failure
            elif (now_s := time.monotonic()) - heard_s > stall_s:
                return Failure(f"{self._opened.name} sent nothing for {stall_s:g} s.", 1)
            else:
                wait_s = _POLL_S
                yield self._timeline.silence(now_s)
        return None

    def _next_slot(self, process: CaptureProcess, wait_s: float) -> Slot | None:
        """Return what comes within `wait_s`, and pass on what the process says meanwhile."""
        slot = process.take()
        # While samples come too: what a driver prints would else fill its pipe and stop it.
        if slot is None or time.monotonic() >= self._poll_due_s:
            process.poll(wait_s if slot is None else 0)
            while self._asked_hz:
                process.tune(self._asked_hz.popleft())
            while self._asked_gain:
                process.set_gain(self._asked_gain.popleft())
            self._poll_due_s = time.monotonic() + _POLL_S
            while process.messages:
                self._tell(process.messages.popleft())
        return process.take() if slot is None else slot

    def _wanted(self, block: Block) -> Block | None:
        """Cut a block at the end that was asked for; None behind it."""
        if self._end is None or block.start_sample + len(block.iq) < self._end:
            return block
        left = self._end - block.start_sample
        if left <= 0:
            return None
        self._closed = True
        return replace(block, iq=block.iq[:left])

    def _come_back(self, failure: Failure) -> Iterator[Block]:
        """Look for the device until it is there again, passing the time on."""
        self._cleanup()
        if failure.exit_code != SourceError.exit_code:
            raise _error_of(failure)
        self.n_gone += 1
        self._tell(
            Note(f"{failure.message} Looking for it again.", "source_gone", "warning",
                 source=self.info.name)
        )  # fmt: skip
        if self.can_tune and not math.isnan(self._heard_hz):  # as it was tuned last
            self._settings = structs.replace(self._settings, center_hz=(Hertz(self._heard_hz),))
        if self._has_asked_gain and self.gain:
            self._radio = structs.replace(self._radio, gain=self.gain.text)
        most, tried, gone_s = self._radio.max_retries, 0, time.monotonic()
        while not self._closed:
            if most is not None and tried >= most:
                raise SourceError(f"{failure.message} It did not come back in {tried} attempts.")
            yield from self._pause(self._back_off.next_s())
            if self._closed:
                return
            tried += 1
            self.n_attempts += 1
            process = CaptureProcess(self._module, self._settings, self._radio)
            self._process = process
            self._cleanup = weakref.finalize(self, process.stop)
            yield from self._opening(process)
            if process.opened is not None and process.failure is None:
                self._opened = process.opened
                self._timeline.restart()
                away_s = time.monotonic() - gone_s
                self._tell(
                    Note(f"{self._opened.name} is back after {away_s:.1f} s.", "source_back",
                         source=self.info.name, away_s=away_s, attempts=tried)
                )  # fmt: skip
                return
            # Whatever it says: it opened with these settings before, and a device that is half
            # gone refuses things that it did not refuse.
            self._cleanup()

    def _opening(self, process: CaptureProcess) -> Iterator[Block]:
        until_s = time.monotonic() + _OPEN_S
        while not self._closed and process.opened is None and process.failure is None:
            if time.monotonic() > until_s:
                return
            process.poll(_POLL_S)
            yield self._timeline.silence(time.monotonic())

    def _pause(self, seconds: float) -> Iterator[Block]:
        until_s = time.monotonic() + seconds
        while not self._closed and time.monotonic() < until_s:
            time.sleep(_POLL_S)
            yield self._timeline.silence(time.monotonic())


def _check(settings: SourceSettings) -> None:
    """Refuse what only a recording can keep."""
    for flag, given in (
        ("--start", settings.start_s > 0),
        ("--loop", settings.loop),
        ("--realtime", settings.realtime),
    ):
        if given:
            raise UsageError(f"{flag} is for recordings; a radio or a server begins now.")


def _check_hopping(settings: SourceSettings, opened: Opened) -> None:
    if len(settings.center_hz) > 1 and math.isnan(opened.sample_rate_hz):
        raise UsageError(f"Several --freq need a sample rate, and {opened.name} tells none.")


def _error_of(failure: Failure) -> LiveclfError:
    if failure.exit_code == MissingExtraError.exit_code:
        needed_for, _, install = failure.message.partition("; install it with: ")
        return MissingExtraError(needed_for, install)
    kind = UsageError if failure.exit_code == UsageError.exit_code else SourceError
    return kind(failure.message)
