"""Typed settings: every option of every command, with its default, once.

Order: the defaults here < a TOML file (`--config`) < the flags. The command line
is built from these classes (`cli.options`), so a flag's help, type and default
are the ones below. An unknown key, a wrong type or a value out of range is a
`UsageError` that names the key and the value.
"""

from liveclf.config.load import load, parse_value, to_toml
from liveclf.config.machine import (
    BenchSettings,
    CheckSettings,
    DevicesSettings,
    DoctorSettings,
    ListingSettings,
    MeasuringSettings,
)
from liveclf.config.model import WHEN_SLOW, ModelSettings
from liveclf.config.quantities import Auto, Count, Hertz, Seconds
from liveclf.config.recordings import (
    SOCKETS,
    BoxSettings,
    PictureSettings,
    PlotSettings,
    PublishSettings,
    RecordingSettings,
    RecordSettings,
    SendSettings,
)
from liveclf.config.run import (
    DEFAULT_METRICS,
    DEFAULT_WEB,
    DetectSettings,
    MetricsSettings,
    OutputSettings,
    RunSettings,
    TuiSettings,
    WebSettings,
)
from liveclf.config.scan import (
    DETAILS,
    ScanResultSettings,
    ScanSettings,
    ScanSourceSettings,
    ScanWorkSettings,
)
from liveclf.config.section import LOG_FORMATS, Probability, Section, tuning_defaults
from liveclf.config.sources import (
    DIRECT_SAMPLING,
    RadioSettings,
    SourceSettings,
    StreamSettings,
    WindowSettings,
)
from liveclf.config.training import (
    MIXED,
    ON_STUCK,
    RECIPES,
    SAMPLE_TYPES,
    STUDENT_PRESET,
    ClusterSettings,
    DataSettings,
    FitSettings,
    NetworkSettings,
    SynthDataSettings,
    SynthSettings,
    TogetherSettings,
    TrainSettings,
    WorkSettings,
)

__all__ = [
    "DEFAULT_METRICS",
    "DEFAULT_WEB",
    "DETAILS",
    "DIRECT_SAMPLING",
    "LOG_FORMATS",
    "MIXED",
    "ON_STUCK",
    "RECIPES",
    "SAMPLE_TYPES",
    "SOCKETS",
    "STUDENT_PRESET",
    "WHEN_SLOW",
    "Auto",
    "BenchSettings",
    "BoxSettings",
    "CheckSettings",
    "ClusterSettings",
    "Count",
    "DataSettings",
    "DetectSettings",
    "DevicesSettings",
    "DoctorSettings",
    "FitSettings",
    "Hertz",
    "ListingSettings",
    "MeasuringSettings",
    "MetricsSettings",
    "ModelSettings",
    "NetworkSettings",
    "OutputSettings",
    "PictureSettings",
    "PlotSettings",
    "Probability",
    "PublishSettings",
    "RadioSettings",
    "RecordSettings",
    "RecordingSettings",
    "RunSettings",
    "ScanResultSettings",
    "ScanSettings",
    "ScanSourceSettings",
    "ScanWorkSettings",
    "Seconds",
    "Section",
    "SendSettings",
    "SourceSettings",
    "StreamSettings",
    "SynthDataSettings",
    "SynthSettings",
    "TogetherSettings",
    "TrainSettings",
    "TuiSettings",
    "WebSettings",
    "WindowSettings",
    "WorkSettings",
    "load",
    "parse_value",
    "to_toml",
    "tuning_defaults",
]
