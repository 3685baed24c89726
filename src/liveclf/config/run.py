"""`liveclf run`."""

from __future__ import annotations

import re
from typing import Annotated

from liveclf.config.model import ModelSettings
from liveclf.config.quantities import Count, Seconds
from liveclf.config.section import LOG_FORMATS, Probability, Section, SnrLimit, one_of, option
from liveclf.config.sources import RadioSettings, SourceSettings, StreamSettings, WindowSettings


# One setting a line reads as the table it is.
# fmt: off
class DetectSettings(Section, frozen=True):
    """What counts as an emission."""

    wanted: Annotated[bool, option("find the signals in the band and label each; off: label windows of the whole band", "--detect")] = True
    min_snr_db: Annotated[SnrLimit, option("weaker ones, by power over noise power in their own band, are left out, counted", "--min-snr", metavar="DB")] = 3.0
    gap_s: Annotated[Seconds, option("pauses up to this long are part of an emission", "--gap", metavar="TIME")] = Seconds(0.012)
    report_s: Annotated[Seconds, option("an emission that lasts is told this often", "--report", metavar="TIME")] = Seconds(1)

    def __post_init__(self) -> None:
        """Refuse a pause as long as a recording."""
        if self.gap_s > 2:
            raise ValueError(f"gap_s {self.gap_s:g} is more than 2 s; give a shorter pause")


class OutputSettings(Section, frozen=True):
    """What is written, and where."""

    to: Annotated[tuple[str, ...], option("KIND[:FILE], may be given several times; auto: a table on a terminal, JSON lines into a pipe", "--output", "-o", metavar="KIND[:FILE]")] = ("auto",)
    top_k: Annotated[int, option("classes listed per record", "--top-k", metavar="K", ge=1, le=100)] = 3
    min_probability: Annotated[Probability | None, option("below this the label is 'unknown'; none: the bundle's own", "--min-probability", metavar="P")] = None
    stats_s: Annotated[Seconds, option("statistics line on stderr this often; 0: only the summary", "--stats", metavar="TIME")] = Seconds(0)
    quiet: Annotated[bool, option("nothing on stderr but errors", "--quiet", "-q")] = False
    log_format: Annotated[str, option("notes on stderr: text, or json, an object a line", "--log-format", metavar="FORMAT", known=LOG_FORMATS)] = "text"
    plot: Annotated[str, option("draw a spectrogram of the run with its emissions, as PNG", "--plot", metavar="OUT.png")] = ""
    save_unknown: Annotated[str, option("keep the IQ of what is not recognised, emissions or windows, as SigMF in this folder", "--save-unknown", metavar="DIR")] = ""
    save_unknown_bytes: Annotated[Count, option("most that this folder may hold; then no more is kept, counted", "--save-unknown-max", metavar="BYTES")] = Count(1_000_000_000)

    def __post_init__(self) -> None:
        """Refuse a format that there is not."""
        one_of("log_format", self.log_format, LOG_FORMATS)


DEFAULT_WEB = "127.0.0.1:8433"


class WebSettings(Section, frozen=True):
    """The page that shows the band, the emissions and the figures in a browser."""

    at: Annotated[str, option(f"serve a page to watch the run in a browser; alone: at {DEFAULT_WEB}", "--web", metavar="[HOST:]PORT", alone=DEFAULT_WEB)] = ""
    token: Annotated[str, option("what the page asks for where it is served to other machines; none: a new one each time", "--web-token", metavar="TEXT")] = ""
    relabelled: Annotated[str, option("keep emissions whose label is corrected on the page or the screen, as SigMF in this folder", "--relabelled", metavar="DIR")] = ""
    keep_bytes: Annotated[Count, option("memory for the samples of emissions that can be looked at and downloaded", "--web-keep", metavar="BYTES")] = Count(256_000_000)

    def __post_init__(self) -> None:
        """Refuse a token that there is no page for, or that can be guessed."""
        if self.token and not self.at:
            raise ValueError(f"token {self.token!r} is of the page, and none is served; give --web")
        if self.token and not re.fullmatch(r"[\w.~-]{16,128}", self.token, re.ASCII):
            raise ValueError("token is not 16 to 128 letters, digits and .~_-")


DEFAULT_METRICS = "127.0.0.1:9433"


class MetricsSettings(Section, frozen=True):
    """What a run that nobody watches is watched by."""

    at: Annotated[str, option(f"serve metrics for Prometheus, and health; alone: at {DEFAULT_METRICS}", "--metrics", metavar="[HOST:]PORT", alone=DEFAULT_METRICS)] = ""
    health_limit_s: Annotated[Seconds, option("unwell is a run without samples, or with something stuck, for longer than this", "--health-limit", metavar="TIME")] = Seconds(30)

    def __post_init__(self) -> None:
        """Refuse a limit that is shorter than what is between two looks."""
        if self.health_limit_s < 1:
            raise ValueError(f"health_limit_s {self.health_limit_s:g} is less than 1 s")


class TuiSettings(Section, frozen=True):
    """The screen that shows the same in the terminal."""

    wanted: Annotated[bool, option("watch the run in this terminal: waterfall, emissions, figures, keys", "--tui")] = False


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
    metrics: MetricsSettings = MetricsSettings()
    tui: TuiSettings = TuiSettings()

    def __post_init__(self) -> None:
        """Refuse to show emissions where none are looked for, and to keep what nobody sees."""
        page, screen = f"web.at {self.web.at} (--web)", "tui.wanted (--tui)"
        for name, wanted in ((page, self.web.at), (screen, self.tui.wanted)):
            if wanted and not self.detect.wanted:
                raise ValueError(
                    f"{name} shows emissions, and none are looked for (--no-detect); leave out one"
                    " of them"
                )
        if self.web.relabelled and not (self.web.at or self.tui.wanted):
            raise ValueError(
                f"web.relabelled {self.web.relabelled!r} (--relabelled) keeps what is corrected on"
                " the page or the screen, and there is none; give --web or --tui"
            )


# fmt: on
