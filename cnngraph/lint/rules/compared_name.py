"""W405: a block of a name that the base compares with others, and does not know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.document import Value, texts_in
from cnngraph.frozen import frozen
from cnngraph.language.expressions.evaluate import ExpressionError, parse_expression
from cnngraph.language.expressions.tree import Choice, Comparison, Literal, Name
from cnngraph.language.model import NodeSpec, ParamSpec, Spec
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule
from cnngraph.text import in_backticks


@frozen(slots=False)
class ComparedName(Rule):
    """A param whose value is a block of this file, while the base compares it with the names of its own blocks.

    An expression such as `256 if $unit == 'bottleneck' else 64` then has the value for the other blocks, which is
    silently wrong for a changed `bottleneck` of another name. Set what depends on the name, or replace the block
    under its own name: `blocks: {bottleneck: …}`. Ignore it if the value is right.
    """

    code: ClassVar[str] = "W405"
    title: ClassVar[str] = "name that the base does not compare with"
    bad: ClassVar[tuple[str, ...]] = (
        """
        extends: resnet50
        params: {unit: wide}
        blocks:
          wide:
            params: {out: , width: , groups: 1, stride: 1}
            nodes: [{op: conv, out: $out, kernel: $width // $width, stride: $stride, groups: $groups}]
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        extends: resnet50
        params: {unit: wide, out: 256}
        blocks:
          wide:
            params: {out: , width: , groups: 1, stride: 1}
            nodes: [{op: conv, out: $out, kernel: $width // $width, stride: $stride, groups: $groups}]
        """,
        """
        extends: resnet50
        blocks:
          bottleneck:
            params: {out: , width: , groups: 1, stride: 1}
            nodes: [{op: conv, out: $out, kernel: $width // $width, stride: $stride, groups: $groups}]
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Each param whose value is a block that the file of a comparison does not know."""
        spec, values = network.spec, network.graph.params if network.graph else {}
        bases = {base.source: base for base in _bases(spec)}
        for name, param in spec.library.params.items():
            value = values.get(name)
            if not isinstance(value, str) or param.default is None or spec.library.find(value) is None:
                continue
            for source, base in bases.items():
                found = [text for text in _texts(spec, source) if f"${name}" in text]
                compared = {other: text for text in found for other in _compared(text, name)}
                known = [other for other in compared if base.library.find(other)]
                if known and value not in compared and base.library.find(value) is None:
                    yield self._unknown(spec, param, value, {other: compared[other] for other in known}, source, values)
                    break

    def _unknown(
        self,
        spec: Spec,
        param: ParamSpec,
        value: str,
        compared: Mapping[str, str],
        source: Source,
        values: Mapping[str, object],
    ) -> Diagnostic:
        message = f"`{value}` is not among the blocks that `{source.name}` compares `${param.name}` with"
        notes = [f"it compares with {in_backticks(compared)}: `{text}`" for text in dict.fromkeys(compared.values())]
        dependent = [
            name
            for name, other in spec.library.params.items()
            if other.default is not None and set(texts_in(other.default)) & set(compared.values())
        ]
        notes += [f"so `{name}` is `{values[name]}`" for name in dependent if name in values]
        replaced = next(iter(compared))
        what = f"set {in_backticks(dependent)} too" if dependent else "check what depends on the name"
        help = f"{what}, or replace the block under its own name: `blocks: {{{replaced}: …}}`"
        assert param.default is not None
        return self.warning(message, param.default.span, notes=notes, help=help)


def _bases(spec: Spec) -> Iterator[Spec]:
    """The specs of other files that a spec extends."""
    base = spec.base
    while base is not None:
        if base.source != spec.source:
            yield base
        base = base.base


def _texts(spec: Spec, source: Source) -> Iterator[str]:
    """The strings of a file's params and nodes that are still in effect."""
    for param in spec.library.params.values():
        if param.default is not None and param.default.span.source == source:
            yield from texts_in(param.default)
    for node in spec.nodes.walk() if spec.nodes else ():
        if node.span.source == source:
            yield from _texts_of(node)


def _texts_of(node: NodeSpec) -> Iterator[str]:
    values: list[Value | None] = [node.when, *(entry.value for entry in node.arguments)]
    if node.repeat is not None:
        values += node.repeat.values
    for value in values:
        if value is not None:
            yield from texts_in(value)


def _compared(text: str, name: str) -> Iterator[str]:
    """The strings that an expression compares a param with, to choose between two values.

    A comparison that is only true or false, such as a `when`, is meant to hold or not for all other names.
    """
    try:
        root = parse_expression(text).root
    except ExpressionError:  # a plain string
        return
    conditions = [node.always()[0] for node in root.walk() if isinstance(node, Choice)]
    for node in (node for condition in conditions for node in condition.walk()):
        if isinstance(node, Comparison):
            names = [part.reference.name for part in node.parts if isinstance(part, Name) and not part.reference.trail]
            strings = [part.constant for part in node.parts if isinstance(part, Literal)]
            if name in names:
                yield from (string for string in strings if isinstance(string, str))
