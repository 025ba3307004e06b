"""Values written as equivalent expressions over the names in scope."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.fuzz.expressions import evaluate
from tests.fuzz.names import Env
from tests.fuzz.reading import Reading
from tests.fuzz.spec_tree import Expr


class Disguises(Reading):
    """Draws from one seed, and replaces values by equivalent expressions."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self.rng = random.Random(seed)

    def happens(self, share: float) -> bool:
        """True with this probability."""
        return self.rng.random() < share

    @contextmanager
    def scratch(self) -> Iterator[None]:
        """Discard the operations created inside the context."""
        start, using = len(self.operations), len(self.using)
        try:
            yield
        finally:
            del self.operations[start:]
            del self.using[using:]

    def written(self, arguments: dict[str, Any], env: Env) -> dict[str, Any]:
        """An op's arguments, some of them as expressions."""
        return {key: self.disguise(value, env) for key, value in arguments.items()}

    def disguise(self, value: Any, env: Env) -> Any:
        if type(value) is int and self.happens(0.4):
            return self.integer(value, env)
        if isinstance(value, list) and all(type(item) is int for item in value) and self.happens(0.4):
            return self.listed(value, env)
        if type(value) is bool and self.happens(0.3):
            return self.boolean(value, env)
        return value

    def integer(self, number: int, env: Env) -> Any:
        """An expression with an integer value, over the names in scope."""
        names: dict[str, Any] = {}
        for key, item in env.params.items():
            if type(item) is int:
                names[f"${key}"] = item
            elif isinstance(item, list) and item and type(item[-1]) is int:
                names |= {f"${key}.0": item[0], f"${key}[-1]": item[-1], f"len(${key})": len(item)}
        for key, value in (*env.inputs.items(), *(() if env.reads is None else (("from", env.reads),))):
            if len(value) == 1 and not value.is_list and value.tensors[0].type.axes:
                names |= {f"${key}.channels": value.channels, f"${key}.features": value.features}
                names |= {f"${key}.{axis}": value.tensors[0].type.size(axis[0].upper()) for axis in ("height", "width")}
            else:
                names[f"len(${key})"] = len(value)
        if env.round is not None:
            names["$i"] = env.round[0]
            if type(env.round[1]) is int:
                names["$item"] = env.round[1]
        known = {key: item for key, item in names.items() if type(item) is int and abs(item) < 100}
        if not known or self.happens(0.3):
            return number
        name = self.rng.choice(sorted(known))
        value = known[name]
        forms = [name] if value == number else []
        if value and number % value == 0:
            forms += [f"{name} * {number // value}", f"{number // value} * {name}"]
        if number and value % number == 0:
            forms += [f"{name} // {value // number}", f"int({name} / {value // number})"]
        forms += [f"{name} + {number - value}" if number >= value else f"{name} - {value - number}"]
        forms += [f"{number} if {name} == {value} else {max(1, number)}", f"[{number}, {name}][0]"]
        forms += [
            f"max({number}, {name} - {value})" if number >= 0 else name,
            f"min([{number}, {name} + {number - value}])",
        ]
        text = Expr(self.rng.choice(forms))
        return text if evaluate(text, env.lookup()) == number else number

    def listed(self, numbers: list[int], env: Env) -> Any:
        text = Expr(f"[{', '.join(str(self.integer(number, env)) for number in numbers)}]")
        return text if "$" in text and evaluate(text, env.lookup()) == numbers else numbers

    def boolean(self, value: bool, env: Env) -> Any:
        one = self.integer(3, env)
        if not isinstance(one, Expr):
            return value
        return Expr(f"({one}) == 3" if value else f"not (({one}) == 3)")

    def condition(self, env: Env) -> Any:
        return self.boolean(self.happens(0.4), env)
