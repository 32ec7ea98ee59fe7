"""Arguments of a compiled module, taken apart as at capture.

PyTorch's own function for it ignores keys of dicts that capture did not see, and fails on missing
ones without a word about the argument.
"""

from __future__ import annotations

import re
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from torch.fx import Proxy
from torch.fx import _pytree as fx_pytree
from torch.fx.graph import _PyTreeCodeGen

from torch_tensorrt._exceptions import InputMismatchError

_DICTS = (dict, OrderedDict, defaultdict)


def checked_leaves(tree: Any, spec: Any, names: Sequence[str] = ()) -> list[Any]:
    """The leaves of ``tree`` in the order of ``spec``.

    Args:
        tree: ``(positional arguments, keyword arguments)``.
        spec: Their pytree spec at capture.
        names: Names of the positional arguments, for messages.

    Raises:
        InputMismatchError: keys or lengths that capture did not see; names the argument.
    """
    found: list[Any] = []
    args, keywords = tree
    arg_spec, keyword_spec = spec.children()
    for index, (value, child) in enumerate(zip(args, arg_spec.children(), strict=True)):
        name = names[index] if index < len(names) else f"argument {index}"
        _flatten(value, child, name, found)
    for key, child in zip(keyword_spec.context or (), keyword_spec.children(), strict=True):
        _flatten(keywords[key], child, str(key), found)
    return found


def _flatten(value: Any, spec: Any, name: str, found: list[Any]) -> None:
    if spec.is_leaf():
        found.append(value)
    elif isinstance(value, Proxy):  # fx traces the code, for example to unpickle it
        found.extend(fx_pytree.tree_flatten_spec(value, spec))
    elif spec.type in _DICTS:
        keys = spec.context[1] if spec.type is defaultdict else spec.context
        _check_keys(value, keys, name)
        for key, child in zip(keys, spec.children(), strict=True):
            _flatten(value[key], child, f"{name}[{key!r}]", found)
    elif spec.type in (list, tuple):
        if not isinstance(value, (list, tuple)) or len(value) != spec.num_children:
            raise InputMismatchError(
                f"input '{name}' must be a {spec.type.__name__} of {spec.num_children}, with which "
                f"the model was captured, got {_text(value)}"
            )
        for index, child in enumerate(spec.children()):
            _flatten(value[index], child, f"{name}[{index}]", found)
    else:
        found.extend(fx_pytree.tree_flatten_spec(value, spec))


def _check_keys(value: Any, keys: Sequence[Any], name: str) -> None:
    if isinstance(value, Mapping):
        missing = [key for key in keys if key not in value]
        unknown = [key for key in value if key not in keys]
        if not missing and not unknown:
            return
        texts = [f"{missing} missing"] if missing else []
        texts += [f"{unknown} not known"] if unknown else []
        got = " and ".join(texts)
    else:
        got = f"got {_text(value)}"
    raise InputMismatchError(
        f"input '{name}' must be a dict with the keys {list(keys)}, with which the model was "
        f"captured: {got}. Way out: pass these keys, or compile for the others"
    )


def _text(value: Any) -> str:
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, (list, tuple, Mapping)) else f"a {kind}"


class CheckedCodeGen(_PyTreeCodeGen):
    """Signatures of graphs whose arguments are nested."""

    _FLATTEN = re.compile(r"fx_pytree\.tree_flatten_spec\(\(\[(.*)\], \{(.*)\}\), self\._in_spec\)")

    def gen_fn_def(self, *args: Any, **kwargs: Any) -> str:
        names = tuple(name for name in self.pytree_info.orig_args if name != "self")
        replaced = rf"checked_leaves(([\1], {{\2}}), self._in_spec, {names!r})"
        return self._FLATTEN.sub(replaced, super().gen_fn_def(*args, **kwargs))

    def additional_globals(self) -> list[tuple[str, Any]]:
        return [*super().additional_globals(), ("checked_leaves", checked_leaves)]
