"""What an operator's specification draws from: the values so far, and chance.

A specification proposes a line; the line is then run by PyTorch in every world. So a specification
need not know when an operator is defined: what raises, or gives values that are not finite, is
thrown away and something else is drawn.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from tests.fuzz.graph_fuzz.program import (
    DTYPE_NAMES,
    DTYPES,
    FLOATS,
    Leaf,
    Program,
    Shape,
    namespace,
    operands,
    targets,
    writes,
)

MOST_ELEMENTS = 6000
MOST_DIMS = 6
LARGEST = {"f16": 500.0, "bf16": 3000.0, "f32": 1e5, "f64": 1e6}
_INTEGERS = ("i64", "i32", "i16", "i8", "u8")
KINDS = {"f": FLOATS, "i": _INTEGERS, "b": ("b8",)}


class Draw:
    """The program so far and its values in every world."""

    def __init__(self, rng: random.Random, worlds: int, seed: int, main: str) -> None:
        self.rng = rng
        self.worlds = worlds
        self.seed = seed
        #: The float type that most inputs and parameters have.
        self.main = main
        #: Whether values that are not finite may come up.
        self.special = False
        #: Elements of the largest value allowed.
        self.most = MOST_ELEMENTS
        self.inputs: list[Leaf] = []
        self.state: list[Leaf] = []
        self.lines: list[str] = []
        self.names: list[str] = []
        self._made = 0
        self._scopes = self._new_scopes()

    # -- leaves

    def new_input(self, shapes: Sequence[Shape], dtype: str = "", values: str = "normal") -> str:
        """Adds an input of these shapes (one for each world)."""
        layouts = ["packed"] * 5 + ["permuted", "stepped", "expanded", "offset"]
        shapes = tuple(dict.fromkeys(shapes)) if len(set(shapes)) == 1 else tuple(shapes)
        leaf = Leaf(
            f"x{len(self.inputs)}", shapes, dtype or self.main, values, self.rng.choice(layouts)
        )
        self.inputs.append(leaf)
        for world, scope in enumerate(self._scopes):
            scope[leaf.name] = leaf.tensor(world, self.seed)
        self.names.append(leaf.name)
        return leaf.name

    def new_state(
        self, shape: Shape, dtype: str = "", values: str = "normal", buffer: bool = False
    ) -> str:
        """Adds a parameter, or a buffer."""
        name = f"self.{'b' if buffer else 'p'}{len(self.state)}"
        leaf = Leaf(name, (tuple(shape),), dtype or self.main, values)
        self.state.append(leaf)
        for scope in self._scopes:
            setattr(scope["self"], name[5:], leaf.tensor(0, self.seed))
        return name

    # -- what there is

    def value(self, name: str, world: int = 0) -> torch.Tensor:
        """The tensor of a name."""
        scope = self._scopes[world]
        if name.startswith("self."):
            return getattr(scope["self"], name[5:])
        return scope[name]

    def shape(self, name: str) -> Shape:
        """Its shape in the world of capture."""
        return tuple(self.value(name).shape)

    def shapes(self, name: str) -> list[Shape]:
        """Its shape in every world."""
        return [tuple(self.value(name, world).shape) for world in range(self.worlds)]

    def rank(self, name: str) -> int:
        """Number of its axes."""
        return self.value(name).dim()

    def dtype(self, name: str) -> str:
        """A key of DTYPES."""
        return DTYPE_NAMES[self.value(name).dtype]

    def fixed(self, name: str, axis: int) -> bool:
        """Whether an axis has one size in all worlds."""
        return len({shape[axis] for shape in self.shapes(name)}) == 1

    def least(self, name: str, axis: int) -> int:
        """Smallest size of an axis."""
        return min(shape[axis] for shape in self.shapes(name))

    def size(self, name: str, axis: int) -> str:
        """The text of a size: a number only where it is one in all worlds."""
        if self.fixed(name, axis) and self.rng.random() < 0.9:
            return str(self.shape(name)[axis])
        return f"{name}.shape[{axis}]"

    # -- choices

    def pick(
        self,
        kinds: str = "f",
        low: int = 0,
        high: int = MOST_DIMS,
        where: Callable[[str], bool] | None = None,
    ) -> str:
        """A value with ``low`` to ``high`` axes; later ones are likelier.

        Args:
            kinds: letters of KINDS.

        Raises:
            NothingFits: there is none.
        """
        types = [name for kind in kinds for name in KINDS[kind]]
        fitting = [
            name
            for name in self.names
            if self.dtype(name) in types
            and low <= self.rank(name) <= high
            and (where is None or where(name))
        ]
        if not fitting:
            raise NothingFits
        back = min(int(self.rng.expovariate(0.35)), len(fitting) - 1)
        return fitting[-1 - back] if self.rng.random() < 0.8 else self.rng.choice(fitting)

    def axis(self, name: str) -> int:
        """An axis, from either end; 0 for a scalar."""
        rank = max(self.rank(name), 1)
        return self.rng.randrange(-rank, rank)

    def chance(self, probability: float) -> bool:
        """True that often."""
        return self.rng.random() < probability

    def of(self, *choices: Any) -> Any:
        """One of them."""
        return self.rng.choice(choices)

    def scalar(self, dtype: str) -> str:
        """A literal for a tensor of this type."""
        if dtype == "b8":
            return self.of("True", "False")
        if dtype in _INTEGERS:
            return str(self.of(0, 1, 2, 3, 5))
        return self.of("0.5", "1.0", "-1.5", "2.0", "0.1", "2", "-0.25", "3.7")

    def mate(self, name: str, kinds: str = "", scalars: bool = True) -> str:
        """Something that broadcasts against ``name``: a value, new state or input, a literal."""
        dtype = self.dtype(name)
        kind = kinds or next(k for k, names in KINDS.items() if dtype in names)
        roll = self.rng.random()
        if roll < 0.15 and scalars:
            return self.scalar(dtype)
        if roll < 0.65:
            try:
                return self.pick(kind, where=lambda other: self._broadcast(name, other))
            except NothingFits:
                pass
        shapes = self.shapes(name)
        wanted = dtype if dtype in KINDS[kind[0]] else ("b8" if kind == "b" else self.main)
        values = "normal" if wanted in FLOATS or wanted == "b8" else "-4:5"
        if wanted == "u8":
            values = "0:6"
        if self.chance(0.6):
            tail = self.rng.randint(0, self.rank(name))
            shape = tuple(
                size if self.fixed(name, axis) and self.chance(0.8) else 1
                for axis, size in enumerate(self.shape(name))
            )[tail:]
            return self.new_state(shape, wanted, values, buffer=wanted not in FLOATS)
        if len(self.inputs) >= 5:
            raise NothingFits
        return self.new_input(shapes, wanted, values)

    def same(self, name: str) -> str:
        """Another value with the shapes and dtype of ``name``, itself if there is no other."""
        shapes, dtype = self.shapes(name), self.dtype(name)
        others = [
            n
            for n in self.names
            if n != name and self.dtype(n) == dtype and self.shapes(n) == shapes
        ]
        return self.rng.choice(others) if others else name

    def _broadcast(self, one: str, two: str) -> bool:
        try:
            for a, b in zip(self.shapes(one), self.shapes(two), strict=True):
                torch.broadcast_shapes(a, b)
        except RuntimeError:
            return False
        return True

    # -- lines

    def add(self, proposal: Proposal) -> bool:
        """Runs the proposed line in every world; keeps it if its results are fit for use."""
        names = [f"v{self._made + i}" for i in range(proposal.results)]
        line = f"{', '.join(names)} = {proposal.text}" if names else proposal.text
        if not self._run(line):
            for scope in self._scopes:
                for name in names:
                    scope.pop(name, None)
            if writes(line):
                self._replay()
            return False
        self._made += len(names)
        self.names += names
        self.lines.append(line)
        return True

    def _run(self, line: str) -> bool:
        code = compile(line, "<line>", "exec")
        if self.most > MOST_ELEMENTS and not self._is_small(line, code):
            return False
        state = [leaf for leaf in self.state if leaf.name.startswith("self.p")]
        try:
            for scope in self._scopes:
                torch.manual_seed(0)
                exec(code, scope)
                written = any(getattr(scope["self"], p.name[5:])._version for p in state)
                if written or not all(self._fit(scope[name]) for name in targets(line)):
                    return False
            if writes(line) and not all(
                self._fit(self.value(name, world))
                for name in self.names
                for world in range(self.worlds)
            ):
                return False
        except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError):
            return False
        return all(
            len({self.value(name, world).dim() for world in range(self.worlds)}) == 1
            for name in targets(line)
        )

    def _is_small(self, line: str, code: Any) -> bool:
        """Whether a line, run without data, gives nothing too large: products may."""
        for world in range(self.worlds):
            used = [name for name in operands(line) if name.startswith("self.")]
            own = {name[5:]: self.value(name, world).to("meta") for name in used}
            scope = {**namespace(), "self": SimpleNamespace(**own)}
            for name in operands(line):
                if not name.startswith("self."):
                    scope[name] = self.value(name, world).to("meta")
            try:
                exec(code, scope)
            except (RuntimeError, IndexError, ValueError, TypeError, NotImplementedError):
                return False
            if any(scope[name].numel() > self.most for name in targets(line)):
                return False
        return True

    def _all_fit(self) -> bool:
        worlds = range(self.worlds)
        return all(self._fit(self.value(name, world)) for name in self.names for world in worlds)

    def _fit(self, value: Any) -> bool:
        if self._is_special(value):
            value = torch.nan_to_num(value, 0.0, 0.0, 0.0)
        return fit(value, self.most)

    def _is_special(self, value: Any) -> bool:
        return self.special and isinstance(value, torch.Tensor) and value.is_floating_point()

    def _replay(self) -> None:
        self._scopes = self._new_scopes()
        for line in self.lines:
            for scope in self._scopes:
                exec(compile(line, "<line>", "exec"), scope)

    def _new_scopes(self) -> list[dict[str, Any]]:
        scopes = []
        for world in range(self.worlds):
            own = SimpleNamespace(
                **{leaf.name[5:]: leaf.tensor(0, self.seed) for leaf in self.state}
            )
            scope = {**namespace(), "self": own}
            scope.update({leaf.name: leaf.tensor(world, self.seed) for leaf in self.inputs})
            scopes.append(scope)
        return scopes

    def program(self, outputs: Sequence[str]) -> Program:
        """What was drawn, with these outputs."""
        return Program(
            tuple(self.inputs), tuple(self.state), tuple(self.lines), tuple(outputs), self.seed
        )


class NothingFits(Exception):
    """No value that the specification can take."""


@dataclass(frozen=True)
class Proposal:
    """A line to try: the text right of ``=``; the whole line when it has no results."""

    text: str
    results: int = 1


def fit(value: Any, most: int = MOST_ELEMENTS) -> bool:
    """Whether a result may be used further: a tensor, not too large, finite and moderate."""
    if not isinstance(value, torch.Tensor) or value.dtype not in DTYPE_NAMES:
        return False
    if value.numel() > most or value.dim() > MOST_DIMS:
        return False
    if not value.is_floating_point() or value.numel() == 0:
        return True
    limit = LARGEST[DTYPE_NAMES[value.dtype]]
    return bool((value.abs() <= limit).all())


Specification = Callable[[Draw], "str | Proposal"]
#: Name to (weight, specification).
SPECIFICATIONS: dict[str, tuple[float, Specification]] = {}


def spec(weight: float = 1.0) -> Callable[[Specification], Specification]:
    """Registers a specification under its function's name."""

    def register(function: Specification) -> Specification:
        name = function.__name__
        assert name not in SPECIFICATIONS
        SPECIFICATIONS[name] = (weight, function)
        return function

    return register


__all__ = [
    "DTYPES",
    "KINDS",
    "SPECIFICATIONS",
    "Draw",
    "NothingFits",
    "Proposal",
    "fit",
    "spec",
]
