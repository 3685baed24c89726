"""`liveclf train` and `liveclf synth`."""

from __future__ import annotations

from typing import Annotated

from liveclf.config.quantities import Count, Seconds
from liveclf.config.section import Section, Share, one_of, option
from liveclf.config.sources import SourceSettings

# What settings may say that are one name of a few.
PRESETS = ("vgg16", "vgg16-slim", "vgg16-classic")
RECIPES = ("ours", "as-posted")
MIXED = ("auto", "on", "off")
ON_STUCK = ("stop", "warn", "off")
STUDENT_PRESET = "vgg16-slim"  # of the networks that learn beside another
SAMPLE_TYPES = ("float32", "float16")


# One setting a line reads as the table it is.
# fmt: off
class NetworkSettings(Section, frozen=True):
    """The network to train."""

    preset: Annotated[str, option("vgg16, vgg16-slim or vgg16-classic", "--preset", metavar="NAME", known=PRESETS)] = "vgg16-slim"
    width: Annotated[Share | None, option("channels over those of VGG16; none: the preset's own", "--width", metavar="W")] = None
    start: Annotated[str, option("bundle whose weights to begin with; none: random ones", "--from", metavar="NAME|DIR")] = ""
    added: Annotated[tuple[str, ...], option("a class that the bundle of --from does not have yet, as recordings call it; may be given several times", "--add-class", metavar="NAME")] = ()
    students: Annotated[tuple[Share, ...], option("width of a vgg16-slim that learns beside it to answer the same; may be given several times", "--student", metavar="W")] = ()
    recipe: Annotated[str, option("how it is built and trained: ours, or as-posted, the question's network with its own faults", "--recipe", metavar="NAME", known=RECIPES)] = "ours"

    def __post_init__(self) -> None:
        """Refuse a recipe that there is not, and students of what does not see what they see."""
        one_of("recipe", self.recipe, RECIPES)
        if self.students and (self.preset == "vgg16-classic" or self.recipe != "ours"):
            raise ValueError(
                f"students {self.students[0]:g} and preset {self.preset}, recipe {self.recipe} do "
                "not fit: only vgg16 and vgg16-slim of our recipe teach"
            )
        if len(set(self.students)) < len(self.students):
            raise ValueError(f"students {', '.join(f'{w:g}' for w in self.students)} name one twice")


class FitSettings(Section, frozen=True):
    """How it is trained."""

    steps: Annotated[int, option("optimiser steps in all", "--steps", metavar="N", ge=1, tuning=2000)] = 9000
    batch: Annotated[int, option("windows per step", "--batch", metavar="N", ge=2, tuning=256)] = 128
    epoch_steps: Annotated[int, option("steps between checkpoints", "--epoch-steps", metavar="N", ge=1, tuning=250)] = 500
    learning_rate: Annotated[float, option("peak learning rate", "--lr", metavar="LR", gt=0, tuning=1e-3)] = 1.5e-3
    warmup_steps: Annotated[int, option("steps of linear warm-up", "--warmup", metavar="N", ge=0, tuning=50)] = 300
    weight_decay: Annotated[float, option("of AdamW", "--weight-decay", metavar="WD", ge=0)] = 1e-3
    clip_norm: Annotated[float, option("largest norm of a step's gradient", "--clip-norm", metavar="C", gt=0)] = 1.0
    label_smoothing: Annotated[float, option("share of the label spread over all classes", "--label-smoothing", metavar="E", ge=0, lt=1)] = 0.02
    seed: Annotated[int, option("seed of data and weights", "--seed", metavar="N", ge=0)] = 1
    average: Annotated[float, option("momentum of the average of the weights, which the bundle gets; 0: none", "--average", metavar="M", ge=0, lt=1)] = 0.999
    freeze: Annotated[bool, option("train the dense layers alone, on what the convolutions of --from make of --pool windows", "--freeze", tuning=True)] = False
    patience: Annotated[int, option("epochs without a better loss on held-out windows before the training ends with the best; 0: never", "--patience", metavar="N", ge=0)] = 0
    mixed: Annotated[str, option("half precision where it does no harm: auto (on a GPU), on or off", "--mixed", metavar="NAME", known=MIXED)] = "auto"
    tensorboard: Annotated[bool, option("logs for TensorBoard in the folder of the run", "--tensorboard")] = False
    error_share: Annotated[float, option("how often a label may be wrong on held-out windows; improbable ones become 'unknown'", "--error-share", metavar="S", ge=0, le=1)] = 0.2
    noise_share: Annotated[float, option("how often noise alone may get another label in the bundle, whatever that costs signals like it; 1: as it was trained", "--noise-share", metavar="S", ge=0, le=1)] = 0.005
    on_stuck: Annotated[str, option("when the network does not learn: stop, warn, or off, which does not look", "--on-stuck", metavar="NAME", known=ON_STUCK)] = "stop"

    def __post_init__(self) -> None:
        """Refuse a name that there is not."""
        one_of("mixed", self.mixed, MIXED)
        one_of("on_stuck", self.on_stuck, ON_STUCK)


