"""Names of modules in ``torch_executed_modules``."""

import logging

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo.partitioning._modules import clean_path


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(4, 4)

    def forward(self, x):
        return self.dense(x).sin()


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Inner(), Inner()])
        self.last = nn.Identity()

    def forward(self, x):
        for block in self.blocks:
            x = block(x) * 2
        return self.last(x)


X = torch.randn(2, 4)


def compiled(name, **keywords):
    return torch_tensorrt.compile(
        Outer().eval(),
        arg_inputs=None if "ir" in keywords else (X,),
        torch_executed_modules=[name],
        **keywords,
    )


@pytest.mark.parametrize("name", ["blocks.0", "blocks.1.dense", "Inner", "Linear", Inner])
def test_names_and_classes_of_the_model(name):
    with torch.no_grad():
        assert compiled(name)(X).shape == X.shape


def test_a_class_that_the_model_has_not_is_no_error():
    compiled(nn.Conv2d)


@pytest.mark.parametrize("ir", ["dynamo", "torch_compile"])
@pytest.mark.parametrize(
    ("name", "near"), [("no.such", "does not exist"), ("blocks.O", "'blocks.0'")]
)
def test_a_name_that_the_model_has_not_is_an_error(ir, name, near):
    with pytest.raises(InvalidOptionError, match=near) as caught:
        torch_tensorrt.compile(
            Outer().eval(), ir=ir, arg_inputs=(X,), torch_executed_modules=[name]
        )
    assert f"'{name}'" in str(caught.value)


def test_a_backend_sees_one_graph_and_only_warns(caplog):
    torch._dynamo.reset()
    run = torch.compile(
        Outer().eval(), backend="tensorrt", options={"torch_executed_modules": ["no.such"]}
    )
    with torch.no_grad(), caplog.at_level(logging.WARNING, logger="torch_tensorrt"):
        run(X)
    assert any("'no.such'" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("L['self']._modules.blocks.0", "blocks.0"),
        ("L['self']", ""),
        ("blocks.0@1", "blocks.0"),
        ("self.blocks", "blocks"),
    ],
)
def test_paths_are_read_as_users_write_them(path, clean):
    assert clean_path(path) == clean
