"""Trees of inputs: containers keep their types and order, leaves become Inputs and examples."""

from collections import OrderedDict, namedtuple
from types import MappingProxyType

import pytest
import torch
from torch_tensorrt import Input
from torch_tensorrt.dynamo._inputs import (
    as_argument_tuple,
    capture_shape,
    dims_tree,
    example_values,
    flat_leaves,
    prepare_inputs,
)

Pair = namedtuple("Pair", ["left", "right"])
X, CPU = torch.randn(2, 3), torch.device("cpu")


def test_containers_keep_their_types():
    tree = {"a": [X, 2], "b": Pair(X, None), "c": OrderedDict(d=(True, "text"))}
    prepared = prepare_inputs(tree)
    assert [type(prepared[key]) for key in "abc"] == [list, Pair, OrderedDict]
    assert isinstance(prepared["b"].left, Input)
    assert prepared["b"].right is None
    assert prepared["c"]["d"] == (True, "text")
    leaves = flat_leaves(tree)
    assert leaves[0] is X
    assert leaves[2] is X
    assert [leaves[1], *leaves[3:]] == [2, None, True, "text"]


def test_other_mappings_become_dicts():
    prepared = prepare_inputs(MappingProxyType({"a": X}))
    assert type(prepared) is dict
    assert isinstance(prepared["a"], Input)


def test_what_is_no_input_is_named():
    with pytest.raises(ValueError, match=r"a value of type object as an input; use torch_tensorrt"):
        prepare_inputs([X, {"a": object()}])


def test_one_tensor_at_two_places_is_two_examples():
    one = Input.from_tensor(X)
    first, second = example_values([one, one], CPU)
    assert torch.equal(first, second)
    assert first.data_ptr() != second.data_ptr()


@pytest.mark.parametrize(
    ("low", "opt", "high", "captured"),
    [((1, 3), (1, 3), (8, 3), (2, 3)), ((0,), (0,), (1,), (1,)), ((1,), (5,), (9,), (5,))],
)
def test_no_varying_axis_is_captured_as_a_constant(low, opt, high, captured):
    spec = Input(min_shape=low, opt_shape=opt, max_shape=high)
    assert capture_shape(spec) == captured
    assert example_values([spec], CPU)[0].shape == captured


def test_dims_have_the_form_of_their_containers():
    tree = ({"a": Pair(X, 1)}, [X])
    assert dims_tree(lambda leaf: type(leaf).__name__, tree) == (
        {"a": Pair("Tensor", "int")},
        ["Tensor"],
    )


def test_positional_arguments():
    spec = Input((2, 3))
    assert as_argument_tuple(None) == ()
    assert as_argument_tuple(spec) == (spec,)
    assert as_argument_tuple([spec, 1]) == (spec, 1)
    assert as_argument_tuple({"a": spec}) == ({"a": spec},)
