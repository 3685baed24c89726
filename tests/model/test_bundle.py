"""Bundles: what loads, and what is refused with which words."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from liveclf.errors import BundleError
from liveclf.model import bundle as bundle_module
from liveclf.model.bundle import Accuracy, BundleInfo, fields_sha256, load_bundle, write_info
from liveclf.signals.classes import CLASSES, FAMILY_OF

FILES = (
    "model.keras", "model.fp32.onnx", "model.int8.onnx", "layers.fp32.onnx", "layers.int8.onnx",
)  # fmt: skip


@pytest.fixture
def folder(written: tuple[Path, BundleInfo], tmp_path: Path) -> Path:
    """Return a copy of the bundle that may be damaged."""
    return Path(shutil.copytree(written[0], tmp_path / "mine"))


def edit(folder: Path, change: Callable[[dict[str, Any]], object], *, sealed: bool = True) -> None:
    """Change fields; sealed, as one does who writes another bundle, and not by damage."""
    info = json.loads((folder / "bundle.json").read_text())
    change(info)
    if sealed:
        info["sha256"] = fields_sha256(json.dumps(info).encode())
    (folder / "bundle.json").write_text(json.dumps(info))


def refused(folder: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_bundle(str(folder))
    assert caught.value.exit_code == 1
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_good_bundle_loads_as_it_was_written(written: tuple[Path, BundleInfo]) -> None:
    folder, info = written
    bundle = load_bundle(str(folder))
    assert bundle.info == info
    assert bundle.info.classes == CLASSES
    assert bundle.info.families == FAMILY_OF
    assert bundle.info.window_samples == 1024
    assert bundle.info.width == 0.125
    assert {bundle.file(name) for name in FILES} == {folder / name for name in FILES}


def test_bundle_json_is_readable_and_holds_the_checksum_of_every_file(
    written: tuple[Path, BundleInfo],
) -> None:
    folder, _ = written
    text = (folder / "bundle.json").read_text()
    assert text.count("\n") > 50
    listed = json.loads(text)["files"]
    others = [path for path in folder.iterdir() if path.name != "bundle.json"]
    assert listed == {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in others}
    assert set(listed) == set(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_one_changed_byte_in_any_file_is_found_and_the_file_named(
    folder: Path, name: str, where: str
) -> None:
    data = bytearray((folder / name).read_bytes())
    data[{"first": 0, "middle": len(data) // 2, "last": -1}[where]] ^= 1
    (folder / name).write_bytes(data)
    message = refused(folder)
    assert name in message
    assert "damaged" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda info: info["classes"].__setitem__(0, "OOk"),
        lambda info: info["classes"].reverse(),
        lambda info: info["families"].update(QPSK="qam"),
        lambda info: info["temperature"].update(int8=1.5),
        lambda info: info.update(min_probability=0.5),
        lambda info: info["files"].pop("model.int8.onnx"),
        lambda info: info.pop("accuracy"),
        lambda info: info["training"]["fit"].update(seed=1234),
        lambda info: info.update(mood="good"),
        lambda info: info.update(sha256="0" * 64),
        lambda info: info.update(sha256=""),
        lambda info: info.pop("sha256"),
    ],
    ids=[
        "label",
        "order of labels",
        "family",
        "temperature",
        "threshold",
        "file left out",
        "field left out",
        "training",
        "field added",
        "other sum",
        "empty sum",
        "no sum",
    ],
)
def test_a_changed_field_of_bundle_json_is_found(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    edit(folder, change, sealed=False)
    message = refused(folder)
    assert "bundle.json is damaged" in message
    assert "copy the bundle again" in message


def test_bundle_json_may_be_laid_out_anew(folder: Path) -> None:
    info = load_bundle(str(folder)).info
    edit(folder, lambda _: None, sealed=False)  # all in one line
    assert load_bundle(str(folder)).info == info


def test_writing_again_what_was_loaded_changes_nothing(folder: Path) -> None:
    before = (folder / "bundle.json").read_bytes()
    write_info(folder, load_bundle(str(folder)).info)
    assert (folder / "bundle.json").read_bytes() == before


def test_a_file_cut_short_is_found(folder: Path) -> None:
    path = folder / "model.int8.onnx"
    path.write_bytes(path.read_bytes()[:-1000])
    assert "model.int8.onnx" in refused(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    message = refused(folder)
    assert name in message
    assert "cannot be read" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\xff\xfe\x00", b'{"format": 1}', b'{"format": "one"}'],
    ids=["empty", "cut", "list", "binary", "no keys", "wrong type"],
)
def test_a_bundle_json_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    (folder / "bundle.json").write_bytes(content)
    message = refused(folder)
    assert "bundle.json cannot be read" in message
    assert str(folder) in message


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", 2, "layout 2, this version of liveclf reads 1"),
        ("window_samples", 512, "windows of 512 samples; liveclf cuts 1024"),
        ("normalisation", "max-abs", "normalisation 'max-abs'; liveclf has 'unit-power'"),
    ],
)
def test_a_bundle_for_another_program_is_refused(
    folder: Path, key: str, value: object, words: str
) -> None:
    edit(folder, lambda info: info.update({key: value}))
    assert words in refused(folder)


def test_a_class_without_a_family_is_named(folder: Path) -> None:
    edit(folder, lambda info: [info["families"].pop(name) for name in ("QPSK", "LoRa")])
    assert "no family for QPSK, LoRa" in refused(folder)


@pytest.mark.parametrize("temperature", [{"fp32": 1.0}, {"fp32": 1.0, "int8": 0.0}])
def test_weights_without_a_temperature_are_refused(
    folder: Path, temperature: dict[str, float]
) -> None:
    edit(folder, lambda info: info.update(temperature=temperature))
    assert "no temperature above 0 for int8" in refused(folder)


def test_a_bundle_may_lack_weights_and_says_so_when_they_are_wanted(folder: Path) -> None:
    """The packaged ones have no fp32 ONNX."""
    (folder / "model.fp32.onnx").unlink()
    edit(folder, lambda info: info["files"].pop("model.fp32.onnx"))
    bundle = load_bundle(str(folder))
    with pytest.raises(BundleError, match=r"no model\.fp32\.onnx, only .*model\.int8\.onnx"):
        bundle.file("model.fp32.onnx")


def test_later_versions_may_add_keys(folder: Path) -> None:
    edit(folder, lambda info: info.update(mood="good"))
    assert load_bundle(str(folder)).info.classes == CLASSES


@pytest.fixture
def package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the package hold two bundles, and something else."""
    packaged = folder.parent / "packaged"
    shutil.copytree(folder, packaged / "vgg16-slim")
    shutil.copytree(folder, packaged / "another")
    (packaged / "no-bundle").mkdir()
    monkeypatch.setattr(bundle_module, "PACKAGED", packaged)
    return packaged


