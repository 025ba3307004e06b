"""Applying fixes to files: what is changed, and what is preserved."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnngraph.atomic_files import WriteError
from cnngraph.compilation import compile_spec, fix_spec
from cnngraph.diagnostics import Edit, Source, Span, apply_edits, compose_edits
from cnngraph.library import library_root

HEAD = "cnngraph: 1\ninput: [3, 32, 32]\n"
WRONG = HEAD + "nodes:\n  conv: {op: cnov, out: 8, kernel: 3}  # größer\n  pool: global_avg_pol\n"
RIGHT = WRONG.replace("cnov", "conv").replace("avg_pol", "avg_pool")
BLOCKS = "cnngraph: 1\nblocks:\n  unit:\n    params: {out: }\n    nodes: [{op: conv, out: $out, kernal: 3}, relu]\n"
USE = HEAD + "import: [blocks.yaml]\nnodes: [{op: unit, out: 8}, global_avg_pol]\n"


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def fix(data: bytes, name: str = "net.yaml") -> bytes:
    """The bytes of a file after fixing it."""
    path = Path(name)
    path.write_bytes(data)
    fix_spec(name).write()
    return path.read_bytes()


def test_fixes_are_applied_until_none_is_left() -> None:
    Path("net.yaml").write_text(WRONG, encoding="utf-8")
    found = fix_spec("net.yaml")
    assert [str(fix_) for fix_ in found.applied] == [
        "net.yaml:4: replace `cnov` with `conv`",
        "net.yaml:5: replace `global_avg_pol` with `global_avg_pool`",
    ]
    assert Path("net.yaml").read_text(encoding="utf-8") == WRONG  # nothing is written before `write`
    found.write()
    assert Path("net.yaml").read_text(encoding="utf-8") == RIGHT
    assert compile_spec("net.yaml").ok
    assert found.ok


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [True, False])
def test_line_endings_and_byte_order_mark_are_kept(newline: str, start: bytes, end: bool) -> None:
    """Even if a fix adds a line."""
    wrong, right = (text if end else text.rstrip("\n") for text in (WRONG, RIGHT))
    assert fix(start + wrong.replace("\n", newline).encode()) == start + right.replace("\n", newline).encode()
    node = "nodes:\n  conv:\n    op: conv\n    out: 8\n    kernel: 3\n  add: {op: add, from: [conv, in]}\n"
    wrong = HEAD.replace("[3,", "[8,") + node
    right = wrong.replace("kernel: 3\n", "kernel: 3\n    padding: half\n")
    assert fix(start + wrong.replace("\n", newline).encode()) == start + right.replace("\n", newline).encode()


def test_mixed_line_endings_are_kept() -> None:
    mixed = WRONG.replace("\n", "\r\n", 2)
    assert fix(mixed.encode()) == RIGHT.replace("\n", "\r\n", 2).encode()


def test_tabs_are_kept() -> None:
    assert b"\t# tabbed\n" in fix(WRONG.replace("  # größer", "\t# tabbed").encode())


def test_imported_file_is_fixed() -> None:
    Path("blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    assert fix(USE.encode()) == USE.replace("avg_pol", "avg_pool").encode()
    assert Path("blocks.yaml").read_text(encoding="utf-8") == BLOCKS.replace("kernal", "kernel")
    assert compile_spec("net.yaml").ok


def test_bundled_file_is_never_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = tmp_path / "library"
    shutil.copytree(library_root(), root)
    for module in ("cnngraph.library", "cnngraph.language.load", "cnngraph.fixes.apply", "cnngraph.fixes.search"):
        monkeypatch.setattr(f"{module}.library_root", lambda: root)
    (root / "blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    Path("link.yaml").symlink_to(root / "own.yaml")
    (root / "own.yaml").write_text(WRONG, encoding="utf-8")
    fix(USE.encode())
    for name in ("link.yaml", "library/own.yaml"):
        found = fix_spec(name)
        assert not found.ok
        assert not found.applied
    assert (root / "blocks.yaml").read_text(encoding="utf-8") == BLOCKS


def test_links_and_file_modes_are_kept() -> None:
    Path("real.yaml").write_text(WRONG, encoding="utf-8")
    Path("real.yaml").chmod(0o640)
    Path("net.yaml").symlink_to("real.yaml")
    fix_spec("net.yaml").write()
    assert Path("net.yaml").is_symlink()
    assert Path("real.yaml").read_text(encoding="utf-8") == RIGHT
    assert Path("real.yaml").stat().st_mode & 0o777 == 0o640


def test_read_only_file_is_reported_and_unchanged() -> None:
    Path("net.yaml").write_text(WRONG, encoding="utf-8")
    Path("net.yaml").chmod(0o444)
    with pytest.raises(WriteError, match="read-only"):
        fix_spec("net.yaml").write()
    assert Path("net.yaml").read_text(encoding="utf-8") == WRONG


def test_concurrently_changed_file_is_reported_and_unchanged() -> None:
    Path("net.yaml").write_text(WRONG, encoding="utf-8")
    found = fix_spec("net.yaml")
    Path("net.yaml").write_text(WRONG + "# more\n", encoding="utf-8")
    with pytest.raises(WriteError, match="has changed"):
        found.write()
    with pytest.raises(WriteError, match="has changed"):
        found.diff()
    assert Path("net.yaml").read_text(encoding="utf-8") == WRONG + "# more\n"


def test_no_temporary_files_are_left() -> None:
    fix(WRONG.encode())
    assert os.listdir() == ["net.yaml"]


def test_a_diff_shows_what_would_be_written() -> None:
    Path("net.yaml").write_text(WRONG, encoding="utf-8")
    lines = fix_spec("net.yaml").diff().splitlines()
    assert lines[:2] == ["--- net.yaml", "+++ net.yaml"]
    assert "+  pool: global_avg_pool" in lines
    assert "-  pool: global_avg_pol" in lines


# -- consecutive edits

TEXTS = st.text(alphabet="ab\nc", max_size=30)


@st.composite
def edits_of(draw: st.DrawFn, text: str) -> list[Edit]:
    """Non-overlapping edits of a text."""
    source = Source("net.yaml", text)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6, unique=True)))
    found = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        places = [(text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1) for at in (start, end)]
        found.append(Edit(Span(source, *places[0], *places[1]), draw(TEXTS)))
    return found


@given(st.data(), TEXTS)
def test_composed_edits_equal_consecutive_edits(data: st.DataObject, text: str) -> None:
    source = Source("net.yaml", text)
    first = data.draw(edits_of(text))
    between = apply_edits(text, first)
    second = data.draw(edits_of(between))
    assert apply_edits(text, compose_edits(source, first, second)) == apply_edits(between, second)
