"""Input: every constructor form, its rules, its example data."""

from collections import namedtuple

import pytest
import torch
import torch_tensorrt
from torch_tensorrt import Input

STATIC = Input._ShapeMode.STATIC
DYNAMIC = Input._ShapeMode.DYNAMIC


@pytest.mark.parametrize(
    "made",
    [
        Input((1, 3, 4)),
        Input([1, 3, 4]),
        Input(torch.Size([1, 3, 4])),
        Input(shape=(1, 3, 4)),
        Input.from_tensor(torch.zeros(1, 3, 4)),
        Input(min_shape=(1, 3, 4), opt_shape=(1, 3, 4), max_shape=(1, 3, 4)),
    ],
)
def test_static_forms(made):
    assert made.shape == (1, 3, 4)
    assert made.shape_mode is STATIC
    assert tuple(made.example_tensor().shape) == (1, 3, 4)


def test_range_form():
    made = Input(min_shape=(0, 3), opt_shape=(4, 3), max_shape=(8, 3), dtype=torch.int64, name="x")
    assert made.shape == {"min_shape": (0, 3), "opt_shape": (4, 3), "max_shape": (8, 3)}
    assert made.shape_mode is DYNAMIC
    assert made.dtype == torch.int64
    assert made.name == "x"
    assert tuple(made.example_tensor("max_shape").shape) == (8, 3)
    assert tuple(made.example_tensor("min_shape").shape) == (0, 3)


def test_namedtuple_form_names_the_axes_that_vary():
    Shape = namedtuple("Shape", ["batch", "width"])
    made = Input(min_shape=Shape(1, 8), opt_shape=Shape(2, 8), max_shape=Shape(4, 8))
    assert made.shared_dims == {0: "batch"}
    other = namedtuple("Other", ["a", "b"])
    with pytest.raises(ValueError, match="same fields"):
        Input(min_shape=Shape(1, 8), opt_shape=other(2, 8), max_shape=Shape(4, 8))
    with pytest.raises(ValueError, match="namedtuple"):
        Input(
            min_shape=Shape(1, 8),
            opt_shape=Shape(2, 8),
            max_shape=Shape(4, 8),
            shared_dims={0: "n"},
        )


def test_profiles_use_the_union_and_the_first_opt():
    made = Input(
        profiles=[
            {"min": (1, 16), "opt": (1, 32), "max": (1, 64)},
            {"min": (4, 8), "opt": (4, 8), "max": (8, 8)},
        ]
    )
    assert made.shape == {"min_shape": (1, 8), "opt_shape": (1, 32), "max_shape": (8, 64)}
    assert len(made.profiles) == 2


def test_shape_ranges_form():
    ranges = [{"min_shape": (1, 4), "opt_shape": (2, 4), "max_shape": (3, 4)}]
    made = Input(shape=(2, 4), shape_ranges=ranges)
    assert made.shape_range() == ((1, 4), (2, 4), (3, 4))


@pytest.mark.parametrize(
    ("keywords", "error"),
    [
        ({}, ValueError),
        ({"shape": (1,), "min_shape": (1,)}, ValueError),
        ({"min_shape": (1,), "opt_shape": (2,)}, ValueError),
        ({"min_shape": (3,), "opt_shape": (2,), "max_shape": (4,)}, ValueError),
        ({"min_shape": (1, 1), "opt_shape": (2,), "max_shape": (4,)}, ValueError),
        ({"shape": (-1, 2)}, ValueError),
        ({"shape": (1.5,)}, TypeError),
        ({"shape": 3}, TypeError),
        ({"shape": (1,), "colour": "red"}, TypeError),
        ({"shape": (1,), "dtype": "nonsense"}, TypeError),
        ({"shape": (1,), "tensor_domain": (2, 1)}, ValueError),
        ({"shape": (1,), "shared_dims": {0: "n"}}, ValueError),
        ({"profiles": []}, ValueError),
        ({"profiles": [{"min": (1,), "max": (2,)}]}, ValueError),
    ],
)
def test_bad_declarations(keywords, error):
    with pytest.raises(error, match=r"\[input\]|type|format"):
        Input(**keywords)


@pytest.mark.parametrize("shared", [{5: "n"}, {0: ""}, {-1: "n"}])
def test_bad_shared_dims(shared):
    with pytest.raises(ValueError, match="shared_dims"):
        Input(min_shape=(1,), opt_shape=(2,), max_shape=(3,), shared_dims=shared)


@pytest.mark.parametrize(
    "element_type",
    [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8],
)
def test_examples_lie_in_the_domain(element_type):
    made = Input((64, 7), dtype=element_type, tensor_domain=(3, 5)).example_tensor()
    assert made.dtype == element_type
    values = made.double()
    assert values.min() >= 3
    assert values.max() < 5 or element_type in (torch.float16, torch.bfloat16)
    assert values.max() <= 5
    assert values.unique().numel() > 1


def test_from_tensor_keeps_the_layout():
    image = torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    made = Input.from_tensor(image)
    assert made.format == torch.channels_last
    assert made.example_tensor().is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match="contiguous"):
        Input.from_tensor(torch.zeros(2, 3).t())
    assert Input.from_tensor(torch.zeros(2, 3).t(), True).shape == (3, 2)


def test_from_tensors_and_equivalence():
    a, b = Input.from_tensors([torch.zeros(2), torch.zeros(2)])
    assert Input.equivalent_spec(a, b)
    assert not Input.equivalent_spec(a, Input((2,), dtype=torch.int32))
    assert set(Input.from_tensors({"k": torch.zeros(1)})) == {"k"}
    with pytest.raises(TypeError):
        Input.from_tensors(torch.zeros(1))


def test_example_field_rules():
    with pytest.raises(ValueError, match="static"):
        Input((1,)).example_tensor("opt_shape")
    with pytest.raises(ValueError, match="choose"):
        Input(min_shape=(1,), opt_shape=(2,), max_shape=(3,)).example_tensor()


def test_logging_levels_are_restored():
    logger = torch_tensorrt.logging._LOGGER
    before = logger.level
    with torch_tensorrt.logging.graphs():
        assert logger.level == torch_tensorrt.logging.GRAPHS
        with torch_tensorrt.logging.errors():
            assert logger.level == 40
        assert logger.level == torch_tensorrt.logging.GRAPHS
    assert logger.level == before
