"""Turn benchmark results into the documentation's results table and a chart.

report.py RESULTS.json... [--rst docsrc/performance_table.rst] [--svg chart.svg]

The page shows every row, the losing ones once more in a list of their own, with how far they are
from the best peer and from the floor.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tools.perf.chart import bar_chart  # noqa: E402

PEERS = ("eager", "inductor", "freezing", "ort", "openvino")
OURS = ("ours", "ours_jit")
TITLES = {
    "eager": "eager",
    "inductor": "Inductor",
    "freezing": "Inductor freezing",
    "ort": "ONNX Runtime",
    "openvino": "OpenVINO",
    "ours": "ours",
    "ours_jit": "ours (torch.compile)",
}
Model = dict[str, Any]


#: A peer whose error is above our bound but within this multiple of eager's still counts as a
#: peer to beat, with a mark.
USABLE_ERROR = 10.0


def times(model: Model) -> dict[str, float]:
    """Median milliseconds of each candidate that ran and was accurate enough to be used."""
    rows = (r for r in model["rows"] if "p50_ms" in r and (r["accurate"] or _inexact(r)))
    return {row["peer"]: float(row["p50_ms"]) for row in rows}


def _inexact(row: dict[str, Any]) -> bool:
    """A peer's result that misses our error bound but is no wrong result."""
    ratio = row.get("error_ratio")
    judged = row.get("accurate") is not None  # a peer that did not run has no verdict
    return (
        judged
        and row["peer"] in PEERS
        and not row["accurate"]
        and (ratio or math.inf) < USABLE_ERROR
    )


def geometric_mean(values: Iterable[float]) -> float | None:
    """Geometric mean, None for no values."""
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs)) if logs else None


def best_peer(found: dict[str, float]) -> tuple[str, float] | None:
    """The fastest of the peers that ran."""
    peers = [(peer, found[peer]) for peer in PEERS if peer in found]
    return min(peers, key=lambda pair: pair[1]) if peers else None


