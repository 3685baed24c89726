"""Draw the README's picture: `liveclf run` on the demonstration recording, as SVG.

    python tools/make_screenshot.py

Writes docs/run.svg, the last state of the real table.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI

from liveclf.config import ModelSettings, SourceSettings
from liveclf.dsp.framer import Framer
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.decider import Decider
from liveclf.live.stats import Stats
from liveclf.model.bundle import load_bundle
from liveclf.model.engines import open_engine
from liveclf.records import Detections
from liveclf.sinks.table import ROWS, TableSink
from liveclf.sinks.window_rows import WindowRows
from liveclf.sources import open_source

TARGET = Path(__file__).parent.parent / "docs" / "run.svg"
WIDTH = 100


class _Direct:
    """Hands every batch to the table at once."""

    all_closed = False

    def __init__(self, table: TableSink[Detections]) -> None:
        self._table = table

    def write(self, detections: Detections) -> None:
        self._table.write(detections)


def main() -> None:
    """Run and draw."""
    bundle = load_bundle("auto")
    engine, precision = open_engine(bundle, ModelSettings())
    source = open_source(SourceSettings())
    info = bundle.info
    table = TableSink(Console(file=io.StringIO(), width=WIDTH), source.info, WindowRows(ROWS))
    pipeline.run(
        [pipeline.Stream(source, [], Framer(info.window_samples), Stats(info.families))],
        Batcher(engine.batch_size, 1.0), engine,
        Decider(
            info.classes, info.families, info.temperature[precision],
            top_k=3, min_probability=0.0, streams=[source.info],
        ),
        _Direct(table),
    )  # fmt: skip
    paper = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    paper.print(table.render())
    svg = paper.export_svg(title="liveclf run", theme=MONOKAI)
    # Rich names fonts on the web; a picture should not fetch any.
    TARGET.write_text(re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
