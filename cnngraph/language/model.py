"""A spec as its text says it: nothing evaluated, every word with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cnngraph.diagnostics import Source, Span
from cnngraph.document import Entry, Scalar, Table, Value

LANGUAGE_VERSION = 1


@dataclass(frozen=True, slots=True)
class Word:
    """A name, a path or an expression's text, and where it stands."""

    text: str
    span: Span

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Ignore:
    """A warning's code that the author does not want reported, and why. `within` is the node's text; None: the file."""

    code: Word
    reason: str
    within: Span | None = None


@dataclass(frozen=True, slots=True)
class RepeatSpec:
    """`repeat:` and the words that go with it. `count` is a number, a list of rows, or an expression for either."""

    count: Value
    name: Word | None = None
    carry: str = "last"
    first: tuple[Entry, ...] = ()
    last: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node as written. Exactly one of `op`, `nodes` and `share` is given. `words` are the op's or the block's."""

    name: Word
    span: Span
    op: Word | None = None
    nodes: ScopeSpec | None = None
    share: Word | None = None
    reads: tuple[Word, ...] | None = None
    when: Scalar | None = None
    otherwise: tuple[Word, ...] | None = None
    repeat: RepeatSpec | None = None
    flat: bool = False
    unused: bool = False
    expect: Value | None = None
    words: tuple[Entry, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    broken: bool = False  # its text was refused; it keeps its place, so that the next node does not read another


@dataclass(frozen=True, slots=True)
class ScopeSpec:
    """`nodes:` as a mapping (named) or a list (numbered)."""

    children: tuple[NodeSpec, ...]
    numbered: bool
    span: Span


@dataclass(frozen=True, slots=True)
class ParamSpec:
    """A param; without a default it must be given."""

    name: Word
    default: Value | None


@dataclass(frozen=True, slots=True)
class BlockSpec:
    """A node with blanks. `inputs` are its named inputs; None: exactly one, called `in`."""

    name: Word
    params: tuple[ParamSpec, ...]
    inputs: tuple[Word, ...] | None
    body: NodeSpec


@dataclass(frozen=True, slots=True)
class Library:
    """What names mean inside one file: its params, its own blocks, and the libraries it imports.

    A file and the one it extends are one library. `ignore` has the warnings that these files do not want reported.
    """

    params: Mapping[str, ParamSpec]
    blocks: Mapping[str, BlockSpec]
    imports: tuple[Library, ...] = ()
    ignore: tuple[Ignore, ...] = ()
    incomplete: bool = False  # an import failed, so a name that is not known may have stood there

    def find(self, name: str) -> tuple[BlockSpec, Library] | None:
        """The block of that name and the library whose params and blocks its body sees."""
        if name in self.blocks:
            return self.blocks[name], self
        return next(((each.blocks[name], each) for each in self.imports if name in each.blocks), None)

    def block_names(self) -> list[str]:
        """Every block that can be used here."""
        return [*self.blocks, *(name for each in self.imports for name in each.blocks)]


@dataclass(frozen=True, slots=True)
class InitSpec:
    """One rule of `init:`."""

    match: Word
    values: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Spec:
    """A whole spec, its `extends` and `import` resolved. Without `nodes` it is a library of blocks.

    `base` is the spec that this one is a change of: without what the command line changed, or what it extends.
    """

    source: Source
    name: str
    about: str
    library: Library
    paper: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    input: Value | None = None
    nodes: ScopeSpec | None = None
    outputs: tuple[tuple[Word, Word], ...] = ()
    training_only: tuple[Word, ...] = ()
    init: tuple[InitSpec, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)
    train: Table | Word | None = None
    base: Spec | None = field(default=None, repr=False, compare=False)
