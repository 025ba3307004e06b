"""The base class of rules: a code, documentation, examples and a check in one frozen dataclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from textwrap import dedent
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Fix, Severity, Span
from cnngraph.frozen import frozen
from cnngraph.lint import rules
from cnngraph.lint.network import Network


@frozen(slots=False)
class Rule(ABC):
    """Something that is valid in a spec but likely wrong.

    A subclass is a frozen dataclass in its own file in `lint/rules/`. Its docstring is the manual: what it reports,
    why, and when it is right to ignore it. `bad` and `good` are specs, without the line `cnngraph: 1`: for
    each bad one only this rule's warning is reported, and for a good one nothing at all.
    """

    code: ClassVar[str]  # W and three digits
    title: ClassVar[str]  # a noun phrase in lower case: "merge of a single tensor"
    bad: ClassVar[tuple[str, ...]]
    good: ClassVar[tuple[str, ...]]
    needs_recipe: ClassVar[bool] = False  # it reports nothing if `network.recipe` is None
    is_last: ClassVar[bool] = False  # it runs after all others, when `network.unused_ignores` is known

    @abstractmethod
    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Yield warnings made by `self.warning`. Their fixes are proposals: only verified ones are offered."""

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
    """The complete text of an example's spec."""
    return f"cnngraph: 1\n{dedent(example).strip()}\n"


@cache
def all_rules() -> tuple[Rule, ...]:
    """An instance of each rule, ordered by code: the subclasses of Rule defined in the modules of `rules`."""
    found = []
    for module in sorted(info.name for info in iter_modules(rules.__path__)):
        values = vars(import_module(f"{rules.__name__}.{module}")).values()
        found += [value() for value in values if isinstance(value, type) and _is_rule(value, module)]
    return tuple(sorted(found, key=lambda rule: rule.code))


def _is_rule(value: type, module: str) -> bool:
    here = value.__module__.rpartition(".")[2] == module
    return here and issubclass(value, Rule) and not getattr(value, "__abstractmethods__", None)
