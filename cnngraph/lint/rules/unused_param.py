"""W320: a param that is never used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Edit, Fix, Suggestion
from cnngraph.document import Value, texts_in
from cnngraph.frozen import frozen
from cnngraph.language.model import BlockSpec, LocatedText, NodeSpec, ParamSpec, Spec
from cnngraph.language.usage import names_used, used_by_variants
from cnngraph.lint.edits import remove_key
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule
from cnngraph.nearest import near_words


@frozen(slots=False)
class UnusedParam(Rule):
    """A param of the file or of a block that no expression uses, or that `--set` changes without effect.

    Often its name is misspelled where it is used, or the `$` is missing there. A param also counts as used if a file
    in the same folder that extends this one uses it. Ignore it for a param that is kept for commands that still set
    it.
    """

    code: ClassVar[str] = "W320"
    title: ClassVar[str] = "unused param"
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        params: {width: 16}
        nodes: [{op: conv, out: 8, kernel: 3}]
        """,
        """
        input: [3, 8, 8]
        params: {width: 16, widths: 8}
        nodes: [{op: conv, out: $width, kernel: 3}]
        """,
        """
        input: [3, 8, 8]
        blocks:
          unit: {params: {out: 8, kernel: 3}, op: conv, out: $out, kernel: 3}
        nodes: [unit]
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        params: {width: 16}
        nodes: [{op: conv, out: $width, kernel: 3}]
        """,
        """
        input: [3, 8, 8]
        blocks:
          unit: {params: {out: 8}, op: conv, out: $out, kernel: 3}
        nodes: [unit]
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each unused param of the spec's own file, and each value of `--set` or a variant for one."""
        misspelt = {warning.span for warning in network.reported if warning.code == "W318"}
        found = [pair for pair in self._of_the_file(network) if pair[1].span not in misspelt]
        elsewhere = used_by_variants(Path(network.spec.source.name).stem, network.folder) if found else set()
        warnings = [warning for name, warning in found if name not in elsewhere]
        for block in network.spec.library.blocks.values():
            if block.name.span.source == network.spec.source:
                warnings += self._of_a_block(network, block)
        yield from warnings

    def _of_the_file(self, network: Network) -> Iterator[tuple[str, Diagnostic]]:
        spec, params = network.spec, network.spec.library.params
        used = _used_by_the_file(spec)
        written, extended = used, spec.base
        while extended is not None and extended.source == spec.source:  # the same spec without the overrides
            written, extended = _used_by_the_file(extended), extended.base
        base = extended.library.params if extended else {}
        for param in params.values():
            name, default = param.name, param.default
            if name.text in used:
                continue
            if name.span.source == spec.source and name.text not in written:
                notes = ("the spec that this one extends has no param of that name",) if base else ()
                notes = () if name.text in base else notes
                message = f"the param `{name}` is never used"
                yield name.text, self._unused(network, message, name, used & params.keys(), notes)
            elif default is not None and default.span.source not in (name.span.source, spec.source):
                setting, notes = LocatedText(name.text, default.span), (f"`{name}` is at {name.span}",)
                message = f"`{name}` is set but never used"
                yield name.text, self._unused(network, message, setting, used & params.keys(), notes)

    def _of_a_block(self, network: Network, block: BlockSpec) -> Iterator[Diagnostic]:
        own = {param.name.text for param in block.params}
        used = set(names_used((*_in_params(block.params), *_in_node(block.body))))
        for param in block.params:
            if param.name.text not in used:
                message = f"the param `{param.name}` of the block `{block.name}` is never used"
                yield self._unused(network, message, param.name, used - own, ())

    def _unused(
        self, network: Network, message: str, param: LocatedText, options: Iterable[str], notes: tuple[str, ...]
    ) -> Diagnostic:
        names = sorted(options)
        near = near_words(param.text, names)[:1]
        longer = [name for name in names if len(param.text) > 2 and name.startswith(param.text)]
        meant = near or (longer if len(longer) == 1 else [])
        fixes = [Fix(Suggestion(name), (Edit(param.span, name),)) for name in meant]
        help = fixes[0].title if fixes else f"remove it, or use it as `${param}`"
        if removed := remove_key(network.text, "params", param.span):
            fixes.append(Fix(f"remove `{param}`", (removed,)))
        return self.warning(message, param.span, notes=notes, help=help, fixes=fixes)


def _used_by_the_file(spec: Spec) -> set[str]:
    """The names used in expressions in which the file's params are visible."""
    texts: list[str] = [*_in_params(spec.library.params.values())]
    texts += texts_in(spec.input) if spec.input is not None else ()
    texts += (path.text for _, path in spec.outputs)
    texts += (text for rule in spec.init for entry in rule.values for text in texts_in(entry.value))
    texts += (text for child in (spec.nodes.children if spec.nodes else ()) for text in _in_node(child))
    for rule in spec.change:
        texts += (text for entry in rule.entries for text in texts_in(entry.value))
        inserted = (scope for scope in (rule.before, rule.after) if scope)
        nodes = [*(child for scope in inserted for child in scope.children), *([rule.replace] if rule.replace else [])]
        texts += (text for child in nodes for text in _in_node(child))
    used = set(names_used(texts))
    for block in spec.library.blocks.values():
        own = {param.name.text for param in block.params}
        used |= set(names_used((*_in_params(block.params), *_in_node(block.body)))) - own
    return used


def _in_params(params: Iterable[ParamSpec]) -> Iterator[str]:
    for param in params:
        if param.default is not None:
            yield from texts_in(param.default)


def _in_node(node: NodeSpec) -> Iterator[str]:
    """Every string in a node and in the nodes inside it."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        texts = [node.name, node.op, node.share, *(node.reads or ()), *(node.otherwise or ())]
        values: list[Value | None] = [node.when, node.expect, *(entry.value for entry in node.arguments)]
        if node.repeat is not None:
            texts.append(node.repeat.name)
            values += node.repeat.values
        yield from (text.text for text in texts if text is not None)
        for value in values:
            if value is not None:
                yield from texts_in(value)
        waiting += node.nodes.children if node.nodes else ()
