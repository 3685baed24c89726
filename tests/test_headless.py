"""What docs/headless.md promises and tools/deploy has: read, checked, run where that is cheap."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from liveclf.cli import main
from liveclf.errors import LiveclfError, MissingExtraError, UsageError

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "tools" / "deploy"
PAGE = (ROOT / "docs" / "headless.md").read_text(encoding="utf-8")
UNIT = (DEPLOY / "liveclf.service").read_text(encoding="utf-8")
CONTAINER = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
BYTES = {"cu8": 2, "cs8": 2, "cs16": 4, "cf32": 8}


def commands_of(text: str) -> list[list[str]]:
    """Return the arguments of every liveclf command in blocks of shell."""
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)).splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [w[w.index("liveclf") + 1 :] for w in words if "liveclf" in w[:-1]]


def accepts(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--show-config"]) == 0, (arguments, capsys.readouterr().err)


def setting(name: str, text: str = UNIT) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", text, re.M)
    return value


# -- the page --------------------------------------------------------------------------------


def test_every_command_of_the_page_is_accepted(capsys):
    commands = [c for c in commands_of(PAGE) if c and c[0] in ("run", "publish")]
    assert len(commands) >= 5
    for arguments in commands:
        accepts(arguments, capsys)


def test_the_bandwidths_are_right():
    rows = re.findall(r"^\| ([\d.]+) MS/s \| (\w+) \| ([\d.]+) \|$", PAGE, re.M)
    assert len(rows) >= 5
    for rate, form, told in rows:
        assert float(told) == pytest.approx(float(rate) * BYTES[form] * 8)


def test_every_event_of_the_page_is_one_that_is_told_and_the_other_way_round():
    source = "\n".join(p.read_text(encoding="utf-8") for p in ROOT.glob("src/liveclf/**/*.py"))
    told = set(re.findall(r'event\("(\w+)"\)', source))
    told |= set(re.findall(r'Note\([^)]*?"([a-z_]+)"[,)\n]', source, re.S))
    told |= {"statistics", "summary"}
    table = PAGE[PAGE.index("| event |") : PAGE.index("What C libraries")]
    named = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert named == told | {"note", "log"}  # of what is told without an event, or logged
    assert {"source_gone", "source_back", "source_failed", "output_failed", "error"} <= named


# -- systemd ---------------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Return a folder of units as they would be installed, but for the program."""
    text = UNIT.replace("/opt/liveclf/bin/liveclf", sys.executable)
    (tmp_path / "liveclf.service").write_text(text)
    return tmp_path


