"""What is known not to run in an engine, with a reason each: ``expected.json``, read and written.

The file maps a reason to operators, to dtypes, to the first case that fails. The list is strict:
a listed case that works, and a listed operator that is gone, are failures too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PATH = Path(__file__).with_name("expected.json")

#: Reason to what it means and what the status and the message of such a failure match.
REASONS: dict[str, tuple[str, str]] = {
    "sparse": (
        "takes or makes sparse tensors",
        r"sparse|Sparse",
    ),
    "training": (
        "updates statistics or weights in place",
        r"batch normalisation|batch_norm|embedding_renorm|writes to one of its inputs",
    ),
    "factorisation": (
        "factorises, inverts or exponentiates a matrix",
        r"linalg_|cholesky|lu_unpack|lu_solve|geqrf|ormqr|svd|triangular_solve|householder|"
        r"slogdet|ldl_|_linalg|lstsq|matrix_exp",
    ),
    "data": (
        "the size of the result, or a branch, depends on values",
        r"masked_select|nonzero\.default|unique|DataDependent|DynamicOutputShape|nbacked|"
        r"_local_scalar_dense|aten\.item|repeat_interleave\.Tensor|bincount|mask as an index|"
        r"symbolic (Sym)?|GuardOnDataDependent|aten\.equal",
    ),
    "random": (
        "draws random numbers, which no engine could draw alike",
        r"rand|bernoulli|normal[._]|cauchy|exponential|geometric|uniform|poisson|multinomial|rrelu|"
        r"dropout|fractional_max_pool",
    ),
    "complex": ("has complex numbers", r"complex|fft_|polar"),
    "division": (
        "raises an error for an integer divided by zero, for which an engine does not look",
        r"divisor may be zero",
    ),
    "layout": (
        "reads memory by strides, which engines do not have",
        r"as_strided|aten\.resize",
    ),
    "integer": (
        "convolves or pools integers",
        r"(convolution|avg_pool|max_pool|conv).*(must|integer|iN)",
    ),
    "capture": ("torch.export captures it wrongly or not at all", r"^untraced"),
    "converter": ("has neither converter nor decomposition yet", r"^refused"),
}


@dataclass(frozen=True)
class Entry:
    """Why an operator fails in a dtype, and in which case first."""

    reason: str
    case: str


def read(path: Path = PATH) -> dict[tuple[str, str], Entry]:
    """Operator and dtype to entry."""
    listed = {}
    for reason, ops in json.loads(path.read_text()).items():
        for op, dtypes in ops.items():
            for dtype, case in dtypes.items():
                listed[op, dtype] = Entry(reason, case)
    return listed


def write(entries: Mapping[tuple[str, str], Entry], path: Path = PATH) -> None:
    """The file anew, in order."""
    tree: dict[str, dict[str, dict[str, str]]] = {}
    for (op, dtype), entry in sorted(entries.items(), key=lambda item: (item[1].reason, item[0])):
        tree.setdefault(entry.reason, {}).setdefault(op, {})[dtype] = entry.case
    path.write_text(json.dumps(tree, indent=1) + "\n")


def reason_of(status: str, message: str, errors: bool = False) -> str | None:
    """The first reason that the failure matches; None for what must not be listed.

    Args:
        errors: The call is one that eager mode refuses. What it checks of ``out=`` arguments and of
            None, torch.export drops.
    """
    if errors and re.search(r"\bout\b|NoneType", message):
        return "capture"
    if status not in ("refused", "untraced", "error"):
        return None
    text = f"{status} {message}"
    return next((name for name, (_, rule) in REASONS.items() if re.search(rule, text)), None)


def gone(listed: Iterable[tuple[str, str]], existing: Iterable[tuple[str, str]]) -> list[str]:
    """Listed operators and dtypes that do not exist."""
    known = set(existing)
    return [
        f"{op} {dtype} is listed and does not exist"
        for op, dtype in listed
        if (op, dtype) not in known
    ]


LISTED = read() if PATH.exists() else {}