def test_a_name_stands_for_a_bundle_in_the_package(package: Path) -> None:
    assert load_bundle("another").folder == package / "another"
    assert load_bundle("auto").folder == package / "vgg16-slim"


def test_an_unknown_name_lists_what_there_is(package: Path) -> None:
    with pytest.raises(BundleError, match=re.escape("'vgg19'")) as caught:
        load_bundle("vgg19")
    assert "in the package (another, vgg16-slim)" in str(caught.value)


def test_with_no_bundle_at_all_the_message_still_makes_sense(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "PACKAGED", tmp_path)
    with pytest.raises(BundleError, match=r"'auto' is neither a bundle in the package \(none\)"):
        load_bundle("auto")


@pytest.mark.parametrize("kind", ["absent", "empty folder", "file"])
def test_a_path_that_is_no_bundle_folder_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "empty folder":
        path.mkdir()
    if kind == "file":
        path.write_bytes(b"model")
    assert "nor a folder with a bundle.json" in refused(path)


def test_packaged_bundles_load() -> None:
    """Whatever ships in this checkout is whole and of this program's kind."""
    for name in bundle_module.packaged_names():
        info = load_bundle(name).info
        assert info.classes == CLASSES
        assert info.families == FAMILY_OF


def test_what_was_written_says_how_it_was_trained_and_how_good_it_is(
    written: tuple[Path, BundleInfo],
) -> None:
    _, info = written
    assert info.training["network"]["preset"] == "vgg16-slim"
    assert info.training["network"]["width"] == 0.125
    assert info.training["fit"]["steps"] == 77
    assert info.data_sha256 == "f1" * 32
    assert info.split_seed is None
    assert {"liveclf", "python", "keras", "numpy", "tensorflow"} <= set(info.versions)
    assert info.versions["numpy"] == np.__version__
    assert [a.precision for a in info.accuracy] == ["fp32", "int8"]
    for accuracy in info.accuracy:
        assert isinstance(accuracy, Accuracy)
        assert accuracy.overall < 0.3  # it was not trained
        assert min(map(float, accuracy.by_snr)) <= -4
        assert max(map(float, accuracy.by_snr)) >= 28
    assert all(0.1 <= t <= 10 for t in info.temperature.values())
    assert set(info.temperature) == set(info.thresholds) == {"fp32", "int8"}


def test_each_precision_has_a_threshold_of_its_own(written: tuple[Path, BundleInfo]) -> None:
    info = msgspec.structs.replace(
        written[1], min_probability=0.1, thresholds={"fp32": 0.2, "int8": 0.3}
    )
    assert [info.threshold(p) for p in ("fp32", "int8", "other")] == [0.2, 0.3, 0.1]


def test_a_threshold_that_is_no_probability_is_refused(folder: Path) -> None:
    edit(folder, lambda info: info.update(thresholds={"int8": 1.5}))
    assert "bundle.json cannot be read" in refused(folder)


def test_a_bundle_of_an_earlier_version_loads(folder: Path) -> None:
    """It has no threshold by precision, and does not say what it was trained with."""
    late = ("thresholds", "data_sha256", "split_seed", "versions", "int8_loss")
    edit(folder, lambda info: [info.pop(key) for key in late])
    info = load_bundle(str(folder)).info
    assert info.threshold("int8") == info.min_probability
    assert info.versions == {}
