"""Lowering passes, one a file; the lists below are in running order."""

from torch_tensorrt.dynamo.lowering.passes._registry import PassList
from torch_tensorrt.dynamo.lowering.passes.autocast import autocast
from torch_tensorrt.dynamo.lowering.passes.constant_fold import constant_fold
from torch_tensorrt.dynamo.lowering.passes.hoist_symbols import hoist_symbols
from torch_tensorrt.dynamo.lowering.passes.pair_complex import pair_complex
from torch_tensorrt.dynamo.lowering.passes.remove_assert_nodes import remove_assert_nodes
from torch_tensorrt.dynamo.lowering.passes.remove_dead_nodes import remove_dead_nodes
from torch_tensorrt.dynamo.lowering.passes.remove_detach import remove_detach
from torch_tensorrt.dynamo.lowering.passes.replace_max_pool_with_indices import (
    replace_max_pool_with_indices,
)
from torch_tensorrt.dynamo.lowering.passes.replace_nan_bounds import replace_nan_bounds
from torch_tensorrt.dynamo.lowering.passes.simplify_slices import simplify_slices

POST_LOWERING_PASSES = PassList(
    "post-lowering",
    [
        remove_assert_nodes,
        remove_detach,
        hoist_symbols,
        autocast,
        pair_complex,
        constant_fold,
        replace_max_pool_with_indices,
        replace_nan_bounds,
        simplify_slices,
        remove_dead_nodes,
    ],
)

__all__ = ["POST_LOWERING_PASSES", "PassList"]
