"""Reports and recommendations."""

import json

import pytest
import torch
from torch_tensorrt.dynamo import partitioning
from torch_tensorrt.dynamo.partitioning._report import recommend

from tests.py.dynamo.partitioning.graphs import Two, lowered, refuse, settings


def test_report(tmp_path):
    chosen = settings(min_block_size=3)
    result = partitioning.partition(lowered(Two(), torch.randn(4, 5)), chosen, refuse("sort"))
    report = partitioning.build_report(result, chosen)
    text = str(report)
    for part in ("3 of 6", "50.0 %", "_run_on_acc_0", "aten.sort.default: 1", "min_block_size=3"):
        assert part in text
    path = tmp_path / "report.json"
    partitioning.write_report(report, str(path))
    loaded = json.loads(path.read_text())
    assert loaded["coverage_percent"] == 50.0
    assert loaded["engines"][0]["inputs"] == ["getitem float32[4, 5]"]
    with pytest.raises(FileExistsError):
        partitioning.write_report(report, str(path))
    partitioning.write_report(report, str(tmp_path / "new" / "report.txt"))
    assert "dry run" in (tmp_path / "new" / "report.txt").read_text()


def test_recommendations():
    assert recommend([], 5) == {}
    advice = recommend([10, 4, 1], 5)
    assert advice["minimal"] == {"min_block_size": 10, "engines": 1}
    assert advice["moderate"] == {"min_block_size": 4, "engines": 2}
    assert advice["current"] == {"min_block_size": 5, "engines": 1}


def test_support_counts():
    gm = lowered(Two(), torch.randn(4, 5))
    counts = partitioning.get_graph_converter_support(gm, settings(), refuse("sort"))
    assert counts == (5, 6)
