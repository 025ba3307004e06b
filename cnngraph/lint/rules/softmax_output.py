"""W402: softmax before cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Edit, Fix
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref
from cnngraph.lint.edits import input_path, remove_node
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule

EFFECT = "even a perfect prediction has a loss far from 0, and gradients are small, so the network learns slowly"


@frozen(slots=False)
class SoftmaxOutput(Rule):
    """An output of a network with a recipe is a `softmax` or `log_softmax`.

    The training loss is cross-entropy, which includes a softmax and expects logits. With probabilities it computes the
    softmax of a softmax: the loss cannot get close to 0, and gradients become small. `log_softmax` is harmless, since
    applying it twice changes nothing, but superfluous. `cnngraph predict` computes probabilities by itself. It is only
    reported if there is a recipe, the spec's own or that of `--recipe`. Ignore it to reproduce a published network
    that was trained like this.
    """

    code: ClassVar[str] = "W402"
    title: ClassVar[str] = "softmax before cross-entropy"
    needs_recipe: ClassVar[bool] = True
    passes: ClassVar[frozenset[str]] = frozenset({"identity", "flatten", "reshape"})
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}, softmax]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
        """
        input: [1, 28, 28]
        nodes:
          flat: flatten
          fc: {op: linear, out: 10}
          out: log_softmax
        outputs: {logits: out}
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
        """
        input: [1, 28, 28]
        nodes:
          - {op: conv, out: 10, kernel: 28}
          - softmax
          - flatten
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 10}, softmax]
        """,
        """
        input: [1, 28, 28]
        nodes: [flatten, {op: linear, out: 16}, softmax, {op: linear, out: 10}]
        train: {data: digits, epochs: 1, optimizer: adam}
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each output that is a softmax."""
        if network.recipe is None or network.graph is None:
            return
        seen = set()
        for name, ref in network.graph.outputs.items():
            node = self._last(network, ref)
            if node is None or node.op not in ("softmax", "log_softmax") or node.span in seen:
                continue
            seen.add(node.span)
            what = "the output" if name == "output" else f"the output `{name}`"
            again = "applies softmax again" if node.op == "softmax" else "applies log_softmax itself"
            notes = [EFFECT] if node.op == "softmax" else ["the loss is the same without it"]
            yield self.warning(
                f"{what} is a `{node.op}`, and the cross-entropy loss {again}",
                node.span,
                node=node.path,
                notes=notes,
                help=f"output the logits: remove the `{node.op}`",
                fixes=self._fixes(network, node),
            )

    def _last(self, network: Network, ref: Ref) -> Node | None:
        """The operation that an output comes from, before any that only change its shape."""
        node = network.producer(ref)
        while node is not None and node.op in self.passes:
            node = network.producer(node.reads[0])
        return node

    def _fixes(self, network: Network, node: Node) -> Iterator[Fix]:
        """Remove the node, and let outputs read its input."""
        written = network.text.at(node.span)
        path, edit = (input_path(written), remove_node(network.text, written)) if written else (None, None)
        if written is None or path is None or edit is None:
            return
        name = written.name or str(written.scope.nodes.index(written))
        spec = network.spec
        outputs = [output for _, output in spec.outputs if output.text == name and output.span.source == spec.source]
        yield Fix(f"remove the `{node.op}`", (edit, *(Edit(output.span, path) for output in outputs)))
