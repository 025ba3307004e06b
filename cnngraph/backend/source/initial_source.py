"""The `init` rules as a function in generated source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from cnngraph.backend.formatting import WIDTH, format_statement, literal, quoted
from cnngraph.backend.modules.build_layer import layer_class, name_in_source
from cnngraph.backend.modules.initialise import rules_by_module
from cnngraph.backend.modules.plan import Leaf, ScopeModule
from cnngraph.graph.path_patterns import InitRule
from cnngraph.ops.init import InitCall

HEAD = ["def init_weights(model: nn.Module) -> None:", '    """Initialise the weights."""']
CLASS = "isinstance(module, "


def init_weights_source(root: ScopeModule, rules: Sequence[InitRule]) -> str:
    """The source of `init_weights(model)`, which applies the rules, or an empty string if they match nothing.

    Each rule becomes a branch, in reverse order, so that the last matching rule applies.
    """
    winners = [(leaf, rule) for leaf, rule in rules_by_module(root, tuple(rules)) if leaf.node.parameters]
    remaining = dict(_modules(root))
    branches: list[tuple[list[str], list[str]]] = []
    for rule in reversed(rules):
        selected = [leaf for leaf, winner in winners if winner is rule]
        if selected:
            condition, covered = _condition(rule, selected, remaining)
            body = [line for name, value in rule.values.items() for line in _fill(name, value, covered)]
            if branches and branches[-1][1] == body:
                branches[-1][0].append(condition)
            else:
                branches.append(([condition], body))
            for module in covered:
                del remaining[module.path]
    by_class = all(condition.startswith(CLASS) for conditions, _ in branches for condition in conditions)
    loop = "for module in model.modules():" if by_class else "for name, module in model.named_modules():"
    lines = [f"    {loop}"]
    for number, (conditions, body) in enumerate(branches):
        lines += _test("elif" if number else "if", conditions)
        lines += body or [" " * 12 + "pass"]
    return "\n".join([*HEAD, *lines]) if branches else ""


def _test(keyword: str, conditions: list[str]) -> list[str]:
    """The lines of an `if` or `elif` with a disjunction of conditions."""
    if all(condition.startswith(CLASS) for condition in conditions):
        conditions = [f"{CLASS}{' | '.join(condition[len(CLASS) : -1] for condition in conditions)})"]
    line = f"{keyword} {' or '.join(conditions)}:"
    if len(conditions) == 1 or 8 + len(line) <= WIDTH:
        return format_statement(line, 8)
    operands = [f"            {'or ' if number else ''}{condition}" for number, condition in enumerate(conditions)]
    return [f"        {keyword} (", *operands, "        ):"]


def _modules(group: ScopeModule) -> Iterator[tuple[str, Leaf | ScopeModule]]:
    yield group.path, group
    for module in group.children.values():
        if isinstance(module, ScopeModule):
            yield from _modules(module)
        elif not module.is_attribute:
            yield module.path, module


def _has_parameters(module: Leaf | ScopeModule) -> bool:
    return isinstance(module, Leaf) and bool(module.node.parameters)


def _has_child(module: Leaf | ScopeModule, names: Iterable[str]) -> bool:
    """Whether a scope has a child with such a name; as an attribute it would look like a parameter of the scope."""
    return isinstance(module, ScopeModule) and any(name in module.children for name in names)


def _condition(
    rule: InitRule, selected: list[Leaf], remaining: dict[str, Leaf | ScopeModule]
) -> tuple[str, Sequence[Leaf | ScopeModule]]:
    """A condition for the selected modules among the remaining ones, and the modules for which it is true.

    It may also be true for modules without parameters.
    """
    if rule.match in {leaf.node.op for leaf in selected}:
        kinds = list(dict.fromkeys(leaf.layer.kind for leaf in selected))
        classes = tuple(map(layer_class, kinds))
        alike = [
            module
            for module in remaining.values()
            if isinstance(module, Leaf) and issubclass(layer_class(module.layer.kind), classes)  # type: ignore[arg-type]
        ]
        if set(filter(_has_parameters, alike)) == set(selected):
            return f"{CLASS}{' | '.join(map(name_in_source, kinds))})", alike
    if "*" in rule.match:
        fitting = [module for path, module in remaining.items() if re.fullmatch(rule.pattern, path)]
        alone = set(filter(_has_parameters, fitting)) == set(selected)
        if alone and not any(_has_child(module, rule.values) for module in fitting):
            raw = re.fullmatch(r"[\w.*^\\\[\]-]*", rule.pattern, re.ASCII)
            pattern = f'r"{rule.pattern}"' if raw else quoted(rule.pattern)
            return f"re.fullmatch({pattern}, name)", fitting
    if len(selected) == 1:
        return f"name == {quoted(selected[0].path)}", selected
    return f"name in {{{', '.join(quoted(leaf.path) for leaf in selected)}}}", selected


def _fill(name: str, value: float | InitCall, modules: Sequence[Leaf | ScopeModule]) -> Iterator[str]:
    """The lines that fill a parameter; they check that it exists, if not every module has it."""
    having = [module for module in modules if isinstance(module, Leaf) and name in module.node.parameters]
    if not having:
        return
    if isinstance(value, InitCall):
        arguments = "".join(f", {key}={literal(argument)}" for key, argument in value.kwargs.items())
        call = f"nn.init.{value.function}_(module.{name}{arguments})"
    else:
        short = {0.0: "zeros_", 1.0: "ones_"}.get(value)
        call = f"nn.init.{short}(module.{name})" if short else f"nn.init.constant_(module.{name}, {literal(value)})"
    if len(having) == len(modules):
        yield from format_statement(call, 12)
        return
    kinds = {module.layer.kind if isinstance(module, Leaf) else module.kind for module in modules}
    has_attribute = kinds == {module.layer.kind for module in having}
    attribute = f"module.{name}" if has_attribute else f"getattr(module, {quoted(name)}, None)"
    yield f"            if {attribute} is not None:"
    yield from format_statement(call, 16)
