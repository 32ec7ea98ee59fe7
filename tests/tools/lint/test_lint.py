"""Each check accepts clean sources and catches a planted violation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tools.lint import include_dag, isa_symbols, kinds, readmes, skips


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("source", "include"),
    [
        ("core/types/a.cpp", '"core/util/status.h"'),
        ("core/builder/a.cpp", '"core/ir/network.h"'),
        ("core/optimizer/a.cpp", '"core/kernels/reference/softmax.h"'),
        ("core/optimizer/a.cpp", '"core/kernels/kernel.h"'),
        ("core/runtime/a.cpp", "<torch/library.h>"),
        ("core/util/a.cpp", "<vector>"),
        ("py/torch_tensorrt/csrc/a.cpp", '"core/builder/builder.h"'),
    ],
)
def test_include_dag_accepts(tmp_path: Path, source: str, include: str) -> None:
    write(tmp_path, source, f"#include {include}\n")
    assert include_dag.check(tmp_path) == []


@pytest.mark.parametrize(
    ("source", "include", "message"),
    [
        ("core/util/a.cpp", '"core/types/dims.h"', "core/util may not include"),
        ("core/engine/a.cpp", '"core/ir/network.h"', "core/engine may not include"),
        ("core/runtime/a.cpp", '"core/builder/builder.h"', "core/runtime may not include"),
        ("core/optimizer/a.cpp", '"core/kernels/cpu/softmax.h"', "core/optimizer may not include"),
        ("core/ir/a.cpp", "<ATen/ATen.h>", "libtorch header"),
        ("core/kernels/cpu/a.cpp", "<dnnl.hpp>", "oneDNN header"),
        ("core/device/cpu/a.cpp", "<cuda_runtime.h>", "CUDA header"),
        ("core/util/a.cpp", '"status.h"', "repository root"),
        ("core/ir/a.cpp", '"py/torch_tensorrt/csrc/bind.h"', "core may not include"),
        ("core/novel/a.cpp", '"core/util/status.h"', "no row"),
    ],
)
def test_include_dag_catches(tmp_path: Path, source: str, include: str, message: str) -> None:
    write(tmp_path, source, f"// first line\n#include {include}\n")
    (problem,) = include_dag.check(tmp_path)
    assert problem.startswith(f"{source}:2: ")
    assert message in problem


def test_include_dag_ignores_comments_and_wants_pragma_once(tmp_path: Path) -> None:
    write(tmp_path, "core/util/a.h", '/*\n#include "core/ir/network.h"\n*/\n')
    assert include_dag.check(tmp_path) == ["core/util/a.h:1: no #pragma once"]


TABLE = "#define KINDS(X) \\\n" + " \\\n".join(
    f'  X({name}, 1, "")' for name in ("Cast", "Unary", "Select", "Fill", "Softmax", "Concat")
)
ENUM = "\nenum class Kind : int {\n#define E(name, n, s) k##name,\nKINDS(E)\n#undef E\n};\n"


def test_kinds_accepts_one_table_and_its_enum(tmp_path: Path) -> None:
    write(tmp_path, "core/ir/table.h", TABLE + ENUM)
    write(tmp_path, "core/ir/use.cpp", 'auto a = {"Cast", "Fill"};\nenum class Mode { kA, kB };\n')
    assert kinds.check(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("core/ir/b.h", TABLE.replace("KINDS", "AGAIN"), "repeats"),
        ("core/engine/b.h", "enum Tag { kCast, kUnary, kSelect, kFill, kSoftmax = 9 };", "repeats"),
        ("core/ir/b.cpp", 'f({"Cast", "Unary", "Select", "Fill", "Softmax"});', "strings repeat"),
        ("py/names.py", 'K = ["cast", "unary", "select", "fill", "concat"]', "strings repeat"),
        (
            "core/ir/c.cpp",
            "switch (k) { case Kind::kCast: case Kind::kFill: case Kind::kUnary: f(); default:; }",
            "default",
        ),
    ],
)
def test_kinds_catches(tmp_path: Path, name: str, text: str, message: str) -> None:
    write(tmp_path, "core/ir/a.h", TABLE + ENUM)
    write(tmp_path, name, text + "\n")
    problems = kinds.check(tmp_path)
    assert len(problems) == 1
    assert message in problems[0]
    assert name in problems[0]


def test_kinds_catches_an_enum_defined_twice(tmp_path: Path) -> None:
    write(tmp_path, "core/ir/a.h", "enum class Mode { kMin, kMax };\n")
    write(tmp_path, "core/util/b.h", "enum class Mode { kLeft, kRight };\n")
    assert "Mode is defined at" in kinds.check(tmp_path)[0]


def test_kinds_accepts_a_default_after_a_few_kinds(tmp_path: Path) -> None:
    write(tmp_path, "core/ir/a.h", TABLE + ENUM)
    write(tmp_path, "core/ir/c.cpp", "switch (k) { case Kind::kCast: f(); default: g(); }\n")
    assert kinds.check(tmp_path) == []


def test_kinds_accepts_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "core/ir/a.h", TABLE + ENUM)
    write(
        tmp_path,
        "core/ir/b.cpp",
        '// kinds: factory of each\nf({"Cast", "Unary", "Select", "Fill", "Softmax"});\n',
    )
    assert kinds.check(tmp_path) == []


def test_isa_symbols_reads_nm() -> None:
    output = (
        "0000 T torch_tensorrt::core::kernels::avx2::Add(float*, int)\n"
        "0000 W std::vector<float>::resize(unsigned long)\n"
        "0000 W std::vector<core::kernels::avx2::Tile>::resize(unsigned long)\n"
        "0000 t local\n"
    )
    assert isa_symbols.leaks("avx2", output) == ["std::vector<float>::resize(unsigned long)"]


@pytest.mark.skipif(not (shutil.which("g++") and shutil.which("nm")), reason="needs g++ and nm")
def test_isa_symbols_catches_a_shared_template(tmp_path: Path) -> None:
    write(
        tmp_path,
        "leak.isa.cpp",
        "template <class T> __attribute__((noinline)) T Twice(T x) { return x + x; }\n"
        "namespace kernels::avx2 { float F(float x) { return Twice(x); } }\n",
    )
    write(tmp_path, "clean.isa.cpp", "namespace kernels::avx2 { int F(int x) { return x; } }\n")
    folder = tmp_path / "build" / "core_avx2.dir"
    folder.mkdir(parents=True)
    for name in ("leak", "clean"):
        source = f"{name}.isa.cpp"
        subprocess.run(
            ["g++", "-O1", "-c", source, "-o", str(folder / f"{source}.o")],
            cwd=tmp_path,
            check=True,
        )
    (problem,) = isa_symbols.check(tmp_path / "build")
    assert "leak.isa.cpp.o: weak float Twice<float>(float)" in problem


def test_isa_symbols_refuses_to_check_nothing(tmp_path: Path) -> None:
    assert "no *.isa.cpp objects" in isa_symbols.check(tmp_path)[0]


# Assembled, so that this file does not trip the check it tests.
SKIP = "pytest.mark." + "skip"


@pytest.mark.parametrize(
    "text",
    [
        f"@{SKIP}\ndef test_a(): pass\n",
        f"@{SKIP}(reason='')\ndef test_a(): pass\n",
        f"@{SKIP}if(True)\ndef test_a(): pass\n",
        "def test_a():\n    pytest." + "skip()\n",
        "x = pytest." + "importorskip('numpy')\n",
        "@pytest.mark." + "xfail\ndef test_a(): pass\n",
    ],
)
def test_skips_catches_python(tmp_path: Path, text: str) -> None:
    write(tmp_path, "tests/py/test_a.py", "import pytest\n" + text)
    (problem,) = skips.check(tmp_path)
    assert "has no reason" in problem


def test_skips_catches_cpp(tmp_path: Path) -> None:
    write(tmp_path, "tests/core/a_test.cpp", "TEST(A, B) { GTEST_" + "SKIP(); }\n")
    write(tmp_path, "tests/core/b_test.cpp", "TEST(A, DISABLED" + "_B) {}\n")
    problems = skips.check(tmp_path)
    assert len(problems) == 2
    assert "GTEST_SKIP has no reason" in problems[0]
    assert "disabled test" in problems[1]


def test_skips_accepts_reasons(tmp_path: Path) -> None:
    write(
        tmp_path,
        "tests/py/test_a.py",
        f"import pytest\n@{SKIP}if(True, reason='no GPU')\ndef test_a():\n"
        "    pytest." + "skip('needs AVX-512')\n",
    )
    write(tmp_path, "tests/core/a_test.cpp", 'TEST(A, B) { GTEST_SKIP() << "no AVX-512"; }\n')
    assert skips.check(tmp_path) == []


def test_readmes_catches_a_folder_without_one(tmp_path: Path) -> None:
    write(tmp_path, "core/util/a.h", "")
    write(tmp_path, "core/util/README.md", "# core/util\n")
    write(tmp_path, "core/loop/a.cpp", "")
    write(tmp_path, "tests/py/test_a.py", "")
    write(tmp_path, "docsrc/user_guide/a.rst", "")
    write(tmp_path, "third_party/a.cpp", "")
    problems = readmes.check(tmp_path)
    assert [p.split(":")[0] for p in problems] == ["core/loop", "tests/py"]
    write(tmp_path, "core/loop/README.md", "# core/loop\n")
    write(tmp_path, "tests/py/README.md", "# tests/py\n")
    assert readmes.check(tmp_path) == []
