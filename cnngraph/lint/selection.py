"""The selection of warnings: `--select` and `--ignore`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cnngraph.diagnostics import did_you_mean
from cnngraph.lint.rule import all_rules
from cnngraph.text import in_backticks

COMPILER_CODES = ("W318",)  # reported by the compiler, since it may explain an error


class UnknownCodeError(Exception):
    """No spec warning has this code or prefix."""

    def __init__(self, code: str, help: str) -> None:
        self.code = code
        super().__init__(f"no spec warning has the code `{code}`: {help}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Codes of warnings or prefixes of codes, such as W401 or W4. An empty `select` means all warnings."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str) -> bool:
        """Whether a warning with this code is reported."""
        return code.startswith(self.select or "W") and not (self.ignore and code.startswith(self.ignore))


EVERYTHING = Selection()


def known_codes() -> tuple[str, ...]:
    """The codes of all spec warnings."""
    return tuple(sorted((*COMPILER_CODES, *(rule.code for rule in all_rules()))))


def select(chosen: Iterable[str], ignored: Iterable[str]) -> Selection:
    """The selection of codes or prefixes. Raises UnknownCodeError for one that matches no warning."""
    known = known_codes()
    selection = Selection(tuple(chosen), tuple(ignored))
    for code in (*selection.select, *selection.ignore):
        if not any(other.startswith(code) for other in known):
            raise UnknownCodeError(code, _help(code, known))
    return selection


def _help(code: str, known: tuple[str, ...]) -> str:
    if code.startswith("E"):
        return "it is an error, and errors are always reported"
    return did_you_mean(code, known) or f"the codes are {in_backticks(known)}"
