"""Making untrusted text safe to print: names in specs, data and weights may contain terminal control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Control characters, surrogates, line separators, and characters that are invisible or change the text direction. These
# are Unicode's Cc, Cf, Cs, Zl, Zp and "default ignorable", except U+FE0E and U+FE0F, which select text or emoji style,
# and visible characters such as the Arabic number signs.
HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
ANY_HIDDEN = re.compile(f"[{HIDDEN}]")
HIDDEN_OR_BREAK = re.compile(f"[\t\n{HIDDEN}]")
SHORT = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
UNDECODED = range(0xDC80, 0xDD00)  # surrogates with which Python represents bytes of a file name that are not UTF-8
MARKDOWN = re.compile(r"[\\`*<>\[\]|~]|^[#+=-]|(?<!\w)_|_(?!\w)")  # an underscore inside a word is not markup


def visible(text: str) -> str:
    r"""The text with invisible and control characters escaped, as in `\x1b` and `\u202e`.

    Line breaks and tabs are unchanged.
    """
    return ANY_HIDDEN.sub(_escape, text)


def in_backticks(names: Iterable[str], joint: str = ", ") -> str:
    """The names as a message lists them, each in backticks."""
    return joint.join(f"`{name}`" for name in names)


def either(names: Iterable[str]) -> str:
    """The names as a sentence lists alternatives: `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def one_line(text: str) -> str:
    r"""The same on one line: line breaks and tabs become `\n` and `\t`, so that a name cannot fake a line of output."""
    return HIDDEN_OR_BREAK.sub(_escape, text)


def markdown(text: str) -> str:
    """The text on one line, escaped such that nothing in it is Markdown, even in a table cell."""
    return MARKDOWN.sub(r"\\\g<0>", one_line(text).replace("&", "&amp;"))


def json_safe(text: str) -> str:
    """JSON text with JSON escapes for the characters that `visible` escapes."""
    return ANY_HIDDEN.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in _units(found[0])), text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in SHORT:
        return SHORT[character]
    if code in UNDECODED:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _units(character: str) -> tuple[int, ...]:
    """The UTF-16 code units of a character, as used by JSON escapes."""
    code = ord(character)
    return (code,) if code < 0x10000 else (0xD800 + (code - 0x10000 >> 10), 0xDC00 + (code & 0x3FF))
