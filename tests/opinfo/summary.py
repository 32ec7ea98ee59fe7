"""What the operator database says: ``summary.json``, from which the page of operators is written.

``tools/opset_coverage.py`` reads it beside ``expected.json``; both stay true because the suite
compares them with the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.opinfo.cases import DTYPES, ERRORS, OPS, supported
from tests.opinfo.expected import REASONS

PATH = Path(__file__).with_name("summary.json")
#: Reasons that lie in the nature of the operator or before the compiler, not in what an engine
#: happens to lack.
BEYOND = ("sparse", "data", "random", "factorisation", "capture")


def summary(core: Iterable[str]) -> dict[str, Any]:
    """Counts of operators by dtype, what reasons mean, and names of operators.

    Args:
        core: Operators whose f32 samples end in Core ATen operators alone.
    """
    return {
        "operators": {
            dtype: sum(supported(op, dtype) for op in OPS) for dtype in [*DTYPES, ERRORS]
        },
        "reasons": {name: meaning for name, (meaning, _) in REASONS.items()},
        "beyond": list(BEYOND),
        "core": sorted(core),
    }


def read(path: Path = PATH) -> dict[str, Any]:
    """The file's content."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def write(core: Iterable[str], path: Path = PATH) -> None:
    """The file anew."""
    path.write_text(json.dumps(summary(core), indent=1) + "\n")
