"""Specifications of what the optimiser looks for: formulas, blocks of layers, casts around them."""

from __future__ import annotations

from tests.fuzz.graph_fuzz.draw import Draw, NothingFits, Proposal, spec


@spec(2)
def activation_by_hand(d: Draw) -> str:
    x = d.pick("f")
    return d.of(
        f"0.5 * {x} * (1 + torch.erf({x} * 0.7071067811865476))",
        f"{x} * 0.5 * (1.0 + torch.erf({x} / 1.4142135623730951))",
        f"0.5 * {x} * (1 + torch.tanh(0.7978845608028654 * ({x} + 0.044715 * {x} ** 3)))",
        f"{x} * torch.sigmoid({x})",
        f"{x} * torch.sigmoid(1.702 * {x})",
        f"{x} * F.relu6({x} + 3) / 6",
        f"{x} * torch.tanh(F.softplus({x}))",
        f"{x}.clamp(0, 6) * {x}",
        f"torch.where({x} > 0, {x}, {x} * 0.01)",
        f"1 / (1 + torch.exp(-{x}))",
        f"torch.maximum({x}, {x} * 0.2)",
    )


@spec(2.5)
def norm_by_hand(d: Draw) -> str:
    x = d.pick("f", 1)
    axis = d.of("-1", "-1", str(d.axis(x)))
    mean, wide = f"{x}.mean({axis}, keepdim=True)", f"{x}.to(f32)"
    scale = ""
    if axis == "-1" and d.fixed(x, -1):
        scale = f" * {d.new_state((d.shape(x)[-1],), d.dtype(x))}"
    back = d.of("", f".to({d.dtype(x)})")
    return d.of(
        f"({x} - {mean}) / torch.sqrt((({x} - {mean}) ** 2).mean({axis}, keepdim=True) + 1e-3)"
        f"{scale}",
        f"({x} - {mean}) * torch.rsqrt({x}.var({axis}, unbiased=False, keepdim=True) + 1e-3)"
        f"{scale}",
        f"({wide} * torch.rsqrt({wide}.pow(2).mean({axis}, keepdim=True) + 1e-3)){back}{scale}",
        f"{x} / ({x}.norm(dim={axis}, keepdim=True) + 0.1)",
        f"{x} / {x}.abs().amax({axis}, keepdim=True).clamp(min=0.5)",
        f"torch.exp({x} - {x}.amax({axis}, keepdim=True))",
        f"({x} - {x}.amax({axis}, keepdim=True)).exp().sum({axis}, keepdim=True).log()",
        f"{x} * {x}.sigmoid().mean({axis}, keepdim=True) + {x}.sum({axis}, keepdim=True)",
    )


@spec(2)
def linear_block(d: Draw) -> str:
    x = d.pick("f", 2, 4, where=lambda n: d.fixed(n, -1))
    features, dtype = d.shape(x)[-1], d.dtype(x)
    hidden = d.of(4, 8, 16, 17)
    up = f"F.linear({x}, {d.new_state((hidden, features), dtype)}"
    up += f", {d.new_state((hidden,), dtype)})" if d.chance(0.7) else ")"
    act = d.of("F.gelu({})", "F.relu({})", "F.silu({})", "torch.tanh({})", "{} * 0.5").format(up)
    down = f"F.linear({act}, {d.new_state((features, hidden), dtype)})"
    gate = f"F.linear({x}, {d.new_state((hidden, features), dtype)})"
    return d.of(
        f"{act} + 1",
        f"{x} + {down}",
        f"{down} * {x}",
        f"{act} * {gate}",
        f"{down}.transpose(-1, -2)",
        f"F.softmax({down}, -1)",
        f"torch.cat([{gate}, {up}], -1)",
        f"({up}).to({d.of('f32', 'bf16', dtype)}) * 2",
    )


@spec(1.5)
def siblings(d: Draw) -> Proposal:
    x = d.pick("f", 2, 3, where=lambda n: d.fixed(n, -1) and d.shape(n)[-1] > 0)
    features, dtype = d.shape(x)[-1], d.dtype(x)
    bias = d.chance(0.5)

    def one(out: int) -> str:
        weight = d.new_state((out, features), dtype)
        return f"F.linear({x}, {weight}" + (f", {d.new_state((out,), dtype)})" if bias else ")")

    sizes = [d.of(4, 8), d.of(4, 8), d.of(3, 4)][: d.of(2, 3)]
    return Proposal(", ".join(one(size) for size in sizes), len(sizes))


