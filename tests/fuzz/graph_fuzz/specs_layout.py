"""Specifications of views, of what moves data, of indexing, and of writes in place."""

from __future__ import annotations

import torch

from tests.fuzz.graph_fuzz.draw import Draw, NothingFits, Proposal, spec

ANY = "fffib"


def _pick(d: Draw, low: int = 1, high: int = 6) -> str:
    return d.pick(d.of("f", "f", "f", "fib"), low, high)


@spec(5)
def transpose(d: Draw) -> str:
    name = _pick(d, 2)
    rank = d.rank(name)
    order = list(range(rank))
    d.rng.shuffle(order)
    return d.of(
        f"{name}.transpose({d.axis(name)}, {d.axis(name)})",
        f"{name}.permute({', '.join(map(str, order))})",
        f"{name}.mT",
        f"{name}.movedim({d.axis(name)}, {d.axis(name)})",
    )


def _groups(d: Draw, name: str) -> list[str]:
    """Sizes of a reshape that merges neighbours or splits an axis."""
    sizes = [d.size(name, axis) for axis in range(d.rank(name))]
    if len(sizes) >= 2 and d.chance(0.6):
        at = d.rng.randrange(len(sizes) - 1)
        product = f"{sizes[at]} * {sizes[at + 1]}"
        if sizes[at].isdigit() and sizes[at + 1].isdigit():
            product = str(int(sizes[at]) * int(sizes[at + 1]))
        merged = [*sizes[:at], product, *sizes[at + 2 :]]
        if d.chance(0.5):
            merged[at] = "-1"
        return merged
    splittable = [
        axis
        for axis in range(len(sizes))
        if d.fixed(name, axis) and d.shape(name)[axis] in (4, 6, 8, 9, 12, 16)
    ]
    if not splittable:
        return [*sizes, "1"]
    axis = d.of(*splittable)
    factor = d.of(*(f for f in (2, 3, 4) if d.shape(name)[axis] % f == 0))
    rest = d.of("-1", str(d.shape(name)[axis] // factor))
    return [*sizes[:axis], *d.of([rest, str(factor)], [str(factor), rest]), *sizes[axis + 1 :]]


@spec(6)
def reshape(d: Draw) -> str:
    name = _pick(d)
    call = d.of("reshape", "reshape", "view")
    if d.chance(0.2):
        return d.of(f"{name}.{call}(-1)", f"{name}.flatten({d.rng.randrange(d.rank(name))})")
    return f"{name}.{call}({', '.join(_groups(d, name))})"


@spec(5)
def slicing(d: Draw) -> str:
    name = _pick(d)
    axis = d.rng.randrange(d.rank(name))
    least = d.least(name, axis)
    start = d.rng.randint(-2, max(0, least - 1))
    step = d.of("", "", ":2", ":3")
    half = f"{name}.shape[{axis}] // 2"
    part = d.of(
        f"{start}:{step}",
        f":{d.of(1, 2, 3, -1, least)}{step}",
        f"1:-1{step}",
        f":{half}",
        f"{half}:",
        str(d.rng.randrange(-least, least)) if least else ":",
        f"{start}:100",
    )
    return f"{name}[{', '.join([':'] * axis + [part])}]"


@spec(2)
def select(d: Draw) -> str:
    name = _pick(d)
    axis = d.axis(name)
    least = d.least(name, axis)
    if least == 0:
        raise NothingFits
    return d.of(
        f"{name}.select({axis}, {d.rng.randrange(-least, least)})",
        f"{name}.narrow({axis}, 0, {d.rng.randint(1, least)})",
        f"{name}[None]",
        f"{name}[..., None]",
        f"{name}[..., 0]",
    )


@spec(4)
def squeeze(d: Draw) -> str:
    name = d.pick(d.of("f", "fib"), 0)
    rank = d.rank(name)
    ones = [axis for axis in range(rank) if d.fixed(name, axis) and d.shape(name)[axis] == 1]
    if ones and d.chance(0.5):
        return f"{name}.squeeze({d.of(*ones)})"
    return f"{name}.unsqueeze({d.rng.randrange(-rank - 1, rank + 1)})"


@spec(3)
def expand(d: Draw) -> str:
    name = d.pick("fib", 0, 4)
    rank = d.rank(name)
    sizes = ["-1"] * rank
    for axis in range(rank):
        if d.fixed(name, axis) and d.shape(name)[axis] == 1:
            sizes[axis] = d.of("-1", "3", "4", "2")
    if d.chance(0.4):
        sizes = [d.of("2", "1", "3"), *sizes]
    if rank and d.chance(0.2):
        return f"{name}.repeat({', '.join(d.of('1', '2') for _ in range(rank))})"
    return f"{name}.expand({', '.join(sizes)})"


@spec(1.5)
def broadcast(d: Draw) -> str:
    one = d.pick("f")
    other = d.pick("fib", where=lambda n: d._broadcast(one, n))
    return d.of(
        f"{one}.expand_as({other})",
        f"torch.broadcast_tensors({one}, {other})[{d.of(0, 1)}]",
        f"{one}.repeat_interleave(2, {d.axis(one)})",
        f"torch.tile({one}, (2,))",
        f"{one}.roll({d.of(1, -1, 2)}, {d.axis(one)})",
    )


@spec(2.5)
def pieces(d: Draw) -> Proposal:
    name = _pick(d)
    axis = d.axis(name)
    least = d.least(name, axis)
    if least < 2:
        raise NothingFits
    if d.fixed(name, axis):
        cut = d.rng.randint(1, least - 1)
        if d.chance(0.5):
            return Proposal(f"{name}.split([{cut}, {least - cut}], {axis})", 2)
        if least <= 4:
            return Proposal(f"{name}.unbind({axis})", least)
    return Proposal(d.of(f"{name}.chunk(2, {axis})", f"{name}.tensor_split(2, {axis})"), 2)


@spec(1)
def odd_view(d: Draw) -> str:
    name = d.pick("f", 1)
    axis, least = d.axis(name), d.least(name, -1)
    choices = [f"{name}.unfold({axis}, 2, {d.of(1, 2)})", f"{name}.clone()", f"{name}.contiguous()"]
    if d.rank(name) >= 2:
        choices += [f"{name}.diagonal(0, -2, -1)", f"{name}.tril({d.of(0, 1, -1)})"]
        choices += [f"torch.triu({name})"]
    if least >= 2:
        choices += [f"{name}.as_strided(({least - 1}, 2), (1, 1))", f"{name}.view_as({name})"]
    if d.rank(name) == 4:
        choices += [f"{name}.contiguous(memory_format=torch.channels_last)"]
    return d.of(*choices)


@spec(4)
def cat(d: Draw) -> str:
    one = d.pick(d.of("f", "f", "fib"), 1)
    axis = d.axis(one)
    at = axis % d.rank(one)

    def beside(other: str) -> bool:
        return d.rank(other) == d.rank(one) and all(
            a[:at] + a[at + 1 :] == b[:at] + b[at + 1 :]
            for a, b in zip(d.shapes(one), d.shapes(other), strict=True)
        )

    kinds = "f" if d.dtype(one) in ("f64", "f32", "f16", "bf16") else "fib"
    parts = [one] + [d.pick(kinds, 1, where=beside) for _ in range(d.of(1, 1, 2))]
    d.rng.shuffle(parts)
    if d.chance(0.25):
        return f"torch.stack([{one}, {d.same(one)}], {axis})"
    return f"torch.cat([{', '.join(parts)}], {axis})"


@spec(2)
def pad(d: Draw) -> str:
    name = d.pick("f", 1)
    rank = d.rank(name)
    axes = d.rng.randint(1, min(rank, 2))
    amounts = [d.of(0, 1, 2, -1 if d.chance(0.3) else 1) for _ in range(2 * axes)]
    mode = d.of("constant", "constant", "reflect", "replicate", "circular")
    value = f", value={d.of(0.0, 1.5, -2.0)}" if mode == "constant" else ""
    return f"F.pad({name}, {tuple(amounts)}, {mode!r}{value})"


# -- indexing


def _index(d: Draw, shape: tuple[int, ...], most: int) -> str:
    """An integer tensor with values below ``most``."""
    if most < 1:
        raise NothingFits
    if d.chance(0.4) and len(d.inputs) < 5:
        return d.new_input([shape] * d.worlds, d.of("i64", "i64", "i32"), f"0:{most}")
    return d.new_state(shape, "i64", f"0:{most}", buffer=True)


@spec(2)
def index_by_list(d: Draw) -> str:
    name = _pick(d)
    axis = d.rng.randrange(d.rank(name))
    index = _index(d, (d.of(1, 2, 5),), d.least(name, axis))
    return d.of(
        f"torch.index_select({name}, {axis}, {index})",
        f"{name}[{', '.join([':'] * axis + [index])}]",
        f"{name}[{', '.join([':'] * axis + [index + '[:, None]'])}]",
    )


@spec(1.5)
def gather(d: Draw) -> str:
    name = d.pick("f", 1, 3)
    axis = d.axis(name)
    shape = tuple(
        min(size[i] for size in d.shapes(name)) if i != axis % d.rank(name) else d.of(1, 3)
        for i in range(d.rank(name))
    )
    index = _index(d, shape, d.least(name, axis))
    return d.of(
        f"torch.gather({name}, {axis}, {index}.long())",
        f"torch.scatter({name}, {axis}, {index}.long(), {d.of('0.5', '-1.0')})",
        f"torch.scatter_add({name}, {axis}, {index}.long(), {name} * 0.5)",
        f"torch.take_along_dim({name}, {index}.long(), {axis})",
    )


@spec(1)
def embedding(d: Draw) -> str:
    rows = d.of(3, 7)
    table = d.new_state((rows, d.of(4, 5, 8)))
    try:
        index = d.pick("i", 0, 3) if d.chance(0.6) else _index(d, (d.of(2, 3),), rows)
    except NothingFits:
        index = _index(d, (d.of(2, 3),), rows)
    return f"F.embedding({index}.long() % {rows}, {table})"


@spec(1)
def index_write(d: Draw) -> str:
    name = d.pick("f", 1, 3)
    index = _index(d, (2,), d.least(name, 0))
    rows = d.new_state((1,) * d.rank(name), d.dtype(name))
    return d.of(
        f"torch.index_put({name}, ({index}.long(),), {rows}, accumulate={d.of(True, False)})",
        f"torch.index_add({name}, 0, {index}.long(), {name}[:1].expand(2, *{name}.shape[1:]))",
        f"torch.index_fill({name}, 0, {index}.long(), 0.25)",
        f"torch.select_scatter({name}, {name}[0] * 2, 0, -1)",
        f"torch.slice_scatter({name}, {name}[:1] + 1, 0, 0, 1)",
    )


@spec(1.5)
def create(d: Draw) -> str:
    name = d.pick("f", 1)
    size, dtype = d.size(name, 0), d.dtype(name)
    return d.of(
        f"torch.arange({size})",
        f"torch.arange({size}, dtype={dtype}) * 0.5",
        f"torch.zeros({size}, dtype={dtype})",
        f"torch.ones_like({name})",
        f"torch.full(({size}, 3), 0.5, dtype={dtype})",
        f"{name}.new_full(({size},), 2.0)",
        f"torch.zeros_like({name}) + 0.25",
        "torch.tensor([0.5, -1.0, 2.0])",
        f"torch.eye({size}, dtype={dtype})",
        f"torch.linspace(-1, 1, {size}, dtype={dtype})",
        f"torch.full_like({name}, -0.75)",
    )


@spec(0.7)
def one_hot(d: Draw) -> str:
    name = d.pick("i", 0, 2)
    return f"F.one_hot({name}.long() % 4, 4)"


@spec(0.5)
def by_values(d: Draw) -> str:
    name = d.pick("f", 1, 3)
    return d.of(
        f"{name}[{name} > 0]",
        f"torch.nonzero({name} > 0)",
        f"{name}.masked_select({name} < 0.5)",
        f"{name}[({name} > 0).any(-1)]" if d.rank(name) == 2 else f"{name}[{name} < 1]",
    )


# -- writes in place


def _writable(d: Draw, kinds: str, low: int = 0) -> str:
    """A value whose elements have a place in memory each."""
    return d.pick(kinds, low, where=lambda n: torch._debug_has_internal_overlap(d.value(n)) == 0)


@spec(2.5)
def write(d: Draw) -> str | Proposal:
    name = _writable(d, "f" if d.chance(0.8) else "fi")
    other = d.mate(name)
    call = d.of(
        f"{name}.add_({other})",
        f"{name}.mul_({d.scalar(d.dtype(name))})",
        f"{name}.sub_({other})",
        f"{name}.copy_({d.mate(name, scalars=False)})",
        f"{name}.clamp_(-1, 1)",
        f"{name}.neg_()",
        f"{name}.zero_()",
        f"{name}.relu_()",
        f"{name}.fill_(2)",
        f"{name}.masked_fill_({name} > 0, 1)",
    )
    return call if d.chance(0.6) else Proposal(call, 0)


@spec(2)
def write_part(d: Draw) -> Proposal:
    name = _writable(d, "f", 1)
    part = d.of(f"{name}[0]", f"{name}[1:]", f"{name}[..., :1]", f"{name}[..., ::2]", f"{name}[-1]")
    return Proposal(
        d.of(
            f"{part} = {d.scalar(d.dtype(name))}",
            f"{part} += {d.scalar(d.dtype(name))}",
            f"{part}.mul_({d.scalar(d.dtype(name))})",
            f"{part} = {part} * 2",
        ),
        0,
    )


@spec(0.7)
def write_buffer(d: Draw) -> Proposal:
    name = d.pick("f", 0, 2, where=lambda n: all(d.fixed(n, a) for a in range(d.rank(n))))
    buffer = d.new_state(d.shape(name), d.dtype(name), buffer=True)
    return Proposal(d.of(f"{buffer}.add_({name})", f"{buffer}.mul_(0.5).add_({name})"), 0)
