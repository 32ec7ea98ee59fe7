"""Tables of a run, and what of it the list does not know."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.opinfo.cases import ERRORS
from tests.opinfo.check import GOOD, NO_EAGER, UNTRACED
from tests.opinfo.expected import LISTED, Entry, reason_of
from tests.opinfo.summary import BEYOND


@dataclass(frozen=True)
class Result:
    """Outcomes of one operator in one dtype, as the workers told them."""

    op: str
    dtype: str
    cases: list[dict[str, Any]]

    @property
    def tried(self) -> list[dict[str, Any]]:
        """Cases that eager PyTorch runs."""
        return [case for case in self.cases if case["status"] != NO_EAGER]

    @property
    def traced(self) -> list[dict[str, Any]]:
        """Cases that torch.export captures."""
        return [case for case in self.tried if case["status"] != UNTRACED]

    @property
    def failed(self) -> list[dict[str, Any]]:
        """Captured cases that are not right in an engine."""
        return [case for case in self.traced if case["status"] not in GOOD]

    @property
    def core_only(self) -> bool:
        """Whether the captured samples end in Core ATen operators alone."""
        known = [case["core"] for case in self.cases if case.get("core") is not None]
        return bool(known) and all(known)


def read(path: Path) -> list[Result]:
    """The results of a file."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [Result(line["op"], line["dtype"], line["results"]) for line in lines]


def tables(results: Sequence[Result], most: int) -> str:
    """Counts by dtype, with and without what no engine could do, by core, and by reason."""
    possible = [result for result in results if not _is_beyond(result)]
    return "\n\n".join(
        [
            _by_dtype("all operators", results),
            _by_dtype(f"without {', '.join(BEYOND)}", possible),
            _by_core(results),
            _by_reason(results, most),
        ]
    )


def _is_beyond(result: Result) -> bool:
    """Whether everything that fails does so for a reason of :data:`BEYOND`."""
    errors = result.dtype == ERRORS
    bad = [case for case in result.tried if case["status"] not in GOOD]
    found = {reason_of(c["status"], f"{c.get('reason', '')} {c['case']}", errors) for c in bad}
    return bool(bad) and found <= set(BEYOND)


def _by_dtype(title: str, results: Sequence[Result]) -> str:
    rows = [
        title,
        f"{'dtype':6}{'ops':>6}{'traced':>8}{'in engine':>11}{'share':>8}   "
        f"{'samples':>8}{'in engine':>11}{'share':>8}",
    ]
    for dtype in sorted({r.dtype for r in results}):
        mine = [r for r in results if r.dtype == dtype]
        rows.append(f"{dtype:6}{_counts(mine)}")
    rows.append(f"{'all':6}{_counts(results)}")
    return "\n".join(rows)


def _counts(results: Sequence[Result]) -> str:
    traced = [r for r in results if r.traced]
    good = [r for r in traced if not r.failed]
    cases = sum(len(r.traced) for r in traced)
    right = cases - sum(len(r.failed) for r in traced)
    return (
        f"{len(results):6}{len(traced):8}{len(good):11}{_share(len(good), len(traced))}   "
        f"{cases:8}{right:11}{_share(right, cases)}"
    )


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:7.1f}%" if whole else f"{'-':>8}"


def core_only(results: Iterable[Result]) -> set[str]:
    """Operators whose f32 samples end in Core ATen operators alone."""
    return {result.op for result in results if result.dtype == "f32" and result.core_only}


def _by_core(results: Sequence[Result]) -> str:
    core = core_only(results)
    mine = [r for r in results if r.op in core and r.dtype == "f32"]
    failed = ", ".join(sorted(r.op for r in mine if r.failed))
    return f"f32, Core ATen alone: {_counts(mine)}\n  failed: {failed}"


def _by_reason(results: Sequence[Result], most: int) -> str:
    ops: dict[tuple[str, str], set[str]] = defaultdict(set)
    counts: Counter[tuple[str, str]] = Counter()
    for result in results:
        for case in result.tried:
            if case["status"] in GOOD:
                continue
            key = (case["status"], case.get("reason", ""))
            ops[key].add(result.op)
            counts[key] += 1
    rows = [f"{'ops':>5}{'cases':>7}  status    reason"]
    for key in sorted(ops, key=lambda k: (-len(ops[k]), -counts[k]))[:most]:
        names = sorted(ops[key])
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        rows.append(f"{len(names):5}{counts[key]:7}  {key[0]:9} {key[1]}\n{'':23}{shown}")
    return "\n".join(rows)


def unlisted(results: Iterable[Result]) -> list[str]:
    """Failures that are not listed, and listed operators that work."""
    problems = []
    for result in results:
        listed = LISTED.get((result.op, result.dtype))
        bad = [case for case in result.tried if case["status"] not in GOOD]
        if bad and listed is None:
            first = bad[0]
            problems.append(
                f"{result.op} {result.dtype} {first['case']}: {first['status']}, "
                f"{first.get('reason', '')}"
            )
        if listed is not None and not bad:
            problems.append(f"{result.op} {result.dtype} works: take it off the list")
    return problems


def entries(results: Iterable[Result]) -> tuple[dict[tuple[str, str], Entry], list[str]]:
    """The list that the results ask for, and the failures that no list may hold."""
    made, problems = {}, []
    for result in results:
        for case in result.tried:
            if case["status"] in GOOD:
                continue
            message = case.get("reason", "") + " " + case["case"]
            reason = reason_of(case["status"], message, result.dtype == ERRORS)
            if reason is None:
                where = f"{result.op} {result.dtype} {case['case']}"
                problems.append(f"{where}: {case['status']}, {case.get('detail', '')}")
            elif (result.op, result.dtype) not in made:
                made[result.op, result.dtype] = Entry(reason, case["case"])
    return made, problems
