"""Converts document values to the types of the language and collects all errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cnngraph.diagnostics import Diagnostic, DiagnosticList, Known, Span, Suggestion
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import TRUTHS, show_value
from cnngraph.language.model import Ignore, LocatedText
from cnngraph.nearest import nearest

MAX_STRING = 2_000  # characters of a name, a path, or an expression for one
MAX_IGNORED = 1_000  # entries of `ignore` in one file
HOW_TO_IGNORE = "write `ignore: {W401: why it is right here}`"


class Reader:
    """One method per kind of value: it returns the value, or reports an error and returns None."""

    def __init__(self) -> None:
        self.errors = DiagnosticList()
        self.ignored = 0  # entries of `ignore` so far

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """Report an error."""
        self.errors.append(Diagnostic(code, message, span, help=help))

    def known_keys(self, table: Table, known: Iterable[str], what: str) -> dict[str, Entry]:
        """Entries by key. Unknown keys are errors; a misspelt one is read as the key it resembles.

        So a misspelt `params` is a single error, not one more for each use of a param.
        """
        options = tuple(known)
        found = {entry.key: entry for entry in table if entry.key in options}
        for entry in table:
            if entry.key not in options:
                near = nearest(entry.key, options)
                help = Suggestion(near) if near else Known.listed("the keys are", options)
                self.error("E110", f"{what} has no key `{entry.key}`", entry.key_span, help)
                if near:
                    found.setdefault(near, entry)
        return found

    def table(self, value: Value, what: str, expected: str = "a mapping (name: value)") -> Table | None:
        """A mapping; null counts as an empty one."""
        if is_null(value):
            return Table((), value.span)
        if not isinstance(value, Table):
            self.error("E109", f"`{what}` must be {expected}, got `{show_value(value.plain())}`", value.span)
            return None
        return value

    def condition(self, value: Value, what: str) -> Scalar | None:
        """An expression, true or false."""
        if not isinstance(value, Scalar) or value.value is None:
            found = show_value(value.plain())
            self.error("E109", f"`{what}` must be true, false or an expression, got `{found}`", value.span)
            return None
        return value

    def string(self, value: Value, what: str, expected: str = "a string", most: int = MAX_STRING) -> LocatedText | None:
        """A string; an integer is converted to one."""
        plain = value.plain()
        if isinstance(plain, bool) or not isinstance(plain, str | int) or plain == "":
            help = "quote it" if isinstance(plain, bool | float) else None
            self.error("E109", f"`{what}` must be {expected}, got `{show_value(plain)}`", value.span, help)
            return None
        if len(str(plain)) > most:
            self.error("E501", f"`{what}` has {len(str(plain)):,} characters, the maximum is {most:,}", value.span)
            return None
        return LocatedText(str(plain), value.span)

    def strings(self, value: Value, what: str, expected: str) -> tuple[LocatedText, ...] | None:
        """A string or a list of strings. `expected` describes both: `a path or a list of paths`."""
        items = value.items if isinstance(value, Listing) else (value,)
        found = [self.string(item, what, expected) for item in items]
        return None if None in found else tuple(string for string in found if string)

    def boolean(self, values: Mapping[str, Value], key: str) -> bool:
        """The boolean value of a key; false if it is absent."""
        value = values[key].plain() if key in values else False
        if not isinstance(value, bool):
            meant = TRUTHS.get(str(value).lower())
            help = f"write `{meant}`" if meant else None
            self.error("E109", f"`{key}` must be true or false, got `{show_value(value)}`", values[key].span, help)
        return value is True

    def ignores(self, value: Value, within: Span | None) -> tuple[Ignore, ...]:
        """The warning codes to ignore, with their reasons."""
        table = self.table(value, "ignore")
        before = self.ignored
        self.ignored += len(table.entries) if table else 0
        if self.ignored > MAX_IGNORED:
            if before <= MAX_IGNORED:
                self.error("E501", f"this file has more than {MAX_IGNORED:,} entries in `ignore`", value.span)
            return ()
        found = []
        for entry in table or ():
            reason = entry.value.plain()
            if not WARNING.fullmatch(entry.key):
                errors = entry.key.startswith("E")
                message = "errors cannot be ignored" if errors else f"`{entry.key}` is not a warning code"
                self.error("E109", message, entry.key_span, None if errors else HOW_TO_IGNORE)
            elif not isinstance(reason, str) or not reason.strip():
                message = f"`{entry.key}` needs a reason in `ignore`, got `{show_value(reason)}`"
                self.error("E109", message, entry.key_span, HOW_TO_IGNORE)
            elif len(reason) > MAX_STRING:
                message = f"the reason has {len(reason):,} characters, the maximum is {MAX_STRING:,}"
                self.error("E501", message, entry.value.span)
            else:
                found.append(Ignore(LocatedText(entry.key, entry.key_span), reason, within))
        return tuple(found)


WARNING = re.compile(r"W[0-9]{3}")


def is_null(value: Value) -> bool:
    """Whether a value is null."""
    return isinstance(value, Scalar) and value.value is None
