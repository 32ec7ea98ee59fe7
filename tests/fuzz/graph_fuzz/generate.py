"""A program, and how to compile it, from a seed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.fuzz.graph_fuzz import (  # noqa: F401 (they register)
    specs_compute,
    specs_layout,
    specs_motifs,
)
from tests.fuzz.graph_fuzz.draw import SPECIFICATIONS, Draw, NothingFits, Proposal
from tests.fuzz.graph_fuzz.program import Program, Shape, operands, writes

FEWEST, MOST = 3, 20
_STATIC_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 31, 33)
#: Enough for several threads and several blocks of a product.
_LARGE_SIZES = (3, 32, 65, 100, 128, 257)
#: Sizes of a dynamic axis: at capture, the smallest, and others.
_DYNAMIC_SIZES = ((5, 1, 9), (4, 2, 7), (6, 1, 33), (8, 1, 3), (3, 0, 5), (7, 3, 8))


@dataclass(frozen=True)
class Options:
    """How a program is compiled.

    Attributes:
        entry: ``compile``, ``saved`` (compiled, saved and loaded) or ``jit`` (``torch.compile``).
        settings: Keywords of the compiler; operators by name.
        threads: Threads that run it.
    """

    entry: str = "compile"
    settings: tuple[tuple[str, object], ...] = ()
    threads: int = 1


def generate(seed: int) -> Program:
    """The program of a seed."""
    rng = random.Random(seed)
    dynamic = rng.random() < 0.45
    main = rng.choices(("f32", "bf16", "f16", "f64"), (75, 10, 10, 5))[0]
    draw = Draw(rng, 3 if dynamic else 1, seed, main)
    draw.special = rng.random() < 0.07
    large = rng.random() < 0.1
    if large:
        draw.most = 200_000
    _inputs(draw, dynamic, large)
    wanted = min(MOST, max(FEWEST, int(rng.gauss(12, 6))))
    names = list(SPECIFICATIONS)
    weights = [SPECIFICATIONS[name][0] for name in names]
    for _ in range(wanted * 6):
        if len(draw.lines) >= wanted:
            break
        try:
            proposal = SPECIFICATIONS[rng.choices(names, weights)[0]][1](draw)
        except NothingFits:
            continue
        draw.add(Proposal(proposal) if isinstance(proposal, str) else proposal)
    program = draw.program(_outputs(draw)).pruned()
    if dynamic and any(writes(line) for line in program.lines):
        # Capture sees packed inputs: whether a reshape shares memory with a written input may not
        # depend on how it lies in memory later.
        leaves = tuple(replace(leaf, layout="packed") for leaf in program.inputs)
        program = replace(program, inputs=leaves)
    return program


def _inputs(draw: Draw, dynamic: bool, large: bool) -> None:
    rng = draw.rng
    symbols = rng.sample(_DYNAMIC_SIZES, 2)
    fixed = [rng.choice(_LARGE_SIZES if large else _STATIC_SIZES) for _ in range(3)]
    if rng.random() < 0.02:
        fixed[0] = 0
    theme = rng.choices(("any", "image", "sequence"), (5, 3, 2))[0]
    for count in range(rng.randint(1, 3)):
        rank = rng.choices((0, 1, 2, 3, 4), (2, 15, 33, 30, 20))[0]
        axes: list[int | tuple[int, ...]] = [rng.choice(fixed) for _ in range(rank)]
        if count == 0 and theme == "image" and large:
            axes = [rng.choice((1, 2)), rng.choice((16, 32)), *rng.choices((28, 33, 56), k=2)]
        elif count == 0 and theme == "image":
            axes = [
                rng.choice((1, 2, 3)),
                rng.choice((3, 4, 8, 16)),
                *rng.choices((5, 7, 8, 9), k=2),
            ]
        elif count == 0 and theme == "sequence":
            axes = [rng.choice((1, 2, 3)), rng.choice((3, 7, 9)), rng.choice((8, 12, 16))]
        rank = len(axes)
        if dynamic and rank and (count == 0 or rng.random() < 0.5):
            axes[rng.choice((0, 0, rank - 1, rng.randrange(rank)))] = symbols[0]
            if rng.random() < 0.3:
                axes[rng.randrange(rank)] = symbols[1]
        _cap(axes, draw.most)
        shapes: list[Shape] = [
            tuple(axis if isinstance(axis, int) else axis[world] for axis in axes)
            for world in range(draw.worlds)
        ]
        kind = rng.random()
        if count and kind < 0.12:
            draw.new_input(shapes, rng.choice(("i64", "i32", "u8")), "0:6")
        elif count and kind < 0.18:
            draw.new_input(shapes, "b8")
        else:
            dtype = "f32" if kind > 0.95 else ""
            values = "special" if draw.special else "normal" if kind < 0.8 else "unit"
            draw.new_input(shapes, dtype, values)


def _cap(axes: list[int | tuple[int, ...]], most: int) -> None:
    """Makes the largest fixed axes small until no more than ``most`` elements are left."""
    while math.prod(axis if isinstance(axis, int) else max(axis) for axis in axes) > most:
        at = max(range(len(axes)), key=lambda i: axes[i] if isinstance(axes[i], int) else 0)
        axes[at] = 3


def _outputs(draw: Draw) -> list[str]:
    """The last value, what nothing reads, and now and then a duplicate, an input, an old value."""
    rng = draw.rng
    read = {name for line in draw.lines for name in operands(line)}
    made = [name for name in draw.names if name.startswith("v")] or list(draw.names)
    outputs = [made[-1]]
    for name in made[:-1]:
        if rng.random() < (0.12 if name in read else 0.75) and len(outputs) < 6:
            outputs.append(name)
    if rng.random() < 0.08:
        outputs.append(rng.choice(outputs))
    if rng.random() < 0.06:
        outputs.append(rng.choice([leaf.name for leaf in draw.inputs]))
    rng.shuffle(outputs)
    return outputs


_EXECUTED = [
    "add.Tensor",
    "mul.Tensor",
    "relu.default",
    "sum.dim_IntList",
    "permute.default",
    "view.default",
    "cat.default",
    "clone.default",
    "sub.Tensor",
    "mean.dim",
    "slice.Tensor",
    "select.int",
    "unsqueeze.default",
    "_to_copy.default",
    "mm.default",
    "addmm.default",
    "where.self",
    "expand.default",
    "convolution.default",
    "transpose.int",
]
_PASSES = [
    "canonicalise",
    "fold_constants",
    "eliminate_common",
    "recognise_activations",
    "recognise_norms",
    "recognise_attention",
    "fold_batch_norm",
    "fold_padding",
    "simplify_matmul",
    "merge_sibling_matmuls",
    "assign_layout",
    "fuse_pointwise",
    "fuse_epilogues",
    "constant_fold",
    "simplify_slices",
]


def options(seed: int) -> Options:
    """How the program of a seed is compiled."""
    rng = random.Random(seed * 7 + 3)
    settings: dict[str, object] = {"min_block_size": 1}
    if rng.random() < 0.3:
        settings["torch_executed_ops"] = tuple(
            f"aten.{name}" for name in rng.sample(_EXECUTED, rng.randint(1, 5))
        )
        settings["use_fast_partitioner"] = rng.random() < 0.6
    elif rng.random() < 0.2:
        settings["require_full_compilation"] = True
    if rng.random() < 0.15:
        settings["disabled_passes"] = tuple(rng.sample(_PASSES, rng.randint(1, 3)))
    if rng.random() < 0.05:
        settings["reference_only"] = True
    if rng.random() < 0.1:
        settings["decompose_attention"] = True
    if rng.random() < 0.06:
        settings["enable_experimental_decompositions"] = True
    if rng.random() < 0.85:
        settings["pass_through_build_failures"] = True
    entry = rng.choices(("compile", "jit", "saved"), (55, 35, 10))[0]
    return Options(entry, tuple(settings.items()), rng.choice((1, 2)))


def variants(chosen: Options, passes: Iterable[str]) -> list[Options]:
    """The same compilation without each pass, with the reference kernels, and on 1 and 2 threads.

    Whatever the optimiser does, the result has to satisfy the same check.
    """

    def changed(**extra: object) -> Options:
        return replace(chosen, settings=tuple({**dict(chosen.settings), **extra}.items()))

    return [
        *(changed(disabled_passes=(name,)) for name in sorted(passes)),
        changed(disabled_passes=tuple(sorted(passes))),
        changed(reference_only=True),
        *(replace(chosen, threads=threads) for threads in (1, 2) if threads != chosen.threads),
    ]
