"""flex_attention runs in engines, with block masks and dynamic shapes."""

import pytest
import torch
import torch_tensorrt
from torch import nn
from torch_tensorrt import Input


class Flex(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.register_buffer("slopes", torch.rand(2))

    def forward(self, q, k, v):
        from torch.nn.attention.flex_attention import flex_attention

        def causal(score, b, h, i, j):
            return torch.where(i >= j, score, -float("inf"))

        def alibi(score, b, h, i, j):
            return score + self.slopes[h] * (j - i)

        score = {"none": None, "causal": causal, "alibi": alibi}[self.kind]
        return flex_attention(q * 2, k, v, score_mod=score, enable_gqa=k.shape[1] != q.shape[1]) + 1


@pytest.mark.parametrize("kind", ["none", "causal", "alibi"])
@pytest.mark.parametrize("heads", [2, 1])
@pytest.mark.parametrize("just_in_time", [True, False])
def test_flex_attention(kind, heads, just_in_time):
    torch._dynamo.reset()
    model = Flex(kind).eval()
    given = torch.randn(2, 2, 7, 8), torch.randn(2, heads, 9, 8), torch.randn(2, heads, 9, 8)
    options = {"require_full_compilation": True}
    with torch.no_grad():
        if just_in_time:
            module = torch.compile(model, backend="tensorrt", options=options)
        else:
            module = torch_tensorrt.compile(model, arg_inputs=list(given), **options)
        torch.testing.assert_close(module(*given), model(*given))


def test_flex_attention_with_a_block_mask_and_dynamic_batch(tmp_path):
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    mask = create_block_mask(lambda b, h, i, j: i >= j, None, None, 16, 16, device="cpu")

    class Masked(nn.Module):
        def forward(self, q, k, v):
            return flex_attention(q, k, v, block_mask=mask)

    model = Masked().eval()
    given = [torch.randn(3, 2, 16, 8) for _ in range(3)]
    module = torch_tensorrt.compile(model, arg_inputs=given, require_full_compilation=True)
    with torch.no_grad():
        torch.testing.assert_close(module(*given), model(*given))
    path = str(tmp_path / "model.ep")
    torch_tensorrt.save(module, path)
    torch.testing.assert_close(torch_tensorrt.load(path).module()(*given), model(*given))


def test_flex_attention_of_any_length():
    spec = Input(
        min_shape=(1, 2, 2, 8),
        opt_shape=(1, 2, 8, 8),
        max_shape=(1, 2, 64, 8),
        shared_dims={2: "n"},
    )
    model = Flex("causal").eval()
    module = torch_tensorrt.compile(
        model, arg_inputs=[spec, spec, spec], require_full_compilation=True
    )
    for length in (2, 33, 64):
        given = [torch.randn(1, 2, length, 8) for _ in range(3)]
        torch.testing.assert_close(module(*given), model(*given))
