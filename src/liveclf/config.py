"""Typed settings: every option of every command, with its default, once.

Order: the defaults here < a TOML file (`--config`) < the flags. The command line
is built from these classes (`cli.options`), so a flag's help, type and default
are the ones below. An unknown key, a wrong type or a value out of range is a
`UsageError` that names the key and the value.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from liveclf.errors import UsageError

_MOST = 4096  # windows at once, or threads
_SI = {"": 0, "k": 3, "m": 6, "g": 9}
_QUANTITY = re.compile(
    r"([-+]?(?:\d+(?:_\d+)*\.?\d*|\.\d+))(?:e([-+]?\d{1,4}))?\s*([kmg]?)(?:hz|sps)?", re.IGNORECASE
)
_NUMBER = r"(\d+\.?\d*|\.\d+)"
_DURATION = re.compile(rf"(?:{_NUMBER}h)?(?:{_NUMBER}m(?!s))?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?")


class Hertz(float):
    """A frequency or rate in Hz; as text also 433.92M, 250k, 1.2GHz, 433e6."""

    @classmethod
    def parse(cls, value: Any) -> Hertz:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither.
        """
        return cls(_quantity(value, "a frequency such as 433.92M, 250k or 433920000"))


class Seconds(float):
    """A duration in seconds; as text also 1h23m, 90s, 250ms."""

    @classmethod
    def parse(cls, value: Any) -> Seconds:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither, or negative.
        """
        wanted = "a duration such as 2.5, 250ms or 1h23m"
        if isinstance(value, str):
            text = value.strip().lower()
            if text and (match := _DURATION.fullmatch(text)):
                parts = (float(part or 0) for part in match.groups())
                value = sum(n * s for n, s in zip(parts, (3600, 60, 1, 1e-3), strict=True))
            else:
                try:
                    value = float(text)
                except ValueError:
                    raise ValueError(wanted) from None
        seconds = _finite(value, wanted)
        if seconds < 0:
            raise ValueError(wanted)
        return cls(seconds)


class Count(int):
    """A number of samples; as text also 250k, 1e6, 2M."""

    @classmethod
    def parse(cls, value: Any) -> Count:
        """Read a number or its text form.

        Raises:
            ValueError: It is neither, or not a positive whole number.
        """
        wanted = "a count such as 100000, 250k or 1e6"
        number = _quantity(value, wanted)
        if number != int(number) or number < 1:
            raise ValueError(wanted)
        return cls(number)


class Auto(int):
    """A number of at least 1; 0, as text auto, for what a measurement finds best."""

    @classmethod
    def parse(cls, value: Any) -> Auto:
        """Read a number or "auto".

        Raises:
            ValueError: It is neither.
        """
        wanted = f"a number up to {_MOST}, or auto"
        number = 0.0 if value == "auto" else _quantity(value, wanted)
        if number != int(number) or not 0 <= number <= _MOST:
            raise ValueError(wanted)
        return cls(number)

    def __str__(self) -> str:
        return f"{int(self)}" if self else "auto"


def _quantity(value: Any, wanted: str) -> float:
    """Read a number, or a text with an SI prefix and a unit."""
    if isinstance(value, str):
        if not (match := _QUANTITY.fullmatch(value.strip())):
            raise ValueError(wanted)
        # Through the exponent, so that 1.001k is 1001 and not 1000.9999999999999.
        exponent = int(match[2] or 0) + _SI[match[3].lower()]
        value = float(f"{match[1]}e{exponent}")
    return _finite(value, wanted)


def _finite(value: Any, wanted: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(wanted)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(wanted)
    return number


# Of a message such as: Expected `str`, got `int` - at `$.output.to[0]`
_KEY = re.compile(r"\w+")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")

_PARSED = (Hertz, Seconds, Count, Auto)

# The upper limit keeps sample indices within 64 bits; it is days of any stream.
Samples = Annotated[int, Meta(ge=1, le=2**40)]
Retries = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Decibels = Annotated[float, Meta(gt=0, le=400)]
Level = Annotated[float, Meta(ge=-400, le=100)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of a configuration file."""


def option(text: str, *flags: str, metavar: str = "", alone: str = "", **limits: Any) -> Meta:
    """Describe a setting: its help, its flags and its limits (ge, gt, le, ...).

    Args:
        text: The help.
        flags: None for a positional argument.
        metavar: What stands for the value.
        alone: The value of a flag that is given without one; none: it needs one.
        limits: See `msgspec.Meta`.
    """
    extra = {"flags": flags, "metavar": metavar, "alone": alone}
    return Meta(description=text, extra=extra, **limits)


