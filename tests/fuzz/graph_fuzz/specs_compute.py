"""Specifications of what computes: element by element, reductions, products, windows."""

from __future__ import annotations

from tests.fuzz.graph_fuzz.draw import Draw, NothingFits, spec

_UNARY = [
    "abs",
    "neg",
    "exp",
    "expm1",
    "tanh",
    "sigmoid",
    "relu",
    "erf",
    "sin",
    "cos",
    "sqrt",
    "rsqrt",
    "log",
    "log1p",
    "reciprocal",
    "floor",
    "ceil",
    "round",
    "trunc",
    "sign",
    "square",
    "frac",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
    "atan",
    "sinh",
    "log2",
    "exp2",
    "asinh",
]
_ACTIVATIONS = (
    "F.gelu({})",
    "F.gelu({}, approximate='tanh')",
    "F.silu({})",
    "F.mish({})",
    "F.softplus({})",
    "F.elu({}, 0.7)",
    "F.leaky_relu({}, 0.1)",
    "F.hardswish({})",
    "F.hardsigmoid({})",
    "F.hardtanh({}, -0.5, 0.8)",
    "F.relu6({})",
    "F.selu({})",
    "F.celu({}, 1.3)",
    "F.logsigmoid({})",
    "F.softsign({})",
    "F.hardshrink({}, 0.3)",
    "F.softshrink({}, 0.3)",
    "F.threshold({}, 0.1, -2.0)",
    "F.glu({}, -1)",
)


@spec(5)
def unary(d: Draw) -> str:
    return f"torch.{d.of(*_UNARY)}({d.pick('f')})"


@spec(3)
def activation(d: Draw) -> str:
    return d.of(*_ACTIVATIONS).format(d.pick("f"))


@spec(1)
def unary_integer(d: Draw) -> str:
    return f"torch.{d.of('abs', 'neg', 'sign', 'bitwise_not', 'square', 'sin')}({d.pick('ib')})"


@spec(8)
def binary(d: Draw) -> str:
    one = d.pick("f")
    two = d.mate(one)
    if d.chance(0.3):
        one, two = two, one
    sign = d.of("+", "-", "*", "*", "+", "/")
    return f"{one} {sign} {two}"


@spec(2)
def binary_call(d: Draw) -> str:
    one = d.pick("f")
    two = d.mate(one, scalars=False)
    op = d.of("maximum", "minimum", "atan2", "hypot", "fmod", "remainder", "fmax", "copysign")
    return f"torch.{op}({one}, {two})"


@spec(1)
def scaled_add(d: Draw) -> str:
    one = d.pick("f")
    two = d.mate(one, scalars=False)
    return d.of(
        f"torch.add({one}, {two}, alpha={d.of(2, 0.5, -1)})",
        f"torch.sub({one}, {two}, alpha={d.of(2, 0.5)})",
        f"torch.rsub({one}, {two})",
        f"torch.lerp({one}, {two}, 0.3)",
        f"torch.addcmul({one}, {two}, {d.mate(one, scalars=False)}, value=0.5)",
        f"torch.addcdiv({one}, {two}, {two}.abs() + 1, value=2)",
        f"torch.float_power({one}.abs() + 0.5, 0.5)",
        f"torch.div({one}, {two}.abs() + 0.5, rounding_mode={d.of('floor', 'trunc')!r})",
    )


@spec(1)
def power(d: Draw) -> str:
    return f"{d.pick('f')} ** {d.of(2, 3, 0.5, -1, 1, 0, 2.0)}"


@spec(2)
def clamp(d: Draw) -> str:
    name = d.pick("f" if d.chance(0.7) else "i")
    arguments = d.of("-1, 1", "min=0", "max=2", "-0.5, 0.5" if d.dtype(name)[0] != "i" else "0, 3")
    return f"{name}.clamp({arguments})"


@spec(3)
def compare(d: Draw) -> str:
    one = d.pick("fi")
    return f"{one} {d.of('<', '<=', '>', '>=', '==', '!=')} {d.mate(one)}"


