"""Names under which the result types of ``topk``, ``max`` and their like are written to files."""

from __future__ import annotations

import torch
from torch.utils import _pytree as pytree


def name_return_types() -> None:
    """Lets programs that return one of ``torch.return_types`` be saved and loaded.

    PyTorch registers these types for calls but not for files: it gives them no name there. Both the
    process that saves and the one that loads need the same names, so importing the package does it.
    """
    for kind in torch.return_types.all_return_types:
        known = pytree.SUPPORTED_SERIALIZED_TYPES.get(kind)
        if known is None or known.serialized_type_name != pytree.NO_SERIALIZED_TYPE_NAME_FOUND:
            continue
        name = f"torch.return_types.{kind.__name__}"
        pytree.SUPPORTED_SERIALIZED_TYPES[kind] = known._replace(serialized_type_name=name)
        pytree.SERIALIZED_TYPE_TO_PYTHON_TYPE[name] = kind
