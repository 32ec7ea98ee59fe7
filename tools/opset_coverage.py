"""Which ATen operators engines run: writes docsrc/operators.rst from the registries.

opset_coverage.py            write the page
opset_coverage.py --check    exit status 1 when the page is not what the code says
opset_coverage.py --json     print the table of Core ATen operators as JSON

An operator is *converted* (it becomes layers of the engine), *lowered* (rewritten into other
operators before conversion) or *left in PyTorch*, with the reason that the dry run gives too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT / "py") not in sys.path:
    sys.path.insert(0, str(ROOT / "py"))

import torch  # noqa: E402
from torch_tensorrt.dynamo.conversion import DYNAMO_CONVERTERS  # noqa: E402
from torch_tensorrt.dynamo.conversion._left_in_torch import LEFT_IN_TORCH  # noqa: E402
from torch_tensorrt.dynamo.conversion._support import converter_targets  # noqa: E402
from torch_tensorrt.dynamo.lowering._decompositions import get_decompositions  # noqa: E402

PAGE = ROOT / "docsrc" / "operators.rst"
CONVERTED, LOWERED, LEFT = "converted", "lowered", "left in PyTorch"


@dataclass(frozen=True)
class Coverage:
    """One operator overload: qualified name, status, and why it is left in PyTorch or ""."""

    operator: str
    status: str
    reason: str = ""


def core_aten_overloads() -> list[torch._ops.OpOverload]:
    """All overloads that PyTorch tags as Core ATen, sorted by name."""
    found = []
    for name in torch._C._dispatch_get_all_op_names():
        namespace, _, rest = name.partition("::")
        packet, _, overload = rest.partition(".")
        holder = getattr(torch.ops.aten, packet, None) if namespace == "aten" else None
        operator = getattr(holder, overload or "default", None) if holder is not None else None
        if operator is not None and torch.Tag.core in operator.tags:
            found.append(operator)
    return sorted(found, key=str)


def coverage(operators: Iterable[torch._ops.OpOverload]) -> list[Coverage]:
    """Status of every operator.

    Raises:
        RuntimeError: One is left in PyTorch and no reason is written down.
    """
    converted = {str(target) for target in DYNAMO_CONVERTERS.unique_targets()}
    lowered = {str(operator) for operator in get_decompositions()}
    rows = []
    for name in map(str, operators):
        if name in converted:
            rows.append(Coverage(name, CONVERTED))
        elif name in lowered:
            rows.append(Coverage(name, LOWERED))
        elif name in LEFT_IN_TORCH:
            rows.append(Coverage(name, LEFT, LEFT_IN_TORCH[name]))
        else:
            raise RuntimeError(f"{name} has no converter, no decomposition and no reason why not")
    return rows


def page(rows: list[Coverage]) -> str:
    """The documentation page."""
    counts = Counter(row.status for row in rows)
    inside = counts[CONVERTED] + counts[LOWERED]
    beyond = sorted(set(converter_targets()) - {row.operator for row in rows})
    lines = [
        ".. Written by tools/opset_coverage.py; do not edit.",
        "",
        "Operators",
        "=========",
        "",
        f"Of the {len(rows)} overloads of Core ATen {inside} run in engines: "
        f"{counts[CONVERTED]} by a converter",
        f"and {counts[LOWERED]} because they are rewritten into others first. The other "
        f"{counts[LEFT]} run in PyTorch,",
        "between engines, for the reason given here, which the dry run gives too. Converters "
        "exist for",
        f"{len(beyond)} more overloads beyond Core ATen. A converter may still refuse a call; the "
        "dry run says",
        "which and why (see :doc:`user_guide/troubleshooting`).",
        "",
        "Left in PyTorch",
        "---------------",
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "   :widths: 40 60",
        "",
        "   * - operator",
        "     - reason",
    ]
    for row in rows:
        if row.status == LEFT:
            lines += [f"   * - ``{row.operator}``", f"     - {row.reason}"]
    for title, names in (
        ("Core ATen: converted", [r.operator for r in rows if r.status == CONVERTED]),
        ("Core ATen: lowered", [r.operator for r in rows if r.status == LOWERED]),
        ("Converted beyond Core ATen", beyond),
    ):
        lines += ["", title, "-" * len(title), "", ", ".join(f"``{n}``" for n in names)]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Write, check or print; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="compare the page with the code")
    parser.add_argument("--json", action="store_true", help="print the Core ATen table as JSON")
    arguments = parser.parse_args(argv)
    rows = coverage(core_aten_overloads())
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return 0
    text = page(rows)
    if arguments.check:
        if PAGE.exists() and PAGE.read_text() == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not what the code says; run tools/opset_coverage.py")
        return 1
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
