"""Look-alike characters: non-breaking spaces, Cyrillic letters, full-width punctuation, curly quotes.

Editors, web pages and PDFs insert them invisibly, and messages about the word around them would be misleading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

LATIN = {  # letters of other scripts and the Latin letters that they look like
    **dict(zip("аеорсухѕіјһԁԛԝ", "aeopcyxsijhdqw", strict=True)),
    **dict(zip("АВЕЅІЈКМНОРСТХԌԚԜ", "ABESIJKMHOPCTXGQW", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo", strict=True)),
}
QUOTES = {**dict.fromkeys("“”„‟″", '"'), **dict.fromkeys("‘’‚‛′", "'")}
OPERATORS = {"−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "÷": "/", "≥": ">=", "≤": "<=", "≠": "!="}
WORD = re.compile(r"[^\W\d_]+")
SCRIPT = re.compile("^(cyrillic|greek|latin)")
ASCII_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
CONTROL = r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # YAML 1.2, section 5.1


class LookAlike(NamedTuple):
    """A look-alike character: its position, the character, and the ASCII character it looks like."""

    start: int
    character: str
    meant: str

    @property
    def message(self) -> str:
        """`U+00A0 (non-breaking space) is not an ordinary space`."""
        expected = {" ": "an ordinary space", "": "visible"}.get(self.meant, f"the ASCII character `{self.meant}`")
        return f"{code_point(self.character)} is not {expected}"


def code_point(character: str) -> str:
    """`U+00A0 (non-breaking space)`."""
    name = unicodedata.name(character, "control character").lower().replace("no-break", "non-breaking")
    return f"U+{ord(character):04X} ({SCRIPT.sub(lambda script: script[0].capitalize(), name)})"


def control(text: str) -> re.Match[str] | None:
    """The first character that is not allowed in YAML."""
    return re.search(ASCII_CONTROL if text.isascii() else CONTROL, text)  # the large class takes 3 ms to compile


def find_look_alike(text: str, *, name: bool = False) -> LookAlike | None:
    """The first look-alike character of an unquoted string; None if there is none.

    With `name` the text is a key, in which letters of another script always stand for Latin ones.
    """
    return None if text.isascii() else next(_look_alikes(text, name), None)


def to_ascii(text: str, *, name: bool = False) -> str:
    """The text with look-alike characters replaced by ASCII ones."""
    while found := find_look_alike(text, name=name):
        text = text[: found.start] + found.meant + text[found.start + 1 :]
    return text


def _look_alikes(text: str, name: bool) -> Iterator[LookAlike]:
    letters = set(_foreign_letters(text, name))
    for index, character in enumerate(text):
        if character.isascii():
            continue
        folded = unicodedata.normalize("NFKC", character)
        if unicodedata.category(character) == "Zs":
            yield LookAlike(index, character, " ")
        elif unicodedata.category(character) == "Cf":
            yield LookAlike(index, character, "")
        elif "\uff01" <= character <= "\uff5e":  # full-width forms
            yield LookAlike(index, character, folded)
        elif character in QUOTES and index in (0, len(text) - 1):
            yield LookAlike(index, character, QUOTES[character])
        elif character in OPERATORS and (index == 0 or "$" in text):
            yield LookAlike(index, character, OPERATORS[character])
        elif index in letters:
            yield LookAlike(index, character, LATIN[character])


def _foreign_letters(text: str, name: bool) -> Iterator[int]:
    """The positions of letters of another script in a word that is Latin otherwise."""
    for word in WORD.finditer(text):
        foreign = [index for index in range(*word.span()) if text[index] in LATIN]
        others = [letter for letter in word[0] if letter not in LATIN]
        if foreign and all(other.isascii() for other in others) and (others or name):
            yield from foreign
