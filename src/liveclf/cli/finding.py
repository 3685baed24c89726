"""The emissions of an annotated recording, found as `liveclf run` finds them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from msgspec import structs

from liveclf.cli.run import classify
from liveclf.config import DetectSettings, OutputSettings, RunSettings, WindowSettings
from liveclf.dsp.decimate import Decimator
from liveclf.emissions import Emission
from liveclf.errors import TrainingError
from liveclf.learn.score.matching import Outcome, last_told, match
from liveclf.learn.score.rejection import NOISE
from liveclf.learn.score.verdicts import Network
from liveclf.records import Annotation
from liveclf.signals.scene.truth import Truth
from liveclf.sources import open_source


def outcome_of(settings: RunSettings, network: Network) -> Outcome:
    """Find the emissions of a recording, and compare with its annotations.

    Args:
        settings: Which recording, and how it is run.
        network: Whose classes and families the labels are compared with, in any case.

    Raises:
        SourceError: It cannot be read.
        TrainingError: Its run was interrupted.
    """
    source = open_source(settings.source)
    source.close()
    settings = structs.replace(settings, detect=DetectSettings(), window=WindowSettings())
    info = Decimator(settings.source.decimate).describe(source.info)
    found = last_told(find_emissions(settings))
    return match(
        truths_of(info.annotations, network),
        found,
        name=info.name,
        rate_hz=info.sample_rate_hz,
        n_samples=info.n_samples or 0,
    )


def find_emissions(settings: RunSettings) -> tuple[Emission, ...]:
    """Return everything that a run tells, in its order.

    Raises:
        LiveclfError: It cannot be run, or did not come to its end.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "emissions.jsonl"
        output = OutputSettings(to=(f"jsonl:{path}",), quiet=True)
        if code := classify(structs.replace(settings, output=output)):
            raise TrainingError(
                f"Recording {settings.source.path} was not run to its end, exit code {code}."
            )
        lines = path.read_bytes().splitlines()
        return tuple(msgspec.json.decode(line, type=Emission) for line in lines)


def truths_of(annotations: Sequence[Annotation], network: Network) -> list[Truth]:
    """Return what annotations say was sent.

    A name that the network does not know was there, and is no label to be right about; one of
    a family is right or wrong as that. Noise nobody sent.
    """
    family_of = {name.lower(): (name, family) for name, family in network.families.items()}
    families = {family.lower(): ("", family) for family in network.families.values()}
    spelt = families | family_of  # of the same name, a class wins
    truths = []
    for a in annotations:
        label, family = spelt.get(a.label.lower(), (a.label, ""))
        if label == NOISE:
            continue
        edges = (_known(a.lower_hz), _known(a.upper_hz))
        truths.append(Truth(a.start_sample, a.stop_sample, *edges, label, family, _known(a.snr_db)))
    return truths


def _known(value: float | None) -> float:
    return math.nan if value is None else value