@spec(3)
def integer_binary(d: Draw) -> str:
    one = d.pick("i" if d.chance(0.8) else "ib")
    two = d.mate(one)
    return f"{one} {d.of('+', '-', '*', '//', '%', '&', '|', '^')} {two}"


@spec(1)
def mixed_binary(d: Draw) -> str:
    one = d.pick("fib")
    two = d.pick("fib", where=lambda n: d._broadcast(one, n))
    return f"{one} {d.of('+', '*', '-', '/')} {two}"


@spec(1.5)
def logic(d: Draw) -> str:
    one = d.pick("b")
    two = d.mate(one, scalars=False)
    return d.of(f"{one} & {two}", f"{one} | {two}", f"{one} ^ {two}", f"~{one}")


@spec(3)
def cast(d: Draw) -> str:
    name = d.pick("fib")
    to = d.of("f32", "f32", "f64", "f16", "bf16", "i64", "i32", "b8", "u8", "i8")
    if d.dtype(name)[0] == "f" and to in ("u8", "i8"):
        to = d.main
    return d.of(f"{name}.to({to})", f"{name}.to({to})", f"{name}.type({to})")


@spec(3)
def where(d: Draw) -> str:
    one = d.pick("f" if d.chance(0.8) else "i")
    two = d.mate(one)
    if d.chance(0.5):
        condition = d.mate(one, "b", scalars=False)
    else:
        condition = f"{one} > {d.scalar(d.dtype(one))}"
    if d.chance(0.3):
        return f"{one}.masked_fill({condition}, {d.scalar(d.dtype(one))})"
    return f"torch.where({condition}, {one}, {two})"


# -- reductions

_INFINITY = "float('inf')"


def _dims(d: Draw, name: str) -> str:
    rank = d.rank(name)
    if rank > 1 and d.chance(0.3):
        chosen = sorted(d.rng.sample(range(rank), d.rng.randint(1, rank)))
        return str(tuple(axis - rank if d.chance(0.3) else axis for axis in chosen))
    return str(d.axis(name))


@spec(4)
def reduce(d: Draw) -> str:
    name = d.pick("f", 1)
    keep = d.of("", ", keepdim=True", ", keepdim=True")
    op = d.of("sum", "mean", "amax", "amin", "sum", "mean")
    return f"{name}.{op}({_dims(d, name)}{keep})"


@spec(1)
def reduce_all(d: Draw) -> str:
    name = d.pick("fib")
    return f"{name}.{d.of('sum', 'max', 'min', 'mean', 'prod', 'any', 'all')}()"


@spec(1.5)
def reduce_other(d: Draw) -> str:
    name = d.pick("f", 1)
    axis = d.axis(name)
    return d.of(
        f"{name}.var({axis}, correction={d.of(0, 1)}, keepdim={d.of(True, False)})",
        f"{name}.std({axis}, unbiased=False)",
        f"{name}.norm(dim={axis}, keepdim=True)",
        f"torch.linalg.vector_norm({name}, {d.of('1', '2', _INFINITY)}, {axis})",
        f"{name}.argmax({axis})",
        f"{name}.argmin({axis}, keepdim=True)",
        f"{name}.logsumexp({axis})",
        f"{name}.prod({axis})",
        f"{name}.max({axis})[{d.of(0, 1)}]",
        f"{name}.min({axis}, keepdim=True).values",
        f"torch.aminmax({name}, dim={axis}).max",
        f"{name}.count_nonzero({axis})",
    )


@spec(1)
def reduce_integer(d: Draw) -> str:
    name = d.pick("ib", 1)
    return f"{name}.{d.of('sum', 'any', 'all', 'cumsum', 'prod')}({d.axis(name)})"


@spec(2.5)
def softmax(d: Draw) -> str:
    name = d.pick("f", 1)
    return f"F.{d.of('softmax', 'softmax', 'log_softmax')}({name}, {d.axis(name)})"


@spec(1.5)
def scan(d: Draw) -> str:
    name = d.pick("f", 1)
    axis = d.axis(name)
    return d.of(
        f"{name}.cumsum({axis})",
        f"{name}.sort({axis}, stable=True)[{d.of(0, 1)}]",
        f"{name}.sort({axis}, descending=True).values",
        f"{name}.argsort({axis}, stable=True)",
        f"{name}.flip({axis})",
        f"{name}.cumprod({axis})",
        f"{name}.cummax({axis})[0]",
    )


