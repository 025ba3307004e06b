"""One file's document to the words of the language: structure only, nothing looked up or evaluated."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Diagnostic, Mistakes, Source, Span, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import show_value
from cnngraph.spec.model import (
    LANGUAGE_VERSION,
    BlockSpec,
    InitSpec,
    NodeSpec,
    ParamSpec,
    RepeatSpec,
    ScopeSpec,
    Word,
)
from cnngraph.spec.names import NAME, NODE_WORDS

FILE_WORDS = (
    "cnngraph",
    "name",
    "about",
    "paper",
    "published",
    "input",
    "params",
    "import",
    "extends",
    "blocks",
    "nodes",
    "outputs",
    "training_only",
    "init",
    "weights",
    "train",
)
MAY_BE_NONE = ("train", "init", "outputs", "training_only", "weights")  # empty: without what the extended file says
BLOCK_WORDS = (*NODE_WORDS, "params", "inputs")
REPEAT_WORDS = ("carry", "name", "first", "last")
CARRIES = ("last", "concat", "none")
MAX_WORD = 2_000  # characters of a name, a path, or an expression for one
MAX_ABOUT = 10_000
MAX_RULES = 100  # of init
MAX_STARS, MAX_OPEN_STARS = 8, 2  # in a rename, whose stars are tried in every way
DATA_SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
MAX_NEAR = 10  # words of a node that does nothing, of which one may be a word misspelt


@dataclass(frozen=True, slots=True)
class FileSpec:
    """What one file says, before `extends` and `import` are followed."""

    source: Source
    span: Span
    given: frozenset[str]
    name: Word | None = None
    about: Word | None = None
    paper: Word | None = None
    published: dict[str, float] = field(default_factory=dict)
    input: Value | None = None
    params: tuple[ParamSpec, ...] = ()
    imports: tuple[Word, ...] = ()
    extends: Word | None = None
    blocks: tuple[BlockSpec, ...] = ()
    nodes: ScopeSpec | None = None
    outputs: tuple[tuple[Word, Word], ...] = ()
    training_only: tuple[Word, ...] = ()
    init: tuple[InitSpec, ...] = ()
    renames: dict[str, str] = field(default_factory=dict)
    train: Table | Word | None = None


def parse_file(source: Source, document: Value | None) -> tuple[FileSpec | None, list[Diagnostic]]:
    """The file's words, and all that is wrong with its structure."""
    parser = _Parser()
    if not isinstance(document, Table):
        span = document.span if document else None
        help = "begin with: cnngraph: 1"
        return None, [Diagnostic("E106", f"{source.name} is not a spec: it must be a mapping", span, help=help)]
    return parser.file(source, document), parser.diagnostics


