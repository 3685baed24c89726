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

from liveclf.config import DetectSettings, ModelSettings, SourceSettings
from liveclf.emissions import Emissions
from liveclf.live import pipeline
from liveclf.live.batcher import Batcher
from liveclf.live.emission_decider import EmissionDecider, Rules
from liveclf.live.finder import Finder
from liveclf.live.stats import Stats
from liveclf.model.bundle import load_bundle
from liveclf.model.engines import open_engine
from liveclf.sinks.emission_rows import EmissionRows
from liveclf.sinks.table import ROWS, TableSink
from liveclf.sources import open_source

TARGET = Path(__file__).parent.parent / "docs" / "run.svg"
WIDTH = 100


class _Direct:
    """Hands every batch to the table at once."""

    all_closed = False

    def __init__(self, table: TableSink[Emissions]) -> None:
        self._table = table

    def write(self, emissions: Emissions) -> None:
        self._table.write(emissions)


def main() -> None:
    """Run and draw."""
    bundle = load_bundle("auto")
    engine, precision = open_engine(bundle, ModelSettings())
    source = open_source(SourceSettings())
    info = bundle.info
    table = TableSink(Console(file=io.StringIO(), width=WIDTH), source.info, EmissionRows(ROWS))
    finder = Finder(info.window_samples, DetectSettings())
    rules = Rules(info.classes, info.families, info.temperature[precision], 3, 0.0, 1.0)
    pipeline.run(
        [pipeline.Stream(source, [], finder, Stats(info.families))],
        Batcher(engine.batch_size, 1.0),
        engine,
        EmissionDecider(rules, [source.info]),
        _Direct(table),
    )
    paper = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    paper.print(table.render())
    svg = paper.export_svg(title="liveclf run", theme=MONOKAI)
    # Rich names fonts on the web; a picture should not fetch any.
    TARGET.write_text(re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    main()
