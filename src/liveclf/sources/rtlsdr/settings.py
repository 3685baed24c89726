"""What the settings want of an RTL-SDR, as far as it can be checked without one."""

from __future__ import annotations

from dataclasses import dataclass

from liveclf.config import RadioSettings, SourceSettings
from liveclf.errors import UsageError

RATES_HZ = ((225_001, 300_000), (900_001, 3_200_000))
"""What the chip can do; in between it sends nonsense."""

RATES = " or ".join(f"{low} to {high}" for low, high in RATES_HZ)
_DEFAULT_RATE_HZ = 2.4e6
SWITCHES = {
    "agc": "set_agc_mode",
    "dithering": "set_dithering",
    "offset_tuning": "set_offset_tuning",
    "test_mode": "set_testmode",
}
"""What --device-option can switch -> the function that does it."""

_OPTIONS = (*(f"{switch}=on|off" for switch in SWITCHES), "library=FILE")


@dataclass(frozen=True)
class Wanted:
    """What the settings ask of an RTL-SDR.

    Attributes:
        rate_hz: Whole samples per second.
        centers_hz: Whole, the first is where to begin; empty in test mode only.
        gain_db: None for automatic.
        ppm: As asked; librtlsdr takes whole ones.
        bandwidth_hz: Of the tuner's filter, None for the library's choice.
        bias_tee: Feed an amplifier through the antenna socket.
        direct: "off", or which converter input is sampled without the tuner.
        switches: From --device-option.
        library: File of the librtlsdr to use, "" to find one.
    """

    rate_hz: int
    centers_hz: tuple[int, ...]
    gain_db: float | None
    ppm: float
    bandwidth_hz: int | None
    bias_tee: bool
    direct: str
    switches: dict[str, bool]
    library: str


def read_settings(settings: SourceSettings, radio: RadioSettings) -> Wanted:
    """Check what can be checked without a radio.

    Raises:
        UsageError: No RTL-SDR can do that.
    """
    for flag, is_wrong, has in (
        ("--format", (settings.format or "cu8").lower() != "cu8", "sends only cu8"),
        ("--antenna", bool(radio.antenna), "has a single antenna socket"),
        ("--channel", radio.channel != 0, "has only channel 0"),
    ):
        if is_wrong:
            raise UsageError(f"{flag} cannot be kept: an RTL-SDR {has}.")
    switches, library = _read_options(radio.options)
    bandwidth_hz = None if radio.bandwidth_hz is None else round(radio.bandwidth_hz)
    if bandwidth_hz is not None and not 0 <= bandwidth_hz < 2**31:
        raise UsageError(f"--bandwidth {bandwidth_hz} is none; give 0 (automatic) to 8000000 Hz.")
    return Wanted(
        rate_hz=_read_rate(settings.rate_hz),
        centers_hz=_read_centers(settings, switches),
        gain_db=_read_gain(radio.gain),
        ppm=radio.ppm,
        bandwidth_hz=bandwidth_hz,
        bias_tee=radio.bias_tee,
        direct=radio.direct_sampling,
        switches=switches,
        library=library,
    )


def _read_rate(rate_hz: float | None) -> int:
    rate = round(_DEFAULT_RATE_HZ if rate_hz is None else rate_hz)
    if not any(low <= rate <= high for low, high in RATES_HZ):
        raise UsageError(f"--rate {rate} is not possible with an RTL-SDR; give {RATES} Hz.")
    return rate


def _read_centers(settings: SourceSettings, switches: dict[str, bool]) -> tuple[int, ...]:
    if not settings.center_hz and not switches.get("test_mode"):
        raise UsageError("An RTL-SDR has to be told what to tune to; give --freq, as 433.92M.")
    centers_hz = tuple(round(center_hz) for center_hz in settings.center_hz)
    for center_hz in centers_hz:
        if not 0 < center_hz < 2**32:  # librtlsdr would take the rest of a division
            raise UsageError(f"--freq {center_hz} is beyond every RTL-SDR; give 1 to 2200000000.")
    return centers_hz


def _read_gain(gain: str) -> float | None:
    if gain.strip().lower() in ("auto", ""):
        return None
    try:
        gain_db = float(gain)
        if abs(gain_db) < 1000:
            return gain_db
    except ValueError:
        pass
    raise UsageError(
        f"--gain {gain} is not understood; an RTL-SDR has one gain: give auto, or dB such as 28.0."
    )


def _read_options(options: tuple[str, ...]) -> tuple[dict[str, bool], str]:
    switches, library = {}, ""
    for option in options:
        key, _, value = option.partition("=")
        if key == "library" and value:
            library = value
        elif key in SWITCHES and value in ("on", "off"):
            switches[key] = value == "on"
        else:
            raise UsageError(
                f"--device-option {option} is not known to an RTL-SDR; "
                f"choose among {', '.join(_OPTIONS)}."
            )
    return switches, library
