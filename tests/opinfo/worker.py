"""Runs cases in a process of its own: a crash or a hang of one takes no others with it.

Reads one JSON task a line, ``{"op", "dtype", "most", "done": [names], "core"}``, and answers with
lines ``{"start": name}``, then the outcome, for each case that is not done, and ``{"end": true}``.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import asdict
from typing import Any, TextIO

import torch

from tests.opinfo.cases import ERRORS, cases, error_cases
from tests.opinfo.check import check, check_error


def main() -> None:
    """Serve tasks until the input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what operators print is no answer
    logging.disable(logging.ERROR)
    torch.set_num_threads(1)
    for line in sys.stdin:
        run_task(json.loads(line), answers)


def run_task(task: dict[str, Any], answers: TextIO) -> None:
    """All cases of one operator in one dtype."""
    done = set(task["done"])
    op, dtype = task["op"], task["dtype"]
    for case in error_cases(op) if dtype == ERRORS else cases(op, dtype, task["most"]):
        if case.name in done:
            continue
        _say(answers, {"start": case.name})
        if dtype == ERRORS:
            outcome = check_error(case)
        else:
            outcome = check(case, core=task["core"] and case.variant == "plain")
        _say(answers, {"case": case.name, **asdict(outcome)})
    _say(answers, {"end": True})


def _say(answers: TextIO, what: dict[str, Any]) -> None:
    answers.write(json.dumps(what) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
