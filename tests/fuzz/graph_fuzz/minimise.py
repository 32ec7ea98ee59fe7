"""Makes a failing program small: fewer settings, outputs, lines, worlds, odd inputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import torch

from tests.fuzz.graph_fuzz.generate import Options
from tests.fuzz.graph_fuzz.program import (
    DTYPE_NAMES,
    Leaf,
    Program,
    Shape,
    namespace,
    operands,
    renamed,
    targets,
)

Fails = Callable[[Program, Options], bool]


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What a name was when it was bound."""

    shapes: tuple[Shape, ...]
    dtype: str
    values: str


def minimise(
    program: Program, options: Options, fails: Fails, most: int = 150
) -> tuple[Program, Options]:
    """The smallest program and options found for which ``fails`` holds, as it does for the first.

    Args:
        most: Candidates tried.
    """
    search = _Search(program, options, fails, most)
    while search.left > 0 and (
        search.improve(_fewer_outputs)
        | search.improve(_fewer_lines)
        | search.improve(_simpler_options)
        | search.improve(_simpler_inputs)
    ):
        pass
    return search.program, search.options


class _Search:
    def __init__(self, program: Program, options: Options, fails: Fails, most: int) -> None:
        self.program = program
        self.options = options
        self.left = most
        self._fails = fails
        self._tried: set[tuple[Program, Options]] = set()

    def improve(self, candidates: Callable[..., Iterator[tuple[Program, Options]]]) -> bool:
        """Takes the first candidate that still fails, again and again; whether there was one."""
        any_found = False
        found = True
        while found and self.left > 0:
            found = False
            for program, options in candidates(self.program, self.options):
                program = program.pruned()
                if (program, options) in self._tried or (
                    program == self.program and options == self.options
                ):
                    continue
                self._tried.add((program, options))
                self.left -= 1
                if self._fails(program, options):
                    self.program, self.options = program, options
                    found = any_found = True
                    break
                if self.left <= 0:
                    break
        return any_found


def _simpler_options(program: Program, options: Options) -> Iterator[tuple[Program, Options]]:
    for name, _ in options.settings:
        if name != "min_block_size":
            left = tuple(item for item in options.settings if item[0] != name)
            yield program, dataclasses.replace(options, settings=left)
    for name, value in options.settings:
        if isinstance(value, tuple) and len(value) > 1:
            for one in value:
                changed = tuple((n, (one,)) if n == name else (n, v) for n, v in options.settings)
                yield program, dataclasses.replace(options, settings=changed)
    if options.threads != 1:
        yield program, dataclasses.replace(options, threads=1)
    if options.entry == "saved":
        yield program, dataclasses.replace(options, entry="compile")


def _fewer_outputs(program: Program, options: Options) -> Iterator[tuple[Program, Options]]:
    if len(program.outputs) > 1:
        for name in program.outputs:
            yield dataclasses.replace(program, outputs=(name,)), options
        for at in range(len(program.outputs)):
            outputs = program.outputs[:at] + program.outputs[at + 1 :]
            yield dataclasses.replace(program, outputs=outputs), options


def _fewer_lines(program: Program, options: Options) -> Iterator[tuple[Program, Options]]:
    try:
        seen = _observe(program)
    except Exception:
        return
    for at in reversed(range(len(program.lines))):
        line = program.lines[at]
        rest = program.lines[:at] + program.lines[at + 1 :]
        made = targets(line)
        if not made:
            yield dataclasses.replace(program, lines=rest), options
            continue
        yield _as_inputs(program, rest, made, seen), options
        for source in operands(line):
            if len(made) == 1 and seen[source].shapes == seen[made[0]].shapes:
                yield _substituted(program, rest, {made[0]: source}), options
    for at in range(len(program.lines)):  # an earlier end
        made = targets(program.lines[at])
        if made and at < len(program.lines) - 1:
            yield (
                dataclasses.replace(program, lines=program.lines[: at + 1], outputs=tuple(made)),
                options,
            )


