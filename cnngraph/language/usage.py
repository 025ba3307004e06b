"""Params that nothing uses: giving one a value would silently change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Set

from cnngraph.diagnostics import Diagnostic, Severity, Suggestion, did_you_mean
from cnngraph.document import Value, texts_in
from cnngraph.language.model import BlockSpec, NodeSpec, ParamSpec, Spec, Word

MAX_TOLD = 50  # of one file
USED = re.compile(r"\$(\w+)")


def names_used(texts: Iterable[str]) -> list[str]:
    """The names after each `$`, in the order of the texts."""
    return [name for text in texts if "$" in text for name in USED.findall(text)]


def unused_params(spec: Spec, by_variants: Callable[[], Set[str]]) -> list[Diagnostic]:
    """A warning for each param of the spec's own file, or given from outside, that no expression asks for.

    `by_variants` finds the names that files which extend this one ask for; it is called only if that matters.
    """
    found = list(_of_the_file(spec))
    elsewhere = by_variants() if found else set()
    told = [each for name, each in found if name not in elsewhere]
    for block in spec.library.blocks.values():
        if block.name.span.source == spec.source:
            told += _of_a_block(block)
    return told[:MAX_TOLD]


def _of_the_file(spec: Spec) -> Iterator[tuple[str, Diagnostic]]:
    params = spec.library.params
    used = _used_by_the_file(spec)
    written, extended = used, spec.base
    while extended is not None and extended.source == spec.source:  # the same without what the command line changed
        written, extended = _used_by_the_file(extended), extended.base
    base = extended.library.params if extended else {}
    for param in params.values():
        name, default = param.name, param.default
        if name.text in used:
            continue
        if name.span.source == spec.source and name.text not in written:
            notes = ("the file that this one extends has no param of that name to replace",) if base else ()
            notes = () if name.text in base else notes
            yield name.text, _warning(f"nothing uses the param {name}", name, used & params.keys(), notes)
        elif default is not None and default.span.source not in (name.span.source, spec.source):
            word, notes = Word(name.text, default.span), (f"it is at {name.span}",)
            yield name.text, _warning(f"{name} is set, and nothing uses it", word, used & params.keys(), notes)


def _of_a_block(block: BlockSpec) -> Iterator[Diagnostic]:
    own = {param.name.text for param in block.params}
    used = set(names_used((*_in_params(block.params), *_in_node(block.body))))
    for param in block.params:
        if param.name.text not in used:
            message = f"nothing in the block {block.name} uses its param {param.name}"
            yield _warning(message, param.name, used - own, ())


def _warning(message: str, word: Word, options: Iterable[str], notes: tuple[str, ...]) -> Diagnostic:
    names = sorted(options)
    longer = [each for each in names if len(word.text) > 2 and each.startswith(word.text)]
    mend = did_you_mean(word.text, names) or (Suggestion(longer[0]) if len(longer) == 1 else None)
    help = mend or f"remove it, or use it: ${word}"
    return Diagnostic("W320", message, word.span, Severity.WARNING, notes=notes, help=help)


def _used_by_the_file(spec: Spec) -> set[str]:
    """The names that expressions ask for where the file's params are in reach."""
    texts: list[str] = [*_in_params(spec.library.params.values())]
    texts += texts_in(spec.input) if spec.input is not None else ()
    texts += (path.text for _, path in spec.outputs)
    texts += (text for rule in spec.init for entry in rule.values for text in texts_in(entry.value))
    texts += (text for child in (spec.nodes.children if spec.nodes else ()) for text in _in_node(child))
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
    """Every text of a node and of those in it."""
    waiting = [node]
    while waiting:
        each = waiting.pop()
        words = [each.name, each.op, each.share, *(each.reads or ()), *(each.otherwise or ())]
        values: list[Value | None] = [each.when, each.expect, *(entry.value for entry in each.words)]
        if each.repeat is not None:
            words.append(each.repeat.name)
            values += [each.repeat.count, *(entry.value for entry in (*each.repeat.first, *each.repeat.last))]
        yield from (word.text for word in words if word is not None)
        for value in values:
            if value is not None:
                yield from texts_in(value)
        waiting += each.nodes.children if each.nodes else ()
