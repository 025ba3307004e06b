"""Values of a document as words of the language, with every mistake collected."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cnngraph.diagnostics import Diagnostic, Known, Mistakes, Span, Suggestion
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import TRUTHS, show_value
from cnngraph.language.model import Ignore, Word
from cnngraph.nearest import nearest

MAX_WORD = 2_000  # characters of a name, a path, or an expression for one
MAX_IGNORED = 1_000  # entries of `ignore` in one file
HOW_TO_IGNORE = "write `ignore: {W401: why it is right here}`"


class Reader:
    """What a value should be, by methods of that name: each gives it, or None and has a mistake more."""

    def __init__(self) -> None:
        self.mistakes = Mistakes()
        self.ignored = 0  # entries of `ignore` so far

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        """One mistake more."""
        self.mistakes.append(Diagnostic(code, message, span, help=help))

    def known_words(self, table: Table, known: Iterable[str], what: str) -> dict[str, Entry]:
        """Entries by their keys. Of those that are no words, a misspelt one counts as what it is meant to be.

        So a misspelt `params:` is one error, and not one more for each use of a param.
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

    def table(self, value: Value, what: str) -> Table | None:
        """A mapping; nothing at all is an empty one."""
        if is_null(value):
            return Table((), value.span)
        if not isinstance(value, Table):
            self.error(
                "E109", f"`{what}` must be a mapping (name: value), got `{show_value(value.plain())}`", value.span
            )
            return None
        return value

    def scalar(self, value: Value, what: str) -> Scalar | None:
        """An expression, or a plain value for one."""
        if not isinstance(value, Scalar) or value.value is None:
            self.error("E109", f"`{what}` must be an expression, got `{show_value(value.plain())}`", value.span)
            return None
        return value

    def word(self, value: Value, what: str, wanted: str = "a string", most: int = MAX_WORD) -> Word | None:
        """A text, which a whole number may stand for."""
        plain = value.plain()
        if isinstance(plain, bool) or not isinstance(plain, str | int) or plain == "":
            help = "quote it" if isinstance(plain, bool | float) else None
            self.error("E109", f"`{what}` must be {wanted}, got `{show_value(plain)}`", value.span, help)
            return None
        if len(str(plain)) > most:
            self.error("E501", f"`{what}` has {len(str(plain)):,} characters, the maximum is {most:,}", value.span)
            return None
        return Word(str(plain), value.span)

    def words(self, value: Value, what: str) -> tuple[Word, ...] | None:
        """A text, or a list of them."""
        items = value.items if isinstance(value, Listing) else (value,)
        found = [self.word(each, what) for each in items]
        return None if None in found else tuple(each for each in found if each)

    def truth(self, words: dict[str, Value], word: str) -> bool:
        """A word that is true or false, and false where it is not said."""
        value = words[word].plain() if word in words else False
        if not isinstance(value, bool):
            meant = TRUTHS.get(str(value).lower())
            help = f"write `{meant}`" if meant else None
            self.error("E109", f"`{word}` must be true or false, got `{show_value(value)}`", words[word].span, help)
        return value is True

    def ignores(self, value: Value, within: Span | None) -> tuple[Ignore, ...]:
        """Codes of warnings that are not to be reported, each with its reason."""
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
                message = "errors cannot be ignored" if errors else f"`{entry.key}` is not the code of a warning"
                self.error("E109", message, entry.key_span, None if errors else HOW_TO_IGNORE)
            elif not isinstance(reason, str) or not reason.strip():
                message = f"`{entry.key}` needs a reason in `ignore`, got `{show_value(reason)}`"
                self.error("E109", message, entry.key_span, HOW_TO_IGNORE)
            elif len(reason) > MAX_WORD:
                message = f"the reason has {len(reason):,} characters, the maximum is {MAX_WORD:,}"
                self.error("E501", message, entry.value.span)
            else:
                found.append(Ignore(Word(entry.key, entry.key_span), reason, within))
        return tuple(found)


WARNING = re.compile(r"W[0-9]{3}")


def is_null(value: Value) -> bool:
    """Whether a value is empty."""
    return isinstance(value, Scalar) and value.value is None