@spec(1)
def topk(d: Draw) -> str:
    name = d.pick("f", 1)
    axis = d.axis(name)
    count = d.rng.randint(1, max(1, min(4, d.least(name, axis))))
    return f"{name}.topk({count}, {axis}).values"  # which of equal values is named is open


# -- products


@spec(4)
def linear(d: Draw) -> str:
    name = d.pick("f", 1, where=lambda n: d.fixed(n, -1))
    features, dtype = d.shape(name)[-1], d.dtype(name)
    out = d.of(1, 3, 4, 8, 17, features or 2)
    weight = d.new_state((out, features), dtype)
    bias = d.of("", ", " + d.new_state((out,), dtype))
    return f"F.linear({name}, {weight}{bias})"


@spec(3)
def matmul(d: Draw) -> str:
    one = d.pick("f", 1)
    dtype = d.dtype(one)
    if d.chance(0.35):
        return f"{one} @ {one}.transpose(-1, -2)"
    if d.chance(0.4) and d.fixed(one, -1):
        return f"{one} @ {d.new_state((d.shape(one)[-1], d.of(1, 3, 8, 16)), dtype)}"

    def fits(other: str) -> bool:
        inner = [shape[-1] for shape in d.shapes(one)]
        axis = -2 if d.rank(other) > 1 else -1
        return d.dtype(other) == dtype and [s[axis] for s in d.shapes(other)] == inner

    return f"torch.matmul({one}, {d.pick('f', 1, where=fits)})"


@spec(1)
def product_with_sum(d: Draw) -> str:
    one = d.pick("f", 2, 3, where=lambda n: d.fixed(n, -1))
    dtype, inner = d.dtype(one), d.shape(one)[-1]
    out = d.of(2, 5, 8)
    if d.rank(one) == 2:
        weight, bias = d.new_state((inner, out), dtype), d.new_state((out,), dtype)
        return f"torch.addmm({bias}, {one}, {weight}, beta={d.of(1, 0.5)}, alpha={d.of(1, 2)})"
    if not d.fixed(one, 0):
        raise NothingFits
    weight = d.new_state((d.shape(one)[0], inner, out), dtype)
    bias = d.new_state((d.shape(one)[0], 1, out), dtype)
    return d.of(f"torch.bmm({one}, {weight})", f"torch.baddbmm({bias}, {one}, {weight})")


@spec(1)
def einsum(d: Draw) -> str:
    one = d.pick("f", 2, 3)
    two = d.same(one)
    if d.rank(one) == 2:
        return d.of(
            f"torch.einsum('ij,kj->ik', {one}, {two})",
            f"torch.einsum('ij,ij->j', {one}, {two})",
        )
    return d.of(
        f"torch.einsum('bij,bkj->bik', {one}, {two})",
        f"torch.einsum('bij,bij->bj', {one}, {two})",
        f"torch.einsum('bij,bik->bjk', {one}, {two})",
    )


@spec(1.5)
def attention(d: Draw) -> str:
    query = d.pick("f", 3, 4)
    key, value = d.same(query), d.same(query)
    extra = d.of("", "", ", is_causal=True", ", scale=0.3")
    return f"F.scaled_dot_product_attention({query}, {key}, {value}{extra})"


@spec(0.7)
def attention_by_hand(d: Draw) -> str:
    query = d.pick("f", 2, 4)
    key, value = d.same(query), d.same(query)
    return f"torch.softmax({query} @ {key}.transpose(-1, -2) * {d.of(0.5, 0.125)}, -1) @ {value}"


# -- windows


