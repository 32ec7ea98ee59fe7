"""A part of the operator database in every run, and the strict list.

``python -m tests.opinfo`` runs all of it, in processes of its own.
"""

from __future__ import annotations

import pytest
import torch

from tests.opinfo import expected, summary
from tests.opinfo.cases import ERRORS, OPS, case_named, cases, error_cases, supported
from tests.opinfo.check import (
    GOOD,
    NO_EAGER,
    Outcome,
    check,
    check_error,
    ends_in_core_aten,
)

#: f32 stands for f16 here, and its first sample alone comes in all variants.
QUICK = ("f32", "bf16", "i64", "bool")
#: The list names cases of a run with so many samples.
LISTED_SAMPLES = 2
CORE: list[str] = [op for op in summary.read()["core"] if op in OPS]


def _exists(op: str, dtype: str) -> bool:
    return op in OPS and supported(op, dtype)


@pytest.mark.parametrize("op", list(OPS))
def test_operator(op: str) -> None:
    problems = []
    for dtype in QUICK:
        if not supported(op, dtype) or (op, dtype) in expected.LISTED:
            continue
        for case in cases(op, dtype, 1, variants=dtype == "f32"):
            outcome = check(case)
            if outcome.status not in GOOD | {NO_EAGER}:
                problems.append(f"{dtype} {case.name}: {outcome.status}, {outcome.detail}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("op", [op for op in OPS if supported(op, ERRORS)])
def test_wrong_arguments_raise_as_in_eager_mode(op: str) -> None:
    if (op, ERRORS) in expected.LISTED:
        pytest.skip(f"listed: {expected.LISTED[op, ERRORS].reason}")
    problems = []
    for case in list(error_cases(op))[:2]:
        outcome = check_error(case)
        if outcome.status not in GOOD | {NO_EAGER}:
            problems.append(f"{case.name}: {outcome.status}, {outcome.detail}")
    assert not problems, "\n".join(problems)


def _outcome(op: str, dtype: str, name: str) -> Outcome | None:
    case = case_named(op, dtype, name, LISTED_SAMPLES)
    if case is None:
        return None
    return check_error(case) if dtype == ERRORS else check(case)


@pytest.mark.parametrize("op", sorted({op for op, _ in expected.LISTED}))
def test_what_is_listed_fails_for_its_reason(op: str) -> None:
    """A listed case that works, or that fails in another way, must leave the list."""
    dtypes = [dtype for name, dtype in expected.LISTED if name == op]
    for dtype in dtypes:
        assert _exists(op, dtype), f"{op} {dtype} is listed and does not exist"
    dtype = "f32" if "f32" in dtypes else dtypes[0]
    entry = expected.LISTED[op, dtype]
    if entry.case == "samples":  # not even its samples can be made
        return
    outcome = _outcome(op, dtype, entry.case)
    assert outcome is not None, f"{op} {dtype} has no case {entry.case}"
    assert outcome.status not in GOOD, f"{op} {dtype} {entry.case} works: take it off the list"
    found = expected.reason_of(outcome.status, f"{outcome.reason} {entry.case}", dtype == ERRORS)
    assert found == entry.reason, f"{outcome.status}, {outcome.detail}"


def test_the_list_has_no_unknown_reason() -> None:
    assert {entry.reason for entry in expected.LISTED.values()} <= set(expected.REASONS)


def test_the_summary_counts_what_the_code_has() -> None:
    if not torch.__version__.startswith("2.13."):
        pytest.skip("the summary is of torch 2.13's database; another release has another")
    found = summary.read()
    assert found == summary.summary(found["core"])
    assert set(found["core"]) <= {op for op in OPS if supported(op, "f32")}


def test_what_ends_in_core_aten_alone_runs_in_engines() -> None:
    """At least 99 % of it, outside what lies in the nature of an operator."""
    core = [
        op
        for op in summary.read()["core"]
        if (op, "f32") not in expected.LISTED
        or expected.LISTED[op, "f32"].reason not in summary.BEYOND
    ]
    outside = [op for op in core if (op, "f32") in expected.LISTED]
    assert len(core) > 200
    assert len(outside) <= 0.01 * len(core), outside


@pytest.mark.parametrize("op", CORE[::8])
def test_samples_that_are_said_to_end_in_core_aten_do(op: str) -> None:
    assert ends_in_core_aten(next(cases(op, "f32", 1, variants=False))) is not False
