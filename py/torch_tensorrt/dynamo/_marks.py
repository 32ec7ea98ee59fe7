"""Keys of ``node.meta`` by which stages of the pipeline tell later ones about a node."""

from __future__ import annotations

#: A call that runs in engines already (control flow): it has a place in the order, no more.
PLACED = "torch_tensorrt_placed"
#: Why a node stays in PyTorch, where an earlier stage knows.
REASON = "torch_tensorrt_reason"
