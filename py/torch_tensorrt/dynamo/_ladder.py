"""What to leave out of engines when a build fails, so that it costs as few operators as possible.

A converter may refuse a node that its own check accepted, a layer may find no kernel, compiling for
a GPU may fail. The steps down, each for as few nodes as can be told:

1. The error names one node: that node runs in PyTorch, the engine is built around it.
2. It names none: the engine's nodes are halved until the half that fails is one node.
3. Both halves of something can be built, only not together: the engine is cut there.
4. Too much has been tried: the operators of that engine run in PyTorch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import fx

from torch_tensorrt._exceptions import ConversionError, TorchTensorRTError
from torch_tensorrt.dynamo.partitioning._units import counts_as_op, cut_before

logger = logging.getLogger("torch_tensorrt")

#: Nodes that are left out of engines, and cuts that are made, because a build failed.
MAX_LEFT_OUT = 8
#: Builds of parts of failing engines, all searches for one graph together.
MAX_TRIALS = 24

#: The error of building an engine of these nodes alone; None when it can be built.
Trial = Callable[[list[fx.Node]], Exception | None]

_LAYER = re.compile(r"layer '([^']*)'")
_WORD = re.compile(r"\w+")


@dataclass
class Ladder:
    """What has been learnt from failed builds of one graph.

    Attributes:
        left_out: Name of a node that stays in PyTorch, to the reason.
        cuts: Names of nodes before which an engine is cut.
        given_up: Names of the operators of an engine that runs in PyTorch as a whole, to the error.
        trials: Builds that may still be spent on searching.
    """

    left_out: dict[str, str] = field(default_factory=dict)
    cuts: set[str] = field(default_factory=set)
    given_up: dict[tuple[str, ...], str] = field(default_factory=dict)
    trials: int = MAX_TRIALS

    def step_down(self, nodes: Sequence[fx.Node], error: Exception, trial: Trial) -> bool:
        """Learn from ``error``, raised when an engine of ``nodes`` was built.

        Args:
            nodes: In topological order.
            trial: Builds a part of them.

        Returns:
            Whether another partition is worth trying; if not, the nodes run in PyTorch.
        """
        if len(self.left_out) + len(self.cuts) < MAX_LEFT_OUT and not _is_of_memory(error):
            named = named_node(nodes, error)
            if named is not None:
                self._leave_out(named, error)
                return True
            if self._search(list(nodes), error, trial):
                return True
        self.given_up[names_of(nodes)] = error_text(error)
        return False

    def _search(self, nodes: list[fx.Node], error: Exception, trial: Trial) -> bool:
        """Find the one node that fails, or a place to cut; False when trials run out, or when
        whatever is tried fails."""
        whole = nodes
        while True:
            ops = [node for node in nodes if counts_as_op(node)]
            named = named_node(nodes, error) if nodes is not whole else None
            if named is not None or len(ops) == 1:
                culprit = named or ops[0]
                if named is None and self._all_fail(whole, culprit, trial):
                    return False
                self._leave_out(culprit, error)
                return True
            middle = ops[len(ops) // 2]
            for half in cut_before(nodes, middle):
                if self.trials == 0:
                    return False
                self.trials -= 1
                failure = trial(half)
                if failure is not None:
                    nodes, error = half, failure
                    break
            else:
                self._cut(middle, error)
                return True

    def _all_fail(self, nodes: Sequence[fx.Node], culprit: fx.Node, trial: Trial) -> bool:
        """Whether another operator fails by itself too: then it is not about ``culprit``."""
        others = [n for n in nodes if counts_as_op(n) and n.target != culprit.target]
        if not others or self.trials == 0:
            return False
        self.trials -= 1
        own = [n for n in nodes if n is others[0] or n.args[:1] == (others[0],)]
        alone = [n for n in own if n is others[0] or not counts_as_op(n)]
        return trial(alone) is not None

    def _leave_out(self, node: fx.Node, error: Exception) -> None:
        logger.warning("an operator is left in PyTorch: %s: %s", node.name, error_text(error))
        if isinstance(error, ConversionError):
            self.left_out[node.name] = f"conversion failed: {error.reason}"
        else:
            self.left_out[node.name] = f"its engine cannot be built: {error_text(error)}"

    def _cut(self, node: fx.Node, error: Exception) -> None:
        logger.warning(
            "an engine is cut before %s: its parts can be built, but not together: %s",
            node.name,
            error_text(error),
        )
        self.cuts.add(node.name)


def named_node(nodes: Sequence[fx.Node], error: Exception) -> fx.Node | None:
    """The operator of ``nodes`` that the error names, if it names exactly one."""
    ops = {node.name: node for node in nodes if counts_as_op(node)}
    if isinstance(error, ConversionError):
        return ops.get(error.node)
    found = {
        word for layer in _LAYER.findall(str(error)) for word in _WORD.findall(layer) if word in ops
    }
    return ops[found.pop()] if len(found) == 1 else None


def names_of(nodes: Sequence[fx.Node]) -> tuple[str, ...]:
    """What tells an engine of these nodes from others of the same graph."""
    return tuple(node.name for node in nodes)


def error_text(error: Exception) -> str:
    """An error in a message: those of this package say what they are themselves."""
    own = isinstance(error, TorchTensorRTError)
    return str(error) if own else f"{type(error).__name__}: {error}"


def _is_of_memory(error: Exception) -> bool:
    """Smaller engines would not help, and trying them makes it worse."""
    causes = (error, error.__cause__)
    return any(isinstance(each, (MemoryError, torch.OutOfMemoryError)) for each in causes)
