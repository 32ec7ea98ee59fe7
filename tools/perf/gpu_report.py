"""Turns a table of gpu_table.py into the documentation's.

gpu_report.py results/gpu_h200_f16.json > docsrc/performance_gpu_table.rst
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

COLUMNS = ("model", "eager", "eager in a graph", "``reduce-overhead``", "ours", "ratio", "error")


def ratio(row: dict[str, Any]) -> float | None:
    """The better peer's time over ours; None where either is missing."""
    peers = [row[key] for key in ("graph_us", "reduce_overhead_us") if key in row]
    return min(peers) / row["ours_us"] if peers and "ours_us" in row else None


def table(rows: list[dict[str, Any]], title: str) -> str:
    """One list-table, with the geometric mean of the ratios last."""
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]

    def add(cells: tuple[str, ...]) -> None:
        lines.extend(f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(cells))

    add(COLUMNS)
    ratios = []
    for row in rows:
        times = [row.get(f"{key}_us") for key in ("eager", "graph", "reduce_overhead", "ours")]
        found = ratio(row)
        if found is not None:
            ratios.append(found)
        cells = ["–" if time is None else f"{time:.0f}" for time in times]
        cells.append("–" if found is None else f"{found:.2f}×")
        error = row.get("error_ratio")
        cells.append("–" if error is None else f"{error:.2f}")
        add((row["model"] + (f" ({row['batch']})" if row["batch"] == 8 else ""), *cells))
    if ratios:
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        add(("geometric mean", "", "", "", "", f"{mean:.2f}×", ""))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main() -> int:
    """Prints the tables of batch 1 and of larger batches."""
    document = json.loads(Path(sys.argv[1]).read_text())
    rows = sorted(document["models"], key=lambda row: str(row["model"]))
    small = [row for row in rows if row["batch"] == 1]
    large = [row for row in rows if row["batch"] != 1]
    print(".. Written by tools/perf/gpu_report.py from measured results; do not edit.\n")
    print(table(small, "Batch 1, time in µs"))
    print(table(large, "Batch 32 (8 where the model says so), time in µs"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
