"""The rules of initialisation as a function of a printed network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cnngraph.backend.formatting import WIDTH, format_statement, literal, quoted
from cnngraph.backend.modules.compile import find, name_in_source
from cnngraph.backend.modules.initialise import rules_by_module
from cnngraph.backend.modules.plan import Group, Leaf
from cnngraph.graph.path_patterns import InitRule
from cnngraph.ops.init import InitCall

HEAD = ["def init_weights(model: nn.Module) -> None:", '    """The weights that training starts from."""']
CLASS = "isinstance(module, "


def init_weights_source(root: Group, rules: Sequence[InitRule]) -> str:
    """`init_weights(model)`, which does what the rules say; empty where they set nothing.

    A rule becomes a condition, the last rule the first, so that the last one that fits a module sets it.
    """
    winners = [(leaf, rule) for leaf, rule in rules_by_module(root, tuple(rules)) if leaf.node.parameters]
    left = dict(_modules(root))
    branches: list[tuple[list[str], list[str]]] = []
    for rule in reversed(rules):
        wanted = [leaf for leaf, winner in winners if winner is rule]
        if wanted:
            condition, taken = _condition(rule, wanted, left)
            body = [line for name, value in rule.values.items() for line in _fill(name, value, taken)]
            if branches and branches[-1][1] == body:
                branches[-1][0].append(condition)
            else:
                branches.append(([condition], body))
            for part in taken:
                del left[part.path]
    by_class = all(condition.startswith(CLASS) for conditions, _ in branches for condition in conditions)
    loop = "for module in model.modules():" if by_class else "for name, module in model.named_modules():"
    lines = [f"    {loop}"]
    for number, (conditions, body) in enumerate(branches):
        lines += _test("elif" if number else "if", conditions)
        lines += body or [" " * 12 + "pass"]
    return "\n".join([*HEAD, *lines]) if branches else ""


def _test(word: str, conditions: list[str]) -> list[str]:
    """The lines that ask whether one of the conditions holds."""
    if all(each.startswith(CLASS) for each in conditions):
        conditions = [f"{CLASS}{' | '.join(each[len(CLASS) : -1] for each in conditions)})"]
    line = f"{word} {' or '.join(conditions)}:"
    if len(conditions) == 1 or 8 + len(line) <= WIDTH:
        return format_statement(line, 8)
    asked = [f"            {'or ' if number else ''}{each}" for number, each in enumerate(conditions)]
    return [f"        {word} (", *asked, "        ):"]


def _modules(group: Group) -> Iterator[tuple[str, Leaf | Group]]:
    yield group.path, group
    for part in group.parts.values():
        if isinstance(part, Group):
            yield from _modules(part)
        elif not part.is_parameter:
            yield part.path, part


def _has_parameters(part: Leaf | Group) -> bool:
    return isinstance(part, Leaf) and bool(part.node.parameters)


def _has_child(part: Leaf | Group, names: Iterable[str]) -> bool:
    """Whether a scope has a node of such a name, which as an attribute would look like a parameter of its own."""
    return isinstance(part, Group) and any(name in part.parts for name in names)


def _condition(rule: InitRule, wanted: list[Leaf], left: dict[str, Leaf | Group]) -> tuple[str, Sequence[Leaf | Group]]:
    """What is true for just those of the modules left (and perhaps for some without parameters), and for which."""
    if rule.match in {leaf.node.op for leaf in wanted}:
        kinds = list(dict.fromkeys(leaf.layer.kind for leaf in wanted))
        classes = tuple(map(find, kinds))
        alike = [
            part
            for part in left.values()
            if isinstance(part, Leaf) and issubclass(find(part.layer.kind), classes)  # type: ignore[arg-type]
        ]
        if set(filter(_has_parameters, alike)) == set(wanted):
            return f"{CLASS}{' | '.join(map(name_in_source, kinds))})", alike
    if "*" in rule.match:
        fitting = [part for path, part in left.items() if re.fullmatch(rule.pattern, path)]
        alone = set(filter(_has_parameters, fitting)) == set(wanted)
        if alone and not any(_has_child(part, rule.values) for part in fitting):
            raw = re.fullmatch(r"[\w.*^\\\[\]-]*", rule.pattern, re.ASCII)
            pattern = f'r"{rule.pattern}"' if raw else quoted(rule.pattern)
            return f"re.fullmatch({pattern}, name)", fitting
    if len(wanted) == 1:
        return f"name == {quoted(wanted[0].path)}", wanted
    return f"name in {{{', '.join(quoted(leaf.path) for leaf in wanted)}}}", wanted


def _fill(name: str, value: float | InitCall, parts: Sequence[Leaf | Group]) -> Iterator[str]:
    """The lines that fill a parameter, which not every module has to have."""
    having = [part for part in parts if isinstance(part, Leaf) and name in part.node.parameters]
    if not having:
        return
    if isinstance(value, InitCall):
        arguments = "".join(f", {key}={literal(each)}" for key, each in value.kwargs.items())
        call = f"nn.init.{value.function}_(module.{name}{arguments})"
    else:
        short = {0.0: "zeros_", 1.0: "ones_"}.get(value)
        call = f"nn.init.{short}(module.{name})" if short else f"nn.init.constant_(module.{name}, {literal(value)})"
    if len(having) == len(parts):
        yield from format_statement(call, 12)
        return
    kinds = {part.layer.kind if isinstance(part, Leaf) else part.kind for part in parts}
    has_attribute = kinds == {part.layer.kind for part in having}
    attribute = f"module.{name}" if has_attribute else f"getattr(module, {quoted(name)}, None)"
    yield f"            if {attribute} is not None:"
    yield from format_statement(call, 16)
