"""A process that checks programs: a crash or a hang ends it and nothing else.

It reads pickled requests from its standard input, ``(program or None, seed, options)``, and writes
pickled ``(Verdict, program, options)``. Only its parent talks to it.
"""

from __future__ import annotations

import gc
import os
import pickle
import sys
import traceback
import warnings


def main() -> None:
    """Serve until the input ends."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    import logging

    from tests.fuzz.graph_fuzz.check import Verdict, check
    from tests.fuzz.graph_fuzz.generate import generate, options

    logging.getLogger("torch_tensorrt").propagate = False
    served = 0
    while True:
        try:
            program, seed, chosen = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        program = program or generate(seed)
        chosen = chosen or options(seed)
        try:
            verdict = check(program, chosen)
        except Exception:  # a fault of the fuzzer
            verdict = Verdict("internal", traceback.format_exc()[-1500:])
        pickle.dump((verdict, program, chosen), replies)
        replies.flush()
        served += 1
        if served % 20 == 0:
            gc.collect()


if __name__ == "__main__":
    main()
