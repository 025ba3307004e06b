"""Messages and help texts are for people: no code parses them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import cnngraph

ROOT = Path(cnngraph.__file__).parent
SENTENCES = {"message", "help", "advice", "note"}
RENDERING = {"diagnostics/edits.py"}  # leaves out a fix that repeats the help
INSPECTING = {
    *("startswith", "endswith", "find", "index", "split", "rsplit", "splitlines", "count", "replace"),
    *("partition", "rpartition", "removeprefix", "removesuffix", "strip", "lstrip", "rstrip", "translate"),
}
OWNERS = {"command", "option", "param"}  # objects of click, whose help is the text of --help


def is_sentence(node: ast.expr) -> bool:
    """Whether an expression is the message or help of an error."""
    if isinstance(node, ast.BoolOp):
        return any(map(is_sentence, node.values))
    if isinstance(node, ast.Name):
        return node.id in SENTENCES
    owner = node.value if isinstance(node, ast.Attribute) else None
    is_click = isinstance(owner, ast.Name) and owner.id in OWNERS
    return isinstance(node, ast.Attribute) and node.attr in SENTENCES and not is_click


def inspections(tree: ast.AST) -> Iterator[int]:
    """The lines that inspect a message or help."""
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


def test_no_code_parses_messages() -> None:
    found = [
        f"{name}:{line}"
        for path in sorted(ROOT.rglob("*.py"))
        if (name := path.relative_to(ROOT).as_posix()) not in RENDERING
        for line in inspections(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_parsing_a_message_is_detected() -> None:
    for line in (
        "error.message.startswith('x')",
        "help.removeprefix('did you mean ')",
        "'x' in found.help",
        "re.search('x', error.message)",
        "a == error.help",
        "(help or '').partition('x')",
    ):
        assert list(inspections(ast.parse(line))) == [1]
