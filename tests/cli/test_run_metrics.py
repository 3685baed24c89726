"""`liveclf run --metrics`: what is refused, and a run that is watched from outside."""

from __future__ import annotations

import re
import signal
import sys
import time
from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import LIGHT, LIMIT_S, iq_bytes

from liveclf.cli import main

pytest.importorskip("prometheus_client.parser", reason='pip install "liveclf[metrics]"')

from watched_program import Watched, watching

SOURCES = Path(__file__).parent.parent / "sources"
# The program as it is installed, but every device is the fake one.
FAKE = f"""
import sys
sys.path.insert(0, {str(SOURCES)!r})
from liveclf import sources
from liveclf.cli import main
sources.driver_module = lambda device: "fake_driver"
if __name__ == "__main__":
    sys.exit(main())
"""


def running(
    *arguments: object, program: tuple[object, ...] = ("-m", "liveclf")
) -> AbstractContextManager[Watched]:
    """Start a run that is watched."""
    return watching("run", *arguments, "-o", "null", *LIGHT, program=program)


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path]:
    script = tmp_path_factory.mktemp("metrics") / "program.py"
    script.write_text(FAKE)
    return (script,)


# -- refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--metrics", "99999"], 2, "--metrics 99999 is no [HOST:]PORT"),
        (["--metrics", "rec.cu8"], 2, "or give --metrics=9433"),
        (["--metrics", "192.0.2.1:0"], 1, "--metrics 192.0.2.1:0 cannot be served"),
        (["--metrics", "--health-limit", "0.5"], 2, "less than 1 s"),
        (["--log-format", "xml"], 2, "log_format 'xml' is not known, choose one of text, json"),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments, code, said, capsys):
    assert main(["run", *arguments, "-o", "null", *LIGHT]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_without_its_extra_the_line_that_installs_it_is_said(monkeypatch, capsys):
    import liveclf.monitor

    monkeypatch.setattr(liveclf, "monitor", liveclf.monitor)  # an import anew replaces it
    for name in [name for name in sys.modules if name.startswith("liveclf.monitor")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    assert main(["run", "--metrics=0", "-o", "null", *LIGHT]) == 3
    assert 'pip install "liveclf[metrics]"' in capsys.readouterr().err


def test_alone_it_is_on_loopback(capsys):
    assert main(["run", "--metrics", "--show-config"]) == 0
    assert 'at = "127.0.0.1:9433"' in capsys.readouterr().out


def test_beyond_loopback_it_is_said_that_it_is_open(capfd):
    assert main(["run", "-n", "5000", "--metrics", "0.0.0.0:0", "-o", "null", *LIGHT]) == 0
    said = capfd.readouterr().err
    assert re.search(r"^Metrics: http://0\.0\.0\.0:\d+/metrics$", said, re.M)
    assert "open to every machine that gets there, without a password" in said


# -- watched -------------------------------------------------------------------------------


def test_at_the_end_every_counter_is_the_figure_of_the_summary():
    pytest.importorskip("uvicorn", reason='pip install "liveclf[web]"')
    with running("--web=0") as watched:  # with a page, what has ended can still be asked
        watched.wait_for(lambda: bool(watched.events("summary")))
        summary = watched.events("summary")[0]
        found = watched.scrape()
        assert watched.health() == (503, ["the run has ended"])
        assert watched.health("/live") == (200, [])
        watched.process.send_signal(signal.SIGINT)
        assert watched.process.wait(LIMIT_S) == 0

    def by(name: str, label: str) -> dict[str, float]:
        return {
            dict(labels)[label]: value
            for (key, labels), value in found.items()
            if key == name and value
        }

    zero = frozenset({("stream", "0")})
    for name, key in (
        ("samples_total", "samples"),
        ("signal_seconds_total", "stream_s"),
        ("samples_lost_estimated_total", "samples_lost_estimated"),
        ("samples_left_out_total", "samples_left_out"),
        ("samples_short_total", "samples_short"),
        ("windows_total", "windows"),
        ("windows_classified_total", "classified"),
        ("windows_waiting", "unclassified"),
        ("coverage_ratio", "coverage"),
        ("emissions_total", "emissions"),
    ):
        assert found[f"liveclf_{name}", zero] == summary[key], name
    nonzero = {k: {n: v for n, v in summary[k].items() if v} for k in ("skipped", "left_out")}
    assert by("liveclf_labels_total", "label") == summary["labels"]
    assert by("liveclf_families_total", "family") == summary["families"]
    assert by("liveclf_windows_skipped_total", "reason") == nonzero["skipped"]
    assert by("liveclf_samples_lost_total", "cause") == summary["lost_by"]
    noise = {"taken for noise": summary["noise"]} if summary["noise"] else {}
    assert by("liveclf_emissions_suppressed_total", "reason") == nonzero["left_out"] | noise
    agreeing = by("liveclf_annotated_agreeing_total", "what")
    assert agreeing["label"] == summary["agreement"]["label_right"]
    assert summary["samples"] > 200_000
    (null,) = [out for out in summary["outputs"] if out["name"] == "null"]
    assert by("liveclf_output_records_total", "output")["null"] == null["n_written"]


def test_while_it_runs_no_counter_ever_falls():
    with running("--loop", "--realtime") as watched:
        watched.wait_for(lambda: ("liveclf_emissions_total", frozenset({("stream", "0")}))
                         in watched.scrape())  # fmt: skip
        scrapes = [watched.scrape()]
        for _ in range(4):
            time.sleep(0.4)
            scrapes.append(watched.scrape())
        assert watched.health() == (200, [])
        grows = ("_total", "_bucket", "_count", "_sum")
        for before, after in pairwise(scrapes):
            for key, value in before.items():
                if key[0].endswith(grows):
                    assert after[key] >= value, key
        samples = "liveclf_samples_total", frozenset({("stream", "0")})
        assert scrapes[-1][samples] > scrapes[0][samples]


def test_a_source_that_is_stuck_is_not_ready_but_alive_until_it_goes_on():
    arguments = ("-", "--format", "cu8", "--rate", "1M", "--health-limit", "1")
    with running(*arguments) as watched:
        write = watched.process.stdin.buffer
        write.write(iq_bytes(200_000))
        write.flush()
        watched.wait_for(lambda: watched.health()[0] == 503)
        (reason,) = watched.health("/ready")[1]
        assert re.fullmatch(r"stream 0 \(.*\): no samples for \d+ s", reason)
        assert watched.health("/live") == (200, [])
        assert watched.value("liveclf_ready") == 0
        write.write(iq_bytes(200_000))
        write.flush()
        watched.wait_for(lambda: watched.health()[0] == 200)
        assert watched.value("liveclf_samples_total", stream="0") > 200_000


def test_a_radio_that_goes_and_comes_is_counted_and_told(fake, tmp_path):
    options = ("n=200000", "then=crash", f"lives={tmp_path / 'lives'}", "speed=1")
    flags = [part for option in options for part in ("--device-option", option)]
    with running("--device", "fake", "--rate", "250k", *flags, program=fake) as watched:
        watched.wait_for(lambda: bool(watched.events("source_back")))
        watched.wait_for(lambda: watched.value("liveclf_source_gone_total", stream="0") == 1)
        assert watched.value("liveclf_source_retries_total", stream="0") >= 1
        watched.wait_for(
            lambda: (
                watched.value("liveclf_samples_lost_total", stream="0", cause="the device was away")
                > 0
            )
        )
        assert 0 <= watched.value("liveclf_capture_buffer_ratio", stream="0") <= 1
        assert (
            time.time() - watched.value("liveclf_last_samples_timestamp_seconds", stream="0") < 60
        )
        watched.process.send_signal(signal.SIGTERM)
        assert watched.process.wait(LIMIT_S) == 143
    (gone,), (back,) = watched.events("source_gone"), watched.events("source_back")
    assert (gone["level"], gone["source"]) == ("warning", "fake radio 7")
    assert back["away_s"] > 0
    assert back["attempts"] >= 1


def test_an_output_that_fails_is_unwell_and_told(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    with running("--loop", "--realtime", "-o", "jsonl:/dev/full") as watched:
        watched.wait_for(lambda: watched.health()[0] == 503)
        (reason,) = watched.health()[1]
        assert "/dev/full" in reason
        assert watched.health("/live") == (200, [])
        assert watched.value("liveclf_output_up", output="jsonl:/dev/full") == 0
        assert watched.value("liveclf_output_up", output="null") == 1
        assert watched.value("liveclf_output_dropped_total", output="jsonl:/dev/full") > 0
        (failed,) = watched.events("output_failed")
        assert failed["level"] == "error"
        assert failed["message"] == reason
