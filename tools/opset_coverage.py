"""Which ATen operators engines run: writes docsrc/operators.rst from the registries and from what
the suite over PyTorch's operator database keeps (tests/opinfo/*.json).

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
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT / "py") not in sys.path:
    sys.path.insert(0, str(ROOT / "py"))

import torch  # noqa: E402
from torch_tensorrt.dynamo.conversion import DYNAMO_CONVERTERS  # noqa: E402
from torch_tensorrt.dynamo.conversion._left_in_torch import LEFT_IN_TORCH  # noqa: E402
from torch_tensorrt.dynamo.conversion._support import converter_targets  # noqa: E402
from torch_tensorrt.dynamo.lowering._decompositions import get_decompositions  # noqa: E402

PAGE = ROOT / "docsrc" / "operators.rst"
OPINFO = ROOT / "tests" / "opinfo"
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


@dataclass(frozen=True)
class Database:
    """What the suite over PyTorch's operator database says; see tests/opinfo/README.md.

    Attributes:
        operators: Dtype, or ``errors``, to the number of operators that PyTorch has in it.
        listed: Operator and dtype to the reason why it does not run in an engine.
        reasons: Reason to what it means.
        beyond: Reasons that lie in the nature of an operator or before the compiler.
        core: Operators whose f32 samples end in Core ATen operators alone.
    """

    operators: dict[str, int]
    listed: dict[tuple[str, str], str]
    reasons: dict[str, str]
    beyond: frozenset[str]
    core: frozenset[str]

    @classmethod
    def read(cls, folder: Path = OPINFO) -> Database:
        """From ``summary.json`` and ``expected.json``."""
        said: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        expected: dict[str, Any] = json.loads((folder / "expected.json").read_text())
        listed = {
            (op, dtype): reason
            for reason, ops in expected.items()
            for op, dtypes in ops.items()
            for dtype in dtypes
        }
        names = frozenset(said["beyond"]), frozenset(said["core"])
        return cls(said["operators"], listed, said["reasons"], *names)

    def counts(self, dtype: str, among: frozenset[str] | None = None) -> tuple[int, int, int]:
        """Operators, those left out, and those that run whole in an engine."""
        reasons = [
            reason
            for (op, kind), reason in self.listed.items()
            if kind == dtype and (among is None or op in among)
        ]
        total = self.operators[dtype] if among is None else len(among)
        return total, sum(reason in self.beyond for reason in reasons), total - len(reasons)

    def rows(self) -> list[tuple[str, int, int, int]]:
        """A row of counts a dtype, then all dtypes, then what is Core ATen alone."""
        dtypes = [dtype for dtype in self.operators if dtype != "errors"]
        rows = [(dtype, *self.counts(dtype)) for dtype in dtypes]
        total, beyond = sum(row[1] for row in rows), sum(row[2] for row in rows)
        rows.append(("all", total, beyond, sum(row[3] for row in rows)))
        return [*rows, ("f32, Core ATen alone", *self.counts("f32", self.core))]


def database_lines(database: Database) -> list[str]:
    """The page's section on the operator database."""
    title = "PyTorch's operator database"
    lines = [
        "",
        title,
        "-" * len(title),
        "",
        "The first and the last sample of every operator of PyTorch's own test database,",
        "``torch.testing._internal.common_methods_invocations.op_db``, the first of them",
        "contiguous, transposed, expanded, with an offset and empty, are exported, compiled",
        "with ``require_full_compilation`` and compared with eager PyTorch and with float64. An",
        "operator counts when all of them run whole in one engine and are right. What does not",
        "is listed, strictly: a listed operator that works fails the suite. The share leaves",
        "out what lies in the nature of the operator, and what PyTorch itself does not capture.",
        "The last row has the operators whose samples PyTorch decomposes into Core ATen operators",
        "alone.",
        "",
        *_table(
            ("samples in", "operators", "left out", "run in an engine", "share"),
            [
                (name, str(total), str(beyond), str(inside), _share(inside, total - beyond))
                for name, total, beyond, inside in database.rows()
            ],
        ),
        "",
    ]
    reasons = Counter(database.listed.values())
    wrong, refused = database.operators["errors"], sum(k == "errors" for _, k in database.listed)
    return [
        *lines,
        f"Of {wrong} operators with calls that eager PyTorch refuses, {wrong - refused}",
        "refuse them compiled, too; of the others PyTorch's capture drops the wrong argument.",
        "",
        *_table(
            ("why not", "operators and dtypes", "left out"),
            [
                (meaning, str(reasons[name]), "yes" if name in database.beyond else "no")
                for name, meaning in database.reasons.items()
                if reasons[name]
            ],
        ),
    ]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   * - {row[0]}", *(f"     - {cell}" for cell in row[1:])]
    return lines


def page(rows: list[Coverage], database: Database) -> str:
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
    lines += database_lines(database)
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
    text = page(rows, Database.read())
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
