"""What the reasons for leaving an operator in PyTorch tell the user to do."""

import torch
import torch_tensorrt
from torch import nn


def reasons(module, caplog):
    caplog.clear()
    torch_tensorrt.compile(module, arg_inputs=[torch.randn(2, 4)], min_block_size=1)
    return " ".join(r.getMessage() for r in caplog.records if r.name == "torch_tensorrt")


def test_dropout_of_a_model_in_train_mode(caplog):
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    assert "call model.eval()" in reasons(nn.Sequential(nn.Dropout(0.5)).train(), caplog)
    assert "model.eval()" not in reasons(model.eval(), caplog)


def test_a_compiled_module_says_that_it_is_compiled(caplog):
    compiled = torch_tensorrt.compile(
        nn.Linear(4, 4).eval(), arg_inputs=[torch.randn(2, 4)], min_block_size=1
    )
    said = reasons(compiled, caplog)
    assert "compiled already" in said
    assert "no converter" not in said