def rst_table(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """An RST list-table; the first row is its header."""
    out = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for line in (head, *lines):
        for number, cell in enumerate(line):
            out.append(f"{'   * -' if number == 0 else '     -'} {cell}".rstrip())
    return [*out, ""]


def latency_lines(group: Sequence[Model], columns: Sequence[str]) -> list[list[str]]:
    """One line a model, milliseconds per candidate, the fastest in bold, and the bound reached."""
    lines = []
    for model in group:
        found = times(model)
        fastest = min(found.values(), default=0.0)
        cells = [model["model"]]
        for name in columns:
            row: dict[str, Any] = next((r for r in model["rows"] if r["peer"] == name), {})
            mark = "" if row.get("accurate", True) else " †"
            text = f"{found[name]:.2f}{mark}" if name in found else "–"
            cells.append(f"**{text}**" if found.get(name) == fastest else text)
        mine = found.get("ours")
        cells.append(f"{model['floor_ms'] / mine:.0%}" if mine else "–")
        lines.append(cells)
    return lines


def mean_line(group: Sequence[Model], columns: Sequence[str]) -> list[str]:
    """Geometric mean of each candidate's time over ours (above 1: we are faster)."""
    cells = ["geometric mean over ours"]
    for name in columns:
        both = [times(m) for m in group]
        mean = geometric_mean(t[name] / t["ours"] for t in both if name in t and "ours" in t)
        cells.append("–" if mean is None else f"{mean:.2f}×")
    return [*cells, ""]


def setup_lines(group: Sequence[Model]) -> list[list[str]]:
    """Capture and build seconds and peak memory, one line a model and candidate."""
    lines = []
    for model in group:
        for row in model["rows"]:
            if "p50_ms" not in row or row["peer"] == "eager":
                continue
            arena = _arena(row["engines"])
            numbers = [f"{row['capture_s']:.2f}", f"{row['build_s']:.2f}"]
            ratio = "–" if row["error_ratio"] is None else f"{row['error_ratio']:.2f}"
            memory = f"{row['peak_rss_mb']:.0f}"
            lines.append([model["model"], TITLES[row["peer"]], *numbers, memory, ratio, arena])
    return lines


def _arena(engines: Sequence[dict[str, Any]]) -> str:
    if not engines or "arena_bytes" not in engines[0]:
        return "–"
    size = sum(e["arena_bytes"] for e in engines) / 2**20
    bound = sum(e.get("arena_lower_bound", 0) for e in engines) / 2**20
    return f"{size:.1f} / {bound:.1f}" if bound else f"{size:.1f}"


def losing_lines(group: Sequence[Model]) -> list[str]:
    """A bullet for every model where ours is slower than some peer, wrong, or missing."""
    bullets = []
    for model in group:
        found = times(model)
        best = best_peer(found)
        for name in OURS:
            row = next((r for r in model["rows"] if r["peer"] == name), None)
            if row is None:
                continue
            where = f"* {model['model']}, {TITLES[name]}: "
            if "failed" in row:
                bullets.append(f"{where}did not run: {row['failed']}")
            elif not row["accurate"]:
                bullets.append(f"{where}outside the accuracy bound ({row['error_ratio']})")
            elif best and found[name] > best[1]:
                slower = found[name] / best[1]
                bullets.append(
                    f"{where}{slower:.2f}× the time of {TITLES[best[0]]}, the best peer "
                    f"({model['floor_ms'] / found[name]:.0%} of the {model['limit']} bound)"
                )
    return bullets


def page(documents: Sequence[dict[str, Any]]) -> str:
    """The whole RST page."""
    out = [".. Written by tools/perf/report.py from measured results; do not edit.", ""]
    for document in documents:
        settings, group = document["settings"], [m for m in document["models"] if m["rows"]]
        machine = document["machine"]
        where = f"{machine['cpu']} ({machine['capability']})"
        title = f"{settings['dtype']}, batch {settings['batch']}, {where}"
        columns = [p for p in (*PEERS, *OURS) if p in settings["peers"]]
        peaks = ", ".join(f"{value:.0f} {name}" for name, value in machine["gflops"].items())
        out += [title, "-" * len(title), ""]
        out += [
            f"{machine['threads']} threads, torch {settings['torch']}. Packed matrix product: "
            f"{peaks} GFLOP/s; copy {machine['copy_gbps']:.1f} GB/s.",
            "",
        ]
        head = ["model", *(TITLES[c] for c in columns), "ours, % of bound"]
        lines = [*latency_lines(group, columns), mean_line(group, columns)]
        out += rst_table(f"Median latency in ms ({title})", head, lines)
        if any(_inexact(row) for model in group for row in model["rows"]):
            out += [
                "† error above twice eager's, by RMSE against float64; still counted as a peer.",
                "",
            ]
        losing = losing_lines(group)
        out += [
            "Where we lose:" if losing else "No losing row.",
            "",
            *losing,
            *([""] * bool(losing)),
        ]
        head = [
            "model",
            "",
            "capture s",
            "build s",
            "peak MB",
            "error / eager's",
            "arena / bound MB",
        ]
        out += rst_table(f"Setting up ({title})", head, setup_lines(group))
    return "\n".join(out).rstrip() + "\n"


def chart(document: dict[str, Any]) -> str:
    """SVG bars: time relative to ours (or to the fastest where ours did not run)."""
    groups = []
    for model in document["models"]:
        found = times(model)
        if found:
            base = found.get("ours", min(found.values()))
            bars = {TITLES[k]: v / base for k, v in found.items() if k != "ours_jit"}
            groups.append((model["model"], bars))
    settings = document["settings"]
    title = f"Latency relative to ours, {settings['dtype']}, batch {settings['batch']}"
    series = [TITLES[p] for p in (*PEERS, "ours")]
    return bar_chart(title, series, groups)


def main(argv: list[str] | None = None) -> int:
    """Write the page, and the chart of the first result file if asked."""
    parser = argparse.ArgumentParser(
        prog="report.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="JSON files of bench.py --json")
    parser.add_argument("--rst", type=Path, default=ROOT / "docsrc" / "performance_table.rst")
    parser.add_argument("--svg", type=Path, help="also draw the first result file here")
    arguments = parser.parse_args(argv)
    documents = [json.loads(path.read_text()) for path in arguments.results]
    arguments.rst.write_text(page(documents))
    if arguments.svg:
        arguments.svg.write_text(chart(documents[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
