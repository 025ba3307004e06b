"""The selection of warnings: `--select` and `--ignore`."""

from __future__ import annotations

from collections.abc import Iterable

from cnngraph.diagnostics import did_you_mean
from cnngraph.frozen import frozen
from cnngraph.lint.rule import all_rules
from cnngraph.text import in_backticks

OF_THE_COMPILER = ("W318", "W319")  # reported by the compiler
OF_RUNS = {  # about images and runs: these commands always report them, `cnngraph check` never does
    "W617": "`cnngraph train` and `cnngraph experiment`",
    "W620": "`cnngraph train` and `cnngraph experiment`",
    "W644": "`cnngraph evaluate` and `cnngraph experiment`",
    "W647": "the commands that read a run",
    "W648": "`cnngraph evaluate`",
}


class UnknownCodeError(Exception):
    """`cnngraph check` reports no warning with this code or prefix."""

    def __init__(self, code: str, help: str) -> None:
        self.code = code
        super().__init__(f"no spec warning has the code `{code}`: {help}")


@frozen
class Selection:
    """Codes of warnings or prefixes of codes, such as W401 or W4. An empty `select` means all warnings."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def wants(self, code: str) -> bool:
        """Whether a warning with this code is reported."""
        return code.startswith(self.select or "W") and not (self.ignore and code.startswith(self.ignore))


EVERYTHING = Selection()


def known_codes() -> tuple[str, ...]:
    """The codes of all warnings that `cnngraph check` may report."""
    return tuple(sorted((*OF_THE_COMPILER, *(rule.code for rule in all_rules()))))


def select(chosen: Iterable[str], ignored: Iterable[str]) -> Selection:
    """The selection of codes or prefixes. Raises UnknownCodeError for one that matches no warning."""
    known = known_codes()
    selection = Selection(tuple(chosen), tuple(ignored))
    for code in (*selection.select, *selection.ignore):
        if not any(other.startswith(code) for other in known):
            raise UnknownCodeError(code, _help(code, known))
    return selection


def where_reported(code: str) -> str | None:
    """Which commands report a warning about images or runs; None for any other code or prefix."""
    commands = next((commands for other, commands in OF_RUNS.items() if other.startswith(code)), None)
    return f"it is reported by {commands}, not by `cnngraph check`" if commands else None


def _help(code: str, known: tuple[str, ...]) -> str:
    if code.startswith("E"):
        return "it is an error, and errors are always reported"
    if where := where_reported(code):
        return where
    return did_you_mean(code, known) or f"the codes are {in_backticks(known)}"
