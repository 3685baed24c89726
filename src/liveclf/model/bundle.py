"""A bundle: the folder in which a trained network travels.

    bundle.json      class names, families, window, normalisation, temperatures and
                     thresholds, the training configuration, accuracies and on what, a
                     SHA-256 of every other file and one of these fields
    model.keras      weights and architecture
    model.fp32.onnx  the same, for ONNX Runtime
    model.int8.onnx  quantised
    layers.*.onnx    the same two without what has no weights, which is compiled here (see
                     `blind`); a bundle may lack them

A bundle that is large may hold only what is run: `layers.int8.onnx`, and a `model.keras` whose
weights are float16, from which `liveclf export` makes the rest.

No pickle anywhere; every checksum is verified before a file is used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from liveclf.config import Probability
from liveclf.errors import BundleError
from liveclf.model import WINDOW_SAMPLES as WINDOW_SAMPLES

FORMAT = 1
NORMALISATION = "unit-power"
INFO = "bundle.json"
OF_RUN = "bundle"  # in the folder of a training run
KERAS_FILE = "model.keras"
ONNX_FILES = {"fp32": "model.fp32.onnx", "int8": "model.int8.onnx"}
LAYER_FILES = {"fp32": "layers.fp32.onnx", "int8": "layers.int8.onnx"}

PACKAGED = Path(__file__).parent.parent / "bundles"
DEFAULT, WIDE = "vgg16-slim", "vgg16"


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """One measured accuracy.

    Attributes:
        data: Which set.
        precision: Of the weights measured, fp32 or int8.
        overall: Share of windows labelled right.
        by_snr: The same per SNR in dB (as text, JSON keys are).
    """

    data: str
    precision: str
    overall: float
    by_snr: dict[str, float] = {}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What tuning a network on recordings has changed.

    Attributes:
        data: Which set.
        counted: Its windows, or its emissions.
        n: How many.
        precision: Of the weights measured, fp32 or int8.
        before: Share labelled right by the bundle that it began with.
        after: The same by this one.
    """

    data: str
    counted: str
    n: int
    precision: str
    before: float
    after: float


class BundleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of bundle.json.

    Attributes:
        format: Version of this layout.
        name: What the bundle is called.
        created: ISO 8601 UTC.
        liveclf: Version of the program that wrote it.
        classes: Names in the order of the logits.
        families: Family of each class.
        window_samples: Length of a window.
        normalisation: Name of what was done to the windows.
        rate_advice: What sample rate suits, a sentence.
        preset: Architecture.
        width: Channels over those of VGG16.
        temperature: Divisor of the logits by precision, fitted on held-out windows.
        min_probability: Below it a label is reported as unknown; 0 for never. For weights
            that have no threshold of their own.
        thresholds: The same by precision, fitted on held-out windows.
        training: The resolved training configuration.
        data_sha256: Fingerprint of the windows that it was trained on; empty if not known.
        split_seed: Of the split of a data set; None for generated windows.
        versions: Of what it was trained and written with, by name.
        accuracy: What was measured, and on what.
        noise_bias: What was added to the logit of noise after training, so that noise alone
            seldom gets another label.
        tuned: What has changed by tuning on recordings; none if it was not.
        int8_loss: Share of held-out windows that fp32 labels right, over that of int8.
        files: SHA-256 by file name.
        sha256: Of all other fields, see `fields_sha256`.
    """

    format: int
    name: str
    created: str
    liveclf: str
    classes: tuple[str, ...]
    families: dict[str, str]
    window_samples: int
    normalisation: str
    rate_advice: str
    preset: str
    width: float
    temperature: dict[str, float]
    min_probability: float
    training: dict[str, Any]
    thresholds: dict[str, Probability] = {}
    data_sha256: str = ""
    split_seed: int | None = None
    versions: dict[str, str] = {}
    accuracy: tuple[Accuracy, ...] = ()
    noise_bias: float = 0.0
    int8_loss: float | None = None
    tuned: tuple[Change, ...] = ()
    files: dict[str, str] = {}
    sha256: str = ""

    def threshold(self, precision: str) -> float:
        """Return the probability below which a label of these weights is unknown."""
        return self.thresholds.get(precision, self.min_probability)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was verified.

    Attributes:
        folder: Where it lies.
        info: What its bundle.json says.
    """

    folder: Path
    info: BundleInfo

    def has(self, precision: str) -> bool:
        """Return whether ONNX Runtime can run these weights, whole or behind compiled code."""
        return bool({ONNX_FILES[precision], LAYER_FILES[precision]} & self.info.files.keys())

    def file(self, name: str) -> Path:
        """Return the path of one of its files.

        Raises:
            BundleError: It has no such file.
        """
        if name not in self.info.files:
            has = ", ".join(self.info.files)
            raise BundleError(f"Bundle {self.folder} has no {name}, only {has}.")
        return self.folder / name


