"""Where samples come from and how they are cut."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.quantities import Count, Hertz, Seconds
from liveclf.config.section import Retries, Samples, Section, one_of, option

# What settings may say that are one name of a few.
DIRECT_SAMPLING = ("off", "i", "q")


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
    direct_sampling: Annotated[str, option("below the tuner's range: off, i or q, the input of the converter", "--direct-sampling", metavar="NAME", known=DIRECT_SAMPLING)] = "off"
    offset_hz: Annotated[Hertz, option("tune so far beside the centre and shift back, away from the spike at 0 Hz", "--offset", metavar="HZ")] = Hertz(0)
    options: Annotated[tuple[str, ...], option("a setting by the name that the driver gives it, may be given several times", "--device-option", metavar="KEY=VALUE")] = ()
    dwell_s: Annotated[Seconds, option("how long at each of several --freq", "--dwell", metavar="TIME")] = Seconds(1)
    buffer_s: Annotated[Seconds, option("signal kept for a classifier that is late; then the oldest goes, counted", "--buffer", metavar="TIME")] = Seconds(2)
    max_retries: Annotated[Retries | None, option("how often a device that is gone is looked for again; none: for ever", "--max-retries", metavar="N")] = None

    def __post_init__(self) -> None:
        """Refuse what no radio can keep."""
        one_of("direct_sampling", self.direct_sampling, DIRECT_SAMPLING)
        if self.dwell_s <= 0:
            raise ValueError(f"dwell_s {self.dwell_s:g} is no time to listen; give a longer one")
        if not 0.1 <= self.buffer_s <= 60:
            raise ValueError(f"buffer_s {self.buffer_s:g} is not between 0.1 and 60")


class WindowSettings(Section, frozen=True):
    """How the stream is cut."""

    hop: Annotated[Samples | None, option("samples from one window to the next; none: the window length", "--hop", metavar="N")] = None


class StreamSettings(Section, frozen=True):
    """One of several streams; in a file, what it does not say is as in [source] and [radio]."""

    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()


# fmt: on
