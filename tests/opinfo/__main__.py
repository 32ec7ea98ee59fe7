"""The full run: every operator, several samples, in worker processes.

``python -m tests.opinfo --out FILE`` appends one line a finished operator and dtype to FILE, leaves
out what is there already, and prints the tables. With ``--seconds`` it stops in time to be called
again.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from tests.opinfo import expected, summary
from tests.opinfo.cases import DTYPES, ERRORS, OPS, supported
from tests.opinfo.pool import Task, run_all
from tests.opinfo.report import Result, core_only, entries, read, tables, unlisted


def main() -> int:
    """Exit status 1: something failed that is not listed, or passed that is; 3: not finished."""
    options = _options()
    path = Path(options.out)
    done = {(r.op, r.dtype) for r in read(path)} if path.exists() else set()
    wanted = [
        (op, dtype)
        for op in OPS
        for dtype in options.dtypes.split(",")
        if re.search(options.ops, op) and supported(op, dtype)
    ]
    tasks = [
        Task(op, dtype, options.samples, core=options.core and dtype == "f32")
        for op, dtype in wanted
        if (op, dtype) not in done
    ]
    begun, left = time.monotonic(), len(tasks)

    with path.open("a") as out:

        def finish(task: Task) -> None:
            nonlocal left
            left -= 1
            line = {"op": task.op, "dtype": task.dtype, "results": task.results}
            out.write(json.dumps(line) + "\n")
            out.flush()

        stop_at = begun + options.seconds if options.seconds else None
        run_all(tasks, options.jobs, options.timeout, finish, stop_at)

    results = [r for r in read(path) if (r.op, r.dtype) in set(wanted)]
    print(tables(results, options.reasons))
    if left:
        print(f"{left} of {len(wanted)} operators and dtypes are left: run it again")
        return 3
    if options.write:
        made, problems = entries(results)
        expected.write(made)
        if options.core:
            summary.write(core_only(results))
        print("\n".join(problems))
        return 1 if problems else 0
    return _verdict(results)


def _verdict(results: list[Result]) -> int:
    existing = [(op, dtype) for op in OPS for dtype in [*DTYPES, ERRORS] if supported(op, dtype)]
    problems = unlisted(results) + expected.gone(expected.LISTED, existing)
    print("\n".join(problems))
    return 1 if problems else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.opinfo", description=__doc__)
    parser.add_argument("--out", default="build/opinfo.jsonl", help="results, appended to")
    parser.add_argument("--ops", default="", help="regular expression that names must match")
    parser.add_argument("--dtypes", default=",".join([*DTYPES, ERRORS]), help="comma-separated")
    parser.add_argument("--samples", type=int, default=2, help="at most so many an operator")
    parser.add_argument(
        "--core", action="store_true", help="ask which f32 samples end in Core ATen alone"
    )
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the list of what fails, and with --core what the docs page is made from",
    )
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--timeout", type=float, default=30, help="seconds a case may take")
    parser.add_argument("--seconds", type=float, default=0, help="begin nothing after so long")
    parser.add_argument("--reasons", type=int, default=60, help="rows of the table of reasons")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
