"""Initial weights: PyTorch's defaults, then the `init` rules of the spec."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnngraph.backend.modules.plan import Leaf, ScopeModule
from cnngraph.diagnostics import SpecError
from cnngraph.graph.path_patterns import InitRule
from cnngraph.numbers import show_sizes
from cnngraph.ops.init import InitCall


def rules_by_module(group: ScopeModule, rules: tuple[InitRule, ...]) -> Iterator[tuple[Leaf, InitRule]]:
    """The modules that match a rule, in module order, each with the last matching rule.

    Free parameters are left out: their nodes have an initial value.
    """
    for child in group.children.values():
        if isinstance(child, ScopeModule):
            yield from rules_by_module(child, rules)
        elif not child.is_attribute:
            matching = [rule for rule in rules if rule.fits(child.node.op, child.path)]
            if matching:
                yield child, matching[-1]


def init_weights(model: nn.Module, group: ScopeModule, rules: tuple[InitRule, ...]) -> None:
    """Apply the rules. Raises SpecError (E703) if a function of torch.nn.init rejects a parameter."""
    with torch.no_grad():
        for leaf, rule in rules_by_module(group, rules) if rules else ():
            module = model.get_submodule(leaf.path)
            for name, value in rule.values.items():
                parameter = getattr(module, name, None)
                if isinstance(parameter, nn.Parameter):
                    _fill(parameter, value, f"{leaf.path}.{name}", rule)


def _fill(parameter: Tensor, value: float | InitCall, key: str, rule: InitRule) -> None:
    if not isinstance(value, InitCall):
        nn.init.constant_(parameter, value)
        return
    try:
        getattr(nn.init, f"{value.function}_")(parameter, **value.kwargs)
    except (ValueError, TypeError, RuntimeError) as error:
        shape = show_sizes(parameter.shape)
        message = f"the init rule for `{rule.match}` cannot fill `{key}` ({shape}) with `{value.function}`: {error}"
        raise SpecError.of("E703", message) from None
