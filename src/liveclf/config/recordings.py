"""`liveclf record`, `liveclf plot` and `liveclf publish`."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.model import ModelSettings
from liveclf.config.quantities import Auto, Seconds
from liveclf.config.run import DetectSettings, MetricsSettings
from liveclf.config.section import LOG_FORMATS, Decibels, Level, Section, one_of, option
from liveclf.config.sources import RadioSettings, SourceSettings

# What settings may say that are one name of a few.
SOCKETS = ("pub", "push")


# One setting a line reads as the table it is.
# fmt: off
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


class SendSettings(Section, frozen=True):
    """Where `liveclf publish` sends to, and how."""

    to: Annotated[str, option("address of ZeroMQ's to wait at for receivers; tcp://0.0.0.0:5555 for those on other machines", "--to", metavar="ADDRESS")] = "tcp://127.0.0.1:5555"
    socket: Annotated[str, option("pub: to all who listen, or push: each message to one", "--socket", metavar="NAME", known=SOCKETS)] = "pub"
    connect: Annotated[bool, option("connect to a receiver that waits, instead of waiting", "--connect")] = False
    tags: Annotated[bool, option("GNU Radio's tag headers, so that losses, rate and centre are known", "--tags")] = True
    key: Annotated[str, option("in front of each message, for receivers of several streams", "--key", metavar="KEY")] = ""
    native: Annotated[bool, option("samples in the format of the source; else as cf32, GNU Radio's complex", "--native")] = False
    stats_s: Annotated[Seconds, option("statistics line on stderr this often; 0: only the summary", "--stats", metavar="TIME")] = Seconds(0)
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False
    log_format: Annotated[str, option("notes on stderr: text, or json, an object a line", "--log-format", metavar="FORMAT", known=LOG_FORMATS)] = "text"

    def __post_init__(self) -> None:
        """Refuse a kind of socket, or a format, that there is not."""
        one_of("socket", self.socket, SOCKETS)
        one_of("log_format", self.log_format, LOG_FORMATS)


class PublishSettings(Section, frozen=True):
    """Everything `liveclf publish` can be told."""

    source: SourceSettings = SourceSettings()
    radio: RadioSettings = RadioSettings()
    publish: SendSettings = SendSettings()
    metrics: MetricsSettings = MetricsSettings()


# fmt: on
