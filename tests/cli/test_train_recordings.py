"""`liveclf train --data DIR --from BUNDLE`: from what a run saved to a network that knows it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its start-up notes on stderr

import keras
import numpy as np
import pytest
from command_line import LIGHT, read

from liveclf.cli import main
from liveclf.cli.tuning import read_recordings, tell_changes
from liveclf.config import FitSettings, NetworkSettings, TrainSettings, load, tuning_defaults
from liveclf.errors import TrainingError
from liveclf.learn import CONFIG, RECORDINGS
from liveclf.learn.data import material
from liveclf.learn.data.material import Material
from liveclf.learn.data.recorded import Recorded
from liveclf.learn.data.truth import TruthSet
from liveclf.learn.export.bundling import write_bundle
from liveclf.model.bundle import Change, load_bundle
from liveclf.model.vgg16 import build_vgg16
from liveclf.signals.classes import CLASSES
from liveclf.signals.generator import make_chunk

RATE_HZ = 250e3
FROM = ("--from", "vgg16-slim")
# Ten bursts of 40 ms, 100 ms apart.
BURSTS = [30_000 + 25_000 * k for k in range(10)]
BURST = 10_000


def never(*_: Any, **__: Any) -> None:
    pytest.fail("work was begun")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "my run"


def recording(path: Path) -> Path:
    """Write bursts of a signal of its own kind: a tone that is keyed by another."""
    rng = np.random.default_rng(1)
    n = BURSTS[-1] + 40_000
    iq = 0.003 * rng.standard_normal((n, 2)).view(np.complex128)[:, 0]
    k = np.arange(BURST)
    for start in BURSTS:
        phase = rng.uniform(0.1, 0.2) * k + 3 * np.sin(2 * np.pi * rng.uniform(0.004, 0.005) * k)
        iq[start : start + BURST] += 0.2 * np.exp(1j * phase)
    iq.astype(np.complex64).tofile(path)
    return path


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what a run has saved: unknown emissions."""
    folder = tmp_path_factory.mktemp("saved")
    path = recording(folder / "band_433M_250k.cf32")
    flags = ("--save-unknown", folder / "unknown", "--min-probability", "1", "-q", "-o", "null")
    assert main(["run", *map(str, (path, *flags, *LIGHT))]) == 0
    assert len(list((folder / "unknown").glob("*.sigmf-meta"))) == len(BURSTS)
    return folder / "unknown"


def relabelled(saved: Path, folder: Path, label: str | None, n: int = len(BURSTS)) -> Path:
    """Copy what was saved, and label the first n of it as a user would; None takes it away."""
    shutil.copytree(saved, folder)
    for path in sorted(folder.glob("*.sigmf-meta"))[:n]:
        meta = json.loads(path.read_text())
        (one,) = meta["annotations"]
        assert one["core:label"] == "unknown"
        one["core:label"] = label
        if label is None:
            meta["annotations"] = []
        path.write_text(json.dumps(meta))
    return folder


# ---------------------------------------------------------------- all of the way


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Write the bundle of a network that is exported in seconds; it has learned nothing."""
    kind = NetworkSettings(preset="vgg16-classic", width=0.03125)
    settings = TrainSettings(network=kind, fit=FitSettings(noise_share=1))
    keras.utils.set_random_seed(1)
    made = make_chunk(1, 0, (-6.0, 30.0))
    x, y = made.x[:512].astype(np.float32), made.y[:512].astype(np.int32)
    check = TruthSet("own generator, held out", x, y, made.snr_db[:512], CLASSES)
    model = build_vgg16(len(CLASSES), kind.preset, kind.width)
    write_bundle(model, tmp_path / "small", settings, Material(lambda _: made, check, "f1"))
    return tmp_path / "small"


def test_what_was_unknown_is_known_after(
    saved: Path,
    small: Path,
    run: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A class is added; nine of ten emissions are labelled, and one is left unknown."""
    folder = relabelled(saved, tmp_path / "unknown", "beacon", n=9)
    quick = ("--pool", "1024", "--heldout", "512", "--steps", "200", "--epoch-steps", "100")
    flags = ("--add-class", "Beacon", *quick, "--batch", "128", "--noise-share", "1")
    flags += ("--recorded-share", "0.4")  # so few steps are enough for two emissions
    monkeypatch.chdir(tmp_path)
    given = ("--data", "unknown", "--from", "small", "--run", run, *flags)
    assert main(["train", *map(str, given)]) == 0
    out, said = capfd.readouterr()
    assert "1 emissions are labelled unknown: left out" in said
    assert "unknown: 9 emissions" in said
    assert "(9 Beacon), 2 of them held out" in said

    info = load_bundle(str(run)).info  # by the run's folder
    assert info.classes[-2:] == ("noise", "Beacon")
    assert info.families["Beacon"] == "Beacon"
    old, windows, emissions = info.tuned
    assert (old.n, emissions.n) == (1024, 2)
    assert (windows.before, emissions.before, emissions.after) == (0, 0, 1)
    assert windows.after == 1
    assert old.after > old.before / 2 > 0  # of a network that guesses: 3.3 %, give or take
    assert f"own generator, held out, 1,024 windows, int8: {old.before:.1%} right before" in out
    assert "unknown, held out, 2 emissions, int8: 0.0% right before, 100.0% after" in out

    parts = json.loads((run / RECORDINGS).read_text())["emissions"]
    assert [p["part"] for p in parts].count("test") == 2
    settings = load(TrainSettings, run / CONFIG, {})
    assert (settings.network.preset, settings.network.width) == ("vgg16-classic", 0.03125)
    assert settings.fit.freeze  # as on recordings it is

    # The next evening.
    path = recording(tmp_path / "again_433M_250k.cf32")
    told = ("--model", str(run), "--min-probability", "0", "-q", "-o", "jsonl")
    assert main(["run", str(path), *told, *LIGHT]) == 0
    labels = [r["label"] for r in read(capfd.readouterr().out)]
    assert labels.count("Beacon") >= 8, labels

    # From any folder; but not with other labels.
    monkeypatch.chdir("/")
    shutil.rmtree(folder)
    relabelled(saved, folder, "beacon", n=8)
    assert main(["train", "--run", str(run), "--resume"]) == 2
    assert "or their labels, are not those that the run began with" in capfd.readouterr().err


