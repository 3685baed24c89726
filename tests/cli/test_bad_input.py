"""Bad input: one sentence on standard error, no traceback, the exit code of the conventions."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import wave
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import LIGHT, WHOLE_BAND, bundle_copy, iq_bytes, record, run, sigmf

from liveclf.cli import main
from liveclf.model.bundle import DEFAULT, INFO, ONNX_FILES

FAILED, WRONG_USE = 1, 2
Case = Callable[[Path], list[object]]


def cu8(folder: Path) -> Path:
    return record(folder / "x.cu8", 3000)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# -- recordings ----------------------------------------------------------------------------


def truncated_data(folder: Path) -> list[object]:
    meta = sigmf(folder, 1000)
    data = folder / "rec.sigmf-data"
    data.write_bytes(data.read_bytes()[:-3])
    return [meta]


def truncated_meta(folder: Path) -> list[object]:
    meta = sigmf(folder, 1000)
    meta.write_text(meta.read_text()[:-30])
    return [meta]


def truncated_archive(folder: Path) -> list[object]:
    sigmf(folder, 5000)
    path = folder / "rec.sigmf"
    with tarfile.open(path, "w") as archive:
        for name in ("rec.sigmf-meta", "rec.sigmf-data"):
            archive.add(folder / name, name)
    return [written(path, path.read_bytes()[:20_000])]


def lone_meta(folder: Path) -> list[object]:
    meta = sigmf(folder)
    (folder / "rec.sigmf-data").unlink()
    return [meta]


def lone_data(folder: Path) -> list[object]:
    sigmf(folder).unlink()
    return [folder / "rec.sigmf-data"]


def wav(folder: Path, channels: int = 2, tag: int = 1) -> list[object]:
    path = folder / "x.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(iq_bytes(3000, "cs16"))
    data = bytearray(path.read_bytes())
    data[20:22] = tag.to_bytes(2, "little")
    return [written(path, bytes(data))]


RECORDINGS: dict[str, tuple[Case, int, str]] = {
    "missing file": (lambda d: [d / "no.cu8"], FAILED, r"no\.cu8 does not exist; check the path"),
    "empty file": (lambda d: [written(d / "x.cu8", b"")], FAILED, r"x\.cu8 is empty"),
    "a folder": (lambda d: [d], FAILED, "is a folder"),
    "odd number of bytes": (
        lambda d: [written(d / "x.cu8", bytes(4097))],
        FAILED,
        "has 4097 bytes, no whole number of cu8 samples of 2 bytes",
    ),
    "half a cf32 sample": (
        lambda d: [written(d / "x.cf32", bytes(8196))],
        FAILED,
        "has 8196 bytes, no whole number of cf32 samples of 8 bytes",
    ),
    "unknown ending": (
        lambda d: [written(d / "x.iq", bytes(4096))],
        FAILED,
        r"the ending \.iq, which does not tell its sample format; give --format, one of cu8,",
    ),
    "no ending": (lambda d: [written(d / "x", bytes(9))], FAILED, "a name without an ending"),
    "SigMF data cut short": (truncated_data, FAILED, "it is cut short, or not cf32"),
    "SigMF data shorter than a capture": (
        lambda d: [sigmf(d, 100, captures=[{"core:sample_start": 0}, {"core:sample_start": 500}])],
        FAILED,
        "has 100 samples and its capture 2 begins at 500: the data are cut short",
    ),
    "SigMF metadata cut short": (truncated_meta, FAILED, r"rec\.sigmf-meta is not valid JSON"),
    "SigMF archive cut short": (truncated_archive, FAILED, "cut short"),
    "SigMF metadata alone": (lone_meta, FAILED, r"rec\.sigmf-data is not beside it"),
    "SigMF data alone": (lone_data, FAILED, r"has no rec\.sigmf-meta beside it"),
    "SigMF of real samples": (
        lambda d: [sigmf(d, info={"core:datatype": "rf32_le"})],
        FAILED,
        "datatype rf32_le: real samples, not IQ",
    ),
    "SigMF datatype that is none": (
        lambda d: [sigmf(d, info={"core:datatype": "cf99"})],
        FAILED,
        "core:datatype.*cf99",
    ),
    "SigMF without a datatype": (
        lambda d: [sigmf(d, info={"core:datatype": None})],
        FAILED,
        "not compliant, at .*core:datatype",
    ),
    "wrong SHA-512": (
        lambda d: [sigmf(d, info={"core:sha512": "0" * 128})],
        FAILED,
        "does not have the SHA-512 .* --no-checksum",
    ),
    "mono WAV": (lambda d: wav(d, channels=1), FAILED, "has 1 channel; IQ has 2"),
    "compressed WAV": (lambda d: wav(d, tag=6), FAILED, "WAV of format 0x0006 with 16 bits"),
    "WAV that is none": (
        lambda d: [written(d / "x.wav", bytes(4096))],
        FAILED,
        "is no WAV file, whatever its ending says",
    ),
    "NumPy array that is none": (
        lambda d: [written(d / "x.npy", bytes(4096))],
        FAILED,
        "is no NumPy array file",
    ),
    "unknown format": (
        lambda d: [cu8(d), "--format", "cu9"],
        WRONG_USE,
        "Sample format 'cu9' is not known; choose one of cu8,",
    ),
    "start behind the end": (
        lambda d: [cu8(d), "--rate", "1M", "--start", "3s"],
        WRONG_USE,
        r"--start 3 s is beyond the end of x\.cu8, which is 0\.003 s long",
    ),
    "seconds without a rate": (
        lambda d: [cu8(d), "--duration", "3s"],
        WRONG_USE,
        "--duration needs a sample rate and none is known",
    ),
    "real time without a rate": (
        lambda d: [cu8(d), "--realtime"],
        WRONG_USE,
        "--realtime needs a sample rate and none is known",
    ),
    "windows left out of a file": (
        lambda d: [cu8(d), "--when-slow", "stride", "--engine", "onnx"],
        WRONG_USE,
        r"--when-slow stride conflicts with .*x\.cu8, which waits.* add --realtime",
    ),
    "no window left out, and a limit": (
        lambda d: [cu8(d), "--when-slow", "block", "--max-late", "1s"],
        WRONG_USE,
        "max_late_s 1 leaves windows out and when_slow 'block' leaves out none",
    ),
    "an unknown policy": (
        lambda d: [cu8(d), "--when-slow", "never"],
        WRONG_USE,
        "when_slow 'never' is not known, choose one of auto, drop-oldest, stride, block",
    ),
    "a rate of nothing": (
        lambda d: [cu8(d), "--rate", "0"],
        WRONG_USE,
        "--rate must be above 0 Hz, got 0",
    ),
}


# -- bundles -------------------------------------------------------------------------------


def changed_byte(folder: Path) -> list[object]:
    file = bundle_copy(folder) / ONNX_FILES["int8"]
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    return [cu8(folder), "--model", file.parent]


def missing_weights(folder: Path) -> list[object]:
    file = bundle_copy(folder) / ONNX_FILES["int8"]
    file.unlink()
    return [cu8(folder), "--model", file.parent]


def broken_info(folder: Path) -> list[object]:
    copy = bundle_copy(folder)
    (copy / INFO).write_text("{")
    return [cu8(folder), "--model", copy]


BUNDLES: dict[str, tuple[Case, int, str]] = {
    "no such model": (
        lambda d: [cu8(d), "--model", "vgg99"],
        FAILED,
        rf"Model 'vgg99' is neither a bundle in the package \(.*{DEFAULT}.*\) nor a folder",
    ),
    "a folder without a bundle": (lambda d: [cu8(d), "-m", d], FAILED, "nor a folder with a bun"),
    "a changed byte": (changed_byte, FAILED, rf"{ONNX_FILES['int8']} is damaged: its SHA-256"),
    "weights missing": (missing_weights, FAILED, "cannot be read: No such file"),
    "description broken": (broken_info, FAILED, rf"{INFO} cannot be read"),
    "another window": (
        lambda d: [cu8(d), "-m", bundle_copy(d, window_samples=512)],
        FAILED,
        "was trained on windows of 512 samples; liveclf cuts 1024",
    ),
    "another layout": (
        lambda d: [cu8(d), "-m", bundle_copy(d, format=2)],
        FAILED,
        "has layout 2, this version of liveclf reads 1",
    ),
    "another normalisation": (
        lambda d: [cu8(d), "-m", bundle_copy(d, normalisation="peak")],
        FAILED,
        "wants normalisation 'peak'",
    ),
    "weights that are not there": (
        lambda d: [cu8(d), "-m", bundle_copy(d, files={}), "--precision", "fp32"],
        FAILED,
        rf"has no {ONNX_FILES['fp32']}",
    ),
    "unknown engine": (
        lambda d: [cu8(d), "--engine", "abacus"],
        WRONG_USE,
        "--engine 'abacus' is not known; choose auto or onnx, openvino, keras",
    ),
    "unknown precision": (
        lambda d: [cu8(d), "--precision", "int4"],
        WRONG_USE,
        "--precision 'int4' is not known; choose auto or fp32, int8",
    ),
    "engine and precision in conflict": (
        lambda d: [cu8(d), "--engine", "keras", "--precision", "int8"],
        WRONG_USE,
        "--precision int8 conflicts with --engine keras",
    ),
}


# -- outputs -------------------------------------------------------------------------------

OUTPUTS: dict[str, tuple[Case, int, str]] = {
    "folder that does not exist": (
        lambda d: [cu8(d), "-o", f"jsonl:{d}/no/x.jsonl"],
        FAILED,
        "no/x.jsonl cannot be opened for writing: folder .*/no does not exist",
    ),
    "a file as a folder": (
        lambda d: [cu8(d), "-o", f"jsonl:{d}/x.cu8/x.jsonl"],
        FAILED,
        "cannot be opened for writing: Not a directory",
    ),
    "a folder as a file": (
        lambda d: [cu8(d), "-o", f"csv:{d}"],
        FAILED,
        "cannot be opened for writing: it is a folder",
    ),
    "unknown kind": (
        lambda d: [cu8(d), "-o", "xml:x"],
        WRONG_USE,
        "--output 'xml:x' is not KIND or KIND:FILE with one of the kinds auto, csv, jsonl,",
    ),
    "a kind that takes no file": (
        lambda d: [cu8(d), "-o", "table:x"],
        WRONG_USE,
        "--output 'table:x': table takes no file",
    ),
    "two on standard output": (
        lambda d: [cu8(d), "-o", "jsonl", "-o", "csv"],
        WRONG_USE,
        "--output csv and --output jsonl both write to standard output",
    ),
    "two into one file": (
        lambda d: [cu8(d), "-o", f"jsonl:{d}/x", "-o", f"csv:{d}/./x"],
        WRONG_USE,
        "both write to the file",
    ),
    "over the recording": (
        lambda d: [cu8(d), "-o", f"jsonl:{d}/x.cu8"],
        WRONG_USE,
        "would overwrite .*x.cu8, which is read",
    ),
    "over the samples of a SigMF recording": (
        lambda d: [sigmf(d), "-o", f"jsonl:{d}/rec.sigmf-data"],
        WRONG_USE,
        "would overwrite .*rec.sigmf-data, which is read",
    ),
    "over the metadata of a SigMF recording": (
        lambda d: [d / "rec.sigmf-data", "-o", f"csv:{sigmf(d)}"],
        WRONG_USE,
        "would overwrite .*rec.sigmf-meta, which is read",
    ),
}
if sys.platform == "linux":  # where not even root may write
    OUTPUTS["folder that cannot be written to"] = (
        lambda d: [cu8(d), "-o", "jsonl:/sys/labels.jsonl"],
        FAILED,
        "jsonl:/sys/labels.jsonl cannot be opened for writing: ",
    )


# -- flags and configuration ---------------------------------------------------------------


def config(folder: Path, text: str) -> list[object]:
    return [cu8(folder), "--config", written(folder / "c.toml", text.encode())]


FLAGS: dict[str, tuple[Case, int, str]] = {
    "unknown flag": (lambda d: [cu8(d), "--hopp", "3"], WRONG_USE, "unrecognized arguments: --hop"),
    "abbreviated flag": (
        lambda d: [cu8(d), "--deci", "3"],
        WRONG_USE,
        "unrecognized arguments: --deci",
    ),
    "one of two recordings": (lambda d: [cu8(d), "y.cu8"], FAILED, r"y\.cu8"),
    "flag without a value": (lambda d: [cu8(d), "--hop"], WRONG_USE, "--hop: expected one argu"),
    "hop of nothing": (
        lambda d: [cu8(d), "--hop", "0"],
        WRONG_USE,
        "argument --hop: expected `int` >= 1, got '0'",
    ),
    "hop that is no number": (
        lambda d: [cu8(d), "--hop", "far"],
        WRONG_USE,
        "argument --hop: expected `int.*, got 'far'",
    ),
    "rate that is none": (
        lambda d: [cu8(d), "--rate", "fast"],
        WRONG_USE,
        r"argument --rate/-s: expected a frequency such as 433\.92M, 250k or 433920000, got 'fast'",
    ),
    "time that is none": (
        lambda d: [cu8(d), "--start", "noon"],
        WRONG_USE,
        "argument --start: expected a duration such as .*, got 'noon'",
    ),
    "count that is none": (
        lambda d: [cu8(d), "-n", "0"],
        WRONG_USE,
        "argument -n/--samples: expected a count such as .*, got '0'",
    ),
    "decimation of nothing": (
        lambda d: [cu8(d), "--decimate", "0"],
        WRONG_USE,
        "argument --decimate: expected `int` >= 1, got '0'",
    ),
    "probability above 1": (
        lambda d: [cu8(d), "--min-probability", "1.5"],
        WRONG_USE,
        r"argument --min-probability: expected `float` <= 1\.0, got '1\.5'",
    ),
    "unknown key": (
        lambda d: config(d, "[window]\nhopp = 5\n"),
        WRONG_USE,
        r"Configuration in .*c\.toml: window\.hopp = 5: there is no such key",
    ),
    "wrong type": (
        lambda d: config(d, "[window]\nhop = 'far'\n"),
        WRONG_USE,
        r"window\.hop = 'far': expected `int",
    ),
    "no TOML": (lambda d: config(d, "[window"), WRONG_USE, r"c\.toml is not valid TOML"),
    "configuration missing": (
        lambda d: [cu8(d), "--config", d / "no.toml"],
        WRONG_USE,
        r"no\.toml cannot be read: No such file",
    ),
}

CASES = RECORDINGS | BUNDLES | OUTPUTS | FLAGS


def assert_one_sentence(said: str, pattern: str) -> None:
    assert said.endswith("\n")
    assert said.count("\n") == 1, said
    assert said.startswith("liveclf: ")
    assert said.endswith(".\n")
    assert re.search(pattern, said), said
    assert "Traceback" not in said
    # Nothing that begins a second sentence; a name may hold a dot, but no dot and blank.
    assert not re.search(r"[.!?] +[A-Z]", said), said


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_sentence_and_an_exit_code(case, tmp_path, capfd):
    arguments, code, pattern = CASES[case]
    assert main(["run", *map(str, arguments(tmp_path)), *LIGHT]) == code
    out, said = capfd.readouterr()
    assert out == ""
    assert_one_sentence(said, pattern)


@pytest.mark.parametrize(
    ("case", "code"),
    [("missing file", FAILED), ("unknown flag", WRONG_USE), ("a changed byte", FAILED)],
)
def test_the_process_ends_with_that_code(case, code, tmp_path):
    arguments, _, pattern = CASES[case]
    done = run("run", *arguments(tmp_path), *LIGHT)
    assert (done.returncode, done.stdout) == (code, b"")
    assert_one_sentence(done.stderr.decode(), pattern)


@pytest.mark.parametrize("case", [name for name in OUTPUTS if name.startswith("over the")])
def test_what_is_read_is_never_written_over(case, tmp_path, capfd):
    arguments, code, _ = OUTPUTS[case]
    command = ["run", *map(str, arguments(tmp_path)), *LIGHT]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(command) == code
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("case", ["no such model", "missing file", "two on standard output"])
def test_an_output_is_not_touched_where_the_run_cannot_begin(case, tmp_path, capfd):
    labels = written(tmp_path / "labels.jsonl", b"of the run before\n")
    arguments, code, _ = CASES[case]
    assert main(["run", *map(str, arguments(tmp_path)), "-o", f"jsonl:{labels}", *LIGHT]) == code
    assert labels.read_bytes() == b"of the run before\n"


def test_the_checks_of_a_sigmf_recording_can_be_left_out(tmp_path, capfd):
    meta = sigmf(tmp_path, info={"core:sha512": "0" * 128})
    assert main(["run", str(meta), "--no-checksum", *WHOLE_BAND]) == 0
    assert len(capfd.readouterr().out.splitlines()) == 9


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_an_output_that_fails_midway_is_said_and_ends_with_1(tmp_path, capfd):
    path = record(tmp_path / "x.cu8", 20_000)
    arguments = ["-o", "jsonl:/dev/full", "-o", f"csv:{tmp_path / 'x.csv'}"]
    assert main(["run", str(path), *arguments, *WHOLE_BAND]) == 1
    said = capfd.readouterr().err
    assert "jsonl:/dev/full cannot be written: No space left on device." in " ".join(said.split())
    assert "Traceback" not in said
    assert len((tmp_path / "x.csv").read_text().splitlines()) == 20  # and one line of headings


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_sentence(tmp_path, capfd):
    path = cu8(tmp_path)
    tmp_path.chmod(0o500)
    assert main(["run", str(path), "-o", f"jsonl:{tmp_path / 'x'}", *LIGHT]) == FAILED
    assert_one_sentence(capfd.readouterr().err, "cannot be opened for writing: Permission denied")


# -- standard input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "data", "code", "pattern"),
    [
        (["-"], bytes(4096), WRONG_USE, "sample format of standard input is not known; give --f"),
        (["-", "--format", "cu8"], b"", FAILED, "standard input ended after 0 samples"),
        (["-", "--format", "cu8", "--loop"], bytes(4096), WRONG_USE, "--loop cannot be kept"),
    ],
)
def test_a_pipe_that_cannot_be_replayed_is_one_sentence(arguments, data, code, pattern):
    done = run("run", *arguments, "-q", *LIGHT, data=data)
    assert (done.returncode, done.stdout) == (code, b"")
    assert_one_sentence(done.stderr.decode(), pattern)


def test_a_pipe_that_ends_within_a_sample_is_labelled_up_to_there_and_an_error():
    data = iq_bytes(3000) + b"\x80"
    done = run("run", "-", "--format", "cu8", "-q", *WHOLE_BAND, data=data)
    assert done.returncode == FAILED
    assert [json.loads(line)["sample"] for line in done.stdout.splitlines()] == [0, 1024]
    assert_one_sentence(done.stderr.decode(), "ended within a sample, 1 bytes of 2")


def test_the_same_holds_behind_a_decimator():
    data = iq_bytes(8 * 1024 * 2) + b"\x80"
    done = run("run", "-", "--format", "cu8", "--decimate", "8", "-q", *WHOLE_BAND, data=data)
    assert done.returncode == FAILED
    assert [json.loads(line)["sample"] for line in done.stdout.splitlines()] == [0, 1024]


# -- what is not installed -----------------------------------------------------------------

BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
from liveclf.cli import main
sys.exit(main({arguments!r}))
"""


@pytest.mark.parametrize("names", [("keras", "tensorflow"), ("tensorflow",)])
@pytest.mark.parametrize("command", ["run", "train"])
def test_what_is_not_installed_is_named_with_the_line_that_installs_it(command, names, tmp_path):
    arguments = {
        "run": ["run", str(cu8(tmp_path)), "--engine", "keras", "-o", "null"],
        "train": ["train", "--run", str(tmp_path / "run")],
    }[command]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(names=names, arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.fullmatch(
        rf'liveclf: .* needs {names[0]}; install it with: pip install "liveclf\[train\]"', line
    )


def test_the_packaged_bundle_needs_nothing_of_that(tmp_path):
    arguments = ["run", str(cu8(tmp_path)), "-q", *WHOLE_BAND]
    names = ("keras", "tensorflow", "h5py", "onnx", "rtlsdr", "SoapySDR", "zmq")
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED.format(names=names, arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
