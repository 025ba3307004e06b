"""Parses one file's document into a `FileSpec`: structure only, nothing is looked up or evaluated."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import show_value
from cnngraph.file_kinds import SPEC, other_kind
from cnngraph.frozen import frozen
from cnngraph.language.changes import ChangeReader
from cnngraph.language.keys import BLOCK_KEYS, FILE_KEYS, RESERVED_PARAMS
from cnngraph.language.model import (
    LANGUAGE_VERSION,
    BlockSpec,
    ChangeSpec,
    Ignore,
    InitSpec,
    LocatedText,
    NodeSpec,
    ParamSpec,
    ScopeSpec,
    WeightsSpec,
)
from cnngraph.language.names import NAME, NAME_RULE, better_name
from cnngraph.language.nodes import NodeReader
from cnngraph.language.reader import Reader, is_null

MAX_ABOUT = 10_000
MAX_RULES = 100  # of init
MAX_STARS, MAX_OPEN_STARS = 8, 2  # in a rename: matching tries every assignment of its stars
MATCHED = "the name of an op, or a path with `*`"
OUTPUTS = "the path of a node, or a mapping (name: path)"
DATA_SET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@frozen
class FileSpec:
    """The contents of one file, before `extends` and `import` are resolved."""

    source: Source
    span: Span
    keys: frozenset[str]
    name: LocatedText | None = None
    about: LocatedText | None = None
    paper: LocatedText | None = None
    published: dict[str, float] = field(default_factory=dict)
    input: Value | None = None
    params: tuple[ParamSpec, ...] = ()
    imports: tuple[LocatedText, ...] = ()
    extends: LocatedText | None = None
    blocks: tuple[BlockSpec, ...] = ()
    nodes: ScopeSpec | None = None
    outputs: tuple[tuple[LocatedText, LocatedText], ...] = ()
    training_only: tuple[LocatedText, ...] = ()
    change: tuple[ChangeSpec, ...] = ()
    init: tuple[InitSpec, ...] = ()
    weights: WeightsSpec = field(default_factory=WeightsSpec)
    train: Table | LocatedText | None = None
    ignore: tuple[Ignore, ...] = ()


def parse_file(source: Source, document: Value | None) -> tuple[FileSpec | None, list[Diagnostic]]:
    """The file's contents and the errors in its structure."""
    parser = _Parser()
    if not isinstance(document, Table):
        span = document.span if document else None
        help = "start the file with `cnngraph: 1`"
        what = "it is empty" if document is None or is_null(document) else "it must be a mapping"
        return None, [Diagnostic("E106", f"{source.name} is not a spec: {what}", span, help=help)]
    if wrong := other_kind(document, SPEC, "E106"):
        return None, [wrong]
    return parser.file(source, document), parser.read.errors


