"""`liveclf scan`: nothing lost, nothing doubled, whatever is killed and when."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest
from command_line import LIGHT, LIMIT_S, inside, read, record, run, sigmf, start, windows_in

from liveclf.cli import main

N_FILES, N_SAMPLES = 10, 100_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """Return a folder of recordings that take a while."""
    folder = tmp_path_factory.mktemp("archive")
    for k in range(N_FILES):
        record(folder / f"r{k:02}_1000k.cu8", N_SAMPLES, seed=k)
    return folder


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory) -> bytes:
    """Return the results of a scan by one worker that nobody disturbs."""
    output = tmp_path_factory.mktemp("undisturbed")
    done = run("scan", archive, "-o", output, "--workers", 1, *LIGHT)
    assert done.returncode == 0, done.stderr
    return results(output)


def results(output: Path) -> bytes:
    return (output / "results.jsonl").read_bytes()


def lines(output: Path) -> dict[str, dict[str, Any]]:
    """Return the results by the name of the file, each of which has to be there once."""
    found = read(results(output))
    by_name = {Path(line["path"]).name: line for line in found}
    assert len(by_name) == len(found)
    return by_name


def logged(output: Path) -> list[str]:
    log = output / "scan.log"
    return log.read_text().splitlines() if log.exists() else []


def processes(output: Path) -> list[int]:
    """Return who did each recording, in order."""
    return [int(line.split(" process ")[1].split()[0]) for line in logged(output)]


def wait_until(holds: Callable[[], object], program: Popen[bytes]) -> None:
    end_s = time.monotonic() + LIMIT_S
    while not holds():
        assert program.poll() is None, "it ended before it could be disturbed"
        assert time.monotonic() < end_s
        time.sleep(0.02)


def is_gone(process: int) -> bool:
    """Tell whether a process has ended; one that nobody waited for yet has."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except OSError:
        return True


# -- killed ----------------------------------------------------------------------------------


def test_two_workers_give_the_results_of_one(archive, undisturbed, tmp_path):
    done = run("scan", archive, "-o", tmp_path / "r", "--workers", 2, *LIGHT)
    assert done.returncode == 0
    assert results(tmp_path / "r") == undisturbed
    assert len(set(processes(tmp_path / "r"))) == 2
    found = read(undisturbed)
    assert [Path(line["path"]).name for line in found] == [
        f"r{k:02}_1000k.cu8" for k in range(N_FILES)
    ]
    assert {line["samples"] for line in found} == {N_SAMPLES}
    assert {line["classified"] for line in found} == {windows_in(N_SAMPLES)}
    assert {line["signal_s"] for line in found} == {0.1}


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="needs /proc")
def test_a_scan_that_was_ended_and_is_run_again_gives_the_same_results(
    archive, undisturbed, tmp_path
):
    command = ("scan", archive, "-o", tmp_path, "--workers", 2, "--details", "csv", *LIGHT)
    n_before = 0
    for number, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with start(*command, stderr=PIPE) as program:
            wait_until(lambda: len(logged(tmp_path)) >= n_before + 2, program)  # noqa: B023
            program.send_signal(number)
            said = program.stderr.read().decode()
        assert program.returncode == code
        assert "Traceback" not in said
        assert n_before + 2 <= len(lines(tmp_path)) < N_FILES
        n_before = len(lines(tmp_path))
        end_s = time.monotonic() + LIMIT_S
        while not all(map(is_gone, processes(tmp_path))):
            assert time.monotonic() < end_s
            time.sleep(0.05)
    again = run(*command)
    assert again.returncode == 0, again.stderr
    assert f"{n_before} of them done before" in again.stderr.decode()
    # A kill may come between the line of the results and that of the log.
    assert N_FILES - 1 <= len(logged(tmp_path)) <= N_FILES
    found = lines(tmp_path)
    for line in found.values():
        rows = (tmp_path / line["details"]).read_text().splitlines()
        assert len(rows) == 1 + line["classified"]
        line["details"] = None
    assert list(found.values()) == read(undisturbed)
    assert not list((tmp_path / "details").glob(".*"))


def test_a_worker_that_is_killed_is_replaced_and_its_recording_done(archive, undisturbed, tmp_path):
    with start(
        "scan", archive, "-o", tmp_path, "--workers", 2, *LIGHT, stderr=PIPE
    ) as program:  # fmt: skip
        wait_until(lambda: logged(tmp_path), program)
        os.kill(processes(tmp_path)[0], signal.SIGKILL)
        said = program.stderr.read().decode()
    assert program.returncode == 0, said
    assert results(tmp_path) == undisturbed
    assert len(logged(tmp_path)) == N_FILES
    assert len(set(processes(tmp_path))) == 3


