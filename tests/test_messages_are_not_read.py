"""Messages are for people: no code looks into one, or into a help, to find out what it is about."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import cnngraph

ROOT = Path(cnngraph.__file__).parent
SENTENCES = {"message", "help"}
RENDERING = {"diagnostics/edits.py"}  # whether a fix says what the help already says
INSPECTING = {
    *("startswith", "endswith", "find", "index", "split", "rsplit", "splitlines", "count", "replace"),
    *("partition", "rpartition", "removeprefix", "removesuffix", "strip", "lstrip", "rstrip", "translate"),
}
OWNERS = {"command", "option", "param"}  # of click: their help is a text for the page of help


def is_sentence(node: ast.expr) -> bool:
    """Whether an expression is the message or the help of an error."""
    if isinstance(node, ast.BoolOp):
        return any(map(is_sentence, node.values))
    if isinstance(node, ast.Name):
        return node.id in SENTENCES
    owner = node.value if isinstance(node, ast.Attribute) else None
    is_click = isinstance(owner, ast.Name) and owner.id in OWNERS
    return isinstance(node, ast.Attribute) and node.attr in SENTENCES and not is_click


def inspections(tree: ast.AST) -> Iterator[int]:
    """The lines on which a sentence is looked into."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            sentences = [node.func.value] if node.func.attr in INSPECTING else []
            is_pattern = node.func.attr in ("match", "search", "fullmatch", "findall", "finditer", "sub")
            if any(map(is_sentence, [*sentences, *(node.args if is_pattern else ())])):
                yield node.lineno
        elif isinstance(node, ast.Compare):
            for operator, right in zip(node.ops, node.comparators, strict=True):
                sides = [node.left, right] if isinstance(operator, ast.Eq | ast.NotEq) else [right]
                contains = isinstance(operator, ast.In | ast.NotIn | ast.Eq | ast.NotEq)
                if contains and any(map(is_sentence, sides)):
                    yield node.lineno
        elif isinstance(node, ast.Subscript) and is_sentence(node.value):
            yield node.lineno


def test_no_code_reads_a_message_back() -> None:
    found = [
        f"{name}:{line}"
        for path in sorted(ROOT.rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) not in RENDERING
        for line in inspections(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_reading_one_would_be_noticed() -> None:
    for line in (
        "error.message.startswith('x')",
        "help.removeprefix('did you mean ')",
        "'x' in found.help",
        "re.search('x', error.message)",
        "a == error.help",
        "(help or '').partition('x')",
    ):
        assert list(inspections(ast.parse(line))) == [1]
