"""Checks that C++ includes follow the dependency graph of the folders.

Usage: ``python tools/lint/include_dag.py [ROOT]``. Exit status 1 lists every forbidden include.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lint.common import files, line_of, run, strip_comments

# folder of core/ -> what it may include beside itself; what those may include follows.
DEPENDS: dict[str, set[str]] = {
    "util": set(),
    "types": {"util"},
    "loop": {"types"},
    "device": {"types"},
    "layers": {"loop", "types"},
    "ir": {"layers", "loop", "types"},
    "conversion": {"ir"},
    "kernels": {"device", "layers", "loop", "types"},
    "optimizer": {"ir", "kernels/reference"},
    "tactics": {"ir", "kernels"},
    "engine": {"kernels", "types"},
    "builder": {"optimizer", "tactics", "engine"},
    "execution": {"engine"},
    "runtime": {"execution"},
    "torchscript": {"conversion", "builder", "runtime"},
}
# header family -> folders that may include it
FAMILIES: dict[str, tuple[re.Pattern[str], tuple[str, ...]]] = {
    "libtorch": (
        re.compile(r"(torch|ATen|c10|caffe2)/"),
        ("core/runtime/", "core/torchscript/", "cpp/", "py/torch_tensorrt/csrc/"),
    ),
    "pybind11": (re.compile(r"pybind11/|Python\.h"), ("py/torch_tensorrt/csrc/",)),
    "CUDA": (
        re.compile(r"cuda|cublas|cudnn|nvrtc|nvml"),
        ("core/device/cuda/", "core/kernels/cuda/", "core/execution/cuda_graph"),
    ),
    "oneDNN": (re.compile(r"(oneapi/dnnl/)?dnnl"), ("tools/perf/",)),
}
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)


def allowed(folder: str) -> set[str]:
    """Returns every folder that ``folder`` may include, itself included."""
    reach: set[str] = set()
    pending = [folder]
    while pending:
        name = pending.pop()
        if name not in reach:
            reach.add(name)
            pending += DEPENDS[name.split("/")[0]] if "/" in name else DEPENDS[name]
    return reach


def _may_include(reach: set[str], target: Path) -> bool:
    """``target`` is relative to core/. A dependency on a/b also covers the headers right in a."""
    parts = target.parts
    if parts[0] in reach or "/".join(parts[:2]) in reach:
        return True
    return len(parts) == 2 and any(name.startswith(parts[0] + "/") for name in reach)


def _problem(source: Path, quote: str, target: str) -> str | None:
    for family, (pattern, homes) in FAMILIES.items():
        if pattern.match(target) and not source.as_posix().startswith(homes):
            return f"{family} header {target} outside {', '.join(homes)}"
    if quote == "<":
        return None
    if not target.startswith(("core/", "cpp/", "py/")):
        return f'"{target}" is not written from the repository root'
    if source.parts[0] != "core" or not target.startswith("core/"):
        return None if source.parts[0] != "core" else f"core may not include {target}"
    folder = source.parts[1]
    if folder not in DEPENDS:
        return f"core/{folder} has no row in tools/lint/include_dag.py"
    if not _may_include(allowed(folder), Path(target).relative_to("core")):
        return f"core/{folder} may not include {target}"
    return None


def check(root: Path) -> list[str]:
    """Returns one line for every include that breaks the graph."""
    problems = []
    for path in files(root, ["core", "cpp", "py/torch_tensorrt/csrc"], (".h", ".cpp")):
        source = path.relative_to(root)
        text = strip_comments(path.read_text())
        if path.suffix == ".h" and "#pragma once" not in text:
            problems.append(f"{source}:1: no #pragma once")
        for match in _INCLUDE.finditer(text):
            problem = _problem(source, match[1], match[2])
            if problem:
                problems.append(f"{source}:{line_of(text, match.start())}: {problem}")
    return problems


if __name__ == "__main__":
    run("include_dag", check)
