"""Sets an open RTL-SDR and reads back what it made of it.

What no RTL-SDR can do is a `UsageError`. What is refused though it lies within the range is a
fault of the device, a `SourceError`: it may work once it was plugged in again.
"""

from __future__ import annotations

import math
from ctypes import byref, c_uint32
from dataclasses import dataclass

from liveclf.errors import SourceError, UsageError
from liveclf.records import Gain, GainStage
from liveclf.sources.rtlsdr.dongles import OpenDongle, reason
from liveclf.sources.rtlsdr.library import NOT_SUPPORTED
from liveclf.sources.rtlsdr.settings import SWITCHES, Wanted

_LOSSY_RATE_HZ = 2.4e6  # above it most USB controllers lose samples
_CRYSTAL_HZ = 28.8e6
_DIRECT = {"i": 1, "q": 2}


@dataclass(frozen=True)
class Kept:
    """What an open dongle says of itself once it is set.

    Attributes:
        rate_hz: With the fractions that its divider leaves.
        center_hz: Where it is tuned to.
        gain: As it is set.
        notes: What else was set, each a sentence.
    """

    rate_hz: float
    center_hz: float
    gain: Gain
    notes: tuple[str, ...]


def apply(dongle: OpenDongle, wanted: Wanted) -> Kept:
    """Set everything and read it back.

    Raises:
        SourceError: The device does not do what it should be able to.
        UsageError: It cannot be set like this.
    """
    notes: list[str] = []
    for switch, on in wanted.switches.items():  # dithering has to come before the frequency
        word = "on" if on else "off"
        _set(dongle, SWITCHES[switch], int(on), f"--device-option {switch}={word}")
        notes.append(f"{switch} is {word}.")
    notes += _set_ppm(dongle, wanted.ppm)
    rate_hz = _set_rate(dongle, wanted.rate_hz, notes)
    notes += _set_direct(dongle, wanted.direct)
    for center_hz in reversed(wanted.centers_hz):  # each is tried, the first is where it begins
        notes += _set_center(dongle, center_hz, wanted.direct)
    gain = set_gain(dongle, wanted.gain_db)
    notes.append(_gain_note(gain, wanted.gain_db))
    notes += _set_bandwidth(dongle, wanted.bandwidth_hz)
    if wanted.bias_tee:
        _set(dongle, "set_bias_tee", 1, "--bias-tee")
        notes.append("Bias-tee is on, until the end of the run.")
    if dongle.dongle.is_blog_v4 and not dongle.library.knows_blog_v4():
        notes.append(
            f"The librtlsdr in {dongle.library.path} is too old for the Blog V4 and will hear "
            'little; a newer one comes with: pip install "pyrtlsdr[lib]"'
        )
    real_hz = float(dongle.ask("get_center_freq")) if wanted.centers_hz else math.nan
    return Kept(rate_hz, real_hz, gain, tuple(notes))


def tune(dongle: OpenDongle, center_hz: float) -> float:
    """Tune, while it streams too.

    Returns:
        The real centre.

    Raises:
        SourceError: It refused.
    """
    wanted_hz = round(center_hz)
    code = dongle.call("set_center_freq", wanted_hz) if 0 < wanted_hz < 2**32 else -22
    real_hz = dongle.ask("get_center_freq")
    if code < 0 or not real_hz:
        raise SourceError(_untunable(dongle, center_hz, code))
    return float(real_hz)


def _untunable(dongle: OpenDongle, center_hz: float, code: int) -> str:
    return f"{dongle.name} cannot be tuned to {megahertz(center_hz)}: {reason(code)}."


def megahertz(frequency_hz: float) -> str:
    """Write a frequency as people do."""
    return f"{frequency_hz / 1e6:.10g} MHz"


def _set(dongle: OpenDongle, call: str, value: int, option: str) -> None:
    """Set something, with the flag it came from for the message."""
    code = dongle.call(call, value)
    if code == NOT_SUPPORTED:
        raise UsageError(
            f"{option} is not possible with the librtlsdr in {dongle.library.path}; a fuller one "
            'comes with: pip install "pyrtlsdr[lib]"'
        )
    if code < 0:
        raise SourceError(f"{dongle.name} refused {option}: {reason(code)}.")


def _set_ppm(dongle: OpenDongle, ppm: float) -> list[str]:
    whole = round(ppm)
    # The value it has already would be refused, with the code of a wrong one.
    if whole != dongle.call("get_freq_correction"):
        _set(dongle, "set_freq_correction", whole, f"--ppm {ppm:g}")
    real = dongle.call("get_freq_correction")
    if real != ppm:
        return [f"Crystal is corrected by {real} ppm, as librtlsdr takes whole ones, not {ppm:g}."]
    return [f"Crystal is corrected by {real} ppm."] if real else []


