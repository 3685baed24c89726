"""Which SoapySDR devices are there, and which one is meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from liveclf.errors import SourceError, UsageError
from liveclf.sources.capture.driver import Found
from liveclf.sources.soapy.binding import RX, load, messages, off_the_screen
from liveclf.sources.soapy.settings import describe, spans

_IDENTITY = ("driver", "remote", "remote:driver", "serial")
"""Enough to name most devices."""


def make(text: str) -> tuple[Any, Any, str, list[str]]:
    """Make the device that `soapy:...` stands for.

    Returns:
        The module SoapySDR, the device, how messages call it, and sentences for the user.

    Raises:
        UsageError: The arguments are malformed, or several devices fit none.
        MissingExtraError: SoapySDR is not installed.
        SourceError: There is none, or it cannot be opened.
    """
    wanted = device_arguments(text)
    soapy = load()
    notes = []
    try:
        found = [dict(kwargs) for kwargs in soapy.Device.enumerate(wanted)]
        if not wanted and len(found) != 1:
            raise _not_one(found)
        if len(found) > 1:
            names = ", ".join(device_strings(found))
            notes.append(f"{text} fits {len(found)} devices, and this is the first of {names}.")
        messages.take()  # the troubles of devices that are not this one
        arguments = {**found[0], **wanted} if found else wanted
        device = soapy.Device(arguments)
        name = _name(device, arguments)
    except RuntimeError as error:
        why = ". ".join([" ".join(str(error).split()).rstrip("."), *messages.take()])
        raise SourceError(
            f"{text} cannot be opened: {why}; `liveclf devices` shows what is there, and each"
            " kind of radio needs its own SoapySDR module, such as soapysdr-module-rtlsdr."
        ) from None
    return soapy, device, name, notes


def find_devices() -> list[Found]:
    """List what SoapySDR finds; opens each for its ranges.

    Raises:
        MissingExtraError: SoapySDR is not installed.
    """
    soapy = load()
    with off_the_screen():
        found = [dict(kwargs) for kwargs in soapy.Device.enumerate({})]
        devices = [
            Found(device, kwargs.get("label") or kwargs.get("driver", ""), _facts(soapy, kwargs))
            for device, kwargs in zip(device_strings(found), found, strict=True)
        ]
    messages.take()
    return devices


def device_strings(found: Sequence[Mapping[str, str]]) -> list[str]:
    """Write for each device what to give as --device; short where that is enough."""
    short = [_device_string(kwargs, _IDENTITY) for kwargs in found]
    count = Counter(short)
    return [
        text
        if count[text] == 1
        else _device_string(kwargs, [*_IDENTITY, *sorted(set(kwargs) - {*_IDENTITY, "label"})])
        for text, kwargs in zip(short, found, strict=True)
    ]


def device_arguments(text: str) -> dict[str, str]:
    """Read `soapy:KEY=VALUE,KEY=VALUE`.

    Raises:
        UsageError: It is something else.
    """
    arguments = {}
    for part in filter(None, text.partition(":")[2].split(",")):
        key, equals, value = (token.strip() for token in part.partition("="))
        if not key or not equals:
            raise UsageError(
                f"--device {text}: {part!r} is not KEY=VALUE; write soapy:driver=NAME,serial=..."
            )
        arguments[key] = value
    return arguments


def _name(device: Any, arguments: Mapping[str, str]) -> str:
    kind = device.getHardwareKey() or device.getDriverKey()
    return f"{kind} {arguments.get('serial', '')}".strip()


def _not_one(found: Sequence[Mapping[str, str]]) -> SourceError | UsageError:
    if found:
        return UsageError(
            f"--device soapy: {len(found)} devices are there; choose one of"
            f" {', '.join(device_strings(found))}."
        )
    return SourceError(
        "SoapySDR finds no device; is it plugged in, and is SoapySDR's module for it installed,"
        " such as soapysdr-module-rtlsdr?"
    )


def _device_string(kwargs: Mapping[str, str], keys: Sequence[str]) -> str:
    # A comma would end the value.
    pairs = [f"{key}={kwargs[key]}" for key in keys if kwargs.get(key) and "," not in kwargs[key]]
    return f"soapy:{','.join(pairs)}"


def _facts(soapy: Any, kwargs: dict[str, str]) -> dict[str, str]:
    facts = {key: value for key, value in kwargs.items() if key not in ("driver", "label")}
    try:
        device = soapy.Device(kwargs)
    except RuntimeError as error:
        return facts | {"state": f"cannot be opened: {' '.join(str(error).split())}"}
    try:
        return facts | _ranges(device)
    except RuntimeError as error:
        return facts | {"state": f"does not answer: {' '.join(str(error).split())}"}
    finally:
        device.close()


def _ranges(device: Any) -> dict[str, str]:
    at = (RX, 0)
    if not device.getNumChannels(RX):
        return {"state": "cannot receive"}
    facts = {
        "receivers": str(device.getNumChannels(RX)),
        "sample rate": describe(spans(device.getSampleRateRange(*at)), "Hz"),
        "frequency": describe(spans(device.getFrequencyRange(*at)), "Hz"),
        "bandwidth": describe(spans(device.getBandwidthRange(*at)), "Hz"),
        "gain": describe(spans([device.getGainRange(*at)]), "dB"),
        "antennas": ", ".join(device.listAntennas(*at)),
        "settings": ", ".join(info.key for info in device.getSettingInfo()),
    }
    for stage in device.listGains(*at):
        facts[f"gain {stage}"] = describe(spans([device.getGainRange(*at, stage)]), "dB")
    return {key: value for key, value in facts.items() if value}
