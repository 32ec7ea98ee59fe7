"""CompilationSettings and the validation of options."""

import dataclasses
import logging

import pytest
import torch
import torch_tensorrt
from torch_tensorrt import Device, EngineCapability
from torch_tensorrt._exceptions import InvalidOptionError
from torch_tensorrt.dynamo import _settings
from torch_tensorrt.dynamo._settings import CompilationSettings, validate_options

FIELDS = dataclasses.fields(CompilationSettings)


def test_every_option_says_what_it_does():
    for option in FIELDS:
        assert option.metadata["doc"].endswith("."), option.name
        assert option.metadata["effect"], option.name


def test_defaults_round_trip():
    assert validate_options(CompilationSettings().as_dict()) == CompilationSettings()


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        CompilationSettings().min_block_size = 3


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("min_block_sise", "min_block_size"), ("torch_execute_ops", "torch_executed_ops")],
)
def test_unknown_option_names_the_nearest(given, nearest):
    with pytest.raises(InvalidOptionError, match=f"did you mean '{nearest}'"):
        validate_options({given: 1})


def test_unknown_option_is_both_a_type_and_a_value_error():
    with pytest.raises(TypeError):
        validate_options({"zzz": 1})
    with pytest.raises(ValueError, match="zzz"):
        validate_options({"zzz": 1})


@pytest.mark.parametrize(
    "options",
    [
        {"min_block_size": 0},
        {"min_block_size": True},
        {"optimization_level": 6},
        {"require_full_compilation": "yes"},
        {"dryrun": 3},
        {"tiling_optimization_level": "foo"},
        {"workspace_size": "x"},
        {"workspace_size": -4},
        {"l2_limit_for_tiling": -2},
        {"autocast_max_output_threshold": 0},
        {"autocast_low_precision_type": "float33"},
        {"engine_capability": "unlimited"},
        {"device": "gpu:-7"},
        {"device": "abacus"},
        {"torch_executed_ops": 3},
        {"torch_executed_ops": [3]},
        {"torch_executed_modules": [3]},
        {"engine_cache_dir": 3},
        {"custom_engine_cache": {}},
        {"fallback_data_dependent_ops": True, "require_full_compilation": True},
    ],
)
def test_bad_values(options):
    with pytest.raises(InvalidOptionError):
        validate_options(options)


@pytest.mark.parametrize("option", [option.name for option in FIELDS])
def test_every_option_refuses_what_is_no_value_of_it(option):
    with pytest.raises(InvalidOptionError, match=option):
        validate_options({option: object()})
    with pytest.raises(InvalidOptionError, match=option):
        CompilationSettings(**{option: object()})


@pytest.mark.parametrize(
    ("option", "name", "near"),
    [
        ("disabled_passes", "fuse_pointwize", "'fuse_pointwise'"),
        ("disabled_passes", "constant_folt", "'constant_fold'"),
        ("disabled_passes", "zzz", "known are "),
        ("disabled_tactics", "cpu.gemn", "'cpu.gemm'"),
        ("disabled_tactics", "ref", "known are "),
        ("disabled_constant_fold_exclusions", "quantisation", "'quantization'"),
        ("torch_executed_ops", "aten.nope", "'aten.none'|does not exist"),
        ("torch_executed_ops", "aten.convolutoin", "'aten.convolution'"),
        ("torch_executed_ops", "aten::mul.Tenser", "'aten::mul.Tensor'"),
        ("autocast_excluded_ops", "sofmax", "'softmax'"),
    ],
)
def test_unknown_names_in_options(option, name, near):
    with pytest.raises(InvalidOptionError, match=near) as caught:
        validate_options({option: {name}})
    assert option in str(caught.value)
    assert f"'{name}'" in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [
        {"disabled_passes": {"constant_fold", "fuse_pointwise"}},
        {"disabled_tactics": {"cpu.gemm", "cpu.loop", "cuda.gemm"}},
        {"disabled_constant_fold_exclusions": {"quantization"}},
        {"torch_executed_ops": torch.ops.aten.add},
        {"torch_executed_ops": {torch.ops.aten.add.Tensor, "relu", "operator.mul", "sym_max"}},
        {"torch_executed_ops": ["torch.ops.aten.relu.default", "aten::add.Tensor", "aten.relu"]},
    ],
)
def test_known_names_in_options(options):
    validate_options(options)


def test_values_are_brought_into_one_form():
    made = validate_options(
        {
            "device": "cuda:1",
            "engine_capability": "standard",
            "torch_executed_ops": {"aten.add.Tensor"},
            "torch_executed_modules": torch.nn.Linear,
            "optimization_level": None,
        }
    )
    assert made.device == Device("cuda:1")
    assert made.engine_capability is EngineCapability.STANDARD
    assert made.torch_executed_ops == frozenset({"aten.add.Tensor"})
    assert made.torch_executed_modules == frozenset({torch.nn.Linear})
    assert made.optimization_level is None


def test_an_option_without_effect_says_so_once(caplog):
    _settings._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, logger="torch_tensorrt"):
        for _ in range(3):
            validate_options({"workspace_size": 1 << 20})
            validate_options({"enabled_precisions": {torch.float16}})
        validate_options({"workspace_size": 0})
    messages = [r.getMessage() for r in caplog.records]
    assert sum("workspace_size" in m for m in messages) == 1
    (said,) = [m for m in messages if "enabled_precisions" in m]
    assert "model.half()" in said
    assert "enable_autocast=True" in said


@pytest.mark.parametrize("value", [{"foo"}, ["f16", 3.5], "foo"])
def test_precisions_that_are_no_types_are_refused(value):
    with pytest.raises(InvalidOptionError, match="enabled_precisions"):
        validate_options({"enabled_precisions": value})


def test_precisions_of_every_kind_of_type_are_taken():
    for value in ({torch.float16, torch_tensorrt.dtype.f32}, torch.half, [torch.int8], None):
        validate_options({"enabled_precisions": value})


def test_notices_say_what_holds():
    effects = {option.name: option.metadata["effect"] for option in FIELDS}
    assert "one format version" in effects["version_compatible"]
    assert "any x86-64" in effects["hardware_compatible"]
    assert "copies the weights it packs" in effects["offload_module_to_cpu"]


def test_deprecated_alias_is_mapped():
    assert validate_options({"truncate_long_and_double": True}).truncate_double
