"""What a receiver makes of a plan: noise of its own, artefacts, gain, converter.

The noise has unit power over the whole sampled band before its shape, so its density is
`shape / rate`, whatever the rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

from liveclf.dsp.formats import FORMATS
from liveclf.records import SampleFormat
from liveclf.signals.classes import FAMILY_OF
from liveclf.signals.linear import ComplexArray, phasor
from liveclf.signals.others import white
from liveclf.signals.scene.plan import Planned, free_hz
from liveclf.signals.scene.senders import NARROWEST_HZ, Sending
from liveclf.signals.scene.truth import SHORT_S, Truth

_TAPS = 257  # of the filter that gives the noise its shape
_AUDIBLE = 0.1  # of the largest amplitude: where a burst begins and ends
_NOISE_STEPS = 3.0  # of an 8-bit converter, rms of I or Q, where signals leave the room
_FULLEST = 0.9  # of full scale, the largest sample
# Noise power between two frequencies, Hz from the middle of the band.
Density = Callable[[float, float], float]
NOISE_SHAPES = ("flat", "tilted", "rolled", "rippled", "drawn")


@dataclass(frozen=True)
class Receiver:
    """How a scene is received.

    Attributes:
        rate_hz: Sample rate.
        center_hz: Tuned frequency.
        noise: Shape of the noise over the band: flat; tilted by some dB; rolled, which falls
            at the edges as behind a decimator; rippled; drawn, all of these together.
        dc_db: Constant that is added, power over that of all noise; None for none. It is an
            artefact of the truth.
        image_db: Power of the mirrored band over that of the band, such as -35; None for
            none. Every emission's image is an artefact of the truth.
        spurs: Weak carriers that last, 8 to 20 dB in 2 kHz; artefacts of the truth.
        gain_step_db: Change of the gain in the middle of the scene, 0 for none.
        format: "cu8", "cs16" or "cf32".
    """

    rate_hz: float = 2.4e6
    center_hz: float = 433.92e6
    noise: str = "drawn"
    dc_db: float | None = None
    image_db: float | None = None
    spurs: int = 0
    gain_step_db: float = 0.0
    format: str = "cu8"


@dataclass(frozen=True)
class Scene:
    """A recording and what is in it.

    Attributes:
        iq: Shape (n, 2), dtype `format.dtype`.
        format: How to read it.
        rate_hz: Sample rate.
        center_hz: Tuned frequency.
        truths: In the order of their starts; artefacts last.
    """

    iq: NDArray[Any]
    format: SampleFormat
    rate_hz: float
    center_hz: float
    truths: tuple[Truth, ...]


@dataclass(frozen=True)
class _Heard:
    """A burst among the samples: what is told of it once the noise is known."""

    planned: Planned
    start: int
    stop: int
    power: float
    train: int | None


def receive(planned: Sequence[Planned], duration_s: float, receiver: Receiver, seed: int) -> Scene:
    """Receive what was planned.

    Args:
        planned: The transmitters.
        duration_s: Of the scene.
        receiver: Its properties.
        seed: Of the noise and what else the receiver does.
    """
    rng = np.random.default_rng([seed, 1])
    n, rate_hz = round(duration_s * receiver.rate_hz), receiver.rate_hz
    iq, density = _noise(rng, n, receiver)
    heard: list[_Heard] = []
    for number, one in enumerate(planned):
        heard += _add(iq, one, rate_hz, density, number)
    artefacts = _add_spurs(iq, planned, receiver, density, rng)
    iq = _impaired(iq, receiver, rng)
    level = _level(iq)
    fmt = FORMATS[receiver.format]
    rounding = _rounding_power(fmt) / level**2 / rate_hz
    truths = [_truth_of(one, receiver, density, rounding) for one in heard]
    if receiver.image_db is not None:
        artefacts += [_image(truth, receiver) for truth in truths]
    if receiver.dc_db is not None:
        artefacts.append(_artefact("dc", 0.0, n, receiver, math.inf))
    truths.sort(key=lambda truth: truth.start_sample)
    return Scene(
        _digitised(iq * np.float32(level), fmt),
        fmt,
        rate_hz,
        receiver.center_hz,
        (*truths, *artefacts),
    )


def _noise(rng: np.random.Generator, n: int, receiver: Receiver) -> tuple[ComplexArray, Density]:
    """Make noise, and return what its power between two frequencies is, by its filter."""
    if receiver.noise not in NOISE_SHAPES:
        raise ValueError(f"noise must be one of {', '.join(NOISE_SHAPES)}, got {receiver.noise!r}")
    f = np.fft.fftfreq(_TAPS)
    amplitude = np.ones(_TAPS)
    if receiver.noise in ("tilted", "drawn"):
        amplitude *= 10 ** (rng.uniform(-3, 3) * f / 20)
    if receiver.noise in ("rippled", "drawn"):
        ripple = 2 * np.pi * f * rng.integers(1, 5) + rng.uniform(0, 2 * np.pi)
        amplitude *= 10 ** (rng.uniform(0.3, 1.0) * np.cos(ripple) / 20)
    if receiver.noise in ("rolled", "drawn"):
        corner, order = rng.uniform(0.46, 0.5), rng.integers(4, 17)
        amplitude /= np.sqrt(1 + (np.abs(f) / corner) ** (2 * order))
    taps = np.fft.fftshift(np.fft.ifft(amplitude)) * np.hanning(_TAPS + 2)[1:-1]
    flat = receiver.noise == "flat"
    noise = white(rng, (n if flat else n + _TAPS - 1,))
    if not flat:
        noise = signal.oaconvolve(noise, taps.astype(np.complex64), mode="valid")
    fine = np.fft.fftshift(np.abs(np.fft.fft(taps, 8192)) ** 2) if not flat else np.ones(8192)
    f_hz = np.fft.fftshift(np.fft.fftfreq(8192, 1 / receiver.rate_hz))
    below = np.cumsum(fine) / 8192
    edges_hz = f_hz + receiver.rate_hz / 8192 / 2

    def power(lower_hz: float, upper_hz: float) -> float:
        low, high = np.interp([lower_hz, upper_hz], edges_hz, below)
        return float(high - low)

    return noise.astype(np.complex64), power


def _add(
    iq: ComplexArray, one: Planned, rate_hz: float, density: Density, number: int
) -> list[_Heard]:
    """Add the bursts of a transmitter, each at the SNR that was asked for."""
    burst = _resampled(one.sending, rate_hz)
    level = np.abs(burst)
    audible = np.flatnonzero(level >= _AUDIBLE * level.max())
    first, last = int(audible[0]), int(audible[-1])
    power = float(np.mean(level[first : last + 1] ** 2))
    wanted = 10 ** (one.snr_db / 10) * density(*one.edges_hz) / 0.99
    burst *= np.float32(math.sqrt(wanted / power))
    heard = []
    for start_s in one.starts_s:
        at = round(start_s * rate_hz)
        begin, end = max(at, 0), min(at + len(burst), len(iq))
        t = np.arange(begin, end)
        iq[begin:end] += burst[begin - at : end - at] * phasor(t * (one.carrier_hz / rate_hz))
        start, stop = max(at + first, 0), min(at + last + 1, len(iq))
        train = number if len(one.starts_s) > 1 else None
        heard.append(_Heard(one, start, stop, wanted, train))
    return heard


def _resampled(sending: Sending, rate_hz: float) -> ComplexArray:
    """Bring a burst to the receiver's rate; what that cannot hold is cut off.

    Its ends are silent, so the transform's period does no harm.
    """
    n = fft.next_fast_len(len(sending.iq))
    iq = np.pad(sending.iq, (0, n - len(sending.iq)))
    out: ComplexArray = signal.resample(iq, round(n * rate_hz / sending.rate_hz))
    return out.astype(np.complex64)


def _add_spurs(
    iq: ComplexArray,
    planned: Sequence[Planned],
    receiver: Receiver,
    density: Density,
    rng: np.random.Generator,
) -> list[Truth]:
    found = []
    for _ in range(receiver.spurs):
        at_hz = free_hz(planned, receiver.rate_hz, rng)
        if at_hz is None:
            continue
        snr_db = float(rng.uniform(8, 20))
        noise = density(at_hz - NARROWEST_HZ / 2, at_hz + NARROWEST_HZ / 2)
        amplitude = math.sqrt(noise * 10 ** (snr_db / 10))
        iq += np.float32(amplitude) * phasor(np.arange(len(iq)) * (at_hz / receiver.rate_hz))
        found.append(_artefact("spur", at_hz, len(iq), receiver, snr_db))
    return found


def _impaired(iq: ComplexArray, receiver: Receiver, rng: np.random.Generator) -> ComplexArray:
    if receiver.image_db is not None:
        turn = phasor(rng.random(1))[0]
        iq = iq + np.conj(iq) * (turn * np.float32(10 ** (receiver.image_db / 20)))
    if receiver.dc_db is not None:
        iq += phasor(rng.random(1))[0] * np.float32(10 ** (receiver.dc_db / 20))
    if receiver.gain_step_db:
        iq[len(iq) // 2 :] *= np.float32(10 ** (receiver.gain_step_db / 20))
    return iq


def _level(iq: ComplexArray) -> float:
    """Return what full scale 1 is to be scaled by: noise of a few steps, or less for room."""
    by_noise = _NOISE_STEPS / 127.5 * math.sqrt(2)
    peak = float(np.abs(iq.view(np.float32)).max())
    return min(by_noise, _FULLEST / peak)


def _rounding_power(fmt: SampleFormat) -> float:
    """Return the power that rounding adds, full scale 1: a twelfth of a step squared, twice."""
    return 0.0 if fmt.dtype.kind == "f" else 2 / 12 / fmt.full_scale**2


def _digitised(iq: ComplexArray, fmt: SampleFormat) -> NDArray[Any]:
    parts = np.ascontiguousarray(iq).view(np.float32).reshape(-1, 2)
    if fmt.dtype.kind == "f":
        return parts
    limits = np.iinfo(fmt.dtype)
    steps = np.rint(parts * fmt.full_scale + fmt.offset)
    stored: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(fmt.dtype)
    return stored


def _truth_of(heard: _Heard, receiver: Receiver, density: Density, rounding: float) -> Truth:
    one = heard.planned
    lower_hz, upper_hz = one.edges_hz
    noise = density(lower_hz, upper_hz) + rounding * (upper_hz - lower_hz)
    return Truth(
        start_sample=heard.start,
        stop_sample=heard.stop,
        lower_hz=receiver.center_hz + lower_hz,
        upper_hz=receiver.center_hz + upper_hz,
        label=one.name,
        family=FAMILY_OF[one.name],
        snr_db=10 * math.log10(0.99 * heard.power / noise),
        symbol_rate_hz=one.sending.symbol_rate_hz,
        train=heard.train,
        is_short=heard.stop - heard.start < SHORT_S * receiver.rate_hz,
    )


def _image(truth: Truth, receiver: Receiver) -> Truth:
    assert receiver.image_db is not None
    return Truth(
        truth.start_sample,
        truth.stop_sample,
        2 * receiver.center_hz - truth.upper_hz,
        2 * receiver.center_hz - truth.lower_hz,
        "image",
        "artefact",
        truth.snr_db + receiver.image_db,
        is_artefact=True,
    )


def _artefact(label: str, at_hz: float, n: int, receiver: Receiver, snr_db: float) -> Truth:
    middle_hz = receiver.center_hz + at_hz
    half_hz = NARROWEST_HZ / 2
    return Truth(
        0, n, middle_hz - half_hz, middle_hz + half_hz, label, "artefact", snr_db, is_artefact=True
    )
