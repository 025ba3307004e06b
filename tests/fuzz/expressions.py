"""Random expressions, and their evaluation by Python, which cnngraph must agree with.

An expression is translated token by token (`$a.0` becomes a look-up, `true` becomes True, a list literal becomes
`Elements`, whose operators work elementwise); parsing, precedence and arithmetic are Python's.
"""

from __future__ import annotations

import ast
import math
import operator
import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

LARGEST = 2**53
ELEMENTS = ["$w.0", "$w[-1]", "$v[1][0]", "$v.0.1", "$rows.1.out", "$rows[0].at[1]", "$rows[0]['out']", "$rows[1].at.0"]
ELEMENTS += ["$w[$z]", "$v[$z + 1].2"]
REFERENCE = re.compile(r"\$([A-Za-z_]\w*)((?:\.\w+)*)|'[^']*'|\b(true|false|null)\b|(?<=\])((?:\.\w+)+)")
WORDS = {"true": "True", "false": "False", "null": "None"}


class RefusedError(Exception):
    """The documentation says that this expression is an error."""


class Elements(list[Any]):
    """A list with elementwise arithmetic; `+` joins two lists."""

    def _with(self, function: Callable[[Any, Any], Any], other: Any) -> Elements:
        if isinstance(other, list):
            raise TypeError("two lists")
        return Elements(_calculated(function, element, other) for element in self)

    def _from(self, function: Callable[[Any, Any], Any], other: Any) -> Elements:
        return Elements(_calculated(function, other, element) for element in self)

    def __add__(self, other: Any) -> Elements:
        return Elements([*self, *other]) if isinstance(other, list) else self._with(operator.add, other)

    def __radd__(self, other: Any) -> Elements:
        return self._from(operator.add, other)

    def __sub__(self, other: Any) -> Elements:
        return self._with(operator.sub, other)

    def __rsub__(self, other: Any) -> Elements:
        return self._from(operator.sub, other)

    def __mul__(self, other: Any) -> Elements:
        return self._with(operator.mul, other)

    def __rmul__(self, other: Any) -> Elements:
        return self._from(operator.mul, other)

    def __truediv__(self, other: Any) -> Elements:
        return self._with(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> Elements:
        return self._from(operator.truediv, other)

    def __floordiv__(self, other: Any) -> Elements:
        return self._with(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Elements:
        return self._from(operator.floordiv, other)

    def __mod__(self, other: Any) -> Elements:
        return self._with(operator.mod, other)

    def __rmod__(self, other: Any) -> Elements:
        return self._from(operator.mod, other)

    def __neg__(self) -> Elements:
        return Elements(-element for element in self)

    def __getitem__(self, place: Any) -> Any:
        found = super().__getitem__(place)
        return Elements(found) if isinstance(place, slice) else found


def elements(value: Any) -> Any:
    """A plain value with `Elements` for its lists."""
    if isinstance(value, list | tuple):
        return Elements(map(elements, value))
    return {key: elements(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def plain(value: Any) -> Any:
    """The value with plain lists, within the limits of the language."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise RefusedError("not a number")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise RefusedError("too large")
    return value


def _calculated(function: Callable[[Any, Any], Any], left: Any, right: Any) -> Any:
    result = function(left, right)
    if isinstance(result, complex):
        raise RefusedError("not a number")
    return result


def _each(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        return Elements(map(apply, value)) if isinstance(value, list) else function(value)

    return apply


def _make_divisible(value: Any, divisor: int = 8) -> Any:
    """MobileNet's rounding: the nearest multiple, at most 10 % below."""

    def one(number: float) -> int:
        multiple = max(divisor, math.floor(number / divisor + 0.5) * divisor)
        return multiple + divisor if multiple < 0.9 * number else multiple

    return _each(one)(value)


def _ceil_divisible(value: Any, divisor: int = 8) -> Any:
    return _each(lambda number: -int(-number // divisor) * divisor)(value)


def _get(value: Any, part: str) -> Any:
    if part.isdecimal():
        return value[int(part)]
    return value[part] if isinstance(value, Mapping) else getattr(value, part)


def _power(base: Any, exponent: Any) -> Any:
    """The power, except one that Python would take too long to compute."""
    if isinstance(base, list) or isinstance(exponent, list):
        one = base if isinstance(base, list) else exponent
        if one is base and isinstance(exponent, list):
            raise TypeError("two lists")
        return Elements(_power(element, exponent) if one is base else _power(base, element) for element in one)
    if isinstance(base, int) and isinstance(exponent, int) and abs(base) > 1 and exponent > 100:
        raise RefusedError("too large")
    return _calculated(operator.pow, base, exponent)


FUNCTIONS: Mapping[str, Any] = {
    "min": min,
    "max": max,
    "abs": _each(abs),
    "round": _each(round),
    "floor": _each(math.floor),
    "ceil": _each(math.ceil),
    "int": _each(int),
    "sum": sum,
    "len": len,
    "range": lambda *bounds: Elements(range(*bounds)),
    "make_divisible": _make_divisible,
    "ceil_divisible": _ceil_divisible,
    "log2": _each(math.log2),
    "fill": lambda value, count: Elements([value] * count),
    "Elements": Elements,
    "get_": _get,
    "power_": _power,
    "__builtins__": {},
}


class _Lists(ast.NodeTransformer):
    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Pow):
            return node
        return ast.Call(ast.Name("power_", ast.Load()), [node.left, node.right], [])

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("Elements", ast.Load()), [node], [])

    def visit_List(self, node: ast.List) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(ast.Name("Elements", ast.Load()), [node], [])


@lru_cache(maxsize=4096)
def _compiled(text: str) -> CodeType:
    return compile(_tree(text), text, "eval")


def _tree(text: str) -> ast.Expression:
    def translated(match: re.Match[str]) -> str:
        name, trail, word, members = match.groups()
        if members:
            parts = members.split(".")[1:]
            return "".join(f"[{part}]" if part.isdecimal() else f"['{part}']" for part in parts)
        if name is None:
            return WORDS[word] if word else match[0]
        result = name if name == VARIABLE else f"names_['{name}']"
        for part in trail.split(".")[1:]:
            result = f"get_({result}, '{part}')"
        return result

    tree: ast.Expression = ast.parse(REFERENCE.sub(translated, text).strip(), mode="eval")
    tree = _Lists().visit(tree)
    return ast.fix_missing_locations(tree)


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of an expression, evaluated by Python. Raises Python's exceptions or RefusedError."""
    return eval(_compiled(text), {**FUNCTIONS, "names_": names})


def exceeds_limits(text: str, names: Mapping[str, Any]) -> bool:
    """Whether some subexpression, evaluated or not, exceeds the limits of numbers."""
    for node in ast.walk(_tree(text).body):
        if not isinstance(node, ast.expr):
            continue
        part = ast.fix_missing_locations(ast.Expression(node))
        try:
            plain(eval(compile(part, text, "eval"), {**FUNCTIONS, "names_": names}))
        except (RefusedError, OverflowError):
            return True
        except Exception:  # not a complete subexpression
            continue
    return False


VARIABLE = "q"  # of lists with a `for`
POWERS = ["2", "0", "0.5", "-1", "$a"]
ROUNDINGS = ["abs", "round", "floor", "ceil", "int"]


class Expressions:
    """Random expressions over params: numbers, lists, conditions and strings."""

    PARAMS: Mapping[str, Any] = {
        "a": 3,
        "b": 7,
        "z": 0,
        "h": 0.5,
        "n": -4,
        "w": [64, 128, 256],
        "v": [[1, 2], [3, 4, 5]],
        "rows": [{"out": 8, "at": [1, 2]}, {"out": 16, "at": [3]}],
        "s": "relu",
        "t": True,
        "f": False,
    }

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    def text(self) -> str:
        """An expression that contains a `$`."""
        make = self.rng.choice([self.number, self.number, self.number, self.series, self.condition, self.string])
        text = make(self.rng.randint(1, 3))
        return text if "$" in text else f"{text} if $t else $a"

    def number(self, depth: int) -> str:
        choice = self.rng.choice
        if depth <= 0:
            return choice(["$a", "$b", "$z", "$h", "$n", "1", "2", "0.25", "1e-3", "5", *ELEMENTS])
        sign, other, power = choice(["+", "-", "*", "/", "//", "%"]), choice(["+", "*", "-"]), choice(POWERS)
        one, two = self.number(depth - 1), self.number(depth - 1)
        three, four, series = self.number(depth - 2), self.number(depth - 2), self.series(depth - 1)
        return choice(
            [
                f"{one} {sign} {two}",
                f"{one} {sign} {three} {other} {four}",
                f"{one} ** {three} {other} {four}",
                f"({one} {other} {two})",
                f"{three} ** {power}",
                f"-{one}",
                f"{choice(['min', 'max'])}({one}, {two})",
                f"{choice(['min', 'max', 'sum', 'len'])}({series})",
                f"{choice(ROUNDINGS)}({one})",
                f"{choice(['make', 'ceil'])}_divisible({one}{choice(['', ', 4', ', 3'])})",
                f"log2({one})",
                f"({one} if {self.condition(depth - 1)} else {two})",
                f"$w[{choice(['$a - 1', '$z', '-$a', '$a % 2', '$n', '1'])}]",
                f"{series}[{choice(['0', '-1', '1', '$z'])}]",
            ]
        )

    def series(self, depth: int) -> str:
        choice = self.rng.choice
        if depth <= 0:
            return choice(["$w", "[1, $a, 2.5]", "$v[1]", "[$b]", "$rows.0.at", "[]", "$w[1:]", "$w[:-1]", "$w[::2]"])
        inner, other = self.series(depth - 1), self.series(depth - 1)
        return choice(
            [
                f"{choice(['$h', '2', '$n'])} {choice(['+', '-', '*', '/', '//'])} {inner}",
                f"({inner} {choice(['+', '-', '*', '/', '//', '%', '**'])} {choice(['2', '$a', '$h'])})",
                f"({inner} + {other})",
                f"-{inner}",
                f"[{self.number(depth - 1)}, {self.number(depth - 1)}]",
                f"range({choice(['4', '$a', '1, $b, 2', '$a, $z, -1', '$z'])})",
                f"{choice(ROUNDINGS)}({inner})",
                f"{choice(['make', 'ceil'])}_divisible({inner})",
                f"fill({self.number(depth - 1)}, {choice(['2', '$a', '0'])})",
                f"[{choice(['$q', '2 * $q', '$q + $a'])} for $q in {inner}{choice(['', ' if $t', ' if $q > 1'])}]",
                f"[$p + $q for $p in {inner} for $q in [2, $a]{choice(['', ' if $t', ' if $q > 2'])}]",
                f"{inner}{choice(['[1:]', '[:-1]', '[::2]', '[$z:$a]', '[-2:]', '[5:]'])}",
            ]
        )

    def condition(self, depth: int) -> str:
        choice = self.rng.choice
        if depth <= 0:
            return choice(
                ["$t", "$f", "true", "false", "$s == 'relu'", "null == null", "$s != null", "$a != 3", "$h < 1"]
            )
        one, other = self.condition(depth - 1), self.condition(depth - 1)
        number = self.number(depth - 1)
        return choice(
            [
                f"{number} {choice(['<', '<=', '>', '>=', '==', '!='])} {self.number(depth - 1)}",
                f"0 < {number} <= 4",
                f"not {one}",
                f"{one} {choice(['and', 'or'])} {other}",
                f"({one})",
                f"{self.series(depth - 1)} {choice(['==', '!='])} {self.series(depth - 1)}",
                f"{self.string(depth - 1)} == {self.string(depth - 1)}",
            ]
        )

    def string(self, depth: int) -> str:
        if depth <= 0:
            return self.rng.choice(["$s", "'relu'", "'a.b'", "'$x'"])
        pair = f"{self.string(depth - 1)} + {self.string(depth - 1)}"
        return self.rng.choice([pair, f"({pair} if {self.condition(depth - 1)} else {self.string(0)})"])
