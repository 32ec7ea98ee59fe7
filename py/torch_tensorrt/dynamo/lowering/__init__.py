"""Lowering on FX: decompositions, then one pass after the other."""

from torch_tensorrt.dynamo.lowering import decompositions
from torch_tensorrt.dynamo.lowering._api import (
    _aten_lowering_pass,
    _remove_lowering_pass,
    dump_lowering_passes,
    get_lowering_pass_config,
)
from torch_tensorrt.dynamo.lowering._decompositions import (
    get_decompositions,
    kept_composite_ops,
    register_torch_trt_decomposition,
    replaced_composite_ops,
)
from torch_tensorrt.dynamo.lowering._lower import (
    lower_exported_program,
    lower_subgraph,
    post_lowering,
)
from torch_tensorrt.dynamo.lowering._unlift import unlift
from torch_tensorrt.dynamo.lowering.passes.constant_fold import (
    register_constant_fold_exclusion_rule,
    unregister_constant_fold_exclusion_rule,
)

__all__ = [
    "_aten_lowering_pass",
    "_remove_lowering_pass",
    "decompositions",
    "dump_lowering_passes",
    "get_decompositions",
    "get_lowering_pass_config",
    "kept_composite_ops",
    "lower_exported_program",
    "lower_subgraph",
    "post_lowering",
    "register_constant_fold_exclusion_rule",
    "register_torch_trt_decomposition",
    "replaced_composite_ops",
    "unlift",
    "unregister_constant_fold_exclusion_rule",
]
