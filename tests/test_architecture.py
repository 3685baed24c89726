"""Who may import whom, and what a start must not load."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import liveclf

ROOT = Path(liveclf.__file__).parent
SIBLINGS = ("sources", "live", "model", "sinks")
# A part imports from itself and from the layers before its own, so parts of one layer
# never import each other.
LAYERS = (
    ("errors",),
    ("addresses", "emissions", "endpoints", "notes", "records"),
    ("protocols",),
    ("config", "dsp"),
    ("signals",),
    SIBLINGS,
    ("monitor", "plot", "view"),
    ("tui", "web"),
    ("learn",),
    ("bench",),
    ("doctor",),
    ("scan",),
    ("cli",),
)
# The siblings meet in cli only, so learn may know but one of them.
SIBLING_OF_LEARN = "model"
ENTRY = {"__init__", "__main__"}
HEAVY = (
    "tensorflow",
    "keras",
    "onnxruntime",
    "numba",
    "scipy",
    "rtlsdr",
    "SoapySDR",
    "h5py",
    "jax",
    "torch",
    "zmq",
    "ray",
    "openvino",
    "paho",
    "matplotlib",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "websockets",
    "textual",
)


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_parts(path: Path) -> Iterator[str]:
    """Yield the parts of the package that a file imports, inside functions too."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide where things come from"
            module = node.module or ""
            names = [f"{module}.{a.name}" for a in node.names] if module == "liveclf" else [module]
        else:
            continue
        for name in names:
            if name.startswith("liveclf."):
                yield name.split(".")[1]


def layer_of(part: str) -> int:
    return next(k for k, parts in enumerate(LAYERS) if part in parts)


def test_every_file_belongs_to_a_layer():
    assert {part_of(f) for f in files()} - ENTRY == {part for parts in LAYERS for part in parts}


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_layers_before_its_own(path):
    part = part_of(path)
    for other in imported_parts(path):
        if part in ENTRY:
            assert other in ("cli", "__version__")
        elif other not in (part, "__version__"):
            assert layer_of(other) < layer_of(part), f"{part} imports {other}"
            assert part != "learn" or other not in SIBLINGS or other == SIBLING_OF_LEARN


def test_the_checks_above_see_imports_inside_functions():
    assert {"sources", "sinks", "model", "live"} <= {
        part
        for name in ("assembly", "streams")
        for part in imported_parts(ROOT / "cli" / f"{name}.py")
    }


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "common", "misc", "types"])
def test_no_file_is_named_after_nothing(name):
    assert [f for f in files() if f.stem == name or name in f.relative_to(ROOT).parts] == []


@pytest.mark.parametrize(
    "start",
    [
        "import liveclf.cli",
        "from liveclf.cli import main; main(['--help'])",
        "from liveclf.cli import main; main(['run', '--help'])",
        "from liveclf.cli import main; main(['run', '--show-config'])",
        "from liveclf.cli import main; main(['plot', '--help'])",
        "from liveclf.cli import main; main(['plot', '--show-config'])",
        "from liveclf.cli import main; main(['publish', '--help'])",
        "from liveclf.cli import main; main(['publish', '--show-config'])",
        "from liveclf.cli import main; main(['train', '--help'])",
        "from liveclf.cli import main; main(['evaluate', '--help'])",
        "from liveclf.cli import main; main(['synth', '--help'])",
        "from liveclf.cli import main; main(['export', '--help'])",
        "from liveclf.cli import main; main(['record', '--help'])",
        "from liveclf.cli import main; main(['devices', '--help'])",
        "from liveclf.cli import main; main(['doctor', '--help'])",
        "from liveclf.cli import main; main(['scan', '--help'])",
        "from liveclf.cli import main; main(['scan', '--show-config'])",
        "from liveclf.cli import main; main(['completion', 'bash'])",
        "from liveclf.cli import main; main(['bench', '--help'])",
        "from liveclf.cli import main; main(['bench', '--show-config'])",
    ],
)
def test_help_and_imports_load_nothing_heavy(start):
    program = f"import sys\n{start}\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stderr.split())
    assert "liveclf.cli" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_the_onnx_engine_needs_neither_tensorflow_nor_keras():
    program = (
        "import sys\nfrom liveclf.cli import main\n"
        "code = main(['run', '-q', '-n', '4096', '-o', 'null', '--batch', '1', '--threads', '1'])\n"
        "print(code, *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    code, *loaded = done.stdout.split()
    assert code == "0"
    assert "onnxruntime" in loaded
    assert set(loaded).isdisjoint({"tensorflow", "keras", "h5py", "rtlsdr", "SoapySDR"})