# What settings may say that are one name of a few.
RECIPES = ("ours", "as-posted")
MIXED = ("auto", "on", "off")
ON_STUCK = ("stop", "warn")
SOCKETS = ("pub", "push")
DIRECT_SAMPLING = ("off", "i", "q")
SAMPLE_TYPES = ("float32", "float16")
WHEN_SLOW = ("auto", "drop-oldest", "stride", "block")
DETAILS = ("none", "jsonl", "csv")


def _one_of(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{key} {value!r} is not known, choose one of {', '.join(known)}")


# One setting a line reads as the table it is.
# fmt: off
class SourceSettings(Section, frozen=True):
    """Where the samples come from."""

    path: Annotated[str, option("recording to replay, - for standard input; none: the one in the package")] = ""
    format: Annotated[str | None, option("sample format, over ending and header", "--format", metavar="cu8|cs16|...")] = None
    rate_hz: Annotated[Hertz | None, option("sample rate, over file name and header", "--rate", "-s", metavar="HZ")] = None
    center_hz: Annotated[tuple[Hertz, ...], option("centre frequency, over file name and header; a radio hops over several", "--freq", "-f", metavar="HZ")] = ()
    start_s: Annotated[Seconds, option("begin this far into the recording", "--start", metavar="TIME")] = Seconds(0)
    duration_s: Annotated[Seconds | None, option("end after this much of the recording", "--duration", "-T", metavar="TIME")] = None
    samples: Annotated[Count | None, option("end after this many samples", "-n", "--samples", metavar="N")] = None
    loop: Annotated[bool, option("begin again at the end, until -n or --duration, else for ever", "--loop")] = False
    realtime: Annotated[bool, option("deliver samples at the recording's rate, like a radio", "--realtime")] = False
    decimate: Annotated[int, option("low-pass and keep one sample of N; positions then count those kept", "--decimate", metavar="N", ge=1, le=4096)] = 1
    checksum: Annotated[bool, option("verify the SHA-512 of a SigMF recording before replaying it", "--checksum")] = True


class RadioSettings(Section, frozen=True):
    """Which radio or server, and how it is set; what is not said is left to the device."""

    device: Annotated[str, option("rtlsdr[:SERIAL|INDEX], soapy:driver=..., rtltcp://HOST:PORT, zmq://HOST:PORT", "--device", "-d", metavar="NAME|URI")] = ""
    gain: Annotated[str, option("auto, dB, or dB per stage as LNA=20,VGA=8", "--gain", "-g", metavar="DB")] = "auto"
    ppm: Annotated[float, option("correction of the radio's crystal", "--ppm", metavar="PPM", ge=-1000, le=1000)] = 0.0
    bandwidth_hz: Annotated[Hertz | None, option("of the filter before the converter; none: the radio's choice", "--bandwidth", metavar="HZ")] = None
    antenna: Annotated[str, option("name of the input", "--antenna", metavar="NAME")] = ""
    channel: Annotated[int, option("receiver of a radio with several", "--channel", metavar="N", ge=0)] = 0
    bias_tee: Annotated[bool, option("feed an amplifier through the antenna socket", "--bias-tee")] = False
    direct_sampling: Annotated[str, option("below the tuner's range: off, i or q, the input of the converter", "--direct-sampling", metavar="NAME")] = "off"
    offset_hz: Annotated[Hertz, option("tune so far beside the centre and shift back, away from the spike at 0 Hz", "--offset", metavar="HZ")] = Hertz(0)
    options: Annotated[tuple[str, ...], option("a setting by the name that the driver gives it, may be given several times", "--device-option", metavar="KEY=VALUE")] = ()
    dwell_s: Annotated[Seconds, option("how long at each of several --freq", "--dwell", metavar="TIME")] = Seconds(1)
    buffer_s: Annotated[Seconds, option("signal kept for a classifier that is late; then the oldest goes, counted", "--buffer", metavar="TIME")] = Seconds(2)
    max_retries: Annotated[Retries | None, option("how often a device that is gone is looked for again; none: for ever", "--max-retries", metavar="N")] = None

    def __post_init__(self) -> None:
        """Refuse what no radio can keep."""
        _one_of("direct_sampling", self.direct_sampling, DIRECT_SAMPLING)
        if self.dwell_s <= 0:
            raise ValueError(f"dwell_s {self.dwell_s:g} is no time to listen; give a longer one")
        if not 0.1 <= self.buffer_s <= 60:
            raise ValueError(f"buffer_s {self.buffer_s:g} is not between 0.1 and 60")


class WindowSettings(Section, frozen=True):
    """How the stream is cut."""

    hop: Annotated[Samples | None, option("samples from one window to the next; none: the window length", "--hop", metavar="N")] = None


class DetectSettings(Section, frozen=True):
    """What counts as an emission."""

    wanted: Annotated[bool, option("find the signals in the band and label each; off: label windows of the whole band", "--detect")] = True
    min_snr_db: Annotated[float, option("weaker ones, by power over noise power in their own band, are left out, counted", "--min-snr", metavar="DB", ge=-20, le=60)] = 3.0
    gap_s: Annotated[Seconds, option("pauses up to this long are part of an emission", "--gap", metavar="TIME")] = Seconds(0.012)
    report_s: Annotated[Seconds, option("an emission that lasts is told this often", "--report", metavar="TIME")] = Seconds(1)

    def __post_init__(self) -> None:
        """Refuse a pause as long as a recording."""
        if self.gap_s > 2:
            raise ValueError(f"gap_s {self.gap_s:g} is more than 2 s; give a shorter pause")


_MAX_LATE_S = Seconds(0.5)


class ModelSettings(Section, frozen=True):
    """Which network, and how it runs."""

    bundle: Annotated[str, option("name of a bundle in the package, or a bundle folder", "--model", "-m", metavar="NAME|DIR")] = "auto"
    engine: Annotated[str, option("what runs the network: auto, onnx or keras", "--engine", metavar="NAME")] = "auto"
    precision: Annotated[str, option("which weights and arithmetic: auto, fp32, int8 (onnx) or mixed (keras: convolutions in half precision)", "--precision", metavar="NAME")] = "auto"
    threads: Annotated[Auto, option("threads of the engine; auto: measured once, what is fastest", "--threads", metavar="N|auto")] = Auto(0)
    batch: Annotated[Auto, option("most windows per call of the network; auto: likewise", "--batch", metavar="N|auto")] = Auto(0)
    max_age_s: Annotated[Seconds, option("how long a live window waits for its batch to fill when no more are waiting", "--max-age", metavar="TIME")] = Seconds(0)
    when_slow: Annotated[str, option("what gives when the network cannot keep up: stride (evenly spaced windows are left out), drop-oldest (those later than --max-late), block (a recording or a pipe waits), auto (stride for a radio, else block)", "--when-slow", metavar="NAME")] = "auto"
    max_late_s: Annotated[Seconds, option("live windows that are later than this are left out, counted", "--max-late", metavar="TIME")] = _MAX_LATE_S

    def __post_init__(self) -> None:
        """Refuse a policy that there is not, and a limit that it would not keep."""
        _one_of("when_slow", self.when_slow, WHEN_SLOW)
        if self.when_slow == "block" and self.max_late_s != _MAX_LATE_S:
            raise ValueError(
                f"max_late_s {self.max_late_s:g} leaves windows out and when_slow 'block' leaves"
                " out none; give one of them"
            )


class OutputSettings(Section, frozen=True):
    """What is written, and where."""

    to: Annotated[tuple[str, ...], option("KIND[:FILE], may be given several times; auto: a table on a terminal, JSON lines into a pipe", "--output", "-o", metavar="KIND[:FILE]")] = ("auto",)
    top_k: Annotated[int, option("classes listed per record", "--top-k", metavar="K", ge=1, le=100)] = 3
    min_probability: Annotated[Probability | None, option("below this the label is 'unknown'; none: the bundle's own", "--min-probability", metavar="P")] = None
    stats_s: Annotated[Seconds, option("statistics line on stderr this often; 0: only the summary", "--stats", metavar="TIME")] = Seconds(0)
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False
    plot: Annotated[str, option("draw a spectrogram of the run with its emissions, as PNG", "--plot", metavar="OUT.png")] = ""
    save_unknown: Annotated[str, option("keep the IQ of what is not recognised, emissions or windows, as SigMF in this folder", "--save-unknown", metavar="DIR")] = ""
    save_unknown_bytes: Annotated[Count, option("most that this folder may hold; then no more is kept, counted", "--save-unknown-max", metavar="BYTES")] = Count(1_000_000_000)


DEFAULT_WEB = "127.0.0.1:8433"


class WebSettings(Section, frozen=True):
    """The page that shows the band, the emissions and the figures in a browser."""

    at: Annotated[str, option(f"serve a page to watch the run in a browser; alone: at {DEFAULT_WEB}", "--web", metavar="[HOST:]PORT", alone=DEFAULT_WEB)] = ""
    token: Annotated[str, option("what the page asks for where it is served to other machines; none: a new one each time", "--web-token", metavar="TEXT")] = ""
    relabelled: Annotated[str, option("keep emissions whose label is corrected on the page, as SigMF in this folder", "--relabelled", metavar="DIR")] = ""
    keep_bytes: Annotated[Count, option("memory for the samples of emissions that can be looked at and downloaded", "--web-keep", metavar="BYTES")] = Count(256_000_000)

    def __post_init__(self) -> None:
        """Refuse what there is no page for, and a token that can be guessed."""
        for key, value in (("token", self.token), ("relabelled", self.relabelled)):
            if value and not self.at:
                raise ValueError(f"{key} {value!r} is of the page, and none is served; give --web")
        if self.token and not re.fullmatch(r"[\w.~-]{16,128}", self.token, re.ASCII):
            raise ValueError("token is not 16 to 128 letters, digits and .~_-")


class StreamSettings(Section, frozen=True):
    """One of several streams; in a file, what it does not say is as in [source] and [radio]."""

    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()


class RunSettings(Section, frozen=True):
    """Everything `liveclf run` can be told; `source` and `radio`, or else several `streams`."""

    streams: tuple[StreamSettings, ...] = ()
    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()
    detect: DetectSettings = DetectSettings()
    window: WindowSettings = WindowSettings()
    model: ModelSettings = ModelSettings()
    output: OutputSettings = OutputSettings()
    web: WebSettings = WebSettings()

    def __post_init__(self) -> None:
        """Refuse a page of emissions where none are looked for."""
        if self.web.at and not self.detect.wanted:
            raise ValueError(
                f"web.at {self.web.at} (--web) shows emissions, and none are looked for"
                " (--no-detect); leave out one of them"
            )


class RecordingSettings(Section, frozen=True):
    """How a recording is written."""

    overwrite: Annotated[bool, option("replace a recording that is there", "--overwrite", "--force")] = False
    description: Annotated[str, option("what it is, kept in the recording", "--description", metavar="TEXT")] = ""
    author: Annotated[str, option("who made it, kept in the recording", "--author", metavar="TEXT")] = ""
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False


class RecordSettings(Section, frozen=True):
    """Everything `liveclf record` can be told."""

    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()
    record: RecordingSettings = RecordingSettings()


class PictureSettings(Section, frozen=True):
    """What a spectrogram looks like."""

    size: Annotated[str, option("of the picture, in pixels", "--size", metavar="WxH")] = "1280x720"
    bins: Annotated[Auto, option("bins of frequency; auto: as many as the picture and the length of the recording bear", "--bins", metavar="N|auto")] = Auto(0)
    range_db: Annotated[Decibels | None, option("from the darkest to the brightest; none: from the noise to the strongest", "--db-range", metavar="DB")] = None
    floor_dbfs: Annotated[Level | None, option("level of the darkest; none: a little under the noise", "--db-floor", metavar="DBFS")] = None

    def __post_init__(self) -> None:
        """Refuse a size that is none, and too few bins for a spectrum."""
        self.pixels()
        if 0 < self.bins < 16:
            raise ValueError(f"bins {self.bins} is less than 16")

    def pixels(self) -> tuple[int, int]:
        """Return width and height.

        Raises:
            ValueError: They are no WxH, or too small or too large to draw.
        """
        width, _, height = self.size.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise ValueError(f"size {self.size!r} is no WxH such as 1280x720")
        if not (480 <= int(width) <= 4096 and 320 <= int(height) <= 4096):
            raise ValueError(f"size {self.size} is not between 480x320 and 4096x4096")
        return int(width), int(height)


class BoxSettings(Section, frozen=True):
    """What `liveclf plot` writes, and what it draws boxes around."""

    output: Annotated[str, option("the picture to write; none: NAME.png in this folder, after the recording", "--output", "-o", metavar="OUT.png")] = ""
    emissions: Annotated[str, option("draw these, as liveclf run -o jsonl:FILE wrote them", "--emissions", metavar="FILE")] = ""
    annotations: Annotated[bool, option("draw what the recording says itself, dashed", "--annotations")] = False
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False


class PlotSettings(Section, frozen=True):
    """Everything `liveclf plot` can be told."""

    source: SourceSettings = SourceSettings()
    boxes: BoxSettings = BoxSettings()
    detect: DetectSettings = DetectSettings()
    model: ModelSettings = ModelSettings()
    picture: PictureSettings = PictureSettings()


class ListingSettings(Section, frozen=True):
    """How devices are listed."""

    json: Annotated[bool, option("as JSON", "--json")] = False
    limit_s: Annotated[Seconds, option("longest wait for each driver", "--limit", metavar="TIME")] = Seconds(15)


class DevicesSettings(Section, frozen=True):
    """Everything `liveclf devices` can be told."""

    devices: ListingSettings = ListingSettings()


class CheckSettings(Section, frozen=True):
    """What `liveclf doctor` looks at, and how it tells."""

    json: Annotated[bool, option("as JSON", "--json")] = False
    measure_s: Annotated[Seconds, option("how long the speed of the network is measured; 0: not at all", "--measure", metavar="TIME")] = Seconds(3)
    listen_s: Annotated[Seconds, option("how long --device is listened to for lost samples", "--listen", metavar="TIME")] = Seconds(10)


class DoctorSettings(Section, frozen=True):
    """Everything `liveclf doctor` can be told."""

    doctor: CheckSettings = CheckSettings()
    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()
    model: ModelSettings = ModelSettings()


class MeasuringSettings(Section, frozen=True):
    """What `liveclf bench` measures on, for how long, and how it tells."""

    part_s: Annotated[Seconds, option("how long each of the three parts is measured", "--seconds", metavar="TIME")] = Seconds(5)
    format: Annotated[str, option("sample format", "--format", metavar="cu8|cs16|...")] = "cu8"
    paced_hz: Annotated[Hertz | None, option("sample rate at which the latency is measured; none: 2.4M, or nine tenths of what this machine keeps up with", "--rate", "-s", metavar="HZ")] = None
    json: Annotated[bool, option("as JSON", "--json")] = False

    def __post_init__(self) -> None:
        """Refuse what takes no time."""
        if not 0 < self.part_s <= 600:
            raise ValueError(f"part_s {self.part_s:g} is not above 0 and at most 600")
        if self.paced_hz is not None and not 1e3 <= self.paced_hz <= 1e9:
            raise ValueError(f"paced_hz {self.paced_hz:g} is not between 1k and 1G")


class BenchSettings(Section, frozen=True):
    """Everything `liveclf bench` can be told."""

    bench: MeasuringSettings = MeasuringSettings()
    model: ModelSettings = ModelSettings()


class SendSettings(Section, frozen=True):
    """Where `liveclf publish` sends to, and how."""

    to: Annotated[str, option("address of ZeroMQ's to wait at for receivers; tcp://0.0.0.0:5555 for those on other machines", "--to", metavar="ADDRESS")] = "tcp://127.0.0.1:5555"
    socket: Annotated[str, option("pub: to all who listen, or push: each message to one", "--socket", metavar="NAME")] = "pub"
    connect: Annotated[bool, option("connect to a receiver that waits, instead of waiting", "--connect")] = False
    tags: Annotated[bool, option("GNU Radio's tag headers, so that losses, rate and centre are known", "--tags")] = True
    key: Annotated[str, option("in front of each message, for receivers of several streams", "--key", metavar="KEY")] = ""
    native: Annotated[bool, option("samples in the format of the source; else as cf32, GNU Radio's complex", "--native")] = False
    stats_s: Annotated[Seconds, option("statistics line on stderr this often; 0: only the summary", "--stats", metavar="TIME")] = Seconds(0)
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False

    def __post_init__(self) -> None:
        """Refuse a kind of socket that there is not."""
        _one_of("socket", self.socket, SOCKETS)


class PublishSettings(Section, frozen=True):
    """Everything `liveclf publish` can be told."""

    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()
    publish: SendSettings = SendSettings()


class NetworkSettings(Section, frozen=True):
    """The network to train."""

    preset: Annotated[str, option("vgg16, vgg16-slim or vgg16-classic", "--preset", metavar="NAME")] = "vgg16-slim"
    width: Annotated[Share | None, option("channels over those of VGG16; none: the preset's own", "--width", metavar="W")] = None
    start: Annotated[str, option("bundle whose weights to begin with; none: random ones", "--from", metavar="NAME|DIR")] = ""
    recipe: Annotated[str, option("how it is built and trained: ours, or as-posted, the question's network with its own faults", "--recipe", metavar="NAME")] = "ours"

    def __post_init__(self) -> None:
        """Refuse a recipe that there is not."""
        _one_of("recipe", self.recipe, RECIPES)


class FitSettings(Section, frozen=True):
    """How it is trained."""

    steps: Annotated[int, option("optimiser steps in all", "--steps", metavar="N", ge=1)] = 9000
    batch: Annotated[int, option("windows per step", "--batch", metavar="N", ge=2)] = 128
    epoch_steps: Annotated[int, option("steps between checkpoints", "--epoch-steps", metavar="N", ge=1)] = 500
    learning_rate: Annotated[float, option("peak learning rate", "--lr", metavar="LR", gt=0)] = 1.5e-3
    warmup_steps: Annotated[int, option("steps of linear warm-up", "--warmup", metavar="N", ge=0)] = 300
    weight_decay: Annotated[float, option("of AdamW", "--weight-decay", metavar="WD", ge=0)] = 1e-3
    clip_norm: Annotated[float, option("largest norm of a step's gradient", "--clip-norm", metavar="C", gt=0)] = 1.0
    label_smoothing: Annotated[float, option("share of the label spread over all classes", "--label-smoothing", metavar="E", ge=0, lt=1)] = 0.02
    seed: Annotated[int, option("seed of data and weights", "--seed", metavar="N", ge=0)] = 1
    average: Annotated[float, option("momentum of the average of the weights, which the bundle gets; 0: none", "--average", metavar="M", ge=0, lt=1)] = 0.999
    freeze: Annotated[bool, option("train the dense layers alone, on what the convolutions of --from make of --pool windows", "--freeze")] = False
    patience: Annotated[int, option("epochs without a better loss on held-out windows before the training ends with the best; 0: never", "--patience", metavar="N", ge=0)] = 0
    mixed: Annotated[str, option("half precision where it does no harm: auto (on a GPU), on or off", "--mixed", metavar="NAME")] = "auto"
    tensorboard: Annotated[bool, option("logs for TensorBoard in the folder of the run", "--tensorboard")] = False
    error_share: Annotated[float, option("how often a label may be wrong on held-out windows; improbable ones become 'unknown'", "--error-share", metavar="S", ge=0, le=1)] = 0.2
    noise_share: Annotated[float, option("how often noise alone may get another label in the bundle, whatever that costs signals like it; 1: as it was trained", "--noise-share", metavar="S", ge=0, le=1)] = 0.005
    on_stuck: Annotated[str, option("when the network does not learn: stop or warn", "--on-stuck", metavar="NAME")] = "stop"

    def __post_init__(self) -> None:
        """Refuse a name that there is not."""
        _one_of("mixed", self.mixed, MIXED)
        _one_of("on_stuck", self.on_stuck, ON_STUCK)


class DataSettings(Section, frozen=True):
    """What it is trained on."""

    file: Annotated[str, option("HDF5 of labelled windows to train on; none: generated ones", "--data", metavar="FILE")] = ""
    class_file: Annotated[str, option("names of its classes, one a line or a JSON list; none: those in the HDF5", "--classes", metavar="FILE")] = ""
    test_share: Annotated[float, option("share of the file kept for a test", "--test-share", metavar="S", gt=0, lt=1)] = 0.15
    validation_share: Annotated[float, option("share of what the test leaves, to validate on", "--validation-share", metavar="S", gt=0, lt=1)] = 0.15
    snr_min_db: Annotated[float, option("lowest SNR made", "--snr-min", metavar="DB")] = -6.0
    snr_max_db: Annotated[float, option("highest SNR made", "--snr-max", metavar="DB")] = 30.0
    pool_windows: Annotated[int, option("windows kept in memory", "--pool", metavar="N", ge=1024)] = 131072
    reuse: Annotated[float, option("how often a window is seen before it is replaced by a new one", "--reuse", metavar="R", ge=1)] = 3.0
    workers: Annotated[int, option("processes that make windows", "--workers", metavar="N", ge=1)] = 1
    heldout_windows: Annotated[int, option("most windows for validation and calibration, of another seed or of the file's validation share", "--heldout", metavar="N", ge=512)] = 6000

    def __post_init__(self) -> None:
        """Refuse a range of SNR that is upside down, and names of classes for no file."""
        if self.class_file and not self.file:
            raise ValueError(f"class_file {self.class_file} names classes of no file")
        if self.snr_min_db > self.snr_max_db:
            raise ValueError(
                f"snr_min_db {self.snr_min_db:g} is above snr_max_db {self.snr_max_db:g}"
            )


class TrainSettings(Section, frozen=True):
    """What a training run depends on."""

    network: NetworkSettings = NetworkSettings()
    fit: FitSettings = FitSettings()
    data: DataSettings = DataSettings()


class ClusterSettings(Section, frozen=True):
    """Which of several machines that train together this one is; no part of a run."""

    address: Annotated[str, option("train together with other machines, which meet at this address of machine 0; the port after it has to be free too", "--cluster", metavar="HOST:PORT")] = ""
    rank: Annotated[int, option("number of this machine; 0 writes the run", "--rank", metavar="R", ge=0)] = 0
    machines: Annotated[int, option("how many train together", "--machines", metavar="N", ge=1)] = 1
    wait_s: Annotated[Seconds, option("how long machines wait for each other at the beginning", "--cluster-wait", metavar="TIME")] = Seconds(600)

    def __post_init__(self) -> None:
        """Refuse numbers that do not fit together, and half an address."""
        if self.rank >= self.machines:
            raise ValueError(f"rank {self.rank} is none of {self.machines} machines, which count from 0")
        if bool(self.address) != (self.machines > 1):
            raise ValueError(f"machines {self.machines} and cluster {self.address or 'nowhere'} do not fit: give both, and two machines or more")
        if self.address:
            self.at()

    def at(self) -> tuple[str, int]:
        """Return host and port.

        Raises:
            ValueError: It is no such address.
        """
        name, _, port = self.address.rpartition(":")
        if not name or not port.isdecimal() or not 0 < int(port) < 65535:
            raise ValueError(f"cluster {self.address} is no HOST:PORT")
        return name, int(port)


class TogetherSettings(Section, frozen=True):
    """What `liveclf train` can be told of other machines."""

    cluster: ClusterSettings = ClusterSettings()


class SynthDataSettings(Section, frozen=True):
    """What `liveclf synth` puts into a data set."""

    windows: Annotated[Count, option("windows in all", "--windows", "-n", metavar="N")] = Count(102_400)
    seed: Annotated[int, option("seed of the data set; none shares a window with a training run", "--seed", metavar="N", ge=0)] = 1
    snr_min_db: Annotated[float, option("lowest SNR made", "--snr-min", metavar="DB", ge=-100, le=100)] = DataSettings().snr_min_db
    snr_max_db: Annotated[float, option("highest SNR made", "--snr-max", metavar="DB", ge=-100, le=100)] = DataSettings().snr_max_db
    snr_step_db: Annotated[float, option("only the lowest SNR and each so much above it; 0: any SNR in between", "--snr-step", metavar="DB", ge=0)] = 0.0
    classes: Annotated[str, option("only these classes, in this order, with commas; none: all", "--classes-only", metavar="A,B,C")] = ""
    dtype: Annotated[str, option("type of the samples, float32 or float16", "--dtype", metavar="TYPE")] = "float32"

    def __post_init__(self) -> None:
        """Refuse a range of SNR that is upside down, and a type that is not written."""
        if self.snr_min_db > self.snr_max_db:
            raise ValueError(
                f"snr_min_db {self.snr_min_db:g} is above snr_max_db {self.snr_max_db:g}"
            )
        _one_of("dtype", self.dtype, SAMPLE_TYPES)


class WorkSettings(Section, frozen=True):
    """How `liveclf synth` makes it; no bit of the data depends on this."""

    workers: Annotated[int, option("processes that make windows; 0: one a core", "--workers", metavar="N", ge=0)] = 0


class SynthSettings(Section, frozen=True):
    """Everything `liveclf synth` can be told."""

    data: SynthDataSettings = SynthDataSettings()
    work: WorkSettings = WorkSettings()


class ScanSourceSettings(Section, frozen=True):
    """What `liveclf scan` reads; each setting counts for every recording."""

    paths: Annotated[tuple[str, ...], option("recordings, and folders that are searched for them")] = ()
    format: Annotated[str | None, option("sample format, over ending and header", "--format", metavar="cu8|cs16|...")] = None
    rate_hz: Annotated[Hertz | None, option("sample rate, over file name and header", "--rate", "-s", metavar="HZ")] = None
    start_s: Annotated[Seconds, option("begin this far into each recording", "--start", metavar="TIME")] = SourceSettings().start_s
    duration_s: Annotated[Seconds | None, option("end after this much of each recording", "--duration", "-T", metavar="TIME")] = None
    decimate: Annotated[int, option("low-pass and keep one sample of N; positions then count those kept", "--decimate", metavar="N", ge=1, le=4096)] = SourceSettings().decimate
    checksum: Annotated[bool, option("verify the SHA-512 of a SigMF recording before it is read", "--checksum")] = SourceSettings().checksum


class ScanResultSettings(Section, frozen=True):
    """What `liveclf scan` writes."""

    output: Annotated[str, option("folder of the results; what is done there is not done again", "--output", "-o", metavar="DIR")] = ""
    details: Annotated[str, option("a file of records for each recording as well: none, jsonl or csv", "--details", metavar="KIND")] = "none"
    top_k: Annotated[int, option("classes listed per recording and per record", "--top-k", metavar="K", ge=1, le=100)] = OutputSettings().top_k
    min_probability: Annotated[Probability | None, option("below this the label is 'unknown'; none: the bundle's own", "--min-probability", metavar="P")] = None
    overwrite: Annotated[bool, option("label everything anew, whatever the folder holds", "--overwrite")] = False

    def __post_init__(self) -> None:
        """Refuse a kind of details that there is not."""
        _one_of("details", self.details, DETAILS)


class ScanWorkSettings(Section, frozen=True):
    """How `liveclf scan` works; no bit of the results depends on this."""

    workers: Annotated[int, option("processes that label, each with an engine of its own; 0: one a core, of the cluster if there is one", "--workers", metavar="N", ge=0)] = 0
    cluster: Annotated[str, option("address of a Ray cluster, or local for one on this machine; none: processes of our own", "--cluster", metavar="ADDRESS|local")] = ""
    stats_s: Annotated[Seconds, option("where no terminal shows progress, a line of it this often; 0: only the summary", "--stats", metavar="TIME")] = Seconds(30)
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False


class ScanSettings(Section, frozen=True):
    """Everything `liveclf scan` can be told."""

    source: ScanSourceSettings = ScanSourceSettings()
    window: WindowSettings = WindowSettings()
    model: ModelSettings = ModelSettings()
    results: ScanResultSettings = ScanResultSettings()
    work: ScanWorkSettings = ScanWorkSettings()


# fmt: on

SettingsT = TypeVar("SettingsT", bound=Section)


def load(cls: type[SettingsT], file: Path | None, flags: dict[str, Any]) -> SettingsT:
    """Merge defaults, file and flags.

    Args:
        cls: The settings class of the command.
        file: TOML file, or None.
        flags: Nested values from the command line, already of the right type.

    Raises:
        UsageError: The file is not there or not TOML, a key is unknown, a value
            has the wrong type or is out of range.
    """
    values: dict[str, Any] = {}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"Configuration {file} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"Configuration {file} is not valid TOML: {error}.") from None
        _convert(values, cls, f" in {file}")  # so that a fault in it is not blamed on a flag
    merged = _merge(values, flags)
    settings = _convert(merged, cls, "")
    if merged.get("streams"):
        return _convert(_apart(merged, flags), cls, "")
    return settings


def to_toml(settings: Section) -> str:
    """Write settings as a file that `load` reads back; unset options are left out."""
    import tomli_w

    return tomli_w.dumps(_without_none(msgspec.to_builtins(settings, enc_hook=_plain)))


def parse_value(text: str, kind: Any) -> Any:
    """Read one value from the command line.

    Args:
        text: What the user typed.
        kind: The annotated type of the field.

    Raises:
        ValueError: It does not fit; the message says what is wanted.
    """
    try:
        return msgspec.convert(text, kind, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ValueError(_lower_first(str(error))) from None


def _convert(values: dict[str, Any], cls: type[SettingsT], where: str) -> SettingsT:
    try:
        return msgspec.convert(values, cls, dec_hook=_decode)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `")
        keys = _KEY.findall(path)
        if unknown := _UNKNOWN.fullmatch(text):
            keys, text = [*keys, unknown[1]], "There is no such key"
        value: Any = values
        for key in keys:
            value = value[int(key)] if isinstance(value, list | tuple) else value[key]
        shown = "" if isinstance(value, dict) else f" = {value!r}"
        name = ".".join(keys)
        raise UsageError(f"Configuration{where}: {name}{shown}: {_lower_first(text)}.") from None


def _decode(kind: type, value: Any) -> Any:
    if kind in _PARSED:
        try:
            return kind.parse(value)
        except ValueError as error:
            raise ValueError(f"Expected {error}") from None
    raise NotImplementedError(kind)


def _apart(values: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """Give each of several streams what all have in common, flags over the file."""
    common, over = (
        {name: table.get(name, {}) for name in ("source", "radio")} for table in (values, flags)
    )
    streams = [_merge(_merge(common, stream), over) for stream in values["streams"]]
    if any(map(_is_device, streams)):  # then what sets a radio is not meant for the recordings
        streams = [
            whole if _is_device(whole) else whole | {"radio": said.get("radio", {})}
            for whole, said in zip(streams, values["streams"], strict=True)
        ]
    return {k: v for k, v in values.items() if k not in common} | {"streams": streams}


def _is_device(stream: dict[str, Any]) -> bool:
    return bool(stream["radio"].get("device")) or "://" in stream["source"].get("path", "")


def _plain(value: Any) -> Any:
    if isinstance(value, Auto):
        return int(value) or "auto"
    for kind in (int, float):
        if isinstance(value, kind):
            return kind(value)
    raise NotImplementedError(type(value))


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _without_none(values: Any) -> Any:
    if isinstance(values, dict):
        return {k: _without_none(value) for k, value in values.items() if value is not None}
    if isinstance(values, list | tuple):
        return [_without_none(value) for value in values]
    return values


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
