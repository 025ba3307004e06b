"""The complete table of codes: errors, and lint rules with their docstrings and first examples."""

from __future__ import annotations

from functools import cache

from cnngraph.diagnostics.codes import GROUPS, Code, Group, code, spec
from cnngraph.lint.rule import Rule, all_rules, example_text


@cache
def all_groups() -> tuple[Group, ...]:
    """All codes by subject."""
    return (*GROUPS, Group("Lint rules", tuple(map(_entry, all_rules()))))


@cache
def all_codes() -> dict[str, Code]:
    """All codes by their names."""
    return {entry.code: entry for group in all_groups() for entry in group.codes}


def _entry(rule: Rule) -> Code:
    wrong, right = (spec(example_text(examples[0])) for examples in (rule.bad, rule.good))
    return code(rule.code, rule.title, rule.__doc__ or "", wrong, right)
