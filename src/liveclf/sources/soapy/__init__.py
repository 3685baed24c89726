"""Any radio that SoapySDR has a driver for.

    --device soapy                              the only one that is there
    --device soapy:driver=airspy,serial=...     any arguments that SoapySDR knows
    --device soapy:driver=remote,remote=tcp://HOST:55132

`liveclf devices` shows what to write. The files beside this one: soapy_binding (import),
soapy_devices (which one), soapy_settings and soapy_options, soapy_reader (the stream).
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import SourceError, UsageError
from liveclf.records import Gain, SampleFormat
from liveclf.sources.capture.driver import Driver, Opened, Tape
from liveclf.sources.soapy.binding import RX, messages, stream_format
from liveclf.sources.soapy.devices import device_arguments, find_devices, make
from liveclf.sources.soapy.gain import change_gain, read_gain
from liveclf.sources.soapy.options import write_switch
from liveclf.sources.soapy.reader import Read, Reader, Stamps, Trial
from liveclf.sources.soapy.settings import apply_settings

__all__ = ["find_devices", "open_driver"]

_CLOSE_S = 1.5
"""After which closing is given up: some drivers wait for a thread that never ends."""

_REMOTE = {"remote:prot": "tcp", "remote:mtu": "65536"}
"""Over the network: by default SoapyRemote loses datagrams and says nothing."""

# Their time stamps count what the host received (SoapyRTLSDR: in bytes, as if they were
# samples), not what the radio sampled.
_STAMPED_BY_HOST = ("rtlsdr",)


def open_driver(settings: SourceSettings, radio: RadioSettings) -> Driver:
    """Open the device that `radio.device` names, and wait for its first samples.

    Raises:
        UsageError: No device fits, several do, or this one cannot keep a setting.
        MissingExtraError: SoapySDR is not installed.
        SourceError: It cannot be opened, or delivers nothing.
    """
    soapy, device, name, notes = make(radio.device)
    stream = None
    try:
        found, arguments = apply_settings(device, settings, radio)
        native, fmt = stream_format(soapy, device, radio.channel)
        arguments = stream_arguments(device, radio) | arguments
        stream = device.setupStream(RX, native, [radio.channel], arguments)
        return _start(device, stream, fmt, name, notes + found, radio)
    except RuntimeError as error:
        _release(device, stream)
        raise SourceError(f"{radio.device} does not start: {_one_line(error)}.") from None
    except BaseException:
        _release(device, stream)
        raise


def stream_arguments(device: Any, radio: RadioSettings) -> dict[str, str]:
    """Return what of the device's string is for the stream, over our own defaults."""
    known = {info.key for info in device.getStreamArgsInfo(RX, radio.channel)}
    wanted = _REMOTE | device_arguments(radio.device)
    return {key: value for key, value in wanted.items() if key in known}


def _start(
    device: Any, stream: Any, fmt: SampleFormat, name: str, notes: list[str], radio: RadioSettings
) -> Driver:
    if code := device.activateStream(stream):
        raise SourceError(f"{name} does not start its stream: SoapySDR's code {code}.")
    rate_hz = device.getSampleRate(RX, radio.channel)
    center_hz = device.getFrequency(RX, radio.channel)
    reader = Reader(device, stream, fmt, rate_hz, name)
    trial = Trial(reader, rate_hz)
    notes += [f"{name} says: {line}." for line in messages.take()]
    by_host = device.getDriverKey().lower() in _STAMPED_BY_HOST
    if trial.stamped and not trial.trusted and not by_host:
        notes.append(f"The time stamps of {name} do not count its samples and are not used.")
    told = trial.trusted and not by_host
    gain = read_gain(device, radio.channel)
    opened = Opened(name, fmt, rate_hz, center_hz, notes=tuple(notes), tells_losses=told, gain=gain)
    return _SoapyDriver(device, stream, opened, reader, trial, radio)


def _release(device: Any, stream: Any) -> None:
    """Give the device back, or leave it after 1.5 s."""

    def release() -> None:
        if stream is not None:
            for step in (device.deactivateStream, device.closeStream):
                with suppress(RuntimeError):
                    step(stream)
        with suppress(RuntimeError):
            device.close()

    thread = threading.Thread(target=release, daemon=True)
    thread.start()
    thread.join(_CLOSE_S)


class _SoapyDriver:
    """A device that streams already, from the first sample on."""

    def __init__(
        self,
        device: Any,
        stream: Any,
        opened: Opened,
        reader: Reader,
        trial: Trial,
        radio: RadioSettings,
    ) -> None:
        self.opened = opened
        self._device, self._stream, self._radio = device, stream, radio
        self._reader, self._trial = reader, trial
        self._stamps = Stamps(opened.sample_rate_hz) if trial.trusted else None
        self._stopping = threading.Event()

    def stream(self, tape: Tape) -> None:
        """Deliver samples, see `capture.driver.Driver`."""
        for read, data in self._trial.reads:
            self._deliver(tape, read, data)
        self._trial.reads.clear()
        while not self._stopping.is_set():
            try:
                fresh = self._reader.read()
            except RuntimeError as error:
                raise SourceError(
                    f"{self.opened.name} broke its stream: {_one_line(error)}."
                ) from None
            if fresh is not None:
                self._deliver(tape, fresh, self._reader.buffer[: fresh.n_samples])

    def tune(self, center_hz: float) -> float:
        """Tune, see `capture.driver.Driver`."""
        at = (RX, self._radio.channel)
        try:
            self._device.setFrequency(*at, center_hz)
            return float(self._device.getFrequency(*at))
        except RuntimeError as error:
            raise SourceError(
                f"{self.opened.name} does not tune to {center_hz:.12g} Hz: {_one_line(error)}."
            ) from None

    def set_gain(self, gain_db: float | None, stage: str) -> Gain:
        """Set the gain, see `capture.driver.Driver`."""
        try:
            return change_gain(self._device, self._radio.channel, gain_db, stage)
        except RuntimeError as error:
            wanted = "automatic gain" if gain_db is None else f"{stage} {gain_db:g} dB".strip()
            raise SourceError(
                f"{self.opened.name} does not take {wanted}: {_one_line(error)}."
            ) from None

    def stop(self) -> None:
        """End `stream` within the time of a read."""
        self._stopping.set()

    def close(self) -> None:
        """Release the device; given up after 1.5 s."""
        if self._radio.bias_tee:  # no voltage on the socket when nobody listens
            with suppress(RuntimeError, UsageError):
                write_switch(self._device, self._radio.channel, "--bias-tee", "off")
        _release(self._device, self._stream)

    def _deliver(self, tape: Tape, read: Read, data: NDArray[np.generic]) -> None:
        missing = self._stamps.missing(read) if self._stamps else None
        set_back = missing is not None and missing < 0  # the device's clock was
        if set_back or (missing is None and read.overflowed):
            tape.overflow()
        tape.write(data, lost=max(missing or 0, 0))
        if read.broken and not self._stamps:
            tape.overflow()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