class DataSettings(Section, frozen=True):
    """What it is trained on."""

    file: Annotated[str, option("HDF5 of labelled windows to train on, or annotated SigMF recordings to tune --from on: a folder of them, or one; none: generated windows", "--data", metavar="FILE|DIR")] = ""
    class_file: Annotated[str, option("names of its classes, one a line or a JSON list; none: those in the HDF5", "--classes", metavar="FILE")] = ""
    test_share: Annotated[float, option("share of the file, or of the emissions in recordings, kept for a test", "--test-share", metavar="S", gt=0, lt=1, tuning=0.25)] = 0.15
    validation_share: Annotated[float, option("share of what the test leaves, to validate on", "--validation-share", metavar="S", gt=0, lt=1)] = 0.15
    snr_min_db: Annotated[float, option("lowest SNR made", "--snr-min", metavar="DB")] = -6.0
    snr_max_db: Annotated[float, option("highest SNR made", "--snr-max", metavar="DB")] = 30.0
    pool_windows: Annotated[int, option("windows kept in memory", "--pool", metavar="N", ge=1024, tuning=24576)] = 131072
    reuse: Annotated[float, option("how often a window is seen before it is replaced by a new one", "--reuse", metavar="R", ge=1)] = 3.0
    workers: Annotated[int, option("processes that make windows", "--workers", metavar="N", ge=1)] = 1
    heldout_windows: Annotated[int, option("most windows for validation and calibration, of another seed or of the file's validation share", "--heldout", metavar="N", ge=512, tuning=4096)] = 6000
    recorded_share: Annotated[float, option("share of the windows of a step that come from recordings; the others are generated, so that the old classes are not forgotten", "--recorded-share", metavar="S", gt=0, lt=1)] = 0.2
    checksum: Annotated[bool, option("verify the SHA-512 of the recordings before they are read", "--checksum")] = SourceSettings().checksum

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
    dtype: Annotated[str, option("type of the samples, float32 or float16", "--dtype", metavar="TYPE", known=SAMPLE_TYPES)] = "float32"

    def __post_init__(self) -> None:
        """Refuse a range of SNR that is upside down, and a type that is not written."""
        if self.snr_min_db > self.snr_max_db:
            raise ValueError(
                f"snr_min_db {self.snr_min_db:g} is above snr_max_db {self.snr_max_db:g}"
            )
        one_of("dtype", self.dtype, SAMPLE_TYPES)


class WorkSettings(Section, frozen=True):
    """How `liveclf synth` makes it; no bit of the data depends on this."""

    workers: Annotated[int, option("processes that make windows; 0: one a core", "--workers", metavar="N", ge=0)] = 0


class SynthSettings(Section, frozen=True):
    """Everything `liveclf synth` can be told."""

    data: SynthDataSettings = SynthDataSettings()
    work: WorkSettings = WorkSettings()


# fmt: on
