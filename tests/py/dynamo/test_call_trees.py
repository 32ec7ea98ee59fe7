"""Nested arguments that do not fit, before and after saving."""

import collections
import pickle

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt._exceptions import CaptureError, InputMismatchError
from torch_tensorrt.dynamo._call_trees import checked_leaves


class Nested(nn.Module):
    def forward(self, batch, pair, *, scale):
        return batch["a"] + batch["b"] * pair[0] - pair[1] * scale


def inputs():
    return [{"a": torch.randn(3), "b": torch.randn(3)}, (torch.randn(3), torch.randn(3))]


@pytest.fixture(scope="module", params=["compiled", "loaded"])
def run(request, tmp_path_factory):
    made = torch_tensorrt.compile(
        Nested().eval(),
        arg_inputs=inputs(),
        kwarg_inputs={"scale": torch.randn(3)},
        min_block_size=1,
    )
    if request.param == "compiled":
        return made
    path = tmp_path_factory.mktemp("trees") / "nested.ep"
    torch_tensorrt.save(made, path)
    return torch_tensorrt.load(path).module()


def test_what_fits(run):
    batch, pair = inputs()
    scale = torch.randn(3)
    expected = Nested()(batch, pair, scale=scale)
    torch.testing.assert_close(run(batch, pair, scale=scale), expected)
    backwards = {"b": batch["b"], "a": batch["a"]}
    torch.testing.assert_close(run(backwards, pair, scale=scale), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, p: ({"a": b["a"]}, p), r"'batch' .*\['a', 'b'\].*\['b'\] missing"),
        (lambda b, p: (b | {"z": b["a"]}, p), r"'batch' .*\['z'\] not known"),
        (lambda b, p: ({"a": b["a"], "c": b["b"]}, p), r"\['b'\] missing and \['c'\] not known"),
        (lambda b, p: ([b["a"], b["b"]], p), "'batch' must be a dict .*got a list of 2"),
        (lambda b, p: (b, p[:1]), "'pair' must be a tuple of 2.*got a tuple of 1"),
        (lambda b, p: (b, p[0]), "'pair' must be a tuple of 2.*got a Tensor"),
    ],
)
def test_what_does_not_fit(run, change, message):
    with pytest.raises(InputMismatchError, match=message):
        run(*change(*inputs()), scale=torch.randn(3))


def test_other_dicts():
    class Sums(nn.Module):
        def forward(self, ordered):
            return ordered["b"] - ordered["a"]

    x, y = torch.randn(3), torch.randn(3)
    made = torch_tensorrt.compile(Sums().eval(), arg_inputs=[{"b": x, "a": y}], min_block_size=1)
    given = collections.OrderedDict(a=y, b=x)
    torch.testing.assert_close(made(given), x - y)
    again = pickle.loads(pickle.dumps(made))
    torch.testing.assert_close(again(given), x - y)


def test_leaves_in_the_order_of_capture():
    spec = torch.utils._pytree.tree_structure((({"x": 1, "y": [2, 3]},), {"k": 4}))
    assert checked_leaves(([{"y": (6, 7), "x": 5}], {"k": 8}), spec) == [5, 6, 7, 8]


def test_one_tensor_as_the_example_of_two_inputs():
    """Capture must not take the two inputs for one."""

    class Two(nn.Module):
        def forward(self, x, y):
            return x * 2 + y

    x, y = torch.randn(3), torch.randn(3)
    made = torch_tensorrt.compile(Two().eval(), arg_inputs=[x, x], min_block_size=1)
    torch.testing.assert_close(made(x, y), x * 2 + y)


@pytest.mark.parametrize("given", [[(3, 8)], [[3, 8]], (3, 8)])
def test_a_shape_that_is_no_input(given):
    with pytest.raises(CaptureError, match=r"of numbers, a shape is Input\(\(3, 8\)\)"):
        torch_tensorrt.compile(nn.Linear(8, 4).eval(), inputs=given)
