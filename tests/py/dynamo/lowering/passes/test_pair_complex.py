from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch_tensorrt

from tests.py.dynamo.lowering.decompositions.compiled import Function, check

SIZES = [1, 2, 7, 33, 64, 65, 100, 257]


def _error(got: torch.Tensor, exact: torch.Tensor) -> float:
    return float((got - exact).abs().square().mean().sqrt())


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "transform",
    [
        torch.fft.fft,
        torch.fft.rfft,
        torch.fft.ifft,
        torch.fft.ihfft,
        lambda x: torch.fft.irfft(x, x.shape[-1]),
        lambda x: torch.fft.fft2(x, norm="ortho"),
        lambda x: torch.fft.ifft(torch.fft.fft(x) * 2).real,
    ],
)
def test_transforms_are_as_near_as_pytorchs(
    transform: Callable[[torch.Tensor], torch.Tensor], size: int
) -> None:
    x = torch.randn(3, size)
    program = torch.export.export(Function(transform), (x,))
    compiled = torch_tensorrt.dynamo.compile(
        program, arg_inputs=(x,), require_full_compilation=True, min_block_size=1
    )
    got, exact = compiled(x), transform(x.double())
    floor = 1e-7 * float(exact.abs().square().mean().sqrt())
    assert got.dtype == transform(x).dtype
    assert _error(got, exact) <= 2 * _error(transform(x), exact) + floor


def test_a_spectrogram() -> None:
    window = torch.hann_window(16)

    def spectrogram(x: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(x, 16, 4, window=window, return_complex=True)
        return torch.view_as_real(spectrum).square().sum(-1)

    check(spectrogram, torch.randn(2, 100))


def test_numbers_become_complex_and_real_again() -> None:
    a, b = torch.randn(3, 4), torch.randn(3, 4)
    check(torch.complex, a, b)
    check(lambda x, y: torch.polar(x.abs(), y), a, b)
    check(lambda x, y: (torch.complex(x, y) * torch.complex(y, x)).abs(), a, b)
    check(lambda x, y: torch.complex(x, y).conj().permute(1, 0).imag, a, b)


def test_a_long_prime_is_left_to_pytorch() -> None:
    x = torch.randn(2, 1009, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(Function(lambda a: torch.fft.rfft(a).abs() + a.mean()), (x,))
    compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=(x,), min_block_size=1)
    torch.testing.assert_close(compiled(x), torch.fft.rfft(x).abs() + x.mean())


def test_a_graph_with_complex_inputs_is_left_to_pytorch() -> None:
    x = torch.randn(3, 4, dtype=torch.complex64)
    program = torch.export.export(Function(lambda a: (a * 2).abs() + 1), (x,))
    compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=(x,), min_block_size=1)
    torch.testing.assert_close(compiled(x), (x * 2).abs() + 1)