def analyzed(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip


def test_systemd_finds_nothing_wrong_with_the_unit(units):
    done = analyzed("verify", units / "liveclf.service")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_nothing_wrong_with_the_publisher(units):
    folder = units / "liveclf.service.d"
    folder.mkdir()
    text = (DEPLOY / "liveclf-publish.conf").read_text()
    (folder / "publish.conf").write_text(text.replace("/opt/liveclf/bin/liveclf", sys.executable))
    done = analyzed("verify", units / "liveclf.service")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_sees_a_fault_in_a_unit(units):
    """Else the tests above could not fail."""
    path = units / "liveclf.service"
    path.write_text(path.read_text().replace("Restart=on-failure", "Restart=sometimes"))
    assert "sometimes" in analyzed("verify", path).stderr


def test_the_unit_is_as_closed_as_the_page_says(units):
    told = re.search(r"systemd-analyze security liveclf`: ([\d.]+)", PAGE)
    assert told
    limit = round(float(told[1]) * 10)
    done = analyzed("security", "--offline=true", f"--threshold={limit}", units / "liveclf.service")
    assert done.returncode == 0, done.stdout[-500:]


def test_the_unit_starts_again_after_what_that_may_mend_only():
    stay = set(map(int, setting("RestartPreventExitStatus").split()))
    assert stay == {UsageError.exit_code, MissingExtraError.exit_code}
    assert LiveclfError.exit_code not in stay
    assert set(setting("SuccessExitStatus").split()) == {"130", "143"}
    assert setting("Restart") == "on-failure"
    assert (setting("Type"), setting("KillMode")) == ("notify", "mixed")


def test_the_commands_of_the_units_are_accepted(capsys):
    for text in (UNIT, (DEPLOY / "liveclf-publish.conf").read_text()):
        command = shlex.split(re.findall(r"^ExecStart=(.+)$", text, re.M)[-1])
        arguments = [w for w in command[1:] if not w.startswith("$")]
        config = str(ROOT / "configs" / "receiver.toml")
        accepts([w.replace("/etc/liveclf/receiver.toml", config) for w in arguments], capsys)


def test_what_the_units_read_is_in_their_environment():
    lines = (DEPLOY / "environment").read_text().splitlines()
    names = {line.lstrip("#").partition("=")[0] for line in lines if re.match(r"#?[A-Z_]+=", line)}
    assert names == {"LIVECLF_OPTIONS", "MQTT_USERNAME", "MQTT_PASSWORD"}


# -- container -------------------------------------------------------------------------------


def test_the_container_installs_what_there_is():
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", CONTAINER, re.M)
    assert set(extras.split(",")) <= set(EXTRAS)
    for copied in re.findall(r"^COPY (.+) /build\S*$", CONTAINER, re.M):
        for name in copied.split():
            assert (ROOT / name).exists(), name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = re.search(r"python:(\d+\.\d+)", CONTAINER)
    assert version
    assert any(c.startswith("numpy") for c in project["dependencies"])
    assert project["requires-python"] == ">=3.11,<3.14"
    assert version[1] in ("3.11", "3.12", "3.13")


def test_the_container_is_not_root_and_its_command_is_accepted(capsys):
    assert re.search(r"^USER liveclf$", CONTAINER, re.M)
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", CONTAINER, re.M)
    assert json.loads(entry) == ["liveclf"]
    accepts(json.loads(re.findall(r"^CMD (.+)$", CONTAINER, re.M)[-1]), capsys)


@pytest.mark.parametrize(("status", "well"), [(200, True), (503, False), (None, False)])
def test_the_health_check_of_the_container_tells_well_from_unwell(status, well):
    (text,) = re.findall(r"^HEALTHCHECK .*\\\n  CMD (.+)$", CONTAINER, re.M)
    program = json.loads(text)
    assert program[0] == "python"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/live"
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if status is not None:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.server_close()
        command = [w.replace(":9433", f":{server.server_port}") for w in program[1:]]
        done = subprocess.run(
            [sys.executable, *command], check=False, capture_output=True, timeout=60
        )
    assert (done.returncode == 0) == well


def test_the_services_that_start_together_fit_together(capsys):
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    receiver = services["receiver"]
    accepts(shlex.split(receiver["command"]), capsys)
    assert (DEPLOY / receiver["build"]["context"] / receiver["build"]["dockerfile"]).samefile(
        DEPLOY / "Containerfile"
    )
    for service in services.values():
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:")
        for volume in service.get("volumes", ()):
            assert (DEPLOY / volume.split(":")[0]).exists()
    scraped = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    (target,) = scraped["scrape_configs"][0]["static_configs"][0]["targets"]
    assert target.partition(":")[0] in services
    assert f"0.0.0.0:{target.partition(':')[2]}" in receiver["command"]
    assert all((DEPLOY / name).exists() for name in scraped["rule_files"])


# -- Prometheus ------------------------------------------------------------------------------


def expressions() -> dict[str, str]:
    yaml = pytest.importorskip("yaml", reason="pip install pyyaml")
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    rules = {rule["alert"]: rule["expr"] for group in groups for rule in group["rules"]}
    block = PAGE[PAGE.index("Some useful ones:") :]
    lines = re.findall(r"```\n(.*?)```", block, re.S)[0].splitlines()
    return rules | {line: line.partition("#")[0] for line in lines}


def test_every_expression_is_one_that_prometheus_reads():
    promql = pytest.importorskip("promql_parser", reason="pip install promql-parser")
    for expression in expressions().values():
        promql.parse(expression)
    with pytest.raises(ValueError, match=r"."):
        promql.parse("rate(liveclf_samples_total[5m)")


def test_every_metric_and_label_in_an_expression_exists():
    pytest.importorskip("prometheus_client", reason='pip install "liveclf[metrics]"')
    from liveclf.monitor.table import READY, REFUSED, TABLE

    known = {d.name: d for d in (*TABLE, READY, REFUSED)}
    for expression in expressions().values():
        names = re.findall(r"liveclf_\w+", expression)
        assert names or "up{" in expression or "process_" in expression
        assert {n.removesuffix("_bucket") for n in names} <= set(known), expression
        for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
            wanted = {label.strip() for label in group.split(",")} - {"instance"}
            assert wanted <= {label for n in names for label in known[n].labels}, expression
