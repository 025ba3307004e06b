"""The manual of the lint rules, docs/lint.md: made from their docstrings and examples."""

from __future__ import annotations

from inspect import cleandoc
from textwrap import dedent

from cnngraph.lint.rule import Rule, all_rules

INTRODUCTION = """\
# Lint rules

What is legal in a spec and yet likely wrong is a warning: it is printed by every command that reads the spec, and never
stops it. Where it is meant, `ignore` in the spec says so, with a reason:
```yaml
nodes:
  join: {op: concat, ignore: {W401: more branches are to come}}
```
At the top of a file, `ignore` is about everything in that file. `cnngraph check --ignore W401,W6` leaves out warnings
by their codes or the beginnings of codes, `--select W401` reports no others.
"""


def lint_manual() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *map(_chapter, all_rules())])


def _chapter(rule: Rule) -> str:
    head = f"## {rule.code}: {rule.title}\n\n{cleandoc(rule.__doc__ or '')}\n"
    return f"{head}\n{_examples('Reported', rule.bad)}\n{_examples('Fine', rule.good)}"


def _examples(title: str, examples: tuple[str, ...]) -> str:
    blocks = "\n".join(f"```yaml\n{dedent(example).strip()}\n```" for example in examples)
    return f"{title}:\n{blocks}\n"
