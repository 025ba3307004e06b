"""W701: a rule of `init` that matches no module."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Edit, Fix, Suggestion
from cnngraph.frozen import frozen
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule
from cnngraph.nearest import near_words


@frozen(slots=False)
class IdleInitRule(Rule):
    """A rule of `init` that matches no module, so that it initialises nothing.

    Often the path in `match` is misspelled, or a block was renamed. Rules inherited by
    `extends` are not reported: they may match what this variant leaves out. Ignore it if the modules only exist for
    other values of the params.
    """

    code: ClassVar[str] = "W701"
    title: ClassVar[str] = "init rule that matches no module"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        nodes: [{op: conv, out: 8, kernel: 3}]
        init: [{match: layer4.*.bn2, weight: 0}]
        """,
        """
        input: [3, 8, 8]
        nodes: [{op: conv, out: 8, kernel: 3}]
        init: [{match: convv, bias: 0}]
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        nodes: [{op: conv, out: 8, kernel: 3}]
        init: [{match: conv, bias: 0}]
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each rule in the spec's own file that matches no module."""
        if network.graph is None or len(network.spec.init) != len(network.graph.init):
            return
        ops = {node.op for node in network.nodes}
        for spec, rule in zip(network.spec.init, network.graph.init, strict=True):
            span = spec.match.span
            if span.source != network.spec.source or any(rule.fits(node.op, node.path) for node in network.nodes):
                continue
            fixes = [Fix(Suggestion(name), (Edit(span, name),)) for name in near_words(rule.match, ops)[:1]]
            help = (
                fixes[0].title
                if fixes
                else "`match` takes the name of an op, or a path with `*` (any text without a dot) or `**` (any text)"
            )
            yield self.warning(f"this `init` rule matches no module: `{rule.match}`", span, help=help, fixes=fixes)
