"""Decompositions of this package, registered by being imported."""

from torch_tensorrt.dynamo.lowering.decompositions import (
    elementary,
    indexing,
    losses,
    order,
    products,
    sampling,
)

__all__ = ["elementary", "indexing", "losses", "order", "products", "sampling"]