def test_a_worker_of_a_cluster_that_is_killed_is_replaced_too(archive, undisturbed, tmp_path):
    pytest.importorskip("ray", reason='needs Ray: pip install "liveclf[cluster]"')
    with start(
        "scan", archive, "-o", tmp_path, "--workers", 2, "--cluster", "local", *LIGHT, stderr=PIPE
    ) as program:
        wait_until(lambda: logged(tmp_path), program)
        os.kill(processes(tmp_path)[0], signal.SIGKILL)
        said = program.stderr.read().decode()
    assert program.returncode == 0, said
    assert results(tmp_path) == undisturbed
    assert len(logged(tmp_path)) == N_FILES
    assert len(set(processes(tmp_path))) == 3


# -- what is done again, and what is not -----------------------------------------------------


def small(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        record(folder / name, 5000)
    return folder


def test_a_line_that_a_crash_cut_short_is_done_again(tmp_path, capfd):
    folder = small(tmp_path / "in", "a.cu8", "b.cu8")
    command = ("scan", folder, "-o", tmp_path / "r", "--workers", 1, *LIGHT)
    assert inside(capfd, *command).returncode == 0
    whole = results(tmp_path / "r")
    (tmp_path / "r" / "results.jsonl").write_bytes(whole[:-100])
    again = inside(capfd, *command)
    assert again.returncode == 0
    assert b"cut short" in again.stderr
    assert results(tmp_path / "r") == whole
    assert len(logged(tmp_path / "r")) == 3


def test_only_what_changed_or_failed_is_done_again(tmp_path, capfd):
    folder = small(tmp_path / "in", "a.cu8", "b.cu8")
    (folder / "bad.wav").write_bytes(b"nothing")
    command = ("scan", folder, "-o", tmp_path / "r", "--workers", 1, *LIGHT)
    first = inside(capfd, *command)
    assert first.returncode == 1
    assert b"2 recordings done, 1 failed, 0 done before" in first.stderr
    assert "no WAV file" in lines(tmp_path / "r")["bad.wav"]["error"]
    b = lines(tmp_path / "r")["b.cu8"]
    record(folder / "a.cu8", 7000)
    second = inside(capfd, *command)
    assert second.returncode == 1
    assert b"1 recordings done, 1 failed, 1 done before" in second.stderr
    assert lines(tmp_path / "r")["a.cu8"]["samples"] == 7000
    assert lines(tmp_path / "r")["b.cu8"] == b
    (folder / "bad.wav").unlink()
    third = inside(capfd, *command)
    assert third.returncode == 0
    assert b"0 recordings done, 0 failed, 2 done before" in third.stderr
    assert b"1 others are kept" in third.stderr


def test_another_setting_is_refused_by_name_unless_all_is_to_be_done_anew(tmp_path, capfd):
    folder = small(tmp_path / "in", "a.cu8")
    command = ("scan", folder, "-o", tmp_path / "r", "--workers", 1, *LIGHT)
    assert inside(capfd, *command, "--details", "jsonl").returncode == 0
    before = results(tmp_path / "r")
    other = inside(capfd, *command, "--details", "jsonl", "--hop", 512)
    assert other.returncode == 2
    assert b"window.hop = none, and this scan has 512; give --overwrite" in other.stderr
    assert results(tmp_path / "r") == before
    anew = inside(capfd, *command, "--hop", 512, "--overwrite")
    assert anew.returncode == 0
    assert lines(tmp_path / "r")["a.cu8"]["windows"] == windows_in(5000, 512)
    assert not list((tmp_path / "r" / "details").iterdir())


def test_another_model_is_refused_by_name(tmp_path, capfd):
    folder = small(tmp_path / "in", "a.cu8")
    command = ("scan", folder, "-o", tmp_path / "r", "--workers", 1, *LIGHT)
    assert inside(capfd, *command).returncode == 0
    ticket = tmp_path / "r" / "scan.json"
    ticket.write_text(json.dumps(json.loads(ticket.read_text()) | {"model_sha256": "another"}))
    other = inside(capfd, *command)
    assert other.returncode == 2
    assert b"model_sha256 = another, and this scan has" in other.stderr


def test_two_scans_do_not_write_to_one_folder(archive, tmp_path):
    pytest.importorskip("fcntl")
    command = ("scan", archive, "-o", tmp_path, "--workers", 1, *LIGHT)
    with start(*command, stderr=PIPE) as program:
        wait_until(lambda: logged(tmp_path), program)
        program.send_signal(signal.SIGSTOP)  # so that it is not done before the second begins
        try:
            second = run(*command)
        finally:
            program.send_signal(signal.SIGCONT)
            program.send_signal(signal.SIGINT)
        program.stderr.read()
    assert second.returncode == 1
    assert b"Another scan writes to" in second.stderr


# -- what is a recording ---------------------------------------------------------------------


def test_names_and_files_of_every_kind_are_read_or_told(tmp_path):
    folder = small(tmp_path / "in", "with space.cu8", "two\nlines.cu8", "brackets[bold].cu8")
    nameless = os.fsencode(folder) + b"/not\xffutf8.cu8"
    try:
        Path(os.fsdecode(nameless)).write_bytes(bytes(range(256)) * 16)
    except OSError:
        pytest.skip("the file system takes no name that is not UTF-8")
    sigmf(folder)
    (folder / "notes_cu8.txt").write_text("no recording")
    (folder / "nowhere.cu8").symlink_to("gone")
    os.mkfifo(folder / "pipe.cu8")
    done = run(
        "scan", folder, folder / "with space.cu8", os.fsdecode(nameless), "-o", folder / "r",
        "--workers", 1, "--details", "jsonl", *LIGHT,
    )  # fmt: skip
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "7 recordings, 0 of them done before; 1 other files" in said
    found = lines(folder / "r")
    assert sorted(name for name, line in found.items() if line["error"]) == [
        "nowhere.cu8",
        "pipe.cu8",
    ]
    assert "no pipes" in found["pipe.cu8"]["error"]
    assert found["rec.sigmf-meta"]["bytes"] > 80_000
    strange = found["not\\xffutf8.cu8"]
    assert strange["samples"] == 2048
    assert set(strange) - set(found["rec.sigmf-meta"]) == {"path_base64"}
    for line in found.values():
        if not line["error"]:
            records = read((folder / "r" / line["details"]).read_bytes())
            assert len(records) == line["classified"] > 0
            assert {record["latency_s"] for record in records} == {None}
    again = run(
        "scan", folder, "-o", folder / "r", "--workers", 1, "--details", "jsonl", *LIGHT
    )  # fmt: skip
    assert b"7 recordings, 5 of them done before" in again.stderr


def test_the_settings_of_a_recording_are_kept(tmp_path, capfd):
    path = record(tmp_path / "a.cs8", 5000).rename(tmp_path / "a.dat")
    done = inside(
        capfd, "scan", path, "-o", tmp_path / "r", "--workers", 1, "--format", "cs8",
        "--rate", "1M", "--start", "1ms", "--decimate", 2, "--min-probability", 1, *LIGHT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = lines(tmp_path / "r")["a.dat"]
    assert (line["sample_rate_hz"], line["samples"]) == (5e5, 4000)
    assert line["classified"] == windows_in(2000)
    assert line["label_shares"] == {"unknown": 1.0}
    assert line["label"] == "unknown"
    assert 0 < sum(p for _, p in line["top"]) <= 1.001


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["-o", "r"], 2, "No recording is given"),
        (["in"], 2, "name one with --output"),
        (["in", "-o", "r"], 2, "No recording is in in: 1 files have other endings"),
        (["missing", "-o", "r"], 2, "missing is not there"),
        (["in", "-o", "r", "--details", "xml"], 2, "details 'xml' is not known"),
        (["in", "-o", "r", "--max-age", "1"], 2, "model.max_age_s = 1"),
        (["in", "-o", "r", "--rate", "-5"], 2, "--rate must be above 0 Hz"),
        (["in", "-o", "r", "--format", "cx9"], 2, "'cx9' is not known"),
        (["in/x.txt", "-o", "in/x.txt"], 1, "cannot be written"),
        (["in/x.txt", "-o", "r", "--engine", "none"], 2, "--engine 'none' is not known"),
        (["in/x.txt", "-o", "r", "-m", "none"], 1, "Model 'none' is neither"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, code, sentence, tmp_path, monkeypatch, capfd):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.txt").write_text("no recording")
    monkeypatch.chdir(tmp_path)
    assert main(["scan", *arguments, "--workers", "1"]) == code
    assert sentence in capfd.readouterr().err.splitlines()[-1]


def test_without_ray_the_line_that_installs_it_is_said(tmp_path, monkeypatch, capfd):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    folder = small(tmp_path / "in", "a.cu8")
    assert main(["scan", str(folder), "-o", str(tmp_path / "r"), "--cluster", "local"]) == 3
    assert 'pip install "liveclf[cluster]"' in capfd.readouterr().err
