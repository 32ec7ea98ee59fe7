"""Every way in which a user may name an operator meets a spelling of that operator."""

import operator

import pytest
import torch
from torch_tensorrt.dynamo._op_names import op_names, operator_text

ADD = torch.ops.aten.add.Tensor
EQUAL = {
    ADD: [
        "torch.ops.aten.add.Tensor",
        "aten.add.Tensor",
        "aten::add.Tensor",
        "torch.ops.aten.add",
        "aten.add",
        "aten::add",
        "add",
        ADD,
        torch.ops.aten.add,
        torch.add,
        torch.Tensor.add,
    ],
    torch.ops.aten.gelu.default: [torch.nn.functional.gelu, "gelu"],
    torch.ops.aten.linalg_qr.default: [torch.linalg.qr, "linalg_qr"],
    torch.ops.aten.special_erfcx.default: [torch.special.erfcx],
    torch.ops.aten.fft_fft.default: [torch.fft.fft],
    operator.add: [operator.add, "operator.add"],
    torch.sym_max: [torch.sym_max],
}


@pytest.mark.parametrize(
    ("target", "given"),
    [(target, given) for target, ways in EQUAL.items() for given in ways],
)
def test_ways_to_name_one(target, given):
    text = operator_text(given)
    assert text is not None
    assert text in op_names(target)


@pytest.mark.parametrize("given", ["aten.add.Scalar", "torch.ops.aten.sub.Tensor", torch.sub, "ad"])
def test_other_operators(given):
    assert operator_text(given) not in op_names(ADD)


@pytest.mark.parametrize("given", [len, print, torch.no_grad, 3, None, lambda x: x])
def test_what_is_no_operator(given):
    assert operator_text(given) is None
