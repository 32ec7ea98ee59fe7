"""A process that checks programs on a device, its argument. A crash or a hang ends it alone.

It reads pickled requests from its standard input, ``(program or None, seed, options)``, and answers
with two pickles, the program and the options, then the verdict, each after its length in 8 bytes.
Only its parent talks to it.
"""

from __future__ import annotations

import dataclasses
import gc
import os
import pickle
import sys
import traceback
import warnings
from typing import BinaryIO


def main() -> None:
    """Serve until the input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    import logging

    import torch

    from tests.fuzz.graph_fuzz.check import Verdict, check
    from tests.fuzz.graph_fuzz.generate import Options, generate, options
    from tests.fuzz.graph_fuzz.runner import nothing

    logging.getLogger("torch_tensorrt").propagate = False
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    torch.backends.cudnn.allow_tf32 = False  # eager's error is the measure
    served = 0
    while True:
        try:
            program, seed, chosen = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        verdict = None
        try:
            program = program or dataclasses.replace(generate(seed), device=device)
            made = program, chosen or options(seed)
        except Exception:  # a fault of the fuzzer, as below
            made = nothing(seed), Options()
            verdict = Verdict("internal", traceback.format_exc()[-1500:])
        _reply(replies, made)
        try:
            verdict = verdict or check(*made)
        except Exception:
            verdict = Verdict("internal", traceback.format_exc()[-1500:])
        _reply(replies, verdict)
        served += 1
        if served % 20 == 0:
            gc.collect()


def _reply(replies: BinaryIO, what: object) -> None:
    data = pickle.dumps(what)
    replies.write(len(data).to_bytes(8, "little") + data)
    replies.flush()


if __name__ == "__main__":
    main()
