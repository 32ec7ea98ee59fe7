"""What is computed from constants alone is computed once, when it is small and always the same."""

import torch
from torch_tensorrt.dynamo.lowering.passes.constant_fold import (
    MAX_ELEMENTS,
    constant_fold,
    register_constant_fold_exclusion_rule,
    unregister_constant_fold_exclusion_rule,
)

from tests.py.dynamo.lowering.passes.passed import graph_of, run_pass

aten = torch.ops.aten
X, W = torch.randn(3), torch.randn(3)


def product(call, x, w):
    return [call(aten.add.Tensor, x, call(aten.exp.default, call(aten.mul.Tensor, w, 2.0)))]


def test_a_chain_of_constants_becomes_one():
    gm, left = run_pass(constant_fold, graph_of(product, X, w=W))
    gm.graph.eliminate_dead_code()
    left = [n.target for n in gm.graph.nodes if n.op == "call_function"]
    assert left == [aten.add.Tensor]
    assert torch.equal(gm(X)[0], X + (W * 2).exp())
    (folded,) = [name for name, _ in gm.named_buffers() if name.startswith("_folded")]
    assert gm.get_buffer(folded).is_contiguous()


def test_what_is_written_to_is_no_constant():
    def build(call, x, w):
        results = product(call, x, w)
        call(aten.copy_.default, w, x)
        return results

    gm, left = run_pass(constant_fold, graph_of(build, X, w=W.clone()))
    assert left == [aten.mul.Tensor, aten.exp.default, aten.add.Tensor, aten.copy_.default]
    gm(X)
    assert torch.equal(gm(X)[0], X + (X * 2).exp())


def test_random_numbers_are_drawn_at_each_call():
    def build(call, x, w):
        return [call(aten.add.Tensor, x, call(aten.rand_like.default, w))]

    gm, left = run_pass(constant_fold, graph_of(build, X, w=W))
    assert aten.rand_like.default in left
    assert not torch.equal(gm(X)[0], gm(X)[0])


def test_large_results_are_not_kept():
    wide = torch.zeros(MAX_ELEMENTS // 2)

    def build(call, x, w):
        return [call(aten.cat.default, [w, w, x])]

    _, left = run_pass(constant_fold, graph_of(build, X, w=wide))
    assert left == [aten.cat.default]


def test_rules_keep_nodes_and_can_be_switched_off():
    @register_constant_fold_exclusion_rule("of a test")
    def rule(node):
        return node.target is aten.exp.default

    try:
        gm, _ = run_pass(constant_fold, graph_of(product, X, w=W))
        gm.graph.eliminate_dead_code()
        assert gm.graph.find_nodes(op="call_function", target=aten.exp.default)
        off = {"disabled_constant_fold_exclusions": {"of a test"}}
        gm, _ = run_pass(constant_fold, graph_of(product, X, w=W), **off)
        gm.graph.eliminate_dead_code()
        assert not gm.graph.find_nodes(op="call_function", target=aten.exp.default)
    finally:
        unregister_constant_fold_exclusion_rule("of a test")
        unregister_constant_fold_exclusion_rule("of a test")