class _Parser:
    def __init__(self) -> None:
        self.diagnostics = Mistakes()

    def error(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(code, message, span, help=help))

    # -- the file

    def file(self, source: Source, table: Table) -> FileSpec:
        words = self.known_words(table, FILE_WORDS, "a spec")
        self.version(table, words.get("cnngraph"))
        spec = FileSpec(source, table.span, frozenset(words))
        readers: dict[str, tuple[str, Callable[[Value], object]]] = {
            "name": ("name", lambda value: self.word(value, "name")),
            "about": ("about", lambda value: self.word(value, "about", most=MAX_ABOUT)),
            "paper": ("paper", lambda value: self.word(value, "paper", most=MAX_ABOUT)),
            "published": ("published", self.published),
            "input": ("input", lambda value: value),
            "params": ("params", self.params),
            "import": ("imports", lambda value: self.words(value, "import")),
            "extends": ("extends", lambda value: self.word(value, "extends")),
            "blocks": ("blocks", self.blocks),
            "nodes": ("nodes", lambda value: self.scope(value, "nodes")),
            "outputs": ("outputs", self.outputs),
            "training_only": ("training_only", lambda value: self.words(value, "training_only")),
            "init": ("init", self.init),
            "weights": ("renames", self.renames),
            "train": ("train", self.train),
        }
        for word, (attribute, read) in readers.items():
            if word in MAY_BE_NONE and word in words and _is_null(words[word].value):
                continue
            if word in words and (value := read(words[word].value)) is not None:
                spec = replace(spec, **{attribute: value})  # type: ignore[arg-type]  # each reader gives its attribute's type
        self.needs_nodes(spec, table)
        return spec

    def version(self, table: Table, entry: Entry | None) -> None:
        if entry is None:
            where = table.entries[0].key_span if table.entries else table.span
            self.error("E106", "the language's version is missing", where, f"begin with: cnngraph: {LANGUAGE_VERSION}")
        elif entry.value.plain() != LANGUAGE_VERSION:
            found = show_value(entry.value.plain())
            message = f"version {found} of the language is not known, this is version {LANGUAGE_VERSION}"
            self.error("E106", message, entry.value.span)

    def needs_nodes(self, spec: FileSpec, table: Table) -> None:
        if spec.extends and "nodes" in spec.given:
            entry = table.get("nodes")
            span = entry.key_span if entry else spec.span
            help = "change it by params or blocks, or write the nodes without extends and import the blocks"
            self.error("E107", "a file that extends another takes its nodes from there", span, help)
        elif not spec.extends and not {"nodes", "blocks"} & spec.given and not self.diagnostics:
            where = table.entries[0].key_span if table.entries else table.span
            self.error("E107", "there is no network here", where, "give nodes: (a network) or blocks: (a library)")
        if "nodes" in spec.given and not spec.extends and "input" not in spec.given:
            entry = table.get("nodes")
            span = entry.key_span if entry else spec.span
            self.error("E107", "the network has no input", span, "add: input: [3, 224, 224]  # channels, height, width")

    def published(self, value: Value) -> dict[str, float] | None:
        help = "name the data set, and the share of its images that are classified wrong: published: {imagenet: 23.85}"
        if not isinstance(value, Table):
            if not _is_null(value):
                found = show_value(value.plain())
                self.error("E109", f"published must be a mapping of data sets to errors, got {found}", value.span, help)
            return None
        errors: dict[str, float] = {}
        for entry in value:
            error = entry.value.plain()
            if not DATA_SET.fullmatch(entry.key):
                self.error(
                    "E109", f"{entry.key} cannot be a data set's name (letters, digits and _.+-)", entry.key_span
                )
            elif isinstance(error, bool) or not isinstance(error, int | float) or not 0 <= error <= 100:
                message = f"the error on {entry.key} must be a number from 0 to 100 (percent), got {show_value(error)}"
                self.error("E109", message, entry.value.span)
            else:
                errors[entry.key] = error
        return errors

    def params(self, value: Value) -> tuple[ParamSpec, ...] | None:
        table = self.table(value, "params")
        if table is None:
            return None
        params = []
        for entry in table:
            if self.param_name(entry.key, entry.key_span):
                default = None if _is_null(entry.value) else entry.value
                params.append(ParamSpec(Word(entry.key, entry.key_span), default))
        return tuple(params)

    def param_name(self, name: str, span: Span) -> bool:
        if not NAME.fullmatch(name) or name in (*BLOCK_WORDS, "in", "from", "i", "item"):
            reason = "a word of the language" if NAME.fullmatch(name) else "not a name (letters, digits and _)"
            self.error(
                "E108", f"{name} cannot be a param's name: it is {reason}", span, f"say {name.strip('$')}_ or the like"
            )
            return False
        return True

    def blocks(self, value: Value) -> tuple[BlockSpec, ...] | None:
        table = self.table(value, "blocks")
        if table is None:
            return None
        blocks = []
        for entry in table:
            if not NAME.fullmatch(entry.key):
                self.error("E108", f"{entry.key} cannot be a block's name (letters, digits and _)", entry.key_span)
            elif block := self.block(entry):
                blocks.append(block)
        return tuple(blocks)

    def block(self, entry: Entry) -> BlockSpec | None:
        name = Word(entry.key, entry.key_span)
        params: tuple[ParamSpec, ...] | None = ()
        inputs: tuple[Word, ...] | None = None
        if isinstance(entry.value, Table):
            given = entry.value.get("params")
            params = self.params(given.value) if given else ()
            if named := entry.value.get("inputs"):
                inputs = self.input_names(named.value)
        body = self.node(name, entry.value, BLOCK_WORDS, f"the block {name}")
        if body and (body.reads is not None or body.unused or body.expect or body.share):
            wrong = "from" if body.reads is not None else "unused, expect or share"
            self.error("E107", f"{wrong} is said where the block is used, not in its definition", name.span)
        return BlockSpec(name, params or (), inputs, body) if body else None

    def input_names(self, value: Value) -> tuple[Word, ...] | None:
        words = self.words(value, "inputs")
        for word in words or ():
            if not NAME.fullmatch(word.text) or word.text == "from":
                self.error("E108", f"{word} cannot be an input's name", word.span)
        return words

    def outputs(self, value: Value) -> tuple[tuple[Word, Word], ...] | None:
        if isinstance(value, Scalar):
            word = self.word(value, "outputs")
            return ((Word("output", word.span), word),) if word else None
        table = self.table(value, "outputs")
        if table is None:
            return None
        pairs = []
        for entry in table:
            path = self.word(entry.value, f"the output {entry.key}")
            if not NAME.fullmatch(entry.key) or entry.key.startswith("_") or keyword.iskeyword(entry.key):
                self.error("E108", f"{entry.key} cannot be an output's name", entry.key_span)
            elif path:
                pairs.append((Word(entry.key, entry.key_span), path))
        return tuple(pairs)

    def init(self, value: Value) -> tuple[InitSpec, ...] | None:
        rules = []
        items = value.items if isinstance(value, Listing) else (value,)
        if len(items) > MAX_RULES:
            self.error("E501", f"init has {len(items):,} rules: at most {MAX_RULES}", value.span)
        for item in items[:MAX_RULES]:
            match = item.get("match") if isinstance(item, Table) else None
            word = self.word(match.value, "match") if match else None
            if isinstance(item, Table) and match and word:
                rules.append(InitSpec(word, tuple(each for each in item if each.key != "match")))
            elif not match:
                help = "write {match: conv, weight: {kaiming_normal: {mode: fan_out}}, bias: 0}"
                self.error("E107", "a rule of init needs match: an op's name, or a path with *", item.span, help)
        return tuple(rules)

    def renames(self, value: Value) -> dict[str, str] | None:
        table = self.table(value, "weights")
        if table is None:
            return None
        words = self.known_words(table, ("renames",), "weights")
        renames = self.table(words["renames"].value, "renames") if "renames" in words else None
        found: dict[str, str] = {}
        for entry in renames or ():
            new = self.word(entry.value, f"the new name of {entry.key}")
            if entry.key.count("**") > MAX_OPEN_STARS or entry.key.count("*") > MAX_STARS:
                message = f"a rename has at most {MAX_STARS} stars, and ** at most {MAX_OPEN_STARS} times"
                self.error("E501", message, entry.key_span)
            elif new:
                found[entry.key] = new.text
        return found

    def train(self, value: Value) -> Table | Word | None:
        return value if isinstance(value, Table) else self.word(value, "train")

    # -- nodes

    def scope(self, value: Value, what: str) -> ScopeSpec | None:
        if isinstance(value, Listing):
            items = [(Word(str(index), item.span), item) for index, item in enumerate(value.items)]
        elif isinstance(value, Table):
            items = [(Word(entry.key, entry.key_span), entry.value) for entry in value]
        else:
            self.error("E109", f"{what} must be a mapping of names to nodes, or a list of nodes", value.span)
            return None
        if not items:
            self.error("E109", f"{what} is empty", value.span, "remove it, or write identity")
            return None
        children = [
            self.node(name, each, NODE_WORDS, f"node {name}") or NodeSpec(name, name.span, broken=True)
            for name, each in items
        ]
        return ScopeSpec(tuple(children), isinstance(value, Listing), value.span)

    def node(self, name: Word, value: Value, known: Iterable[str], what: str) -> NodeSpec | None:
        if isinstance(value, Listing):
            nodes = self.scope(value, what)
            return NodeSpec(name, name.span, nodes=nodes) if nodes else None
        if isinstance(value, Scalar):
            op = self.word(value, what, "an op's name, a mapping with op: or nodes:, or a list of nodes")
            return NodeSpec(name, name.span, op=op) if op else None
        return self.node_table(name, value, tuple(known), what)

    def node_table(self, name: Word, table: Table, known: tuple[str, ...], what: str) -> NodeSpec | None:
        words = {entry.key: entry.value for entry in table if entry.key in known}
        rest = tuple(entry for entry in table if entry.key not in known)
        mistakes = len(self.diagnostics)
        node = NodeSpec(
            name,
            Span(name.span.source, name.span.line, name.span.column, name.span.end_line, name.span.end_column),
            op=self.word(words["op"], "op", "an op's or block's name") if "op" in words else None,
            nodes=self.scope(words["nodes"], f"nodes of {what}") if "nodes" in words else None,
            share=self.word(words["share"], "share", "a node's path") if "share" in words else None,
            reads=self.words(words["from"], "from") if "from" in words else None,
            when=self.scalar(words["when"], "when") if "when" in words else None,
            otherwise=self.words(words["else"], "else") if "else" in words else None,
            repeat=self.repeat(words),
            flat=self.truth(words, "flat"),
            unused=self.truth(words, "unused"),
            expect=words.get("expect"),
            words=rest,
        )
        if len(self.diagnostics) > mistakes:
            return None
        self.check_node(node, words, rest, what, known)
        return node if len(self.diagnostics) == mistakes else None

    def check_node(
        self, node: NodeSpec, words: dict[str, Value], rest: tuple[Entry, ...], what: str, known: tuple[str, ...]
    ) -> None:
        bodies = [word for word in ("op", "nodes", "share") if word in words]
        if not bodies:
            near = next(((each, mend) for each in rest[:MAX_NEAR] if (mend := did_you_mean(each.key, known))), None)
            if near:
                self.error("E110", f"{near[0].key} is not a word of a node", near[0].key_span, near[1])
            else:
                self.error("E109", f"{what} says nothing to do", node.span, "give op:, nodes: or share:")
        elif len(bodies) > 1:
            self.error("E109", f"{what} has both {bodies[0]} and {bodies[1]}", node.span, "keep one of the two")
        elif rest and not node.op:
            mend = did_you_mean(rest[0].key, known)
            self.error("E110", f"{rest[0].key} is not a word of a node with {bodies[0]}", rest[0].key_span, mend)
        for word in REPEAT_WORDS:
            if word in words and "repeat" not in words:
                self.error("E109", f"{word} is a word of a repeat, and this node has no repeat", words[word].span)
        if "else" in words and "when" not in words:
            self.error("E109", "else goes with when, and this node has no when", words["else"].span)

    def repeat(self, words: dict[str, Value]) -> RepeatSpec | None:
        if "repeat" not in words:
            return None
        carry = self.word(words["carry"], "carry") if "carry" in words else None
        if carry and carry.text not in CARRIES:
            self.error(
                "E109", f"carry must be one of {', '.join(CARRIES)}", carry.span, did_you_mean(carry.text, CARRIES)
            )
        return RepeatSpec(
            count=words["repeat"],
            name=self.word(words["name"], "name") if "name" in words else None,
            carry=carry.text if carry else "last",
            first=self.overlay(words, "first"),
            last=self.overlay(words, "last"),
        )

    def overlay(self, words: dict[str, Value], word: str) -> tuple[Entry, ...]:
        if word not in words:
            return ()
        table = self.table(words[word], word)
        return table.entries if table else ()

    # -- words

    def known_words(self, table: Table, known: Iterable[str], what: str) -> dict[str, Entry]:
        options = tuple(known)
        for entry in table:
            if entry.key not in options:
                mend = did_you_mean(entry.key, options) or f"the words are {', '.join(options)}"
                self.error("E110", f"{entry.key} is not a word of {what}", entry.key_span, mend)
        return {entry.key: entry for entry in table if entry.key in options}

    def table(self, value: Value, what: str) -> Table | None:
        if _is_null(value):
            return Table((), value.span)
        if not isinstance(value, Table):
            self.error("E109", f"{what} must be a mapping (name: value), got {show_value(value.plain())}", value.span)
            return None
        return value

    def scalar(self, value: Value, what: str) -> Scalar | None:
        if not isinstance(value, Scalar) or value.value is None:
            self.error("E109", f"{what} must be an expression, got {show_value(value.plain())}", value.span)
            return None
        return value

    def word(self, value: Value, what: str, wanted: str = "a text", most: int = MAX_WORD) -> Word | None:
        plain = value.plain()
        if isinstance(plain, bool) or not isinstance(plain, str | int) or plain == "":
            help = "quote it" if isinstance(plain, bool | float) else None
            self.error("E109", f"{what} must be {wanted}, got {show_value(plain)}", value.span, help)
            return None
        if len(str(plain)) > most:
            self.error("E501", f"{what} has {len(str(plain)):,} characters: at most {most:,}", value.span)
            return None
        return Word(str(plain), value.span)

    def words(self, value: Value, what: str) -> tuple[Word, ...] | None:
        items = value.items if isinstance(value, Listing) else (value,)
        found = [self.word(each, what) for each in items]
        return None if None in found else tuple(each for each in found if each)

    def truth(self, words: dict[str, Value], word: str) -> bool:
        value = words[word].plain() if word in words else False
        if not isinstance(value, bool):
            self.error("E109", f"{word} must be true or false, got {show_value(value)}", words[word].span)
        return value is True


def _is_null(value: Value) -> bool:
    return isinstance(value, Scalar) and value.value is None
