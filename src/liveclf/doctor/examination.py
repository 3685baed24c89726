"""All that is looked at, in the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from liveclf import sources
from liveclf.bench.noise import RTL_RATE_HZ
from liveclf.config import DoctorSettings
from liveclf.doctor import drivers, listening, memory, packages, speed, usb
from liveclf.doctor.report import Finding
from liveclf.errors import LiveclfError
from liveclf.sources import isolated

_RING_BYTES_PER_SAMPLE = 4


def examine(settings: DoctorSettings) -> Iterator[Finding]:
    """Look at everything; a fault in one check does not end the others.

    Args:
        settings: What to measure, and which radio to listen to.
    """
    yield from packages.check_packages()
    yield from _check_libraries_and_usb()
    rate_hz = float(settings.source.rate_hz or RTL_RATE_HZ)
    ring_mb = float(settings.radio.buffer_s) * rate_hz * _RING_BYTES_PER_SAMPLE / 1e6
    yield _looked("shared memory", lambda: memory.check_shared_memory(ring_mb))
    yield _looked("memory", lambda: memory.check_memory(ring_mb))
    measure_s = float(settings.doctor.measure_s)
    yield _looked("speed", lambda: speed.check_speed(settings.model, measure_s, rate_hz))
    if settings.radio.device:
        yield _looked(settings.radio.device, lambda: _listen(settings))


def _check_libraries_and_usb() -> Iterator[Finding]:
    outcome = isolated.call("librtlsdr", drivers.RTL_PROBE, limit_s=drivers.LIMIT_S)
    yield drivers.judge_rtl(outcome)
    dongles = usb.find_dongles()
    yield usb.check_dongles(dongles)
    there = dongles or []
    knows_v4 = outcome.value.knows_blog_v4 if outcome.state == "ok" else None
    checks: dict[str, Callable[[], Finding]] = {
        "USB permissions": lambda: usb.check_permissions(there),
        "udev rule": usb.check_rules,
        "kernel module": usb.check_kernel_module,
        "RTL-SDR Blog V4": lambda: usb.check_blog_v4(there, knows_v4),
        "USB memory": lambda: usb.check_usb_memory(len(there)),
    }
    for topic, check in checks.items():
        yield _looked(topic, check)
    soapy = isolated.call("SoapySDR", drivers.SOAPY_PROBE, limit_s=drivers.LIMIT_S)
    yield drivers.judge_soapy(soapy)


def _looked(topic: str, check: Callable[[], Finding]) -> Finding:
    """Return what a check found, or what went wrong with it."""
    try:
        return check()
    except LiveclfError as error:
        return Finding(topic, "fault", str(error))
    except Exception as error:  # such as a package that is installed and does not load
        return Finding(topic, "fault", f"{type(error).__name__}: {error}")


def _listen(settings: DoctorSettings) -> Finding:
    device, listen_s = settings.radio.device, float(settings.doctor.listen_s)
    module = sources.driver_module(device)
    outcome = isolated.call(
        device, listening.PROBE, module, settings.source, settings.radio, listen_s,
        limit_s=listen_s + drivers.LIMIT_S,
    )  # fmt: skip
    return listening.judge(outcome, device, listen_s)