def _set_rate(dongle: OpenDongle, rate_hz: int, notes: list[str]) -> float:
    _set(dongle, "set_sample_rate", rate_hz, f"--rate {rate_hz}")
    said_hz = dongle.ask("get_sample_rate")
    if not said_hz:
        raise SourceError(f"{dongle.name} does not tell its sample rate; plug it in again.")
    # It says whole Hz. The chip divides 2^22 times its crystal by a multiple of four.
    steps = _CRYSTAL_HZ * 2**22
    real_hz = steps / (int(steps / rate_hz) & ~3)
    if abs(real_hz - said_hz) > 1:
        real_hz = float(said_hz)
        notes.append(f"Sample rate is {said_hz} Hz, not {rate_hz}.")
    if rate_hz > _LOSSY_RATE_HZ:
        notes.append("Above 2.4 MS/s an RTL-SDR loses samples on many machines.")
    return real_hz


def _set_direct(dongle: OpenDongle, direct: str) -> list[str]:
    if direct == "off":
        return []
    number = _DIRECT[direct]
    _set(dongle, "set_direct_sampling", number, f"--direct-sampling {direct}")
    if dongle.call("get_direct_sampling") != number:
        raise SourceError(f"{dongle.name} did not keep --direct-sampling {direct}.")
    return [f"Input {direct} of the converter is sampled without the tuner."]


def _set_center(dongle: OpenDongle, center_hz: int, direct: str) -> list[str]:
    is_direct = direct != "off"
    low_hz, high_hz = (0, _CRYSTAL_HZ) if is_direct else dongle.range_hz() or (0, 2.0**32)
    is_in_range = low_hz <= center_hz <= high_hz
    code = 0 if is_direct and not is_in_range else dongle.call("set_center_freq", center_hz)
    is_locked = is_direct or _is_locked(dongle)
    reach = f"{megahertz(low_hz)} to {megahertz(high_hz)}"
    if not is_in_range and (code < 0 or not is_locked or is_direct):
        advice = " or --direct-sampling q" if center_hz < low_hz else ""
        raise UsageError(
            f"--freq {center_hz} is out of reach of {dongle.name}; give {reach}{advice}."
        )
    if code < 0 or not dongle.ask("get_center_freq"):
        raise SourceError(_untunable(dongle, center_hz, code))
    if not is_in_range:
        return [f"{megahertz(center_hz)} is beyond the usual {reach} of {dongle.name}."]
    if not is_locked:
        return [f"{dongle.name} does not hold {megahertz(center_hz)}: its oscillator is unlocked."]
    return []


def _is_locked(dongle: OpenDongle) -> bool:
    """Say whether the tuner's oscillator holds its frequency; some only say so when asked."""
    name = "is_tuner_PLL_locked"
    return not dongle.library.has(name) or dongle.call(name) != 1  # negative: it cannot tell


def set_gain(dongle: OpenDongle, gain_db: float | None) -> Gain:
    """Set the nearest gain that the tuner has, while it streams too.

    Args:
        dongle: Open.
        gain_db: None for automatic.

    Returns:
        The real gain.

    Raises:
        SourceError: It refused.
        UsageError: The library cannot.
    """
    option = "--gain auto" if gain_db is None else f"--gain {gain_db:g}"
    gains, real_db = dongle.gains_tenth_db(), math.nan
    _set(dongle, "set_tuner_gain_mode", int(gain_db is not None), option)
    if gain_db is not None:
        if not gains:
            raise SourceError(f"{dongle.name} does not tell which gains it has; give --gain auto.")
        nearest = min(gains, key=lambda gain: abs(gain - 10 * gain_db))
        _set(dongle, "set_tuner_gain", nearest, option)
        real_db = dongle.call("get_tuner_gain") / 10
    stages = (GainStage("", gains[0] / 10, gains[-1] / 10, now_db=real_db),) if gains else ()
    return Gain(is_auto=gain_db is None, has_auto=True, stages=stages)


def _gain_note(gain: Gain, asked_db: float | None) -> str:
    if asked_db is None:
        return "Gain is automatic."
    (stage,) = gain.stages
    if abs(stage.now_db - asked_db) > 0.049:
        reach = f"{stage.low_db:g} to {stage.high_db:g}"
        return f"Gain is {stage.now_db:g} dB, the nearest to {asked_db:g} of {reach}."
    return f"Gain is {stage.now_db:g} dB."


def _set_bandwidth(dongle: OpenDongle, bandwidth_hz: int | None) -> list[str]:
    if bandwidth_hz is None:
        return []
    option = f"--bandwidth {bandwidth_hz}"
    if not dongle.library.has("set_and_get_tuner_bandwidth"):
        _set(dongle, "set_tuner_bandwidth", bandwidth_hz, option)
        return [f"Bandwidth was set to {megahertz(bandwidth_hz)}; this librtlsdr cannot tell it."]
    real = c_uint32(0)
    code = dongle.call("set_and_get_tuner_bandwidth", bandwidth_hz, byref(real), 1)
    if code < 0:
        raise SourceError(f"{dongle.name} refused {option}: {reason(code)}.")
    return [f"Bandwidth is {megahertz(real.value)}."]
