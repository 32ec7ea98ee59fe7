"""CompilationSettings and the validation of options."""

import dataclasses
import logging

import pytest
import torch
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
        {"fallback_data_dependent_ops": True, "require_full_compilation": True},
    ],
)
def test_bad_values(options):
    with pytest.raises(InvalidOptionError):
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
    assert sum("enabled_precisions" in m for m in messages) == 1


def test_deprecated_alias_is_mapped():
    assert validate_options({"truncate_long_and_double": True}).truncate_double
