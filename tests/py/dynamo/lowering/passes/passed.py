"""Graphs for single passes."""

import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch_tensorrt.dynamo import CompilationSettings


def graph_of(build, *inputs, **attributes):
    """A graph module that ``build`` makes: it gets ``call`` and the nodes of inputs and attributes,
    and gives the results."""
    graph, mode, root = fx.Graph(), FakeTensorMode(allow_non_fake_inputs=True), torch.nn.Module()
    nodes = []
    for index, value in enumerate(inputs):
        nodes.append(graph.placeholder(f"x{index}"))
        nodes[-1].meta["val"] = mode.from_tensor(value)
    for name, value in attributes.items():
        root.register_buffer(name, value)
        nodes.append(graph.get_attr(name))
        nodes[-1].meta["val"] = mode.from_tensor(value)

    def call(op, *args, **kwargs):
        made = graph.call_function(op, args, kwargs)
        with mode:
            values = fx.map_arg((args, kwargs), lambda n: n.meta["val"])
            made.meta["val"] = op(*values[0], **values[1])
        return made

    graph.output(tuple(build(call, *nodes)))
    return fx.GraphModule(root, graph)


def run_pass(function, gm, **settings):
    """``gm`` after the pass, and the operators left in it."""
    gm = function(gm, CompilationSettings(**settings))
    gm.graph.lint()
    gm.recompile()
    return gm, [node.target for node in gm.graph.nodes if node.op == "call_function"]
