"""Cases of operators that move, index and make elements."""

from __future__ import annotations

import torch

from tests.py.dynamo.conversion.harness import Case, Size, tensor

i64, b, bf16 = torch.int64, torch.bool, torch.bfloat16
N = Size(0, 0)


def index(n: int, high: int) -> torch.Tensor:
    return torch.randint(0, high, (n,))


def flags(*shape: int) -> torch.Tensor:
    return tensor(*shape, dtype=b)


CASES: list[Case] = [
    Case("aten.view.default", lambda n: (tensor(n, 6), [N, -1, 3])),
    Case("aten.view.default", lambda n: (tensor(n, 6), [-1]), label="flat"),
    Case("aten.reshape.default", lambda n: (tensor(2, n, 4), [-1, 8])),
    Case("aten.permute.default", lambda n: (tensor(n, 3, 4), [2, 0, -2])),
    Case("aten.transpose.int", lambda n: (tensor(n, 3, 4), 1, -1)),
    Case("aten.t.default", lambda n: (tensor(n, 3),)),
    Case("aten.movedim.intlist", lambda n: (tensor(n, 3, 4), [0, 1], [-1, 0])),
    Case("aten.unsqueeze.default", lambda n: (tensor(n, 3), -1)),
    Case("aten.squeeze.dims", lambda n: (tensor(n, 1, 3, 1), [1, 2])),
    Case("aten.squeeze.default", lambda n: (tensor(1, n, 1),)),
    Case("aten.expand.default", lambda n: (tensor(n, 1, 3), [2, -1, 4, -1])),
    Case("aten.expand.default", lambda n: (tensor(n), [5, N]), label="lead"),
    Case("aten.flatten.using_ints", lambda n: (tensor(2, n, 3), 0, 1)),
    Case("aten.unflatten.int", lambda n: (tensor(2, 6, n), 1, [-1, 3])),
    Case("aten.slice.Tensor", lambda n: (tensor(n, 9), 1, 2, 8, 3)),
    Case("aten.slice.Tensor", lambda n: (tensor(n, 9), 0, 1, 2**63 - 1), label="tail"),
    Case("aten.slice.Tensor", lambda n: (tensor(n, 9), 0, -3, 2**63 - 1), label="last"),
    Case("aten.slice.Tensor", lambda n: (tensor(n, 9), 0, 0, -1), label="butlast"),
    Case("aten.slice.Tensor", lambda n: (tensor(3, 9), 0, 5, 9), label="empty"),
    Case("aten.select.int", lambda n: (tensor(n, 9), 1, -2)),
    Case("aten.select.int", lambda n: (tensor(n, 9), 0, -1), label="last"),
    Case("aten.cat.default", lambda n: ([tensor(n, 3), tensor(2, 3), tensor(n, 3)], 0)),
    Case(
        "aten.cat.default",
        lambda n: ([tensor(0), tensor(2, n), tensor(3, n, dtype=i64)],),
        label="legacy",
    ),
    Case("aten.stack.default", lambda n: ([tensor(n, 3), tensor(n, 3)], -1)),
    Case("aten.split_with_sizes.default", lambda n: (tensor(n, 9), [2, 3, 4], 1)),
    Case("aten.split.Tensor", lambda n: (tensor(n, 9), 4, 1)),
    Case("aten.chunk.default", lambda n: (tensor(n, 7), 3, 1)),
    Case("aten.unbind.int", lambda n: (tensor(3, n),)),
    Case("aten.flip.default", lambda n: (tensor(n, 3, 4), [0, -1])),
    Case("aten.roll.default", lambda n: (tensor(n, 5), [2, -1], [0, 1])),
    Case("aten.repeat.default", lambda n: (tensor(n, 3), [2, 1, 2])),
    Case("aten.tile.default", lambda n: (tensor(n, 3), [2])),
    Case("aten.repeat_interleave.self_int", lambda n: (tensor(n, 3), 2, 0)),
    Case("aten.slice_scatter.default", lambda n: (tensor(n, 9), tensor(n, 3), 1, 2, 5)),
    Case("aten.select_scatter.default", lambda n: (tensor(n, 9), tensor(n), 1, -2)),
    Case("aten.constant_pad_nd.default", lambda n: (tensor(2, n, 4), [1, 2, 0, 3], 0.5)),
    Case("aten.constant_pad_nd.default", lambda n: (tensor(n, 6), [-1, -2]), label="crop"),
    Case("aten.reflection_pad2d.default", lambda n: (tensor(1, 2, 7, 7), [1, 2, 3, 0])),
    Case("aten.replication_pad1d.default", lambda n: (tensor(2, n, 4), [3, 1])),
    Case("aten.embedding.default", lambda n: (tensor(11, 4), torch.randint(0, 11, (2, n)))),
    Case("aten.index_select.default", lambda n: (tensor(3, 8), 1, index(n, 8))),
    Case("aten.gather.default", lambda n: (tensor(n, 8), 1, torch.randint(0, 8, (n, 5)))),
    Case(
        "aten.index.Tensor",
        lambda n: (tensor(5, 6, n), [index(4, 5), None, index(4, 3)]),
        label="apart",
    ),
    Case(
        "aten.index.Tensor",
        lambda n: (tensor(5, 6, n), [None, torch.tensor([[-1, 2], [0, 5]])]),
        label="one",
    ),
    Case(
        "aten.index.Tensor",
        lambda n: (tensor(5, 6), [index(n, 5)[:, None], index(3, 6)]),
        label="grid",
    ),
    *(
        Case(
            "aten.index_put.default",
            lambda n, build=build, rest=rest: (*build(n), *rest),
            label=f"mask_{label}",
        )
        for label, build, rest in (
            ("rows", lambda n: (tensor(n, 5), [flags(n)], tensor(5)), ()),
            ("one_row", lambda n: (tensor(n, 3, 5), [flags(n, 3)], tensor(1, 5)), ()),
            ("columns", lambda n: (tensor(3, n), [None, flags(n)], tensor(3, 1)), ()),
            ("middle", lambda n: (tensor(2, n, 3, 4), [None, flags(n, 3)], tensor(2, 1, 4)), ()),
            ("number", lambda n: (tensor(2, n, 3), [None, flags(n)], tensor()), ()),
            ("added", lambda n: (tensor(n, 5), [flags(n)], tensor(5)), (True,)),
            ("flags", lambda n: (flags(n, 3), [flags(n)], flags(3)), (True,)),
            ("int", lambda n: (tensor(n, 5, dtype=i64), [flags(n)], tensor(5, dtype=i64)), (True,)),
        )
    ),
    Case("aten.index_put.default", lambda n: (tensor(8, 3), [torch.arange(4)], tensor(4, 3))),
    Case(
        "aten.index_put.default",
        lambda n: (tensor(8, 3), [index(n, 8)], tensor(n, 3), True),
        label="add",
    ),
    Case(
        "aten.index_put.default",
        lambda n: (tensor(n, 3), [tensor(n, dtype=b)], torch.tensor(2.0)),
        label="mask",
    ),
    Case(
        "aten.index_copy.default", lambda n: (tensor(n, 8), 1, torch.tensor([3, 1]), tensor(n, 2))
    ),
    Case(
        "aten.index_add.default",
        lambda n: (tensor(n, 8), 1, torch.tensor([3, 3]), tensor(n, 2)),
        {"alpha": 2},
    ),
    Case(
        "aten.scatter.src", lambda n: (tensor(n, 8), 1, torch.arange(5).expand(n, 5), tensor(n, 6))
    ),
    Case("aten.scatter.value", lambda n: (tensor(n, 8), 1, torch.arange(5).expand(n, 5), 3.5)),
    Case(
        "aten.scatter_add.default",
        lambda n: (tensor(n, 8), 1, torch.randint(0, 8, (n, 5)), tensor(n, 5)),
    ),
    Case(
        "aten.scatter_reduce.two",
        lambda n: (tensor(n, 8), 1, torch.randint(0, 8, (n, 5)), tensor(n, 5), "amax"),
    ),
    Case("aten.take.default", lambda n: (tensor(n, 8), torch.tensor([[0, 3], [5, -1]]))),
    Case("aten.diagonal.default", lambda n: (tensor(n, 4, 6), 1, 1, 2)),
    Case("aten.full.default", lambda n: ([3, 4], 2.5)),
    Case("aten.full_like.default", lambda n: (tensor(n, dtype=i64), 7)),
    Case("aten.zeros_like.default", lambda n: (tensor(n, dtype=b),)),
    Case("aten.new_ones.default", lambda n: (tensor(n), [N, 2])),
    Case("aten.arange.start_step", lambda n: (2, 11, 3)),
    Case("aten.arange.start_step", lambda n: (9, -4, -3), {"dtype": torch.float32}, label="down"),
    Case("aten.arange.start_step", lambda n: (0.5, 3.0, 0.25), label="float"),
    Case("aten.scalar_tensor.default", lambda n: (0.1,), {"dtype": bf16}),
    Case("aten.eye.m", lambda n: (3, 5)),
    Case("aten.tril.default", lambda n: (tensor(2, n, 5), -1)),
    Case("aten.triu.default", lambda n: (tensor(n, 5), 1)),
    Case("aten.linspace.default", lambda n: (0.0, 1.0, 7)),
    Case("aten.pixel_shuffle.default", lambda n: (tensor(n, 8, 3, 4), 2)),
    Case("aten.pixel_unshuffle.default", lambda n: (tensor(n, 2, 6, 4), 2)),
]
