"""Which warnings are wanted: `--select` and `--ignore`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cnngraph.diagnostics import did_you_mean
from cnngraph.lint.rule import all_rules
from cnngraph.text import in_backticks

OF_THE_COMPILER = ("W318",)  # a warning that may explain an error, so that no rule gives it


class UnknownCodeError(Exception):
    """No warning about specs has this code, or a code that begins so."""

    def __init__(self, code: str, help: str) -> None:
        self.code = code
        super().__init__(f"no spec warning has the code `{code}`: {help}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes of warnings or their beginnings, such as W401 or W4. Nothing selected means every warning."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str) -> bool:
        """Whether a warning with this code is reported."""
        return code.startswith(self.select or "W") and not (self.ignore and code.startswith(self.ignore))


EVERYTHING = Selection()


def known_codes() -> tuple[str, ...]:
    """The codes of all warnings about specs."""
    return tuple(sorted((*OF_THE_COMPILER, *(rule.code for rule in all_rules()))))


def select(chosen: Iterable[str], ignored: Iterable[str]) -> Selection:
    """The selection of some codes or beginnings of codes. Raises UnknownCodeError for one that fits no warning."""
    known = known_codes()
    selection = Selection(tuple(chosen), tuple(ignored))
    for code in (*selection.select, *selection.ignore):
        if not any(each.startswith(code) for each in known):
            raise UnknownCodeError(code, _help(code, known))
    return selection


def _help(code: str, known: tuple[str, ...]) -> str:
    if code.startswith("E"):
        return "it is an error, and errors are always reported"
    return did_you_mean(code, known) or f"the codes are {in_backticks(known)}"
