"""The parser of expressions: text to syntax tree, by operator precedence.

From weakest to strongest: `… if … else …`; `or`; `and`; `not`; the comparisons, which chain; `+ -`; `* / // %`; the
sign; `**`, from right to left; and what follows a value: `.name`, `.0`, `[…]`.
"""

from __future__ import annotations

from typing import NoReturn

from cnngraph.diagnostics import Known, Suggestion, did_you_mean
from cnngraph.fields import NOTHINGS, TRUTHS
from cnngraph.language.expressions.comprehension import Comprehension
from cnngraph.language.expressions.functions import FUNCTIONS
from cnngraph.language.expressions.tokens import HELPS, Token, tokens
from cnngraph.language.expressions.tree import (
    Arithmetic,
    Both,
    Call,
    Choice,
    Comparison,
    Either,
    ExpressionError,
    Index,
    Items,
    Literal,
    Member,
    Name,
    Negative,
    Node,
    Not,
    Reference,
    Slice,
)
from cnngraph.language.expressions.values import Fault, bounded

MAX_LENGTH = 2_000
MAX_DEPTH = 50

_CONSTANTS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_KEYWORDS = frozenset({"and", "or", "not", "if", "else", "for"})
_TAKEN = ("in", "from", "i", "item")  # they cannot be the variable of a comprehension
_RANKS = {"or": 1, "and": 2}  # 3 is `not`
_RANKS |= dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 4)
_RANKS |= dict.fromkeys("+-", 5) | dict.fromkeys(("*", "/", "//", "%"), 6)
_NOT = 3
OTHER_WORDS = {**TRUTHS, **dict.fromkeys(NOTHINGS, "null")}


def read(text: str, start: int, end: int) -> Node:
    """Parse `text[start:end]`; positions count from the start of `text`. Raises ExpressionError."""
    check_length(text)
    return _Parser(text, start, end).whole()


def read_index(text: str, start: int, end: int) -> list[Node | None]:
    """Parse the index or the bounds of a slice, separated by colons; None for one that is omitted."""
    check_length(text)
    return _Parser(text, start, end).bounds()


def check_length(text: str) -> None:
    """Raise ExpressionError for a text that is too long."""
    if len(text) > MAX_LENGTH:
        message = f"the expression has {len(text):,} characters, the maximum is {MAX_LENGTH:,}"
        raise ExpressionError(message, 0, len(text), "move parts of it into params", "E503")


