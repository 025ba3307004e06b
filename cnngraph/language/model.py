"""A spec as written: nothing is evaluated, and every value has its source location."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from cnngraph.diagnostics import Source, Span
from cnngraph.document import Entry, Scalar, Table, Value
from cnngraph.frozen import frozen

LANGUAGE_VERSION = 1


@frozen
class LocatedText:
    """A string of the spec (a name, a path or an expression) with its source location."""

    text: str
    span: Span

    def __str__(self) -> str:
        return self.text


@frozen
class Ignore:
    """A warning code to ignore, with the reason. `within` is the span of the node it applies to; None: the file."""

    code: LocatedText
    reason: str
    within: Span | None = None


@frozen
class RepeatSpec:
    """`repeat` and the keys that belong to it. `count` is a number, a list of rows, or an expression for either.

    `back` is what `carry` says if it counts iterations back: one or more numbers, or an expression for them; then
    `carry` is `last`. `gives` is empty if it is not written: then `carry` determines what the repeat outputs.
    """

    count: Value
    name: LocatedText | None = None
    carry: str = "last"
    back: Value | None = None
    gives: str = ""
    first: tuple[Entry, ...] = ()
    last: tuple[Entry, ...] = ()

    @property
    def values(self) -> Iterator[Value]:
        """The values that may be expressions."""
        yield self.count
        if self.back is not None:
            yield self.back
        yield from (entry.value for entry in (*self.first, *self.last))


@frozen
class NodeSpec:
    """A node as written. Exactly one of `op`, `nodes`, `share` and `net` is set.

    `arguments` are those of the op, the block or the network.
    """

    name: LocatedText
    span: Span
    op: LocatedText | None = None
    nodes: ScopeSpec | None = None
    share: LocatedText | None = None
    net: LocatedText | None = None
    until: LocatedText | None = None  # the path in `net` of the node whose value is that of this one
    reads: tuple[LocatedText, ...] | None = None
    when: Scalar | None = None
    otherwise: tuple[LocatedText, ...] | None = None
    repeat: RepeatSpec | None = None
    flat: bool = False
    unused: bool = False
    expect: Value | None = None
    arguments: tuple[Entry, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    broken: bool = False  # it had errors; kept so that the next node still reads this one


@frozen
class ScopeSpec:
    """`nodes:` as a mapping or a list.

    The first `numbered` nodes have a number instead of a name: all nodes of a list, none of a mapping. A variant may
    add named nodes to a base whose nodes are a list.
    """

    children: tuple[NodeSpec, ...]
    numbered: int
    span: Span

    def walk(self) -> Iterator[NodeSpec]:
        """Its nodes, and those inside them."""
        waiting = list(self.children)
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.nodes.children if node.nodes else ()


@frozen
class ParamSpec:
    """A param; without a default it is required."""

    name: LocatedText
    default: Value | None


@frozen
class BlockSpec:
    """A parametrised node. `inputs` are the names of its inputs; None: exactly one, called `in`."""

    name: LocatedText
    params: tuple[ParamSpec, ...]
    inputs: tuple[LocatedText, ...] | None
    body: NodeSpec


@frozen
class Library:
    """The names visible inside one file: its params, its own blocks, and the libraries it imports.

    A file and its base form one library. `ignore` holds the file-level ignored warnings. `replaced` are imported blocks
    of the base, by the span of their name, and the names of the blocks here that replace them.
    """

    params: Mapping[str, ParamSpec]
    blocks: Mapping[str, BlockSpec]
    imports: tuple[Library, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    replaced: Mapping[Span, str] = field(default_factory=dict)
    incomplete: bool = False  # an import failed, so an unknown name may be defined there

    def with_imports(self) -> Iterator[Library]:
        """This library and everything it imports, without duplicates."""
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            library = waiting.pop(0)
            if id(library) not in seen:
                seen.add(id(library))
                yield library
                waiting += library.imports

    def find(self, name: str) -> tuple[BlockSpec, Library] | None:
        """The block of that name and the library in which its body is evaluated."""
        if name in self.blocks:
            return self.blocks[name], self
        return next(((library.blocks[name], library) for library in self.imports if name in library.blocks), None)

    def block_names(self) -> list[str]:
        """Every block that can be used here."""
        return [*self.blocks, *(name for library in self.imports for name in library.blocks)]


@frozen
class InitSpec:
    """One rule of `init:`."""

    match: LocatedText
    values: tuple[Entry, ...]


@frozen
class WeightsSpec:
    """`weights:`: names in published weights that differ, and weights of networks that are nodes, by path."""

    renames: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[tuple[LocatedText, LocatedText], ...] = ()


@frozen
class ChangeSpec:
    """One rule of `change:`: what becomes of the nodes that `match` names. An entry whose value is null is removed."""

    match: LocatedText
    span: Span
    entries: tuple[Entry, ...] = ()
    op: LocatedText | None = None
    remove: bool = False
    before: ScopeSpec | None = None
    after: ScopeSpec | None = None
    replace: NodeSpec | None = None

    @property
    def sets_parameters(self) -> bool:
        """Whether the rule changes a node's op or parameters."""
        return bool(self.entries) or self.op is not None

    @property
    def is_structural(self) -> bool:
        """Whether the rule removes, replaces or inserts nodes."""
        return self.remove or any(item is not None for item in (self.before, self.after, self.replace))


@frozen
class Spec:
    """A complete spec with `extends` and `import` resolved. Without `nodes` it is a library of blocks.

    `base` is the spec that this one modifies: the same without command-line overrides, or the one it extends.
    `networks` are the specs of all `net` nodes in its files, by the span of their names.
    """

    source: Source
    name: str
    about: str
    library: Library
    paper: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    input: Value | None = None
    nodes: ScopeSpec | None = None
    outputs: tuple[tuple[LocatedText, LocatedText], ...] = ()
    training_only: tuple[LocatedText, ...] = ()
    change: tuple[ChangeSpec, ...] = ()
    init: tuple[InitSpec, ...] = ()
    weights: WeightsSpec = field(default_factory=lambda: WeightsSpec())
    train: Table | LocatedText | None = None
    networks: Mapping[Span, Spec] = field(default_factory=dict, repr=False, compare=False)
    base: Spec | None = field(default=None, repr=False, compare=False)

    @property
    def replaces_outputs(self) -> bool:
        """Whether it replaces the outputs of its base: nodes that these do not need are kept but not run."""
        return (
            bool(self.outputs) and self.nodes is not None and self.outputs[0][0].span.source != self.nodes.span.source
        )