def test_forgetting_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    kind = {"counted": "windows", "n": 1000, "precision": "int8"}
    told: list[str] = []
    for after in (0.69, 0.68):
        tell_changes((Change(data="old", before=0.695, after=after, **kind),), told.append)
    (line,) = told
    assert line.startswith("the network has forgotten: 1.5% of the old set less are right; try")
    assert "old, 1,000 windows, int8: 69.5% right before, 69.0% after" in capfd.readouterr().out


# ---------------------------------------------------------------- refused, in one sentence


@pytest.fixture
def one_line(run: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what trains, expects to be refused, and gives the sentence."""
    monkeypatch.setattr(material, "gather", never)

    def refused(code: int, *arguments: object) -> str:
        assert main(["train", "--run", str(run), *map(str, arguments)]) == code
        assert not run.exists()
        lines = capfd.readouterr().err.splitlines()
        assert lines[-1].endswith("."), lines
        return lines[-1]

    return refused


def test_recordings_need_a_network_to_begin_with(saved: Path, one_line: Any) -> None:
    line = one_line(2, "--data", saved)
    assert "is recordings, on which a trained network is tuned; say which with --from" in line


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--recipe", "as-posted"], "--recipe as-posted trains on windows only"),
        (["--classes", "a.txt"], "--classes is for HDF5"),
        (["--cluster", "127.0.0.1:4100", "--machines", "2"], "--cluster trains on windows only"),
        (["--add-class", "bpsk"], "--add-class bpsk: vgg16-slim has that class"),
        (["--add-class", "Unknown"], "vgg16-slim has that class"),
        (["--preset", "vgg19"], "Preset 'vgg19' is not known"),
    ],
)
def test_what_does_not_go_with_recordings_is_named(
    flags: list[str], words: str, saved: Path, one_line: Any
) -> None:
    assert words in one_line(2, "--data", saved, *FROM, *flags)


def test_a_class_is_added_by_recordings_alone(one_line: Any) -> None:
    assert "--add-class DMR is of recordings, and --data (none)" in one_line(
        2, *FROM, "--add-class", "DMR"
    )


def test_a_folder_without_a_recording(tmp_path: Path, one_line: Any) -> None:
    line = one_line(1, "--data", tmp_path, *FROM)
    assert "the folder holds no SigMF recording (.sigmf-meta or .sigmf)" in line


@pytest.mark.parametrize("label", ["unknown", None])
def test_recordings_that_nobody_has_labelled(
    label: str | None, saved: Path, tmp_path: Path, one_line: Any
) -> None:
    folder = relabelled(saved, tmp_path / "unknown", label)
    line = one_line(1, "--data", folder, *FROM)
    assert "no recording has an emission to train on; label them in the annotations" in line


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("bpks", "'bpks', a label in g001_433M_250k.sigmf-meta, g002"),
        ("bpks", "is no class of vgg16-slim; correct core:label there"),
        ("bpks", "or make it a new class with --add-class; classes: OOK, 4ASK,"),
        ("psk", "is a family; write which class of it; classes: OOK"),
        ("x" * 100, f"'{'x' * 40}...', a label in"),
    ],
)
def test_a_label_that_is_no_class(
    label: str, words: str, saved: Path, tmp_path: Path, one_line: Any
) -> None:
    folder = relabelled(saved, tmp_path / "unknown", label)
    assert words in one_line(2, "--data", folder, *FROM)


def test_a_class_to_add_that_nothing_is_labelled_as(
    saved: Path, tmp_path: Path, one_line: Any
) -> None:
    folder = relabelled(saved, tmp_path / "unknown", "CW")
    line = one_line(2, "--data", folder, *FROM, "--add-class", "DMR")
    assert "--add-class DMR: no emission in" in line


@pytest.mark.parametrize(("has_sum", "words"), [(True, "SHA-512"), (False, "cut short")])
def test_a_recording_that_is_cut_off(
    has_sum: bool, words: str, saved: Path, tmp_path: Path, one_line: Any
) -> None:
    """One that a killed program left has no SHA-512."""
    folder = relabelled(saved, tmp_path / "unknown", "CW")
    path = sorted(folder.glob("*.sigmf-meta"))[3]
    os.truncate(path.with_suffix(".sigmf-data"), 8 * 1000)
    if not has_sum:
        meta = json.loads(path.read_text())
        del meta["global"]["core:sha512"]
        path.write_text(json.dumps(meta))
    line = one_line(1, "--data", folder, *FROM)
    assert path.name in line
    assert words in line


def test_what_the_refusal_of_a_changed_recording_advises_works(
    saved: Path, tmp_path: Path, run: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = relabelled(saved, tmp_path / "unknown", "CW")
    samples = sorted(folder.glob("*.sigmf-data"))[3]
    data = bytearray(samples.read_bytes())
    data[8] ^= 1
    samples.write_bytes(data)
    read: list[Recorded] = []

    def gathered(*_: Any, recorded: Recorded, **__: Any) -> None:
        read.append(recorded)
        raise TrainingError("Enough.")

    monkeypatch.setattr(material, "gather", gathered)
    flags = ["train", "--run", str(run), "--data", str(folder), *FROM]
    assert main(flags) == 1
    (refusal,) = capfd.readouterr().err.splitlines()
    assert samples.with_suffix(".sigmf-meta").name in refusal
    (advised,) = re.findall(r"--[\w-]+", refusal)
    assert main([*flags, advised]) == 1
    assert capfd.readouterr().err.splitlines()[-1].endswith("Enough.")
    (recorded,) = read
    assert len(recorded.emissions) == len(BURSTS)


def test_checksums_are_of_recordings(one_line: Any) -> None:
    assert "--no-checksum is for recordings, and --data (none) is none" in one_line(
        2, "--no-checksum"
    )


def test_emissions_that_are_too_short_are_counted(
    tmp_path: Path, one_line: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    iq = np.ones(300, np.complex64)
    iq.tofile(tmp_path / "a.sigmf-data")
    about = {"core:datatype": "cf32_le", "core:version": "1.2.0", "core:sample_rate": RATE_HZ}
    short = {"core:sample_start": 0, "core:sample_count": 200, "core:label": "CW"}
    away = short | {"core:freq_lower_edge": 1e6, "core:freq_upper_edge": 2e6}
    meta = {"global": about, "captures": [{"core:sample_start": 0, "core:frequency": 0}]}
    meta["annotations"] = [short, short, away]
    path = tmp_path / "a.sigmf-meta"
    path.write_text(json.dumps(meta))
    told: list[str] = []
    settings = load(
        TrainSettings, None, {"data": {"file": str(path)}, "network": {"start": "auto"}}
    )
    with pytest.raises(TrainingError, match="no recording has an emission to train on"):
        read_recordings(settings, told.append)
    assert told == [
        "2 labelled emissions are too short: left out",
        "1 labelled emissions are outside the band: left out",
    ]


# ---------------------------------------------------------------- defaults


def test_defaults_on_recordings_give_way_to_file_and_flags(
    saved: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text("[fit]\nbatch = 64\nlearning_rate = 0.5\n")
    flags = ("--data", saved, *FROM, "--config", tmp_path / "mine.toml", "--lr", "0.25")
    assert main(["train", *map(str, flags), "--show-config"]) == 0
    (tmp_path / "shown.toml").write_text(capfd.readouterr().out)
    shown = load(TrainSettings, tmp_path / "shown.toml", {})
    assert (shown.fit.batch, shown.fit.learning_rate) == (64, 0.25)
    tuning = tuning_defaults(TrainSettings)
    assert shown.fit.steps == tuning["fit"]["steps"] != TrainSettings().fit.steps
    assert shown.data.file == str(saved)
    assert main(["train", *FROM, "--show-config"]) == 0
    assert f"steps = {TrainSettings().fit.steps}\n" in capfd.readouterr().out


def test_the_help_tells_both_defaults(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    steps = TrainSettings().fit.steps, tuning_defaults(TrainSettings)["fit"]["steps"]
    assert f"(default: {steps[0]}; {steps[1]} on recordings)" in said
    assert "(default: off; on on recordings)" in said
