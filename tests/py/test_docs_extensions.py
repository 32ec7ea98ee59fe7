"""The Sphinx directives read the sources they document."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docsrc" / "_ext"))
pytest.importorskip("docutils", reason="needs requirements-docs.txt")

import settings_table  # noqa: E402
import tag_table  # noqa: E402
from torch_tensorrt.dynamo._settings import CompilationSettings  # noqa: E402


def test_every_setting_has_a_row() -> None:
    names = [name for name, _, _ in settings_table.rows()]
    assert names == [field.name for field in dataclasses.fields(CompilationSettings)]
    assert all(meaning.strip() for _, _, meaning in settings_table.rows())


def test_defaults_name_no_home_directory() -> None:
    assert all(str(Path.home()) not in default for _, default, _ in settings_table.rows())


def test_options_without_effect_say_why() -> None:
    meanings = {name: meaning for name, _, meaning in settings_table.rows()}
    assert "No effect here" in meanings["dla_sram_size"]
    assert "No effect here" not in meanings["min_block_size"]


def test_tags_are_read(tmp_path: Path) -> None:
    source = tmp_path / "a.cpp"
    source.write_text(
        "enum class Tag : uint32_t {\n  kName = 1,  // the name\n  kSize = 4,\n};\n"
        "enum Short : int { kOne = 1, kTwo = 2 };\nenum Bad { kA, kB = 3 };\n"
    )
    assert tag_table.tags(source, "Tag") == [(1, "kName", "the name"), (4, "kSize", "")]
    assert tag_table.tags(source, "Short") == [(1, "kOne", ""), (2, "kTwo", "")]
    with pytest.raises(ValueError, match="no explicit value"):
        tag_table.tags(source, "Bad")
    with pytest.raises(ValueError, match="no enum"):
        tag_table.tags(source, "Missing")


def test_tags_of_one_enum_are_distinct() -> None:
    for enum in ("PlanTag", "TensorTag", "StepTag", "ConstantTag"):
        numbers = [n for n, _, _ in tag_table.tags(ROOT / "core/engine/format_meta.cpp", enum)]
        assert len(set(numbers)) == len(numbers) > 0