class _Parser:
    """A recursive-descent parser with one method per construct."""

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source = source
        self.start, self.end = start, end
        self.tokens = tokens(source, start, end)
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def next(self) -> Token:
        self.at += 1
        return self.tokens[self.at - 1]

    def is_at(self, text: str) -> bool:
        return self.token.text == text and self.token.kind in ("symbol", "word")

    def take(self, text: str) -> bool:
        if self.is_at(text):
            self.at += 1
            return True
        return False

    @property
    def previous_end(self) -> int:
        return self.tokens[self.at - 1].end

    def deeper(self) -> None:
        """Enter a bracket or a nested operator; `shallower` leaves it. Raises ExpressionError if nested too deeply."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.too_deep()

    def shallower(self) -> None:
        self.depth -= 1

    def too_deep(self) -> NoReturn:
        message = f"the expression is nested more than {MAX_DEPTH} levels deep"
        raise ExpressionError(message, self.start, self.end, "move parts of it into params", "E503")

    def whole(self) -> Node:
        if self.token.kind == "end":
            raise ExpressionError("the expression is empty", self.start, self.end)
        node = self.expression()
        if self.token.kind != "end":
            self.refuse("an operator")
        if node.height() > MAX_DEPTH:
            self.too_deep()
        return node

    def bounds(self) -> list[Node | None]:
        """An index, or the bounds of a slice, up to the end."""
        found: list[Node | None] = []
        while True:
            omitted = self.is_at(":") or self.token.kind == "end"
            found.append(None if omitted else self.expression())
            if len(found) == 3 or not self.take(":"):
                break
        if self.token.kind != "end":
            self.refuse("an operator")
        return found

    def expression(self) -> Node:
        self.deeper()
        start = self.token.start
        node = self.binary(1)
        if self.take("if"):
            node = self.choice(start, node)
        self.shallower()
        return node

    def choice(self, start: int, node: Node) -> Node:
        """The rest of `node if condition else other`."""
        condition = self.binary(1)
        if not self.take("else"):
            at = self.token
            if at.kind == "end":
                raise ExpressionError("`if` without `else`", start, at.end, "write `a if condition else b`")
            self.refuse("`else`")
        other = self.expression()
        return Choice(self.source, start, self.previous_end, (node, condition, other))

    def binary(self, least: int) -> Node:
        """Operators of rank `least` and above."""
        start = self.token.start
        node = self.unary(least)
        while (rank := self.rank()) >= least:
            symbols, parts = [], [node]
            while self.rank() == rank:
                symbols.append(self.next().text)
                self.deeper()
                parts.append(self.binary(rank + 1))
                self.shallower()
            place = (self.source, start, self.previous_end, tuple(parts))
            if rank <= 2:
                node = Either(*place) if rank == 1 else Both(*place)
            else:
                node = (Comparison if rank == 4 else Arithmetic)(*place, tuple(symbols))
        return node

    def rank(self) -> int:
        return _RANKS.get(self.token.text, 0) if self.token.kind in ("symbol", "word") else 0

    def unary(self, least: int) -> Node:
        start = self.token.start
        if self.is_at("not") or self.is_at("-"):
            return self.signed(start, least)
        base = self.postfix()
        if not self.take("**"):
            return base
        self.deeper()
        exponent = self.unary(_NOT + 1)
        self.shallower()
        return Arithmetic(self.source, start, self.previous_end, (base, exponent), ("**",))

    def signed(self, start: int, least: int) -> Node:
        """`not` or a minus, with its operand."""
        self.deeper()
        node: Node
        if self.is_at("not"):
            if least > _NOT:
                self.refuse("a value", "put it in parentheses: `(not …)`")
            self.next()
            operand = self.binary(_NOT)
            node = Not(self.source, start, self.previous_end, (operand,))
        else:
            self.next()
            operand = self.unary(_NOT + 1)
            node = Negative(self.source, start, self.previous_end, (operand,))
        self.shallower()
        return node

    def postfix(self) -> Node:
        start = self.token.start
        node = self.atom()
        parts = 0
        while parts <= MAX_DEPTH:
            if self.token.kind == "member":
                parts += self.token.text.count(".")
                node = self.members(node, start)
            elif self.is_at("["):
                parts += 1
                node = self.subscript(node, start)
            else:
                return node
        self.too_deep()

    def members(self, node: Node, start: int) -> Node:
        """Member access after a bracket: `.rows.0.out`."""
        token = self.next()
        end = token.start
        for name in token.text[1:].split(".")[: MAX_DEPTH + 1]:
            end += 1 + len(name)
            node = Member(self.source, start, end, (node,), name)
        return node

    def subscript(self, base: Node, start: int) -> Node:
        opening = self.next()
        bounds = [self.bound()]
        while len(bounds) < 3 and self.take(":"):
            bounds.append(self.bound())
        self.close("]", opening)
        end = self.previous_end
        if len(bounds) > 1:
            bounds += [Literal(self.source, end, end)] * (3 - len(bounds))
            return Slice(self.source, start, end, (base, *bounds))
        if isinstance(bounds[0], Literal) and not bounds[0].text:
            raise ExpressionError("`[]` has no index", opening.start, end, "write `[0]` for the first element")
        return Index(self.source, start, end, (base, *bounds))

    def bound(self) -> Node:
        """A bound of a slice; null if it is omitted."""
        if self.is_at("]") or self.is_at(":"):
            return Literal(self.source, self.token.start, self.token.start)
        return self.expression()

    def atom(self) -> Node:
        token = self.token
        place = (self.source, token.start, token.end)
        if token.kind == "reference":
            self.next()
            name, *trail = token.text[1:].split(".")
            return Name(*place, (), Reference(name, token.start, token.end, tuple(trail)))
        if token.kind == "number":
            self.next()
            return Literal(*place, (), self.number(token))
        if token.kind == "text":
            self.next()
            return Literal(*place, (), token.text[1:-1])
        if token.kind == "word" and token.text in _CONSTANTS:
            self.next()
            return Literal(*place, (), _CONSTANTS[token.text])
        if token.kind == "word" and token.text not in _KEYWORDS:
            return self.call()
        if self.take("("):
            node = self.expression()
            self.close(")", token)
            return node
        if self.take("["):
            return self.items(token)
        self.refuse("a value")

    def number(self, token: Token) -> int | float:
        if self.token.kind == "word" and self.token.start == token.end:
            end = self.token.end
            help = "write `1000` for `1_000`" if self.token.text.startswith("_") else "write `*` to multiply"
            message = f"`{self.source[token.start : end]}` is neither a number nor a name"
            raise ExpressionError(message, token.start, end, help)
        value = int(token.text) if token.text.isdecimal() else float(token.text)
        try:
            bounded(value)
        except Fault as fault:
            raise ExpressionError(fault.message, token.start, token.end, fault.help, fault.code) from None
        return value

    def call(self) -> Node:
        word = self.next()
        name = word.text
        if not self.is_at("("):
            self.bare_word(word)
        function = FUNCTIONS.get(name)
        if function is None:
            help = did_you_mean(name, FUNCTIONS) or Known.listed("the functions are", FUNCTIONS)
            raise ExpressionError(f"there is no function `{name}`", word.start, word.end, help, "E402")
        end, parts = self.listed(")", self.next())
        if not function.least <= len(parts) <= function.most:
            message = f"`{name}` takes {function.takes}, got {len(parts)}"
            raise ExpressionError(message, word.start, end)
        return Call(self.source, word.start, end, parts, name)

    def bare_word(self, word: Token) -> NoReturn:
        name = word.text
        if name in FUNCTIONS:
            help = f"write `{name}(…)`, or `'{name}'` for the string"
            raise ExpressionError(f"`{name}` is a function", word.start, word.end, help)
        message = f"`{name}` is neither a number nor a quoted string"
        if meant := OTHER_WORDS.get(name.lower()):
            raise ExpressionError(message, word.start, word.end, f"write `{meant}`")
        raise ExpressionError(message, word.start, word.end, Suggestion(f"${name}", f"'{name}'"))

    def items(self, opening: Token) -> Node:
        """The rest of a list, or of a comprehension."""
        parts = self.elements("]")
        if len(parts) == 1 and self.is_at("for"):
            return self.comprehension(parts[0], opening)
        self.close("]", opening)
        return Items(self.source, opening.start, self.previous_end, parts)

    def comprehension(self, element: Node, opening: Token) -> Node:
        """The rest of `[element for $name in list … if condition]`."""
        parts, variables = [element], []
        while self.take("for"):
            variables.append(self.variable())
            if not self.take("in"):
                self.refuse("`in`")
            parts.append(self.binary(1))
        if self.take("if"):
            parts.append(self.binary(1))
        self.close("]", opening)
        return Comprehension(self.source, opening.start, self.previous_end, tuple(parts), tuple(variables))

    def variable(self) -> str:
        """The name after `for`."""
        token = self.token
        name = token.text.removeprefix("$")
        if token.kind != "reference" or "." in name:
            self.refuse("a name", f"write `for ${name} in`" if token.kind == "word" else None)
        if name in _TAKEN:
            message = f"`{token.text}` already has a meaning"
            raise ExpressionError(message, token.start, token.end, "choose another name")
        self.next()
        return name

    def listed(self, closing: str, opening: Token) -> tuple[int, tuple[Node, ...]]:
        """Comma-separated expressions up to the closing bracket, and where that ends."""
        parts = self.elements(closing)
        self.close(closing, opening)
        return self.previous_end, parts

    def elements(self, closing: str) -> tuple[Node, ...]:
        """Comma-separated expressions."""
        parts: list[Node] = []
        while not self.is_at(closing):
            named = self.token.kind == "word" and self.tokens[self.at + 1].text == "="
            if named and closing == ")":
                help = "pass the arguments by position"
                raise ExpressionError("functions take no keyword arguments", self.token.start, self.token.end, help)
            parts.append(self.expression())
            if not self.take(","):
                break
        return tuple(parts)

    def close(self, closing: str, opening: Token) -> None:
        if self.take(closing):
            return
        if self.token.kind == "end":
            message = f"`{opening.text}` is never closed"
            raise ExpressionError(message, opening.start, opening.end, f"add the missing `{closing}`")
        self.refuse(f"`{closing}`")

    def refuse(self, expected: str, help: str | None = None) -> NoReturn:
        """Raise ExpressionError: `expected` was expected here."""
        token = self.token
        if token.kind == "end":
            start = self.previous_end - 1 if self.at else token.start
            raise ExpressionError(f"the expression is incomplete: expected {expected}", start, token.end, help)
        help = help or HELPS.get(token.text)
        value = token.kind in ("reference", "number", "text") or token.text in ("(", "[")
        if expected == "an operator" and value and not help:
            message, help = f"an operator is missing before `{token.text}`", "write `*` to multiply"
            raise ExpressionError(message, token.start, token.end, help)
        if token.text == "+" and expected == "a value":
            help = "remove the `+`"
        raise ExpressionError(f"expected {expected}, found `{token.text}`", token.start, token.end, help)
