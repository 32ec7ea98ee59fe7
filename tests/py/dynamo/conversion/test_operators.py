"""Every case: convert, build, run, compare; with known sizes and with one engine for many sizes."""

from __future__ import annotations

import pytest

from tests.py.dynamo.conversion import cases_compute, cases_pointwise, cases_shape
from tests.py.dynamo.conversion.harness import Case, check

CASES: list[Case] = [*cases_pointwise.CASES, *cases_shape.CASES, *cases_compute.CASES]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_known_sizes(case: Case) -> None:
    check(case, 7, dynamic=False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sizes_known_at_run_time(case: Case) -> None:
    check(case, 7, dynamic=True, sizes=(33, 4))
