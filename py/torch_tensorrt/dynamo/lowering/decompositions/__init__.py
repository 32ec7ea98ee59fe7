"""Decompositions of this package, registered by being imported."""

from torch_tensorrt.dynamo.lowering.decompositions import (
    elementary,
    indexing,
    order,
    products,
    sampling,
)

__all__ = ["elementary", "indexing", "order", "products", "sampling"]