def _substituted(program: Program, lines: tuple[str, ...], names: dict[str, str]) -> Program:
    return dataclasses.replace(
        program,
        lines=tuple(renamed(line, names) for line in lines),
        outputs=tuple(names.get(name, name) for name in program.outputs),
    )


def _as_inputs(
    program: Program, lines: tuple[str, ...], made: list[str], seen: dict[str, _Seen]
) -> Program:
    used = {int(leaf.name[1:]) for leaf in program.inputs}
    names: dict[str, str] = {}
    leaves: list[Leaf] = []
    for name in made:
        number = next(i for i in range(1000) if i not in used)
        used.add(number)
        names[name] = f"x{number}"
        what = seen[name]
        leaves.append(Leaf(names[name], what.shapes, what.dtype, what.values))
    changed = _substituted(program, lines, names)
    return dataclasses.replace(changed, inputs=(*program.inputs, *leaves))


def _simpler_inputs(program: Program, options: Options) -> Iterator[tuple[Program, Options]]:
    if program.worlds > 1:
        for world in range(program.worlds):
            static = [_in_world(leaf, (world,)) for leaf in program.inputs]
            yield dataclasses.replace(program, inputs=tuple(static)), options
        if program.worlds > 2:
            for world in range(1, program.worlds):
                fewer = [_in_world(leaf, (0, world)) for leaf in program.inputs]
                yield dataclasses.replace(program, inputs=tuple(fewer)), options
    for kind in ("inputs", "state"):
        leaves = getattr(program, kind)
        for at, leaf in enumerate(leaves):
            for simpler in _simpler_leaf(leaf):
                changed = (*leaves[:at], simpler, *leaves[at + 1 :])
                yield dataclasses.replace(program, **{kind: changed}), options


def _in_world(leaf: Leaf, worlds: tuple[int, ...]) -> Leaf:
    shapes = tuple(leaf.shape(world) for world in worlds)
    if len(set(shapes)) == 1:
        shapes = shapes[:1]
    return dataclasses.replace(leaf, shapes=shapes)


def _simpler_leaf(leaf: Leaf) -> Iterator[Leaf]:
    if leaf.layout != "packed":
        yield dataclasses.replace(leaf, layout="packed")
    if leaf.dtype in ("f16", "bf16", "f64"):
        yield dataclasses.replace(leaf, dtype="f32")


def _observe(program: Program) -> dict[str, _Seen]:
    scopes: list[dict[str, Any]] = []
    found: dict[str, list[torch.Tensor]] = {}

    def note(name: str, value: torch.Tensor) -> None:
        found.setdefault(name, []).append(value.detach().clone())

    for world in range(program.worlds):
        own = SimpleNamespace(
            **{leaf.name[5:]: leaf.tensor(0, program.seed) for leaf in program.state}
        )
        scope = {**namespace(), "self": own}
        for leaf in program.inputs:
            scope[leaf.name] = leaf.tensor(world, program.seed)
            note(leaf.name, scope[leaf.name])
        for leaf in program.state:
            note(leaf.name, getattr(own, leaf.name[5:]))
        for line in program.lines:
            exec(line, scope)
            for name in targets(line):
                note(name, scope[name])
        scopes.append(scope)
    return {name: _seen(tensors) for name, tensors in found.items()}


def _seen(tensors: list[torch.Tensor]) -> _Seen:
    shapes = tuple(tuple(t.shape) for t in tensors)
    if len(set(shapes)) == 1:
        shapes = shapes[:1]
    dtype = DTYPE_NAMES[tensors[0].dtype]
    elements = torch.cat([t.flatten() for t in tensors])
    if elements.numel() == 0 or dtype == "b8":
        return _Seen(shapes, dtype, "normal" if elements.is_floating_point() else "0:2")
    if elements.is_floating_point():
        return _Seen(shapes, dtype, "unit" if bool((elements > 0).all()) else "normal")
    return _Seen(shapes, dtype, f"{int(elements.min())}:{int(elements.max()) + 1}")
