"""`liveclf bench`: what it prints, with the packaged bundle and hardly any time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import jsonschema
import msgspec
import pytest

from liveclf.bench import measuring
from liveclf.bench.measuring import covered
from liveclf.bench.results import Result
from liveclf.cli import main

LIGHT = ("--engine", "onnx", "--batch", "8", "--threads", "1", "--seconds", "0.1")
LIMIT_S = 120


@pytest.fixture(scope="module")
def measured():
    """Return what the program prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-m", "liveclf", "bench", *LIGHT, "--rate", "20k", "--json"],
        capture_output=True, check=True, timeout=LIMIT_S,
    )  # fmt: skip
    assert done.stderr == b""  # no bar where nobody looks
    return json.loads(done.stdout)


def test_the_json_is_that_of_the_schema(measured):
    jsonschema.validate(measured, msgspec.json.schema(Result))
    assert list(measured) == list(Result.__struct_fields__)
    assert None not in [measured[part] for part in ("stages", "end_to_end", "latency")]


def test_it_tells_what_was_measured(measured):
    told = {key: measured[key] for key in ("model", "engine", "precision", "batch", "samples")}
    assert told == {
        "model": "vgg16-slim",
        "engine": "onnx int8, 1 threads",
        "precision": "int8",
        "batch": 8,
        "samples": "cu8",
    }
    assert not measured["interrupted"]


def test_the_figures_fit_each_other(measured):
    bare = measured["end_to_end"]["engine"]["windows_per_s"]
    null, jsonl = measured["end_to_end"]["outputs"]
    assert [null["output"], jsonl["output"]] == ["null", "jsonl"]
    assert measured["sustained_hz"] == jsonl["samples_per_s"] > 0
    assert jsonl["samples_per_s"] == pytest.approx(1024 * jsonl["speed"]["windows_per_s"])
    assert bare > 0
    assert measured["latency"]["rate_hz"] == 20e3
    assert 0 < measured["latency"]["p50_ms"] <= measured["latency"]["max_ms"]


def test_coverage_is_the_share_of_a_rate_that_is_kept_up_with():
    shares = {at.rate_hz: at.share for at in covered(5e6)}
    assert shares == pytest.approx({0.25e6: 1, 2.4e6: 1, 10e6: 0.5, 20e6: 0.25, 61.44e6: 5 / 61.44})


def test_tables_are_printed_for_people(capfd):
    assert main(["bench", *LIGHT, "--rate", "20k"]) == 0
    out, said = capfd.readouterr()
    assert said == ""
    for text in (
        "integers to windows", "decision", "np.copyto", "engine alone", "file to jsonl",
        "61.44", "Latency at 0.02 MS/s", "--max-age",
    ):  # fmt: skip
        assert text in out
    assert "Interrupted" not in out


@pytest.mark.parametrize("flags", [["--json"], []])
def test_an_interrupt_ends_it_with_what_was_measured_so_far(flags, monkeypatch, capfd):
    def interrupted(*arguments):
        signal.raise_signal(signal.SIGINT)
        return measure_whole(*arguments)

    measure_whole = measuring.measure_whole
    monkeypatch.setattr(measuring, "measure_whole", interrupted)
    assert main(["bench", *LIGHT, *flags]) == 130
    out, said = capfd.readouterr()
    assert said == ""
    if not flags:
        assert "integers to windows" in out
        assert "engine alone" not in out
        assert out.endswith("Interrupted: this is what was measured so far.\n")
        return
    found = json.loads(out)
    jsonschema.validate(found, msgspec.json.schema(Result))
    assert found["interrupted"]
    assert found["stages"]
    assert (found["end_to_end"], found["coverage"], found["latency"]) == (None, None, None)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--format", "cu7"], "'cu7'"),
        (["--seconds", "0"], "part_s"),
        (["--rate", "1"], "paced_hz"),
        (["--model", "no-such"], "no-such"),
        (["--precision", "int4"], "int4"),
    ],
)
def test_a_wrong_use_is_one_sentence(flags, told, capfd):
    assert main(["bench", *LIGHT, *flags]) in (1, 2)
    out, said = capfd.readouterr()
    assert out == ""
    assert told in said
    assert said.count("\n") == 1
