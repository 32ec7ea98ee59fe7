"""Every operator case for NVIDIA GPUs: compiled anywhere, run where there is one."""

from __future__ import annotations

import os

import pytest
import torch

from tests.py.dynamo.conversion.harness import Case, check, compile_for
from tests.py.dynamo.conversion.test_operators import CASES

pytestmark = pytest.mark.gpu


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_known_sizes(case: Case) -> None:
    check(case, 7, dynamic=False, device="cuda")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_sizes_known_at_run_time(case: Case) -> None:
    check(case, 7, dynamic=True, sizes=(33, 4), device="cuda")


# A tenth of the cases by default: NVRTC takes a second or so for each.
COMPILED = CASES if os.environ.get("TORCHTRT_COMPILE_ALL") else CASES[::10]


@pytest.mark.parametrize("case", COMPILED, ids=lambda case: case.name)
def test_kernels_compile_without_a_gpu(case: Case) -> None:
    pytest.importorskip("nvidia.cu13", reason="NVRTC is not installed (nvidia-cuda-nvrtc)")
    compile_for(case, 7, True, "sm_90a")
