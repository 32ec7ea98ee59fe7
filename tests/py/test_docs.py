"""Every Python snippet of README.md and docsrc/ is executed, page by page, in reading order."""

from __future__ import annotations

import re
import sys
import textwrap
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docsrc").rglob("*.rst"))]
BUILT = any((ROOT / "py" / "torch_tensorrt").glob("libtorchtrt.so"))


def snippets(path: Path) -> list[tuple[int, str]]:
    """Returns (first line number, code) for each Python block of a Markdown or RST page."""
    text = path.read_text()
    if path.suffix == ".md":
        blocks = re.finditer(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    else:
        blocks = re.finditer(
            r"^\.\. code-block:: python\n\n((?:[ \t]+\S.*\n|[ \t]*\n)+)", text + "\n", re.MULTILINE
        )
    return [
        (text.count("\n", 0, b.start(1)) + 1, textwrap.dedent(b[1]).rstrip() + "\n") for b in blocks
    ]


def run_page(path: Path) -> None:
    """Executes the blocks of a page in one namespace; tracebacks show the page's own lines.

    The namespace is that of a module: torch finds the globals of functions by its name.
    """
    page = types.ModuleType(f"docs_{path.stem}")
    sys.modules[page.__name__] = page
    try:
        for line, code in snippets(path):
            exec(compile("\n" * (line - 1) + code, str(path), "exec"), vars(page))
    finally:
        del sys.modules[page.__name__]


WITH_CODE = [page for page in PAGES if snippets(page)]


@pytest.mark.skipif(not BUILT, reason="needs the built library: make build")
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda p: str(p.relative_to(ROOT)))
def test_snippets_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_page(page)


def test_snippets_are_found() -> None:
    names = {page.name for page in WITH_CODE}
    assert {"README.md", "index.rst", "quick_start.rst", "dynamic_shapes.rst"} <= names


def test_a_wrong_snippet_fails(tmp_path: Path) -> None:
    page = tmp_path / "page.rst"
    page.write_text("Title\n=====\n\n.. code-block:: python\n\n   x = 1\n\n   assert x == 2\n")
    assert snippets(page) == [(6, "x = 1\n\nassert x == 2\n")]
    with pytest.raises(AssertionError):
        run_page(page)


def test_pages_name_only_files_that_exist() -> None:
    """Paths in double backquotes that look like ours must be there."""
    missing = []
    for page in PAGES:
        mentioned = re.findall(
            r"``?((?:core|tools|tests|examples|cmake)/[\w./]+\w)``?", page.read_text()
        )
        missing += [f"{page.name}: {name}" for name in mentioned if not (ROOT / name).exists()]
    assert missing == []
