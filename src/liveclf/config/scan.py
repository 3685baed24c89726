"""`liveclf scan`."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.model import ModelSettings
from liveclf.config.quantities import Hertz, Seconds
from liveclf.config.run import OutputSettings
from liveclf.config.section import Probability, Section, one_of, option
from liveclf.config.sources import SourceSettings, WindowSettings

# What settings may say that are one name of a few.
DETAILS = ("none", "jsonl", "csv")


# One setting a line reads as the table it is.
# fmt: off
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
    details: Annotated[str, option("a file of records for each recording as well: none, jsonl or csv", "--details", metavar="KIND", known=DETAILS)] = "none"
    top_k: Annotated[int, option("classes listed per recording and per record", "--top-k", metavar="K", ge=1, le=100)] = OutputSettings().top_k
    min_probability: Annotated[Probability | None, option("below this the label is 'unknown'; none: the bundle's own", "--min-probability", metavar="P")] = None
    overwrite: Annotated[bool, option("label everything anew, whatever the folder holds", "--overwrite")] = False

    def __post_init__(self) -> None:
        """Refuse a kind of details that there is not."""
        one_of("details", self.details, DETAILS)


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