@spec(3)
def convolution(d: Draw) -> str:
    name = d.pick("f", 3, 4, where=lambda n: d.fixed(n, 1) and 0 < d.shape(n)[1] <= 33)
    spatial, channels, dtype = d.rank(name) - 2, d.shape(name)[1], d.dtype(name)
    groups = d.of(1, 1, 1, channels, *(g for g in (2, 4) if channels % g == 0))
    out = groups * d.of(1, 2, 3, 4)
    kernel = d.of(1, 1, 2, 3, 3)
    stride, padding, dilation = d.of(1, 1, 2), d.of(0, 1, 1, "'same'"), d.of(1, 1, 2)
    if padding == "'same'":
        stride = 1
    transposed = d.chance(0.15) and padding != "'same'"
    sizes = (channels, out // groups) if transposed else (out, channels // groups)
    weight = d.new_state((*sizes, *[kernel] * spatial), dtype)
    bias = d.new_state((out,), dtype) if d.chance(0.6) else "None"
    if transposed:
        return (
            f"F.conv_transpose{spatial}d({name}, {weight}, {bias}, stride={stride}, "
            f"padding={padding}, groups={groups})"
        )
    return (
        f"F.conv{spatial}d({name}, {weight}, {bias}, stride={stride}, padding={padding}, "
        f"dilation={dilation}, groups={groups})"
    )


@spec(2)
def pool(d: Draw) -> str:
    name = d.pick("f", 3, 4)
    spatial = d.rank(name) - 2
    kernel, stride, padding = d.of(2, 3), d.of(1, 2), d.of(0, 1)
    ceil = d.of("", ", ceil_mode=True")
    return d.of(
        f"F.max_pool{spatial}d({name}, {kernel}, {stride}, {padding}{ceil})",
        f"F.avg_pool{spatial}d({name}, {kernel}, {stride}, {padding}{ceil})",
        f"F.avg_pool{spatial}d({name}, {kernel}, {stride}, {padding}, count_include_pad=False)",
        f"F.adaptive_avg_pool{spatial}d({name}, {d.of(1, 2, 3)})",
        f"F.adaptive_max_pool{spatial}d({name}, {d.of(1, 2)})",
    )


@spec(1.2)
def resize(d: Draw) -> str:
    name = d.pick("f", 4, 4)
    return d.of(
        f"F.interpolate({name}, scale_factor=2, mode='nearest')",
        f"F.interpolate({name}, size=(5, 7), mode='bilinear', align_corners={d.of(True, False)})",
        f"F.interpolate({name}, scale_factor=1.5, mode='bilinear')",
        f"F.interpolate({name}, size=(4, 3), mode='nearest-exact')",
        f"F.pixel_shuffle({name}, 2)",
        f"F.pixel_unshuffle({name}, 2)",
    )


@spec(2.5)
def norm(d: Draw) -> str:
    name = d.pick("f", 2)
    dtype, rank = d.dtype(name), d.rank(name)
    if d.chance(0.5) and d.fixed(name, -1):
        size = d.shape(name)[-1]
        weight = d.new_state((size,), dtype)
        bias = d.new_state((size,), dtype)
        return d.of(
            f"F.layer_norm({name}, ({size},), {weight}, {bias})",
            f"F.layer_norm({name}, ({size},))",
            f"F.rms_norm({name}, ({size},), {weight})",
            f"{name} * torch.rsqrt({name}.pow(2).mean(-1, keepdim=True) + 1e-5) * {weight}",
        )
    if not d.fixed(name, 1):
        raise NothingFits
    channels = d.shape(name)[1]
    weight, bias = d.new_state((channels,), dtype), d.new_state((channels,), dtype)
    mean = d.new_state((channels,), dtype, buffer=True)
    variance = d.new_state((channels,), dtype, "unit", buffer=True)
    choices = [f"F.batch_norm({name}, {mean}, {variance}, {weight}, {bias})"]
    if channels:
        groups = d.of(*(g for g in (1, 2, channels) if channels % g == 0))
        choices.append(f"F.group_norm({name}, {groups}, {weight}, {bias})")
    if rank >= 3:
        choices.append(f"F.instance_norm({name}, None, None, {weight}, {bias})")
    return d.of(*choices)


@spec(0.7)
def normalize(d: Draw) -> str:
    name = d.pick("f", 1)
    return f"F.normalize({name}, dim={d.axis(name)})"
