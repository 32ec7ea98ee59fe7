"""A program of the fuzzer: inputs and state as specifications, a body of lines of Python.

Names say what a value is: ``x0`` an input, ``self.p0`` a parameter, ``self.b0`` a buffer, ``v0`` a
result. What a line reads and writes is found by these names, so that a line is only text.
"""

from __future__ import annotations

import dataclasses
import linecache
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

NAME = re.compile(r"\b(?:self\.[pb]\d+|[xv]\d+)\b")
#: Functions that make tensors out of numbers.
_FACTORY = re.compile(r"torch\.(?:arange|eye|full|linspace|ones|tensor|zeros)\(")
_TARGETS = re.compile(r"^(v\d+(?:, v\d+)*) = ")

DTYPES: dict[str, torch.dtype] = {
    "f64": torch.float64,
    "f32": torch.float32,
    "f16": torch.float16,
    "bf16": torch.bfloat16,
    "i64": torch.int64,
    "i32": torch.int32,
    "i16": torch.int16,
    "i8": torch.int8,
    "u8": torch.uint8,
    "b8": torch.bool,
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
FLOATS = ("f64", "f32", "f16", "bf16")

_SPECIAL = (0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-30)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Leaf:
    """An input, a parameter or a buffer.

    Attributes:
        name: ``x0``, ``self.p0`` or ``self.b0``.
        shapes: Its shape in every world (a set of sizes); one only: the same in all.
        dtype: A key of :data:`DTYPES`.
        values: ``normal``, ``unit`` (0.1 to 1.1), ``special`` (a tenth are zeros, infinities and
            NaN), ``LO:HI`` (integers, ``HI`` is left out).
        layout: ``packed``, ``permuted``, ``stepped``, ``expanded`` or ``offset``.
    """

    name: str
    shapes: tuple[Shape, ...]
    dtype: str = "f32"
    values: str = "normal"
    layout: str = "packed"

    def shape(self, world: int) -> Shape:
        """Its shape in one world."""
        return self.shapes[min(world, len(self.shapes) - 1)]

    def tensor(
        self, world: int, seed: int, wide: bool = False, device: str = "cpu"
    ) -> torch.Tensor:
        """A new tensor, always the same for the same arguments.

        Args:
            wide: floats as float64, with the values that the narrow type has.
            device: where it is; its values are the same everywhere.
        """
        number = sum(ord(c) * 131**i for i, c in enumerate(self.name))
        source = torch.Generator().manual_seed(seed * 1009 + number * 31 + world)
        dtype = DTYPES[self.dtype]
        target = torch.float64 if wide and dtype.is_floating_point else dtype
        return _laid_out(
            self.shape(world),
            self.layout,
            lambda shape: self._fill(shape, source).to(device, target),
        )

    def _fill(self, shape: Shape, source: torch.Generator) -> torch.Tensor:
        if self.dtype == "b8":
            return torch.rand(shape, generator=source) > 0.5
        if ":" in self.values:
            low, high = (int(part) for part in self.values.split(":"))
            return torch.randint(low, high, shape, generator=source).to(DTYPES[self.dtype])
        if self.values == "unit":
            return (torch.rand(shape, generator=source) + 0.1).to(DTYPES[self.dtype])
        made = torch.randn(shape, generator=source)
        if self.values == "special":
            chosen = torch.randint(0, len(_SPECIAL), shape, generator=source)
            here = torch.rand(shape, generator=source) < 0.1
            made = torch.where(here, torch.tensor(_SPECIAL)[chosen], made)
        return made.to(DTYPES[self.dtype])


def _laid_out(shape: Shape, layout: str, fill: Any) -> torch.Tensor:
    if layout == "permuted" and len(shape) > 1:
        return fill(shape[::-1]).permute(*reversed(range(len(shape))))
    if layout == "stepped" and shape:
        return fill((*shape[:-1], 2 * shape[-1]))[..., ::2]
    if layout == "expanded" and shape and shape[0] > 1:
        return fill((1, *shape[1:])).expand(shape)
    if layout == "offset" and shape:
        return fill((shape[0] + 1, *shape[1:]))[1:]
    return fill(shape)


@dataclass(frozen=True)
class Program:
    """Inputs, state, lines and what is returned.

    Attributes:
        worlds: Number of sets of sizes: the first is the one of capture.
        seed: Of the values of inputs and state.
        device: Where inputs, state and what lines make are.
    """

    inputs: tuple[Leaf, ...]
    state: tuple[Leaf, ...]
    lines: tuple[str, ...]
    outputs: tuple[str, ...]
    seed: int = 0
    device: str = "cpu"

    @property
    def worlds(self) -> int:
        """Number of sets of sizes."""
        return max((len(leaf.shapes) for leaf in self.inputs), default=1)

    def source(self) -> str:
        """The class ``Graph``; needs the names of :func:`namespace`."""
        init = [
            f"{leaf.name} = torch.nn.Parameter(state[{leaf.name[5:]!r}], requires_grad=False)"
            if leaf.name.startswith("self.p")
            else f"self.register_buffer({leaf.name[5:]!r}, state[{leaf.name[5:]!r}])"
            for leaf in self.state
        ]
        arguments = ", ".join(["self", *(leaf.name for leaf in self.inputs)])
        result = "".join(f"{name}, " for name in self.outputs).strip()
        lines = [
            "class Graph(torch.nn.Module):",
            "    def __init__(self, state):",
            "        super().__init__()",
            *(f"        {line}" for line in init),
            "",
            f"    def forward({arguments}):",
            *(f"        {placed(line, self.device)}" for line in self.lines),
            f"        return ({result})",
        ]
        return "\n".join(lines) + "\n"

    def module(self, wide: bool = False) -> torch.nn.Module:
        """A new module, with its state."""
        text = self.source()
        name = f"<graph {hash(text) & 0xFFFFFFFF:08x}>"
        linecache.cache[name] = (len(text), None, text.splitlines(True), name)
        scope = namespace(wide)
        exec(compile(text, name, "exec"), scope)
        state = {leaf.name[5:]: leaf.tensor(0, self.seed, wide, self.device) for leaf in self.state}
        return scope["Graph"](state).eval()

    def arguments(self, world: int, wide: bool = False, call: int = 0) -> list[torch.Tensor]:
        """New tensors for the inputs."""
        seed = self.seed + 7919 * call
        return [leaf.tensor(world, seed, wide, self.device) for leaf in self.inputs]

    def pruned(self) -> Program:
        """Without the lines, inputs and state that nothing needs; lines that write stay."""
        needed = set(self.outputs)
        kept: list[str] = []
        for line in reversed(self.lines):
            if writes(line) or needed & set(targets(line)):
                kept.append(line)
                needed |= set(NAME.findall(line))
        return dataclasses.replace(
            self,
            lines=tuple(reversed(kept)),
            inputs=tuple(leaf for leaf in self.inputs if leaf.name in needed),
            state=tuple(leaf for leaf in self.state if leaf.name in needed),
        )


def placed(line: str, device: str) -> str:
    """``line`` with its new tensors made on ``device``."""
    if device == "cpu":
        return line
    for found in reversed(list(_FACTORY.finditer(line))):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(line[end], 0)
            end += 1
        line = f"{line[: end - 1]}, device={device!r}{line[end - 1 :]}"
    return line


def targets(line: str) -> list[str]:
    """The names that a line binds."""
    found = _TARGETS.match(line)
    return found.group(1).split(", ") if found else []


def operands(line: str) -> list[str]:
    """The names that a line reads, each once, in order."""
    found = _TARGETS.match(line)
    return list(dict.fromkeys(NAME.findall(line[found.end() :] if found else line)))


def writes(line: str) -> bool:
    """Whether a line changes a tensor in place."""
    return not _TARGETS.match(line) or re.search(r"\w_\(|\.data\b", line) is not None


def renamed(text: str, names: dict[str, str]) -> str:
    """``text`` with the names replaced."""
    return NAME.sub(lambda found: names.get(found.group(0), found.group(0)), text)


def namespace(wide: bool = False) -> dict[str, Any]:
    """The names that a program's source uses; ``wide``: float types are all float64."""
    types = {n: torch.float64 if wide and n in FLOATS else t for n, t in DTYPES.items()}
    return {"torch": torch, "F": F, **types}


def pytest_case(program: Program, options: dict[str, Any], note: str = "") -> str:
    """A test function that runs the program, as text."""

    def leaves(kind: str, all_leaves: Iterable[Leaf]) -> str:
        listed = "".join(f"        {leaf!r},\n" for leaf in all_leaves)
        return f"    {kind}=({listed and chr(10) + listed + '    '}),\n"

    body = "".join(f"        {line!r},\n" for line in program.lines)
    call = (
        "program = Program(\n"
        + leaves("inputs", program.inputs)
        + leaves("state", program.state)
        + f"    lines=(\n{body}    ),\n"
        + f"    outputs={program.outputs!r},\n"
        + f"    seed={program.seed},\n"
        + ("" if program.device == "cpu" else f"    device={program.device!r},\n")
        + ")\n"
        + f"require_pass(program, Options(**{options!r}))\n"
    )
    comment = "".join(f"    # {line}\n" for line in note.splitlines()[:6])
    return f"def test_seed_{program.seed}() -> None:\n{comment}{textwrap.indent(call, '    ')}"
