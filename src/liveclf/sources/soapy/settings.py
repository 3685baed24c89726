"""The settings of a SoapySDR device: checked against its ranges, set, and read back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import UsageError
from liveclf.sources.soapy.binding import RX
from liveclf.sources.soapy.options import refused, write_option, write_switch

_RATE_HZ = 2.4e6
"""Taken where no rate is given and the radio has it: what an RTL-SDR keeps up with."""


def apply_settings(
    device: Any, settings: SourceSettings, radio: RadioSettings
) -> tuple[list[str], dict[str, str]]:
    """Set what is asked for.

    Returns:
        Sentences on what was set, where it is another value than was asked for or one
        that nothing else shows; and arguments for the stream.

    Raises:
        UsageError: The device cannot keep a setting.
    """
    channel, n_channels = radio.channel, device.getNumChannels(RX)
    if channel >= n_channels:
        raise UsageError(f"--channel {channel}: this radio has {n_channels}, counted from 0.")
    setter = _Setter(device, channel)
    setter.set_antenna(radio.antenna)
    write_switch(device, channel, "--direct-sampling", radio.direct_sampling)
    stream_arguments: dict[str, str] = {}
    for text in radio.options:
        setter.notes += write_option(device, channel, text, stream_arguments)
    setter.set_rate(settings.rate_hz)
    setter.set_bandwidth(radio.bandwidth_hz)
    setter.set_ppm(radio.ppm)
    setter.set_frequency(settings.center_hz)
    setter.set_gain(radio.gain)
    write_switch(device, channel, "--bias-tee", "on" if radio.bias_tee else "off")
    return setter.notes, stream_arguments


class _Setter:
    """Sets one thing after the other on one receiver."""

    def __init__(self, device: Any, channel: int) -> None:
        self._device, self._at = device, (RX, channel)
        self.notes: list[str] = []

    def set_antenna(self, name: str) -> None:
        if not name:
            return
        known = list(self._device.listAntennas(*self._at))
        if name not in known:
            raise UsageError(f"--antenna {name}: this radio has {_listed(known)}.")
        self._set("--antenna", "setAntenna", name)
        self._compare("antenna", name, self._device.getAntenna(*self._at))

    def set_rate(self, rate_hz: float | None) -> None:
        ranges = spans(self._device.getSampleRateRange(*self._at))
        if rate_hz is None:
            rate_hz = _nearest(_RATE_HZ, ranges)
        _check("--rate", rate_hz, ranges, "Hz")
        self._set("--rate", "setSampleRate", float(rate_hz), allowed=describe(ranges, "Hz"))
        self._compare("sample rate", rate_hz, self._device.getSampleRate(*self._at), "Hz")

    def set_bandwidth(self, bandwidth_hz: float | None) -> None:
        if bandwidth_hz is None:
            return
        ranges = spans(self._device.getBandwidthRange(*self._at))
        if not ranges:
            raise UsageError(f"--bandwidth {bandwidth_hz:.10g}: this radio has no filter to set.")
        _check("--bandwidth", bandwidth_hz, ranges, "Hz")
        allowed = describe(ranges, "Hz")
        self._set("--bandwidth", "setBandwidth", float(bandwidth_hz), allowed=allowed)
        self._compare("bandwidth", bandwidth_hz, self._device.getBandwidth(*self._at), "Hz")

    def set_ppm(self, ppm: float) -> None:
        if not ppm:
            return
        if self._device.hasFrequencyCorrection(*self._at):
            self._set("--ppm", "setFrequencyCorrection", ppm)
            real = self._device.getFrequencyCorrection(*self._at)
        elif "CORR" in self._device.listFrequencies(*self._at):  # as some drivers have it
            self._set("--ppm", "setFrequency", "CORR", ppm)
            real = self._device.getFrequency(*self._at, "CORR")
        else:
            raise UsageError(
                f"--ppm {ppm:g}: this radio's crystal cannot be corrected; leave it out."
            )
        self._compare("correction", ppm, real, "ppm")

    def set_frequency(self, center_hz: Sequence[float]) -> None:
        ranges = spans(self._device.getFrequencyRange(*self._at))
        if self._device.getDriverKey().lower() == "rtlsdr":
            # Direct sampling and the Blog V4 hear below what its driver announces.
            ranges = [(0.0, high, step) for _, high, step in ranges]
        for hz in center_hz:
            _check("--freq", hz, ranges, "Hz")
        if center_hz:
            allowed = describe(ranges, "Hz")
            self._set("--freq", "setFrequency", float(center_hz[0]), allowed=allowed)
            real_hz = self._device.getFrequency(*self._at)
            self._compare("centre frequency", center_hz[0], real_hz, "Hz")

    def set_gain(self, gain: str) -> None:
        has_auto = self._device.hasGainMode(*self._at)
        if gain == "auto":
            if has_auto:
                self._set("--gain", "setGainMode", True)
            else:
                real_db = self._device.getGain(*self._at)
                self.notes.append(f"This radio has no automatic gain; it is at {real_db:g} dB.")
            return
        stages = self._stages(gain)
        if has_auto:
            self._set("--gain", "setGainMode", False)
        for stage, db in stages.items():
            where = (stage,) if stage else ()
            ranges = spans([self._device.getGainRange(*self._at, *where)])
            option = f"--gain {stage}".strip()
            _check(option, db, ranges, "dB")
            self._set(option, "setGain", *where, db, allowed=describe(ranges, "dB"))
            real_db = self._device.getGain(*self._at, *where)
            self._compare(f"gain {stage}".strip(), db, real_db, "dB")

    def _stages(self, gain: str) -> dict[str, float]:
        """Return dB by stage, "" for the radio to share out."""
        known = {name.lower(): name for name in self._device.listGains(*self._at)}
        stages: dict[str, float] = {}
        for part in gain.split(","):
            name, _, value = part.rpartition("=")
            stage = known.get(name.strip().lower(), "")
            if name and not stage:
                raise UsageError(
                    f"--gain {part}: this radio's stages are {_listed(list(known.values()))}."
                )
            try:
                stages[stage] = float(value.lower().removesuffix("db"))
            except ValueError:
                raise UsageError(
                    f"--gain {gain} is neither auto, nor dB, nor dB by stage such as LNA=20,VGA=8."
                ) from None
        return stages

    def _set(self, option: str, method: str, *values: Any, allowed: str = "") -> None:
        try:
            getattr(self._device, method)(*self._at, *values)
        except RuntimeError as error:
            raise refused(option, _plain(values[-1]), error, allowed) from None

    def _compare(self, what: str, asked: Any, real: Any, unit: str = "") -> None:
        same = real == asked or (unit and math.isclose(real, asked, rel_tol=1e-9, abs_tol=1e-6))
        if not same:
            values = f"{_plain(real)} {unit}".strip(), f"{_plain(asked)} {unit}".strip()
            self.notes.append(f"The {what} is {values[0]}, asked for was {values[1]}.")


Span = tuple[float, float, float]
"""Lowest and highest value, and the step between, 0 for any."""


def spans(ranges: Iterable[Any]) -> list[Span]:
    """Read SoapySDR's ranges; one from 0 to 0 says nothing and is left out."""
    found = [(r.minimum(), r.maximum(), r.step()) for r in ranges]
    return [span for span in found if span[:2] != (0.0, 0.0)]


def describe(ranges: Sequence[Span], unit: str) -> str:
    """Write ranges for people, such as "225001 to 300000 or 900001 to 3200000 Hz"."""
    parts = [
        _plain(low) if low == high else f"{_plain(low)} to {_plain(high)}"
        for low, high, _ in ranges
    ]
    if len(parts) > 12:
        parts = [*parts[:6], "...", *parts[-5:]]
    return f"{' or '.join(parts)} {unit}" if parts else ""


def _check(option: str, value: float, ranges: Sequence[Span], unit: str) -> None:
    # A rounding error beside a limit is no reason to refuse.
    inside = any(low - 1e-3 <= value <= high + 1e-3 for low, high, _ in ranges)
    if not inside and (ranges or not math.isfinite(value)):
        raise UsageError(
            f"{option} {_plain(value)}: this radio has {describe(ranges, unit) or 'none'}."
        )


def _nearest(value: float, ranges: Sequence[Span]) -> float:
    candidates = [min(max(value, low), high) for low, high, _ in ranges] or [value]
    return min(candidates, key=lambda candidate: abs(candidate - value))


def _plain(value: Any) -> str:
    return f"{value:.12g}" if isinstance(value, int | float) else str(value)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
