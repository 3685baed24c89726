"""Writes batches to standard output, for tests that need a process of their own.

    python pipe_program.py OUTPUT live|replay BATCHES CLOSE_LIMIT_S

Ends early when the reader goes away; the report is one JSON line on stderr.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from conftest import make_detections
from liveclf.records import StreamInfo
from liveclf.sinks import open_sinks


def main(output: str, pace: str, n_batches: str, limit_s: str) -> None:
    info = StreamInfo("demo.cu8", "cu8", 2.4e6, 433.92e6, None, pace == "live")
    out = open_sinks([output], is_live=info.is_live, info=info)
    batch = make_detections(128, label=1)
    n_submitted = 0
    for k in range(int(n_batches)):
        if out.all_closed:
            break
        out.write(dataclasses.replace(batch, start_sample=batch.start_sample + k * 128 * 1024))
        n_submitted += len(batch)
    (report,) = out.close({}, float(limit_s))
    print(json.dumps({"n_submitted": n_submitted, **dataclasses.asdict(report)}), file=sys.stderr)


main(*sys.argv[1:])
