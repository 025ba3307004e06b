"""The manual of the lint rules, docs/lint.md, generated from their docstrings and examples."""

from __future__ import annotations

from inspect import cleandoc
from textwrap import dedent

from cnngraph.lint.rule import Rule, all_rules

INTRODUCTION = """\
# Lint rules

A warning reports something that is valid in a spec but likely wrong. Every command that reads the spec prints it, and
no command fails because of it. If it is intended, ignore it in the spec, with a reason:
```yaml
nodes:
  join: {op: concat, ignore: {W401: more branches are to come}}
```
At the top level of a file, `ignore` applies to the whole file. `cnngraph check --ignore W401,W6` suppresses warnings
by code or prefix, `--select W401` reports only these. Warnings about images and runs (W617, W620, W644, W647, W648)
are reported by `train`, `evaluate` and `experiment`, and cannot be ignored.
"""


def lint_manual() -> str:
    """The page as Markdown."""
    return "\n".join([INTRODUCTION, *map(_chapter, all_rules())])


def _chapter(rule: Rule) -> str:
    head = f"## {rule.code}: {rule.title}\n\n{cleandoc(rule.__doc__ or '')}\n"
    return f"{head}\n{_examples('Reported', rule.bad)}\n{_examples('Fine', rule.good)}"


def _examples(title: str, examples: tuple[str, ...]) -> str:
    blocks = "\n".join(f"```yaml\n{dedent(example).strip()}\n```" for example in examples)
    return f"{title}:\n{blocks}\n"
