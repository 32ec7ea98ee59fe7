"""The benchmark's arithmetic and its report: a wrong table would be believed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from tools.perf import bench, layers, models, peers, report
from tools.perf.chart import bar_chart
from tools.perf.machine import Machine, Work, measure_work

MACHINE = Machine("a cpu", "AVX2", 2, {"f32": 100.0, "bf16": 100.0}, 10.0)


def row(peer: str, p50: float, **changes: Any) -> dict[str, Any]:
    base = {"p50_ms": p50, "capture_s": 1.0, "build_s": 0.5, "peak_rss_mb": 12.0, "engines": []}
    return {"peer": peer, **base, "accurate": True, "error_ratio": 1.0, **changes}


def document(rows: list[dict[str, Any]]) -> dict[str, Any]:
    model = {"model": "net", "floor_ms": 2.0, "limit": "compute", "rows": rows}
    settings = {"dtype": "f32", "batch": 1, "peers": [r["peer"] for r in rows], "torch": "2"}
    machine = {"cpu": "c", "capability": "AVX2", "threads": 2, "gflops": {"f32": 1.0}}
    return {"machine": {**machine, "copy_gbps": 1.0}, "settings": settings, "models": [model]}


def test_floor_is_the_larger_of_arithmetic_and_memory() -> None:
    assert Work(1e9, 1e6).floor_ms(MACHINE, "f32") == pytest.approx(10.0)
    assert Work(1e9, 1e6).limit(MACHINE, "f32") == "compute"
    assert Work(1e6, 1e9).floor_ms(MACHINE, "f32") == pytest.approx(100.0)
    assert Work(1e6, 1e9).limit(MACHINE, "f32") == "memory"


def test_work_counts_attention_and_leaves_embedding_tables_out() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(1000, 8)
            self.linear = torch.nn.Linear(8, 8, bias=False)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            x = self.linear(self.table(ids)).unsqueeze(0)
            return torch.nn.functional.scaled_dot_product_attention(x, x, x)

    work = measure_work(Net(), [torch.zeros(1, 4, dtype=torch.int64)])
    assert work.flops == 2 * 4 * 8 * 8 + 2 * (2 * 4 * 4 * 8)
    assert work.bytes == 8 * 8 * 4 + 4 * 8


def test_report_lists_every_losing_row() -> None:
    text = report.page([document([row("eager", 8.0), row("ort", 4.0), row("ours", 5.0)])])
    assert "* net, ours: 1.25× the time of ONNX Runtime, the best peer (40% of the" in text
    assert "**4.00**" in text
    assert "0.80×" in text
    won = report.page([document([row("eager", 8.0), row("ort", 4.0), row("ours", 3.0)])])
    assert "No losing row." in won


def test_report_counts_wrong_and_missing_results_as_lost() -> None:
    wrong = row("ours", 1.0, accurate=False, error_ratio=50.0)
    failed = {"peer": "ours_jit", "failed": "ConversionError: no"}
    text = report.page([document([row("eager", 8.0), wrong, failed])])
    assert "net, ours: outside the accuracy bound (50.0)" in text
    assert "did not run: ConversionError: no" in text
    assert "**1.00**" not in text


def test_chart_is_well_formed_and_has_a_bar_for_every_value() -> None:
    svg = bar_chart("a < b", ["x", "y"], [("m", {"x": 1.0, "y": 9.0}), ("n", {"x": 2.0})])
    root = ElementTree.fromstring(svg)
    titles = [e.text for e in root.iter() if e.tag.endswith("title")]
    assert titles == ["m, x: 1.00", "m, y: 9.00", "n, x: 2.00"]
    assert report.chart(document([row("eager", 8.0), row("ours", 5.0)])).startswith("<svg")


def test_bench_runs_eager_and_writes_its_results(tmp_path: Path) -> None:
    output = tmp_path / "out.json"
    arguments = ["--small", "--models", "vit_b16", "--peers", "eager", "--seconds", "0.05"]
    assert bench.main([*arguments, "--json", str(output)]) == 0
    result = json.loads(output.read_text())
    (measured,) = result["models"][0]["rows"]
    assert 0 < measured["min_ms"] <= measured["p50_ms"] <= measured["p90_ms"]
    assert measured["error_ratio"] == 1.0
    assert result["models"][0]["work"]["flops"] > 1e5
    assert "net" not in report.page([result])


def test_bench_refuses_unknown_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.parse_arguments(["--models", "resnet51"])
    assert "unknown models resnet51; known: resnet50" in capsys.readouterr().err


def test_a_failing_candidate_is_reported_with_its_reason() -> None:
    def broken(case: models.Case) -> peers.Built:
        raise RuntimeError("no such instruction\nmore")

    registry = copy.copy(peers.CANDIDATES)
    peers.CANDIDATES["broken"] = broken
    try:
        with pytest.raises(peers.Unavailable, match=r"^RuntimeError: no such instruction$"):
            peers.build("broken", models.make("vit_b16", small=True))
    finally:
        peers.CANDIDATES.clear()
        peers.CANDIDATES.update(registry)


def test_repeated_heads_gives_the_same_numbers_and_is_undone() -> None:
    from tools.perf.wrappers import repeated_heads

    case = models.make("llama4_decode", small=True)
    before = case.module(*case.inputs)
    with repeated_heads(case.module):
        plain = case.module(*case.inputs)
    torch.testing.assert_close(plain, before)
    after = case.module(*case.inputs)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_layers_names_every_layer_and_counts_its_arithmetic(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "layers.json"
    assert layers.main(["resnet50", "--small", "--seconds", "0.2", "--json", str(output)]) == 0
    text = capsys.readouterr().out
    rows = json.loads(output.read_text())
    assert f"sum of {len(rows)} layers" in text
    counted = sum(row["flops"] for row in rows)
    case = models.make("resnet50", small=True)
    expected = measure_work(case.module, case.inputs).flops
    assert counted == pytest.approx(expected, rel=0.01)
    assert all(row["microseconds"] > 0 for row in rows)
