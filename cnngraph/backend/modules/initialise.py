"""The weights that training starts from: PyTorch's own, then what the spec's rules say."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from cnngraph.backend.modules.plan import Group, Leaf
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.graph.path_patterns import InitRule
from cnngraph.numbers import show_sizes
from cnngraph.ops.init import InitCall


def rules_by_module(group: Group, rules: tuple[InitRule, ...]) -> Iterator[tuple[Leaf, InitRule]]:
    """The modules that a rule sets, in module order, each with the last rule that fits it.

    A free parameter is no module: its node says how it starts.
    """
    for part in group.parts.values():
        if isinstance(part, Group):
            yield from rules_by_module(part, rules)
        elif not part.is_parameter:
            fitting = [rule for rule in rules if rule.fits(part.node.op, part.path)]
            if fitting:
                yield part, fitting[-1]


def init_weights(model: nn.Module, group: Group, rules: tuple[InitRule, ...]) -> None:
    """Apply the rules. Raises SpecError where a function of torch.nn.init refuses a parameter."""
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
        message = f"the init rule for {rule.match} cannot fill {key} ({shape}) by {value.function}: {error}"
        raise SpecError([Diagnostic("E703", message)]) from None
