"""W401: a merge of a single tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Fix, Question
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node
from cnngraph.lint.edits import input_path, set_entry
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule


@frozen(slots=False)
class SingleMerge(Rule):
    """`add`, `concat`, `mul` or `maximum` of a single tensor, which returns that tensor.

    Usually `from` is missing: without it, a node reads only the node above. A node that names several inputs in `from`
    is fine even if all but one are absent, and so is a node of a block that merges several tensors in another use or
    iteration. Ignore it for a block whose users always pass a list of tensors.
    """

    code: ClassVar[str] = "W401"
    title: ClassVar[str] = "merge of a single tensor"
    ops: ClassVar[frozenset[str]] = frozenset({"add", "concat", "mul", "maximum"})
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [8, 8, 8]
        nodes: {conv: {op: conv, out: 8, kernel: 3, padding: 1}, add: add}
        """,
        """
        input: [3, 8, 8]
        nodes:
          a: {op: conv, out: 8, kernel: 1}
          b: {op: conv, out: 8, kernel: 1}
          cat: {op: concat, from: b}
        """,
        """
        input: [8, 8, 8]
        blocks:
          unit: [{op: conv, out: 8, kernel: 3, padding: 1}, mul]
        nodes: [unit, unit]
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [8, 8, 8]
        nodes: {conv: {op: conv, out: 8, kernel: 3, padding: 1}, add: {op: add, from: [conv, in]}}
        """,
        """
        input: [8, 8, 8]
        params: {skip: false}
        nodes:
          conv: {op: conv, out: 8, kernel: 3, padding: 1}
          shortcut: {op: identity, from: in, when: $skip, else: []}
          add: {op: add, from: [conv, shortcut]}
        """,
        """
        input: [4, 8, 8]
        nodes:
          parts: {op: chunk, chunks: 2}
          cat: concat
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each merge in the text that reads a single tensor in every use."""
        for span, nodes in network.uses.items():
            written = network.written.get(span)
            if written is None or written.op is None or written.op.text not in self.ops:
                continue
            if len(written.reads or ()) > 1 or any(len(node.reads) > 1 for node in nodes):
                continue
            node, *others = nodes
            notes = [f"it reads only `{node.inputs[0]}`"] if node.inputs else []
            notes += [f"the same is true of {len(others)} more use{'s' * (len(others) > 1)}"] if others else []
            message = f"`{written.op}` merges a single tensor"
            help = "list all inputs in `from: [...]`"
            fixes = self._fixes(network, node)
            yield self.warning(message, span, node=node.path, notes=notes, help=help, fixes=fixes)

    def _fixes(self, network: Network, node: Node) -> Iterator[Fix]:
        """For `add`, use an input of the scope as the second operand, as the shortcut of a residual unit does."""
        written = network.text.at(node.span)
        path = input_path(written) if written and node.op == "add" else None
        if written is None or path is None:
            return
        for name in written.scope.inputs:
            edit = set_entry(network.text, written, "from", f"[{path}, {name}]") if name != path else None
            if edit:
                yield Fix(Question(f"`from: [{path}, {name}]`"), (edit,))
