"""What only some radios have: SoapySDR's settings by name, such as the bias-tee's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from liveclf.errors import UsageError
from liveclf.sources.soapy.binding import RX

# As the drivers of RTL-SDR and Airspy, SDRplay, HackRF, bladeRF and others name them.
_BIAS_TEE = ("biastee", "biasT_ctrl", "bias_tx", "biastee_rx", "bias_tee", "bias_t")
_SWITCHES = {
    "--bias-tee": (_BIAS_TEE, {"on": "true", "off": "false"}),
    "--direct-sampling": (("direct_samp",), {"off": "0", "i": "1", "q": "2"}),
}
_TRUE, _FALSE = ("true", "1", "on", "yes"), ("false", "0", "off", "no")


@dataclass(frozen=True)
class _Setting:
    """A setting that the device has.

    Attributes:
        info: SoapySDR's description of it.
        at: Where it is: of the whole device (), or of one receiver.
    """

    info: Any
    at: tuple[int, ...]


def write_switch(device: Any, channel: int, option: str, value: str) -> None:
    """Set the bias-tee or direct sampling; off is what a radio without it is.

    Raises:
        UsageError: The device has no such setting.
    """
    keys, words = _SWITCHES[option]
    known = _settings(device, channel)
    key = next((key for key in keys if key in known), None)
    if key is not None:
        if value != "off" or _reads(device, known[key], key) not in ("", words["off"]):
            _write(device, known[key], option, words[value])
    elif value != "off":
        raise UsageError(f"{option} {value}: this radio has no such setting; {_has(known)}.")


def write_option(
    device: Any, channel: int, text: str, stream_arguments: dict[str, str]
) -> list[str]:
    """Set a `--device-option`, or add it to `stream_arguments` where it belongs there.

    Returns:
        A sentence if the device now has another value.

    Raises:
        UsageError: There is no such setting, or the value is not one of its.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise UsageError(f"--device-option {text} is not KEY=VALUE.")
    known = _settings(device, channel)
    option = f"--device-option {key}"
    if key in known:
        real = _write(device, known[key], option, value)
        return [f"The setting {key} is {real}, asked for was {value}."] if real else []
    of_stream = {info.key: info for info in device.getStreamArgsInfo(RX, channel)}
    if key not in of_stream:
        raise UsageError(
            f"{option}={value}: this radio has no such setting; {_has([*known, *of_stream])}."
        )
    stream_arguments[key] = _checked(of_stream[key], option, value)
    return []


def refused(option: str, value: str, error: Exception, allowed: str = "") -> UsageError:
    """Say that the radio's driver would not take a value."""
    why = " ".join(str(error).split()).rstrip(".")
    before = f"this radio has {allowed}, and" if allowed else "the radio"
    return UsageError(f"{option} {value}: {before} refused it: {why}.")


def _settings(device: Any, channel: int) -> dict[str, _Setting]:
    of_channel = {i.key: _Setting(i, (RX, channel)) for i in device.getSettingInfo(RX, channel)}
    return of_channel | {i.key: _Setting(i, ()) for i in device.getSettingInfo()}


def _write(device: Any, setting: _Setting, option: str, value: str) -> str:
    """Set it, and return what it is then if that is another value."""
    key = setting.info.key
    value = _checked(setting.info, option, value)
    try:
        device.writeSetting(*setting.at, key, value)
    except RuntimeError as error:
        raise refused(option, value, error) from None
    real = _reads(device, setting, key)
    return "" if not real or _same(real, value) else real


def _reads(device: Any, setting: _Setting, key: str) -> str:
    """Return its value, empty where the driver does not say."""
    try:
        return str(device.readSetting(*setting.at, key))
    except RuntimeError:
        return ""


def _checked(info: Any, option: str, value: str) -> str:
    """Return the value as the driver wants it written."""
    options = list(info.options)
    if info.type == info.BOOL:
        options, word = ["true", "false"], value.lower()
        value = "true" if word in _TRUE else "false" if word in _FALSE else value
    if options and value not in options:
        raise UsageError(f"{option} {value}: this radio has {', '.join(options)}.")
    if info.type in (info.INT, info.FLOAT):
        _check_number(info, option, value)
    return value


def _check_number(info: Any, option: str, value: str) -> None:
    low, high = info.range.minimum(), info.range.maximum()
    allowed = f"a number from {low:.12g} to {high:.12g}" if low < high else "a number"
    try:
        number = float(value)
    except ValueError:
        raise UsageError(f"{option} {value}: it has to be {allowed}.") from None
    if low < high and not low <= number <= high:
        raise UsageError(f"{option} {value}: it has to be {allowed}.")


def _same(real: str, value: str) -> bool:
    try:
        return float(real) == float(value)
    except ValueError:
        return real.lower() == value.lower()


def _has(keys: Sequence[str] | dict[str, _Setting]) -> str:
    return f"it has {', '.join(keys)}" if keys else "it has none at all"
