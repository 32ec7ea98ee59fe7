"""Programs that failed once, as the fuzzer printed them (the longest lines wrapped)."""

from __future__ import annotations

import pytest
import torch

from tests.fuzz.graph_fuzz.check import require_pass
from tests.fuzz.graph_fuzz.generate import Options
from tests.fuzz.graph_fuzz.program import Leaf, Program

ONE = ("min_block_size", 1)


def _heads(x: str, weight: str) -> str:
    return f"F.linear({x}, {weight}).unflatten(-1, (2, -1)).transpose(1, 2)"


def test_operands_that_one_traced_rule_made() -> None:
    # error 4.72: all three operands of attention became the third
    weights = [f"self.p{i}" for i in range(3)]
    program = Program(
        inputs=(Leaf("x0", ((1, 3, 16),)),),
        state=tuple(Leaf(name, ((16, 16),)) for name in weights),
        lines=(
            "v0 = F.scaled_dot_product_attention("
            f"{', '.join(_heads('x0', weight) for weight in weights)}, is_causal=True)",
            "v1 = v0.transpose(1, 2).flatten(2)",
        ),
        outputs=("v1",),
        seed=310,
    )
    require_pass(program, Options("compile", (ONE, ("decompose_attention", True))))


def test_a_size_that_an_expression_does_not_determine() -> None:
    # run: axis 2 must be 2 = -floordiv(s58,2)+s58
    program = Program(
        inputs=(Leaf("x0", ((7, 33, 6), (7, 33, 1))),),
        state=(),
        lines=(
            "v0 = x0[:, :, x0.shape[2] // 2:]",
            "v1 = F.scaled_dot_product_attention(v0, v0, v0)",
        ),
        outputs=("v1",),
        seed=1022,
    )
    require_pass(program, Options("jit", (ONE, ("decompose_attention", True))))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_no_images_on_a_gpu() -> None:
    # crash: a copy that turns the dims of nothing divided by zero
    program = Program(
        inputs=(Leaf("x0", ((0, 31, 33),), "f64"),),
        state=(Leaf("self.p0", ((62, 1, 2),), "f64"),),
        lines=("v0 = F.conv1d(x0, self.p0, None, stride=2, padding=1, dilation=1, groups=31)",),
        outputs=("v0",),
        seed=1004,
        device="cuda",
    )
    require_pass(program, Options("compile", (ONE,)))


@pytest.mark.parametrize("entry", ["compile", "saved", "jit"])
def test_a_written_input_that_is_returned(entry: str) -> None:
    # sharing: the view of a written input shared no memory with it
    program = Program(
        inputs=(Leaf("x0", ((8, 3),)),),
        state=(),
        lines=("x0[..., ::2] = x0[..., ::2] * 2", "v0 = x0.unsqueeze(-2)"),
        outputs=("v0",),
        seed=1272,
    )
    require_pass(program, Options(entry, (ONE,)))


@pytest.mark.parametrize("shapes", [((4, 6),), ((4, 6), (1, 6), (9, 6))], ids=str)
@pytest.mark.parametrize(
    "line",
    [
        "v0 = (x0.amax(-1, keepdim=True).expand(-1, 5) * 2).sum(-1)",
        "v0 = (x0[:, :1].expand(-1, 5) * 2).amax(-1, keepdim=True).exp()",
        "v0 = torch.ones_like(x0).sum(-1) + x0.sum(-1)",
        "v0 = (torch.arange(x0.shape[0])[:, None].expand(-1, 3) + 1).sum(-1)",
        "v0 = (x0.mean(-1, keepdim=True) + torch.ones(5)).sum(-1)",
    ],
)
def test_a_reduction_of_what_is_the_same_along_the_row(
    line: str, shapes: tuple[tuple[int, ...], ...]
) -> None:
    # build: [fuse_pointwise] [loop] reduces a row-uniform register
    program = Program((Leaf("x0", shapes),), (), (line,), ("v0",), seed=23036)
    require_pass(program, Options("compile", (ONE, ("pass_through_build_failures", True))))


def test_gelu_with_another_constant() -> None:
    program = Program(
        inputs=(Leaf("x0", ((40, 33),)),),
        state=(),
        lines=("v0 = 0.5 * x0 * (1 + torch.erf(x0 * 0.7071))",),
        outputs=("v0",),
        seed=7,
    )
    require_pass(program, Options("compile", (ONE,)))


def test_rotation_of_integers() -> None:
    program = Program(
        inputs=(Leaf("x0", ((3, 8),), "i64", "-5:6"), Leaf("x1", ((8,),), "i64", "-5:6")),
        state=(),
        lines=("v0 = x0 * x1 + torch.cat([-x0[..., 4:], x0[..., :4]], -1) * x1",),
        outputs=("v0",),
        seed=8,
    )
    require_pass(program, Options("compile", (ONE, ("pass_through_build_failures", True))))


@pytest.mark.parametrize(
    "line",
    [
        "v0 = torch.index_add(x0, 0, x1, x0[:1].expand(2, *x0.shape[1:]))",
        "v0 = x0[:1].expand(2, *x0.shape[1:]).cumsum(0)",
        "v0 = torch.cat([x0[:1].expand(2, *x0.shape[1:]), x0])",
        "v0 = x0[:1].expand(2, *x0.shape[1:]).sum(0)",
    ],
)
def test_a_repeated_first_row_of_a_dynamic_axis(line: str) -> None:
    # error 0.879: the second row was read instead of the first
    program = Program(
        inputs=(Leaf("x0", ((3, 9, 5), (3, 9, 1))), Leaf("x1", ((2,),), "i64", "0:3")),
        state=(),
        lines=(line,),
        outputs=("v0",),
        seed=30135,
    )
    require_pass(program, Options("jit", (ONE,)))


def test_a_view_in_torch_of_what_an_engine_packed() -> None:
    # run: view size is not compatible with input tensor's size and stride
    program = Program(
        inputs=(Leaf("x0", ((2, 17, 8),)),),
        state=tuple(Leaf(f"self.p{i}", ((8, 8),)) for i in range(3)),
        lines=(
            f"v0 = {_heads('x0', 'self.p0')}",
            f"v1 = {_heads('x0', 'self.p1')}",
            f"v2 = {_heads('x0', 'self.p2')}",
            "v3 = F.scaled_dot_product_attention(v0, v1, v2, is_causal=True)",
            "v4 = v3.transpose(1, 2).flatten(2)",
        ),
        outputs=("v4",),
        seed=30039,
    )
    settings = (ONE, ("torch_executed_ops", ("aten.permute.default",)))
    require_pass(program, Options("compile", settings))
