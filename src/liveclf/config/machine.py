"""`liveclf devices`, `liveclf doctor` and `liveclf bench`."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.model import ModelSettings
from liveclf.config.quantities import Hertz, Seconds
from liveclf.config.section import Section, option
from liveclf.config.sources import RadioSettings, SourceSettings


# One setting a line reads as the table it is.
# fmt: off
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


# fmt: on
