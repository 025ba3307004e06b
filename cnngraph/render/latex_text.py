r"""Text for LaTeX: in every engine, encoding and language it is only text, whatever it contains.

The result is ASCII, except for characters that LaTeX may not have; these are arguments of `\cnnchar`, which the drawing
defines. Punctuation is written by its number where a package can make it a command (`"` in German, `:` in French).
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Commands that every text encoding has.
_COMMANDS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00a0": " ",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\ldots{}",
    "ß": r"\ss{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "œ": r"\oe{}",
    "Œ": r"\OE{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "§": r"\S{}",
    "¶": r"\P{}",
    "©": r"\copyright{}",
}
_MATHS = {
    "×": r"\times",
    "·": r"\cdot",
    "−": "-",
    "±": r"\pm",
    "÷": r"\div",
    "→": r"\rightarrow",
    "←": r"\leftarrow",
    "↑": r"\uparrow",
    "↓": r"\downarrow",
    "↔": r"\leftrightarrow",
    "⇒": r"\Rightarrow",
    "∞": r"\infty",
    "≤": r"\leq",
    "≥": r"\geq",
    "≠": r"\neq",
    "≈": r"\approx",
    "⊕": r"\oplus",
    "⊗": r"\otimes",
    "⊙": r"\odot",
    "∘": r"\circ",
    "•": r"\bullet",
    "°": r"^{\circ}",
    "²": "^{2}",
    "³": "^{3}",
    "√": r"\surd",
    "∑": r"\sum",
    "∏": r"\prod",
    "∂": r"\partial",
    "∈": r"\in",
    "µ": r"\mu",
}
_MATHS |= {
    letter: f"\\{unicodedata.name(letter).rpartition(' ')[2].replace('LAMDA', 'LAMBDA').lower()}"
    for letter in "αβγδεζηθικλμνξπρστυφχψω"
}
_MATHS |= {
    letter: f"\\{unicodedata.name(letter).rpartition(' ')[2].replace('LAMDA', 'LAMBDA').title()}"
    for letter in "ΓΔΘΛΞΠΣΥΦΨΩ"
}
_ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0323": "d",
    "\u0327": "c",
    "\u0331": "b",
}
_PLAIN = frozenset(" ./()+*@[]")  # besides letters and digits


def latex(text: str) -> str:
    """The text as LaTeX that shows it."""
    return "".join(map(_character, text))


@lru_cache(maxsize=1024)
def _character(character: str) -> str:
    if character.isascii() and (character.isalnum() or character in _PLAIN):
        return character
    if character in _COMMANDS:
        return _COMMANDS[character]
    if character == ",":
        return ",{}"  # two would be a quotation mark
    if character in _MATHS:
        return f"\\ensuremath{{{_MATHS[character]}}}"
    if character.isascii():
        return f"{{\\char{ord(character)}}}" if character.isprintable() else " "
    return _accented(character) or _rare(character)


def _accented(character: str) -> str:
    """A letter with accents as the letter and commands, if LaTeX has these in every encoding."""
    parts = unicodedata.normalize("NFD", character)
    letter, marks = parts[0], parts[1:]
    if not marks or not letter.isascii() or not _ACCENTS.keys() >= set(marks):
        return ""
    result = {"i": r"\i", "j": r"\j"}.get(letter, letter)
    for mark in marks:
        result = f"\\{_ACCENTS[mark]}{{{result}}}"
    return result


def _rare(character: str) -> str:
    r"""`\cnnchar` with the number of the character and the character itself."""
    if not character.isprintable():
        return "?"
    return f"\\cnnchar{{{ord(character)}}}{{{character}}}"