def packaged_names() -> list[str]:
    """List the bundles inside the package."""
    return sorted(path.parent.name for path in PACKAGED.glob(f"*/{INFO}"))


def load_bundle(name: str) -> Bundle:
    """Find a bundle and verify it.

    Args:
        name: "auto", a name inside the package, a folder, or that of a training run.

    Raises:
        BundleError: It is not there, damaged, or of another kind than this program runs.
    """
    packaged = PACKAGED / (DEFAULT if name == "auto" else name)
    folder = packaged if (packaged / INFO).is_file() else Path(name)
    if (folder / OF_RUN / INFO).is_file():
        folder = folder / OF_RUN
    try:
        text = (folder / INFO).read_bytes()
        info = msgspec.json.decode(text, type=BundleInfo)
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(packaged_names()) or "none"
        raise BundleError(
            f"Model {name!r} is neither a bundle in the package ({known}) "
            f"nor a folder with a {INFO}."
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise BundleError(f"Bundle {folder}: {INFO} cannot be read: {error}.") from error
    if info.format != FORMAT:
        raise BundleError(
            f"Bundle {folder} has layout {info.format}, this version of liveclf reads {FORMAT}."
        )
    _check_fields(folder / INFO, text, info.sha256)
    _check_kind(folder, info)
    for file, wanted in info.files.items():
        _check_file(folder / file, wanted)
    return Bundle(folder, info)


def write_info(folder: Path, info: BundleInfo) -> BundleInfo:
    """Write bundle.json, with the checksums of the files that lie beside it and its own.

    Returns:
        The info as written.
    """
    present = [KERAS_FILE, *ONNX_FILES.values(), *LAYER_FILES.values()]
    files = {name: sha256(folder / name) for name in present if (folder / name).exists()}
    info = msgspec.structs.replace(info, files=files)
    info = msgspec.structs.replace(info, sha256=fields_sha256(msgspec.json.encode(info)))
    text = msgspec.json.format(msgspec.json.encode(info), indent=2)
    (folder / INFO).write_bytes(text + b"\n")
    return info


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fields_sha256(text: bytes) -> str:
    """Return the SHA-256 of the fields of a bundle.json, but for `sha256` itself.

    It is that of their canonical JSON, sorted and without spaces: a bundle.json may be laid
    out anew. Fields that only a later version knows count as well.
    """
    fields = msgspec.json.decode(text, type=dict[str, Any])
    fields.pop("sha256", None)
    return hashlib.sha256(msgspec.json.encode(fields, order="sorted")).hexdigest()


def _check_fields(path: Path, text: bytes, wanted: str) -> None:
    if not wanted:
        raise BundleError(
            f"Bundle file {path} is damaged: it lacks its own SHA-256; copy the bundle again."
        )
    found = fields_sha256(text)
    if found != wanted:
        raise BundleError(
            f"Bundle file {path} is damaged: the SHA-256 of its fields is {found[:12]}..., not "
            f"{wanted[:12]}... as it says; copy the bundle again."
        )


def _check_kind(folder: Path, info: BundleInfo) -> None:
    if info.window_samples != WINDOW_SAMPLES:
        raise BundleError(
            f"Bundle {folder} was trained on windows of {info.window_samples} samples; "
            f"liveclf cuts {WINDOW_SAMPLES}: train one on these."
        )
    if info.normalisation != NORMALISATION:
        raise BundleError(
            f"Bundle {folder} wants normalisation {info.normalisation!r}; "
            f"liveclf has {NORMALISATION!r}."
        )
    if missing := [name for name in info.classes if name not in info.families]:
        raise BundleError(f"Bundle {folder} names no family for {', '.join(missing)}.")
    both = {p: {ONNX_FILES[p], LAYER_FILES[p]} for p in ONNX_FILES}
    weights = [precision for precision, files in both.items() if files & info.files.keys()]
    if missing := [p for p in weights if not info.temperature.get(p, 0) > 0]:
        raise BundleError(f"Bundle {folder} has no temperature above 0 for {', '.join(missing)}.")


def _check_file(path: Path, wanted: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise BundleError(f"Bundle file {path} cannot be read: {error.strerror}.") from error
    if found != wanted:
        raise BundleError(
            f"Bundle file {path} is damaged: its SHA-256 is {found[:12]}..., not "
            f"{wanted[:12]}... as in {INFO}; copy the bundle again."
        )
