"""Checks that objects compiled for one instruction set share no code with the others.

``<name>.isa.cpp`` is compiled once per instruction set, ``<name>.amx.cpp`` for tiles. A weak symbol
(an inline function or a template of the standard library, say) that such an object emits under a
common name may be the one the linker keeps for the whole program, and then AVX-512 code runs on a
machine without it. Every function of these objects must therefore be local or carry the namespace
of its instruction set.

Usage: ``python tools/lint/isa_symbols.py BUILD_FOLDER``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lint.common import run

_OBJECT_FOLDER = re.compile(r"_(generic|avx2|avx512|avx512_bf16|amx)\.dir$")


def isa_objects(build: Path) -> list[tuple[str, Path]]:
    """Returns (instruction set, object file) for every per-ISA object below the build folder."""
    found = []
    for path in sorted([*build.rglob("*.isa.cpp.o"), *build.rglob("*.amx.cpp.o")]):
        for parent in path.parents:
            match = _OBJECT_FOLDER.search(parent.name)
            if match:
                found.append((match[1], path))
                break
    return found


def leaks(isa: str, nm_output: str) -> list[str]:
    """Returns the weak functions in ``nm -C`` output that do not belong to the instruction set."""
    found = []
    for line in nm_output.splitlines():
        match = re.match(r"[0-9a-fA-F]*\s+W\s+(.*)", line)
        if match and not re.search(rf"\b{isa}::", match[1]):
            found.append(match[1])
    return found


def check(build: Path) -> list[str]:
    """Returns one line for every shared weak function, or one that says nothing was checked."""
    objects = isa_objects(build)
    if not objects:
        return [f"{build}: no *.isa.cpp objects; is this a build folder?"]
    problems = []
    for isa, path in objects:
        nm = subprocess.run(
            ["nm", "-C", "--defined-only", str(path)], capture_output=True, text=True, check=True
        )
        name = path.relative_to(build)
        problems += [f"{name}: weak {symbol}" for symbol in leaks(isa, nm.stdout)]
    return problems


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    run("isa_symbols", check)