@spec(5)
def convolution_block(d: Draw) -> str:
    x = d.pick("f", 4, 4, where=lambda n: d.fixed(n, 1) and 0 < d.shape(n)[1] <= 33)
    channels, dtype = d.shape(x)[1], d.dtype(x)
    out = d.of(channels, channels, 4, 8)
    kernel = d.of(1, 3, 3)
    groups = channels if out == channels and d.chance(0.2) else 1
    weight = d.new_state((out, channels // groups, kernel, kernel), dtype)
    bias = d.new_state((out,), dtype) if d.chance(0.5) else "None"
    source = f"F.pad({x}, (1, 1, 1, 1))" if d.chance(0.25) else x
    padding = 0 if source != x else kernel // 2
    made = (
        f"F.conv2d({source}, {weight}, {bias}, stride={d.of(1, 1, 2)}, padding={padding}, "
        f"groups={groups})"
    )
    if d.chance(0.5):
        mean, variance = (
            d.new_state((out,), dtype, values, buffer=True) for values in ("normal", "unit")
        )
        scale, shift = d.new_state((out,), dtype), d.new_state((out,), dtype)
        made = f"F.batch_norm({made}, {mean}, {variance}, {scale}, {shift})"
    if d.chance(0.25):
        made = f"{made} * {d.new_state((out, 1, 1), dtype)}"
    return d.of(
        f"F.relu({made})",
        f"F.silu({made})",
        f"F.relu({made} + {x})" if out == channels else f"F.relu6({made})",
        f"{made} + {x}.mean((2, 3), keepdim=True)" if out == channels else f"{made} * 2",
        f"F.max_pool2d(F.relu({made}), 2)",
        f"{made}.mean((2, 3))",
        f"F.adaptive_avg_pool2d({made}, 1).flatten(1)",
        f"{made}.flatten(2).transpose(1, 2)",
        f"{made}.permute(0, 2, 3, 1)",
        f"torch.cat([{made}, {made}], 1)",
        f"F.interpolate({made}, scale_factor=2, mode='nearest')",
        f"F.group_norm({made}, 1)",
        made,
    )


@spec(4)
def attention_block(d: Draw) -> str:
    x = d.pick("f", 3, 3, where=lambda n: d.fixed(n, -1) and d.shape(n)[-1] in (4, 8, 12, 16))
    features, dtype = d.shape(x)[-1], d.dtype(x)
    heads = d.of(1, 2, 4)

    def projected() -> str:
        weight = d.new_state((features, features), dtype)
        return f"F.linear({x}, {weight}).unflatten(-1, ({heads}, -1)).transpose(1, 2)"

    query, key, value = projected(), projected(), projected()
    scores = f"({query} @ {key}.transpose(-2, -1) * {d.of(0.5, 0.35)})"
    back = ".transpose(1, 2).flatten(2)"
    return d.of(
        f"F.scaled_dot_product_attention({query}, {key}, {value}){back}",
        f"(F.softmax({scores}, -1) @ {value}){back}",
        f"F.scaled_dot_product_attention({query}, {key}, {value}, is_causal=True){back}",
        f"F.scaled_dot_product_attention({query}, {key}[:, :1].expand(-1, {heads}, -1, -1), "
        f"{value}){back}",
        f"(F.softmax({scores}.to(f32), -1).to({dtype}) @ {value}){back}",
    )


@spec(1)
def masked_attention(d: Draw) -> str:
    x = d.pick("f", 3, 4)
    mask = f"({x} @ {x}.transpose(-1, -2) > {d.of(-0.5, -100)})"
    kind = d.of(
        mask,
        f"{mask}.to({d.dtype(x)})",
        f"{mask} | torch.ones({x}.shape[-2], {x}.shape[-2], dtype=b8).tril()",
    )
    return f"F.scaled_dot_product_attention({x}, {x}, {d.same(x)}, attn_mask={kind})"


@spec(1)
def rotary(d: Draw) -> str:
    x = d.pick("f", 2, 4, where=lambda n: d.fixed(n, -1) and d.shape(n)[-1] % 2 == 0)
    size = d.shape(x)[-1]
    if size < 2:
        raise NothingFits
    half = size // 2
    cos, sin = (d.new_state((size,), d.dtype(x)) for _ in range(2))
    turned = f"torch.cat([-{x}[..., {half}:], {x}[..., :{half}]], -1)"
    return f"{x} * {cos} + {turned} * {sin}"


@spec(1.5)
def casts(d: Draw) -> str:
    x = d.pick("f")
    dtype = d.dtype(x)
    through = d.of("bf16", "f16", "f32", "f64", "i32", "b8", "i64")
    inner = d.of("{}", "{} * 2", "{} + 1", "{}.abs()").format(f"{x}.to({through})")
    if through == "b8":
        inner = f"{x}.to(b8)"
    return d.of(
        f"({inner}).to({dtype})",
        f"({inner}).to({dtype}) + {x}",
        f"({inner}).to(f32)",
        f"({inner}).sum(-1)" if d.rank(x) else f"({inner}).to(f32)",
        f"torch.clamp({x}, -3, 3).to({through}).to({dtype})",
    )


@spec(1.5)
def masks(d: Draw) -> str:
    x = d.pick("f", 1)
    size = d.size(x, d.rank(x) - 1)
    return d.of(
        f"{x}.masked_fill(torch.arange({size}) > 1, -2.0)",
        f"F.softmax({x}.masked_fill(torch.arange({size}) >= 2, float('-inf')), -1)",
        f"torch.where(torch.arange({size}) % 2 == 0, {x}, -{x})",
        f"{x} * ({x} > 0) + torch.arange({size})",
        f"torch.where({x}.isnan(), torch.zeros_like({x}), {x})",
        f"({x} > 0).sum(-1) + ({x}.argmax(-1) * 2)",
        f"({x} == {x}.amax(-1, keepdim=True)).to({d.dtype(x)})",
    )
