"""What a rule is: a code, a manual, examples and a check, in one frozen dataclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from textwrap import dedent
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Fix, Severity, Span
from cnngraph.lint import rules
from cnngraph.lint.network import Network


@dataclass(frozen=True)
class Rule(ABC):
    """Something that is legal in a spec and yet likely wrong.

    A subclass is a frozen dataclass in a file of its own in `lint/rules/`. Its docstring is the manual: what it
    reports, why, and when it is right to ignore it. `bad` and `good` are specs, without the line `cnngraph: 1`: for
    each bad one only this rule's warning is reported, and for a good one nothing at all.
    """

    code: ClassVar[str]  # W and three digits
    title: ClassVar[str]  # a noun phrase in lower case: "merge of a single tensor"
    bad: ClassVar[tuple[str, ...]]
    good: ClassVar[tuple[str, ...]]
    needs_recipe: ClassVar[bool] = False  # it has nothing to say where `network.recipe` is None
    is_last: ClassVar[bool] = False  # it is run after all others, when `network.unused_ignores` is known

    @abstractmethod
    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Warnings, by `self.warning`. Their fixes are proposals: only verified ones are offered."""

    def warning(
        self,
        message: str,
        span: Span | None,
        *,
        node: str | None = None,
        notes: Iterable[str] = (),
        help: str | None = None,
        fixes: Iterable[Fix] = (),
    ) -> Diagnostic:
        """A warning with the rule's code."""
        return Diagnostic(self.code, message, span, Severity.WARNING, node, tuple(notes), help, tuple(fixes))


def example_text(example: str) -> str:
    """The whole text of an example's spec."""
    return f"cnngraph: 1\n{dedent(example).strip()}\n"


@cache
def all_rules() -> tuple[Rule, ...]:
    """One of each rule, in the order of their codes: the subclasses of Rule that the modules of `rules` define."""
    found = []
    for module in sorted(each.name for each in iter_modules(rules.__path__)):
        values = vars(import_module(f"{rules.__name__}.{module}")).values()
        found += [value() for value in values if isinstance(value, type) and _is_rule(value, module)]
    return tuple(sorted(found, key=lambda rule: rule.code))


def _is_rule(value: type, module: str) -> bool:
    here = value.__module__.rpartition(".")[2] == module
    return here and issubclass(value, Rule) and not getattr(value, "__abstractmethods__", None)
