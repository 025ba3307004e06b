"""Reads nodes and block bodies: structure only, nothing is looked up or evaluated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cnngraph.diagnostics import Span, Suggestion, did_you_mean
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import show_value
from cnngraph.language.keys import BODIES, CARRIES, GIVES, NODE_KEYS, REPEAT_KEYS
from cnngraph.language.model import LocatedText, NodeSpec, RepeatSpec, ScopeSpec
from cnngraph.language.reader import Reader
from cnngraph.text import in_backticks

MAX_NEAR = 10  # keys of a node without op that are checked for a misspelt `op`, `nodes` or `share`

HOW_TO_COUNT = "numbers of iterations, counted back: `[1, 2]`"
PATHS = "a path or a list of paths"


class NodeReader:
    """Reads nodes; errors are appended to `read.errors`."""

    def __init__(self, read: Reader) -> None:
        self.read = read

    def scope(self, value: Value, what: str) -> ScopeSpec | None:
        """`nodes`: a mapping of names to nodes, or a list of them."""
        if isinstance(value, Listing):
            items = [(LocatedText(str(index), item.span), item) for index, item in enumerate(value.items)]
        elif isinstance(value, Table):
            items = [(LocatedText(entry.key, entry.key_span), entry.value) for entry in value]
        else:
            self.read.error("E109", f"{what} must be a mapping of names to nodes, or a list of nodes", value.span)
            return None
        if not items:
            self.read.error("E109", f"{what} must not be empty", value.span, "remove it, or write `identity`")
            return None
        children = [
            self.node(name, child, NODE_KEYS, f"node `{name}`") or NodeSpec(name, name.span, broken=True)
            for name, child in items
        ]
        return ScopeSpec(tuple(children), len(children) if isinstance(value, Listing) else 0, value.span)

    def node(self, name: LocatedText, value: Value, known: Iterable[str], what: str) -> NodeSpec | None:
        """A node, or the body of a block, in any of its forms."""
        if isinstance(value, Listing):
            nodes = self.scope(value, what)
            return NodeSpec(name, name.span, nodes=nodes) if nodes else None
        if isinstance(value, Scalar):
            op = self.read.string(
                value, name.text, "the name of an op, a mapping with `op` or `nodes`, or a list of nodes"
            )
            return NodeSpec(name, name.span, op=op) if op else None
        return self._node_table(name, value, tuple(known), what)

    def _node_table(self, name: LocatedText, table: Table, known: tuple[str, ...], what: str) -> NodeSpec | None:
        values = {entry.key: entry.value for entry in table if entry.key in known}
        rest = tuple(entry for entry in table if entry.key not in known)
        errors = len(self.read.errors)
        node = NodeSpec(
            name,
            name.span,
            op=self.read.string(values["op"], "op", "the name of an op or block") if "op" in values else None,
            nodes=self.scope(values["nodes"], f"`nodes` of {what}") if "nodes" in values else None,
            share=self.read.string(values["share"], "share", "the path of a node") if "share" in values else None,
            net=self.read.string(values["net"], "net", "the name or the file of a network")
            if "net" in values
            else None,
            until=self.read.string(values["until"], "until", "the path of a node") if "until" in values else None,
            reads=self.read.strings(values["from"], "from", PATHS) if "from" in values else None,
            when=self.read.condition(values["when"], "when") if "when" in values else None,
            otherwise=self.read.strings(values["else"], "else", PATHS) if "else" in values else None,
            repeat=self._repeat(values),
            flat=self.read.boolean(values, "flat"),
            unused=self.read.boolean(values, "unused"),
            expect=values.get("expect"),
            arguments=rest,
            ignore=self.read.ignores(values["ignore"], _extent(name.span, table.span)) if "ignore" in values else (),
        )
        if len(self.read.errors) > errors:
            return None
        self._check_node(node, values, rest, what, known)
        return node if len(self.read.errors) == errors else None

    def _check_node(
        self, node: NodeSpec, values: dict[str, Value], rest: tuple[Entry, ...], what: str, known: tuple[str, ...]
    ) -> None:
        bodies = [key for key in BODIES if key in values]
        if not bodies:
            near = _misspelt_body(rest[:MAX_NEAR], known)
            if near:
                self.read.error("E110", f"a node has no key `{near[0].key}`", near[0].key_span, near[1])
            else:
                help = _node_help(rest[0], node.name.text) if len(rest) == 1 and not values else None
                self.read.error(
                    "E109", f"{what} needs `op`, `nodes`, `share` or `net`", node.span, help or "add one of them"
                )
        elif len(bodies) > 1:
            self.read.error("E109", f"{what} has both `{bodies[0]}` and `{bodies[1]}`", node.span, "remove one of them")
        elif rest and not node.op and not node.net:
            help = did_you_mean(rest[0].key, known)
            self.read.error("E110", f"a node with `{bodies[0]}` has no key `{rest[0].key}`", rest[0].key_span, help)
        for key in REPEAT_KEYS:
            if key in values and "repeat" not in values:
                help = "write a node's name as its key: `conv1: {op: conv, …}`" if key == "name" else None
                self.read.error("E109", f"`{key}` requires `repeat`", values[key].span, help)
        if "until" in values and "net" not in values:
            self.read.error("E109", "`until` requires `net`", values["until"].span)
        if "else" in values and "when" not in values:
            self.read.error("E109", "`else` requires `when`", values["else"].span)

    def _repeat(self, values: dict[str, Value]) -> RepeatSpec | None:
        if "repeat" not in values:
            return None
        back = values["carry"] if "carry" in values and _counts_back(values["carry"]) else None
        return RepeatSpec(
            count=values["repeat"],
            name=self.read.string(values["name"], "name") if "name" in values else None,
            carry="last" if back else self._choice(values, "carry", CARRIES, HOW_TO_COUNT) or "last",
            back=back,
            gives=self._choice(values, "gives", GIVES),
            first=self._overlay(values, "first"),
            last=self._overlay(values, "last"),
        )

    def _choice(self, values: dict[str, Value], key: str, options: tuple[str, ...], other: str = "") -> str:
        """The value of a key that must be one of several words; empty if it is not set or none of them.

        `other` is what else it may be, which is read elsewhere.
        """
        if key not in values:
            return ""
        found = values[key].plain()
        if isinstance(found, str) and found in options:
            return found
        expected = f"one of {in_backticks(options)}{f', or {other}' if other else ''}"
        help = did_you_mean(found, options) if isinstance(found, str) else None
        self.read.error("E109", f"`{key}` must be {expected}, got `{show_value(found)}`", values[key].span, help)
        return ""

    def _overlay(self, values: dict[str, Value], key: str) -> tuple[Entry, ...]:
        if key not in values:
            return ()
        table = self.read.table(values[key], key)
        return table.entries if table else ()


def _counts_back(carry: Value) -> bool:
    """Whether `carry` is a number of iterations, a list of numbers, or an expression for one of these."""
    if isinstance(carry, Scalar):
        return type(carry.value) is int or (isinstance(carry.value, str) and "$" in carry.value)
    return isinstance(carry, Listing)


def _extent(first: Span, last: Span) -> Span:
    """The span from the start of `first` to the end of `last`."""
    return replace(first, end_line=last.end_line, end_column=last.end_column)


def _misspelt_body(rest: tuple[Entry, ...], known: tuple[str, ...]) -> tuple[Entry, str] | None:
    """The key that is `op`, `nodes` or `share` with a typo, or else the first key that resembles any node key."""
    for entry in rest:
        if body := next((body for body in BODIES if _one_letter_apart(entry.key, body)), None):
            return entry, Suggestion(body)
    return next(((entry, help) for entry in rest if (help := did_you_mean(entry.key, known))), None)


def _one_letter_apart(one: str, two: str) -> bool:
    """Whether two keys differ by one substituted, missing, extra or transposed letter."""
    if len(one) == len(two):
        wrong = [index for index in range(len(one)) if one[index] != two[index]]
        return len(wrong) == 1 or (len(wrong) == 2 and sorted(one) == sorted(two))
    short, long = sorted((one, two), key=len)
    return len(long) - len(short) == 1 and any(long[:index] + long[index + 1 :] == short for index in range(len(long)))


def _node_help(only: Entry, name: str) -> str | None:
    """Help for a node with a single unknown key: an op with its parameters, or a named node inside a list."""
    value = only.value
    named = isinstance(value, Listing) or (isinstance(value, Scalar) and isinstance(value.value, str))
    if isinstance(value, Table):
        named = any(value.get(key) for key in BODIES)
    if not named:
        return f"write the op as the value of `op`, next to its parameters: `{{op: {only.key}, …}}`"
    return (
        f"nodes in a list have no names: remove `{only.key}`, or write `nodes` as a mapping" if name.isdigit() else None
    )
