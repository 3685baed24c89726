"""`liveclf run` as it is without `--no-detect`: emissions, through the real entry point."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from command_line import LIGHT, inside, read, record, run

from liveclf.cli import main
from liveclf.config import SourceSettings
from liveclf.emissions import Emission
from liveclf.sources import open_source

# First sample, samples, cycles per sample of the middle.
BURSTS = ((100_000, 20_000, 0.15), (160_000, 30_000, -0.2), (200_000, 10_000, 0.3))
FOLDER = Path(__file__).parents[2] / "src" / "liveclf" / "data"


def band(path: Path, seed: int = 1) -> Path:
    """Write a recording of noise with three bursts of 2FSK."""
    rng = np.random.default_rng(seed)
    n = 250_000
    iq = 0.01 * (rng.standard_normal(n) + 1j * rng.standard_normal(n))
    for start, length, center in BURSTS:
        signs = np.repeat(rng.choice([-1, 1], length // 40 + 1), 40)[:length]
        phase = 2 * np.pi * np.cumsum(center + 0.012 * signs)
        iq[start : start + length] += 0.2 * np.exp(1j * phase)
    pairs = np.stack([iq.real, iq.imag], axis=1)
    np.clip(np.round(pairs * 127.5 + 127.5), 0, 255).astype(np.uint8).tofile(path)
    return path


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return band(tmp_path_factory.mktemp("band") / "g001_433.92M_250k.cu8")


def words(text: str) -> str:
    return " ".join(text.split())


def test_each_burst_is_a_record_that_says_where_it_was(recording):
    done = run("run", recording, *LIGHT)
    assert done.returncode == 0
    records = sorted(read(done.stdout), key=lambda r: r["sample"])
    assert [set(r) for r in records] == [{f.name for f in fields(Emission)}] * 3
    for r, (start, length, center) in zip(records, BURSTS, strict=True):
        assert r["state"] == "closed"
        assert r["sample"] == pytest.approx(start, abs=200)
        assert r["n_samples"] == pytest.approx(length, abs=400)
        assert r["elapsed_s"] == pytest.approx(start / 250e3, abs=1e-3)
        assert r["center_hz"] == pytest.approx(433.92e6 + center * 250e3, abs=2e3)
        assert 4e3 < r["bandwidth_hz"] < 20e3
        assert r["family"] in ("FSK", "FM", "ASK", "CW", "PSK", "unknown")
        assert r["n_windows"] >= 1
    said = words(done.stderr.decode())
    assert "emissions 3 told" in said
    n_windows = sum(r["n_windows"] for r in records)
    assert f"windows {n_windows} cut out of them, {n_windows} classified, coverage 100.0%" in said


def test_two_streams_give_what_each_gives_alone(recording, tmp_path, capfd):
    other = band(tmp_path / "other_100M_250k.cu8", seed=2)
    done = inside(capfd, "run", recording, other, *LIGHT)
    assert done.returncode == 0
    records = read(done.stdout)
    for k, path in enumerate((recording, other)):
        alone = read(inside(capfd, "run", path, *LIGHT).stdout)
        mine = [r for r in records if r["stream"] == k]
        assert {r["source"] for r in mine} == {path.name}
        places = [[(r["id"], r["sample"], r["center_hz"]) for r in rs] for rs in (mine, alone)]
        assert sorted(places[0]) == sorted(places[1])
        assert sorted(r["id"] for r in mine) == [1, 2, 3]
    assert words(done.stderr.decode()).count("250,000 samples; emissions 3 told") == 2


def test_statistics_tell_of_emissions(recording, capfd):
    arguments = (str(recording), "--realtime", "--stats", "200ms", "-o", "null", *LIGHT)
    assert main(["run", *arguments]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if " emissions told, " in line]
    assert len(lines) >= 2
    assert " unknown, " in lines[-1]
    assert " windows classified; " in lines[-1]


def test_what_is_weaker_than_asked_for_is_left_out_and_said(recording, capfd):
    assert main(["run", str(recording), "--min-snr", "50", *LIGHT]) == 0
    out, said = capfd.readouterr()
    assert out == ""
    assert "emissions 0 told" in words(said)
    assert "3 left out (too weak)" in words(said)


def test_noise_alone_is_nothing_to_tell(tmp_path, capfd):
    path = tmp_path / "x_250k.cu8"
    rng = np.random.default_rng(3)
    rng.normal(127.5, 5, 500_000).round().clip(0, 255).astype(np.uint8).tofile(path)
    assert main(["run", str(path), *LIGHT]) == 0
    out, said = capfd.readouterr()
    assert out == ""
    assert "emissions 0 told" in words(said)


def test_a_hop_needs_windows_of_the_whole_band(tmp_path, capfd):
    path = str(record(tmp_path / "x.cu8", 5000))
    assert main(["run", path, "--hop", "100", *LIGHT]) == 2
    said = capfd.readouterr().err
    assert said.startswith("liveclf: Configuration: window.hop = 100 (--hop) cuts windows of")
    assert said.endswith("give --no-detect with it.\n")
    file = tmp_path / "c.toml"
    file.write_text("[window]\nhop = 1000\n")
    assert main(["run", path, "--config", str(file), *LIGHT]) == 2
    assert main(["run", path, "--config", str(file), "--no-detect", "-q", *LIGHT]) == 0
    assert [r["sample"] for r in read(capfd.readouterr().out)] == [0, 1000, 2000, 3000]


def test_the_iq_of_unknown_emissions_is_kept(recording, tmp_path, capfd):
    folder = tmp_path / "unknown"
    flags = ("--save-unknown", str(folder), "--min-probability", "1", *LIGHT)
    assert main(["run", str(recording), *flags]) == 0
    out, said = capfd.readouterr()
    unknown = {r["sample"]: r for r in read(out) if r["label"] == "unknown"}
    assert unknown, "the bundle is certain of everything: choose other samples"
    assert f"{len(unknown)} unknown emissions kept in {len(unknown)} recordings" in words(said)
    whole = np.fromfile(recording, np.uint8).reshape(-1, 2)
    metas = sorted(folder.glob("*.sigmf-meta"))
    assert len(metas) == len(unknown)
    for meta in metas:
        (annotation,) = json.loads(meta.read_text())["annotations"]
        source = open_source(SourceSettings(path=str(meta)))
        ((label),) = source.info.annotations
        emission = unknown[label.start_sample]
        assert label.stop_sample == emission["sample"] + emission["n_samples"]
        edges = annotation["core:freq_lower_edge"], annotation["core:freq_upper_edge"]
        assert sum(edges) / 2 == pytest.approx(emission["center_hz"], abs=1)
        assert edges[1] - edges[0] == pytest.approx(emission["bandwidth_hz"], abs=1)
        blocks = [block for block in source.blocks() if len(block.iq)]
        assert blocks[0].start_sample < label.start_sample
        stop = blocks[-1].start_sample + len(blocks[-1].iq)
        assert label.stop_sample < stop
        kept = np.concatenate([block.iq for block in blocks])
        assert np.array_equal(kept, whole[blocks[0].start_sample : stop])


def test_the_demonstration_is_told_as_it_is_annotated(capfd):
    """Of its eleven signals; the recording has no more than a fifth of quiet."""
    assert main(["run", "--quiet", *LIGHT]) == 0
    records = [r for r in read(capfd.readouterr().out) if r["state"] == "closed"]
    right = {r["truth"] for r in records if r["label"] == r["truth"]}
    assert {"OOK", "GMSK", "4FSK"} <= right
