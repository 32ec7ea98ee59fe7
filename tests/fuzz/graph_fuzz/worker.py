"""A process that checks programs: a crash or a hang ends it and nothing else.

It reads pickled requests from its standard input, ``(program or None, seed, options)``, and answers
with two pickles, the program and the options, then the verdict, each after its length in 8 bytes.
Only its parent talks to it.
"""

from __future__ import annotations

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

    from tests.fuzz.graph_fuzz.check import Verdict, check
    from tests.fuzz.graph_fuzz.generate import Options, generate, options
    from tests.fuzz.graph_fuzz.runner import nothing

    logging.getLogger("torch_tensorrt").propagate = False
    served = 0
    while True:
        try:
            program, seed, chosen = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        verdict = None
        try:
            made = program or generate(seed), chosen or options(seed)
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
