"""The commands of rtl_tcp: what the settings come to, and their bytes.

Source: the protocol as rtl_tcp of librtlsdr reads it, 5 bytes a command.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Self

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import UsageError
from liveclf.records import Gain, GainStage

FREQUENCY, RATE, GAIN_MODE, GAIN, PPM = range(1, 6)
TEST_MODE, AGC, DIRECT_SAMPLING, OFFSET_TUNING = range(7, 11)
BIAS_TEE = 14

DEFAULT_RATE_HZ = 2_400_000

# What the resampler of the RTL2832 can make.
_RATES_HZ = ((225_001, 300_000), (900_001, 3_200_000))

# Kind of tuner -> name, and its lowest and highest gain in dB.
_TUNERS = {
    1: ("E4000", -1.0, 49.0),
    2: ("FC0012", -9.9, 19.2),
    3: ("FC0013", -9.9, 19.7),
    4: ("FC2580", 0.0, 0.0),
    5: ("R820T", 0.0, 49.6),
    6: ("R828D", 0.0, 49.6),
}
_WIDEST_DB = (-9.9, 49.6)

# Of --device-option: name -> command.
_SWITCHES = {"agc": AGC, "offset_tuning": OFFSET_TUNING, "test_mode": TEST_MODE}


@dataclass(frozen=True, slots=True)
class Setting:
    """A command.

    Attributes:
        code: Which setting.
        value: A whole number of 32 bits, may be negative.
        text: What it says, for a note.
    """

    code: int
    value: int
    text: str

    @classmethod
    def frequency(cls, center_hz: float) -> Self:
        """Tune.

        Raises:
            UsageError: The protocol cannot say this frequency.
        """
        if not 0 <= center_hz < 2**32 - 0.5:
            raise UsageError(
                f"--freq {center_hz:.12g} cannot be kept: rtl_tcp takes 0 to 4294967295 Hz."
            )
        return cls(FREQUENCY, round(center_hz), f"centre {round(center_hz) / 1e6:.9g} MHz")


def command(setting: Setting) -> bytes:
    """Write a command as it goes to the server."""
    return struct.pack(">BI", setting.code, setting.value % 2**32)


def tuner_name(tuner: int) -> str:
    """Return how a kind of tuner is called."""
    return _TUNERS[tuner][0] if tuner in _TUNERS else f"unknown tuner {tuner}"


def settings_to_send(settings: SourceSettings, radio: RadioSettings, tuner: int) -> list[Setting]:
    """Return the commands for what is asked for, in the order to send them, the rate first.

    Rate and gain are always said, as a server keeps those of the client before; what else
    was not asked for stays as the server was started.

    Args:
        settings: Rate and centre.
        radio: What else to set.
        tuner: The kind that the server named, 0 if it is not known yet.

    Raises:
        UsageError: Something is out of range.
    """
    sent = [_rate(settings)]
    if radio.ppm:
        if radio.ppm != int(radio.ppm):
            raise UsageError(f"--ppm {radio.ppm:g} cannot be kept: rtl_tcp takes whole ppm.")
        sent.append(Setting(PPM, int(radio.ppm), f"{radio.ppm:+g} ppm"))
    if radio.direct_sampling != "off":
        value = {"i": 1, "q": 2}[radio.direct_sampling]
        text = f"direct sampling of {radio.direct_sampling.upper()}"
        sent.append(Setting(DIRECT_SAMPLING, value, text))
    sent += _switches(radio.options)
    # All are checked, as those to hop to must not be refused an hour later.
    sent += [Setting.frequency(center_hz) for center_hz in settings.center_hz][:1]
    sent += gain_settings(radio.gain, tuner)
    if radio.bias_tee:
        sent.append(Setting(BIAS_TEE, 1, "bias tee on"))
    return sent


def _rate(settings: SourceSettings) -> Setting:
    rate_hz = DEFAULT_RATE_HZ if settings.rate_hz is None else float(settings.rate_hz)
    if not any(least <= round(rate_hz) <= most for least, most in _RATES_HZ):
        ranges = " or ".join(f"{least} to {most}" for least, most in _RATES_HZ)
        raise UsageError(f"--rate {rate_hz:.12g} cannot be kept: an RTL-SDR takes {ranges} Hz.")
    return Setting(RATE, round(rate_hz), f"{round(rate_hz) / 1e6:.9g} MS/s")


def gain_of(gain: str, tuner: int) -> Gain:
    """Return what a tuner can be told, and what it was told.

    Args:
        gain: "auto", or dB.
        tuner: The kind that the server named.
    """
    is_auto = gain.strip().lower() == "auto"
    _, least_db, most_db = _TUNERS.get(tuner, ("", *_WIDEST_DB))
    now_db = math.nan if is_auto else float(gain)
    return Gain(is_auto, has_auto=True, stages=(GainStage("", least_db, most_db, 0.1, now_db),))


def gain_settings(gain: str, tuner: int) -> list[Setting]:
    """Return the commands for a gain.

    Args:
        gain: "auto", or dB.
        tuner: The kind that the server named, 0 if it is not known.

    Raises:
        UsageError: It is neither, or out of range.
    """
    if gain.strip().lower() == "auto":
        return [Setting(GAIN_MODE, 0, "automatic gain")]
    name, *limits = _TUNERS.get(tuner, ("an RTL-SDR", *_WIDEST_DB))
    least_db, most_db = limits
    try:
        gain_db = float(gain)
    except ValueError:
        raise UsageError(
            f"--gain {gain} cannot be kept: rtl_tcp takes auto, or one gain in dB."
        ) from None
    if not least_db <= gain_db <= most_db:
        raise UsageError(
            f"--gain {gain} cannot be kept: {name} takes {least_db:g} to {most_db:g} dB, or auto."
        )
    tenths = round(gain_db * 10)
    # The server takes the nearest of the tuner's own steps, and does not say which.
    return [Setting(GAIN_MODE, 1, "gain by hand"), Setting(GAIN, tenths, f"{tenths / 10:g} dB")]


def _switches(options: tuple[str, ...]) -> list[Setting]:
    sent = []
    for text in options:
        name, _, value = text.partition("=")
        if name not in _SWITCHES or value not in ("0", "1"):
            known = ", ".join(f"{known}=0|1" for known in _SWITCHES)
            raise UsageError(f"--device-option {text} is not known to rtl_tcp; there are {known}.")
        state = "on" if value == "1" else "off"
        sent.append(Setting(_SWITCHES[name], int(value), f"{name.replace('_', ' ')} {state}"))
    return sent
