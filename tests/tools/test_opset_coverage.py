"""The page of operators is what the registries say, and every reason is still needed."""

from __future__ import annotations

import pytest
import torch

from tools import opset_coverage as tool


def test_every_core_aten_overload_has_a_status() -> None:
    rows = tool.coverage(tool.core_aten_overloads())
    assert len(rows) > 180
    assert {row.operator for row in rows if row.status == tool.LEFT} == set(tool.LEFT_IN_TORCH)
    assert all(row.reason for row in rows if row.status == tool.LEFT)
    by_name = {row.operator: row.status for row in rows}
    assert by_name["aten.mm.default"] == tool.CONVERTED


def test_operator_without_status_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(tool.LEFT_IN_TORCH, "aten.randperm.default")
    with pytest.raises(RuntimeError, match=r"aten\.randperm\.default has no converter"):
        tool.coverage([torch.ops.aten.randperm.default])


def test_page_is_current() -> None:
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the page is written with torch 2.13; another release has other operators")
    assert tool.main(["--check"]) == 0, "run python tools/opset_coverage.py"


def test_check_sees_a_stale_page(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(tool, "page", lambda rows, database: "something else\n")
    assert tool.main(["--check"]) == 1


def _database(**changes: object) -> tool.Database:
    made = {
        "operators": {"f32": 10, "i64": 4, "errors": 3},
        "listed": {("a", "f32"): "random", ("b", "f32"): "odd", ("b", "i64"): "odd"},
        "reasons": {"random": "draws", "odd": "is odd", "other": "never"},
        "beyond": frozenset({"random"}),
        "core": frozenset({"a", "b", "c", "d"}),
    }
    return tool.Database(**{**made, **changes})  # type: ignore[arg-type]


def test_counts_of_the_operator_database() -> None:
    assert _database().rows() == [
        ("f32", 10, 1, 8),
        ("i64", 4, 0, 3),
        ("all", 14, 1, 11),
        ("f32, Core ATen alone", 4, 1, 2),
    ]
    text = " ".join(tool.database_lines(_database(listed={("b", "errors"): "odd"})))
    assert "Of 3 operators with calls that eager PyTorch refuses, 2 refuse them" in text
    assert "100.0 %" in text
    assert "never" not in text


def test_the_page_follows_the_suite_s_list() -> None:
    rows = tool.coverage(tool.core_aten_overloads())
    known = tool.Database.read()
    shorter = {key: reason for key, reason in known.listed.items() if reason != "layout"}
    assert tool.page(rows, known) != tool.page(
        rows,
        tool.Database(known.operators, shorter, known.reasons, known.beyond, known.core),
    )