class _Parser:
    def __init__(self) -> None:
        self.read = Reader()
        self.nodes = NodeReader(self.read)

    def file(self, source: Source, table: Table) -> FileSpec:
        entries = self.read.known_keys(table, FILE_KEYS, "a spec")
        self.version(table, entries.get("cnngraph"))
        spec = FileSpec(source, table.span, frozenset(entries))
        readers: dict[str, tuple[str, Callable[[Value], Any]]] = {
            "name": ("name", lambda value: self.read.string(value, "name")),
            "about": ("about", lambda value: self.read.string(value, "about", most=MAX_ABOUT)),
            "paper": ("paper", lambda value: self.read.string(value, "paper", most=MAX_ABOUT)),
            "published": ("published", self.published),
            "input": ("input", lambda value: value),
            "params": ("params", self.params),
            "import": ("imports", lambda value: self.read.strings(value, "import", "a file or a list of files")),
            "extends": (
                "extends",
                lambda value: self.read.string(value, "extends", "the name or the file of a network"),
            ),
            "blocks": ("blocks", self.blocks),
            "nodes": ("nodes", lambda value: self.nodes.scope(value, "`nodes`")),
            "change": ("change", ChangeReader(self.nodes).rules),
            "outputs": ("outputs", self.outputs),
            "training_only": (
                "training_only",
                lambda value: self.read.strings(value, "training_only", "an output or a list of outputs"),
            ),
            "init": ("init", self.init),
            "weights": ("weights", self.weights),
            "train": ("train", self.train),
            "ignore": ("ignore", lambda value: self.read.ignores(value, None)),
        }
        for key in FILE_KEYS.values():
            if key.name not in entries or key.name == "cnngraph":
                continue
            value = entries[key.name].value
            if key.may_be_empty and is_null(value):
                continue
            attribute, read = readers[key.name]
            if (content := read(value)) is not None:
                spec = replace(spec, **{attribute: content})
        self.needs_nodes(spec, table)
        return spec

    def version(self, table: Table, entry: Entry | None) -> None:
        if entry is None:
            where = table.entries[0].key_span if table.entries else table.span
            self.read.error(
                "E106",
                "missing `cnngraph`, the language version",
                where,
                f"start the file with `cnngraph: {LANGUAGE_VERSION}`",
            )
        elif entry.value.plain() != LANGUAGE_VERSION:
            found = show_value(entry.value.plain())
            message = f"unknown language version `{found}`, the current version is {LANGUAGE_VERSION}"
            quoted = entry.value.plain() == str(LANGUAGE_VERSION)
            help = f"write {LANGUAGE_VERSION} without quotes" if quoted else f"write `cnngraph: {LANGUAGE_VERSION}`"
            self.read.error("E106", message, entry.value.span, help)

    def needs_nodes(self, spec: FileSpec, table: Table) -> None:
        if spec.extends and spec.extends.text == Path(spec.source.name).name:
            return  # a cycle, which is reported elsewhere
        if spec.extends and spec.nodes and spec.nodes.numbered:
            help = "name them: `nodes: {extra: {op: conv, …}}`"
            self.read.error(
                "E107", "`nodes` beside `extends` must be a mapping of names to nodes", spec.nodes.span, help
            )
        elif not spec.extends and not {"nodes", "blocks"} & spec.keys and not self.read.errors:
            where = table.entries[0].key_span if table.entries else table.span
            self.read.error(
                "E107",
                "the spec has neither `nodes` nor `blocks`",
                where,
                "add `nodes` for a network, or `blocks` for a library",
            )
        if "nodes" in spec.keys and not spec.extends and "input" not in spec.keys:
            entry = table.get("nodes")
            span = entry.key_span if entry else spec.span
            self.read.error(
                "E107", "the network has no `input`", span, "add `input: [3, 224, 224]` (channels, height, width)"
            )

    def published(self, value: Value) -> dict[str, float] | None:
        help = "write the top-1 error in percent by data set: `published: {imagenet: 23.85}`"
        if not isinstance(value, Table):
            if not is_null(value):
                found = show_value(value.plain())
                self.read.error(
                    "E109", f"`published` must be a mapping of data sets to errors, got `{found}`", value.span, help
                )
            return None
        errors: dict[str, float] = {}
        for entry in value:
            error = entry.value.plain()
            if not DATA_SET.fullmatch(entry.key):
                self.read.error(
                    "E109",
                    f"`{entry.key}` is not a valid data set name: use letters, digits and `_.+-`",
                    entry.key_span,
                )
            elif isinstance(error, bool) or not isinstance(error, int | float) or not 0 <= error <= 100:
                message = (
                    f"the error on `{entry.key}` must be a number from 0 to 100 (percent), got `{show_value(error)}`"
                )
                self.read.error("E109", message, entry.value.span)
            else:
                errors[entry.key] = error
        return errors

    def params(self, value: Value) -> tuple[ParamSpec, ...] | None:
        entries = self.entries(value, "params")
        if entries is None:
            return None
        params = []
        for entry in entries:
            self.param_name(entry.key, entry.key_span)
            default = None if is_null(entry.value) else entry.value
            # a param with an invalid name is kept, so that its uses are valid
            params.append(ParamSpec(LocatedText(entry.key, entry.key_span), default))
        return tuple(params)

    def param_name(self, name: str, span: Span) -> None:
        if NAME.fullmatch(name) and name not in RESERVED_PARAMS:
            return
        reason = "it is a key of the language" if NAME.fullmatch(name) else NAME_RULE
        help = f"rename it, for example to `{better_name(name)}`"
        self.read.error("E108", f"`{name}` is not a valid param name: {reason}", span, help)

    def blocks(self, value: Value) -> tuple[BlockSpec, ...] | None:
        entries = self.entries(value, "blocks")
        if entries is None:
            return None
        for entry in entries:
            if not NAME.fullmatch(entry.key):
                message = f"`{entry.key}` is not a valid block name: {NAME_RULE}"
                self.read.error(
                    "E108", message, entry.key_span, f"rename it, for example to `{better_name(entry.key)}`"
                )
        return tuple(self.block(entry) for entry in entries)  # also with an invalid name, so that its uses are valid

    def entries(self, value: Value, what: str) -> tuple[Entry, ...] | None:
        """The entries of a mapping. A list of mappings is an error, and is read as one mapping."""
        items = value.items if isinstance(value, Listing) else ()
        if not items or not all(isinstance(item, Table) for item in items):
            table = self.read.table(value, what)
            return tuple(table) if table is not None else None
        message = f"`{what}` must be a mapping (name: value), not a list"
        self.read.error("E109", message, value.span, f"remove the dashes in front of the {what}")
        meant = {entry.key: entry for item in items if isinstance(item, Table) for entry in item}
        return tuple(meant.values())

    def block(self, entry: Entry) -> BlockSpec:
        name = LocatedText(entry.key, entry.key_span)
        params: tuple[ParamSpec, ...] | None = ()
        inputs: tuple[LocatedText, ...] | None = None
        if isinstance(entry.value, Table):
            listed = entry.value.get("params")
            params = self.params(listed.value) if listed else ()
            if params is None:  # its parameters are unknown
                return BlockSpec(name, (), None, NodeSpec(name, name.span, broken=True))
            if named := entry.value.get("inputs"):
                inputs = self.input_names(named.value)
        body = self.nodes.node(name, entry.value, BLOCK_KEYS, f"the block `{name}`")
        if body and isinstance(entry.value, Table):
            body = self.without_use(entry.value, body)
        return BlockSpec(name, params or (), inputs, body or NodeSpec(name, name.span, broken=True))

    def without_use(self, table: Table, body: NodeSpec) -> NodeSpec | None:
        """The body of a block, without keys that belong to its uses; None if it only shares a module."""
        for key in ("from", "unused", "expect", "share", "net"):
            if found := table.get(key):
                message = f"`{key}` is not allowed in the definition of a block, only where the block is used"
                self.read.error("E107", message, found.key_span)
        return None if body.share or body.net else body

    def input_names(self, value: Value) -> tuple[LocatedText, ...] | None:
        names = self.read.strings(value, "inputs", "a name or a list of names")
        for name in names or ():
            if not NAME.fullmatch(name.text) or name.text == "from":
                reason = "`$from` is a variable of expressions" if name.text == "from" else NAME_RULE
                self.read.error("E108", f"`{name}` is not a valid input name: {reason}", name.span)
        return names

    def outputs(self, value: Value) -> tuple[tuple[LocatedText, LocatedText], ...] | None:
        if isinstance(value, Scalar):
            path = self.read.string(value, "outputs", OUTPUTS)
            return ((LocatedText("output", path.span), path),) if path else None
        table = self.read.table(value, "outputs", OUTPUTS)
        if table is None:
            return None
        pairs = []
        for entry in table:
            path = self.read.string(entry.value, f"outputs.{entry.key}", "the path of a node")
            if not NAME.fullmatch(entry.key) or entry.key.startswith("_") or keyword.iskeyword(entry.key):
                reason = _why_no_output(entry.key)
                self.read.error("E108", f"`{entry.key}` is not a valid output name: {reason}", entry.key_span)
            elif path:
                pairs.append((LocatedText(entry.key, entry.key_span), path))
        return tuple(pairs)

    def init(self, value: Value) -> tuple[InitSpec, ...] | None:
        rules = []
        items = value.items if isinstance(value, Listing) else (value,)
        if len(items) > MAX_RULES:
            self.read.error("E501", f"`init` has {len(items):,} rules, the maximum is {MAX_RULES}", value.span)
        for item in items[:MAX_RULES]:
            match = item.get("match") if isinstance(item, Table) else None
            pattern = self.read.string(match.value, "match", MATCHED) if match else None
            if isinstance(item, Table) and match and pattern:
                rules.append(InitSpec(pattern, tuple(entry for entry in item if entry.key != "match")))
            elif not match:
                help = "write `{match: conv, weight: {kaiming_normal: {mode: fan_out}}, bias: 0}`"
                self.read.error("E107", f"an `init` rule needs `match`: {MATCHED}", item.span, help)
        return tuple(rules)

    def weights(self, value: Value) -> WeightsSpec | None:
        table = self.read.table(value, "weights")
        if table is None:
            return None
        networks = []
        rest = []
        for entry in table:
            if entry.key != "renames" and isinstance(entry.value, Scalar):
                source = self.read.string(entry.value, f"weights.{entry.key}", "a file, or `torchvision`")
                networks += [(LocatedText(entry.key, entry.key_span), source)] if source else []
            else:
                rest.append(entry)
        known = self.read.known_keys(replace(table, entries=tuple(rest)), ("renames",), "`weights`")
        renames = self.renames(known["renames"].value) if "renames" in known else {}
        return WeightsSpec(renames, tuple(networks))

    def renames(self, value: Value) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in self.read.table(value, "renames") or ():
            new = self.read.string(entry.value, f"renames.{entry.key}")
            if entry.key.count("**") > MAX_OPEN_STARS or entry.key.count("*") > MAX_STARS:
                most = f"at most {MAX_STARS} times and `**` at most {MAX_OPEN_STARS} times"
                message = f"a pattern in `renames` can contain `*` {most}"
                self.read.error("E501", message, entry.key_span)
            elif new:
                found[entry.key] = new.text
        return found

    def train(self, value: Value) -> Table | LocatedText | None:
        return (
            value
            if isinstance(value, Table)
            else self.read.string(value, "train", "a recipe (a mapping), or the name or the file of one")
        )


def _why_no_output(name: str) -> str:
    """Why an output cannot have this name, which becomes a field of a named tuple."""
    if keyword.iskeyword(name):
        return "it is a Python keyword"
    return "it starts with `_`" if name.startswith("_") else NAME_RULE


def nodes_of(file: FileSpec) -> Iterator[NodeSpec]:
    """Every node that is written in a file, with those in blocks and rules."""
    scopes = [file.nodes, *(scope for rule in file.change for scope in (rule.before, rule.after))]
    nodes = [*(block.body for block in file.blocks), *(rule.replace for rule in file.change if rule.replace)]
    scopes += [ScopeSpec(tuple(nodes), 0, file.span)]
    for scope in scopes:
        yield from scope.walk() if scope else ()
