"""Reads the rules of `change`: structure only, nothing is looked up or evaluated."""

from __future__ import annotations

from cnngraph.document import Listing, Scalar, Table, Value
from cnngraph.language.keys import CHANGE_KEYS, NODE_KEYS
from cnngraph.language.model import ChangeSpec, LocatedText, NodeSpec, ScopeSpec
from cnngraph.language.nodes import NodeReader
from cnngraph.text import in_backticks

MAX_RULES = 1_000
MATCHED = "the name of an op or block, or a path with `*`"
ACTIONS = tuple(key for key in CHANGE_KEYS if key != "match")
EXAMPLE = "write `{match: conv1, stride: 1}`, or `{match: relu, op: silu}`"
ALONE = ("remove", "replace")  # the node is gone, so nothing else can be said about it


class ChangeReader:
    """Reads the rules; errors are appended to those of the node reader."""

    def __init__(self, nodes: NodeReader) -> None:
        self.nodes = nodes
        self.read = nodes.read

    def rules(self, value: Value) -> tuple[ChangeSpec, ...]:
        """All rules: a list of them, or one."""
        items = value.items if isinstance(value, Listing) else (value,)
        if len(items) > MAX_RULES:
            self.read.error("E501", f"`change` has {len(items):,} rules, the maximum is {MAX_RULES:,}", value.span)
        found = (self.rule(item) for item in items[:MAX_RULES])
        return tuple(rule for rule in found if rule is not None)

    def rule(self, item: Value) -> ChangeSpec | None:
        """One rule; None if it has an error."""
        match = item.get("match") if isinstance(item, Table) else None
        if not isinstance(item, Table) or match is None:
            message = f"a rule of `change` needs `match`: {MATCHED}"
            self.read.error("E107", message, item.span, EXAMPLE)
            return None
        errors = len(self.read.errors)
        pattern = self.read.string(match.value, "match", MATCHED)
        values = {entry.key: entry.value for entry in item if entry.key in CHANGE_KEYS}
        rule = ChangeSpec(
            pattern or LocatedText("", item.span),
            item.span,
            tuple(entry for entry in item if entry.key not in CHANGE_KEYS),
            self.read.string(values["op"], "op", "the name of an op or block") if "op" in values else None,
            self.read.boolean(values, "remove"),
            self.inserted(values, "before"),
            self.inserted(values, "after"),
            self.replacement(values),
        )
        if len(self.read.errors) == errors:
            self.check(rule, item)
        return rule if len(self.read.errors) == errors else None

    def inserted(self, values: dict[str, Value], key: str) -> ScopeSpec | None:
        """The nodes of `before` or `after`."""
        if key not in values:
            return None
        scope = self.nodes.scope(values[key], f"`{key}`")
        if scope is not None and scope.numbered:
            help = f"name them: `{key}: {{se: {{op: squeeze_excite, …}}}}`"
            self.read.error("E109", f"`{key}` must be a mapping of names to nodes", scope.span, help)
        return scope

    def replacement(self, values: dict[str, Value]) -> NodeSpec | None:
        """The node of `replace`, in any form of a node."""
        if "replace" not in values:
            return None
        value = values["replace"]
        name = LocatedText("replace", value.span)
        if isinstance(value, Scalar) and not isinstance(value.value, str):
            self.read.error("E109", "`replace` must be a node, as in `replace: {op: conv, …}`", value.span)
            return None
        return self.nodes.node(name, value, NODE_KEYS, "the node of `replace`")

    def check(self, rule: ChangeSpec, item: Table) -> None:
        """Report a rule without an action, and actions that exclude each other."""
        given = [entry.key for entry in item if entry.key != "match"]
        if not given or (given == ["remove"] and not rule.remove):
            message = f"the rule for `{rule.match}` changes nothing"
            help = f"add a parameter to set, or one of {in_backticks(ACTIONS)}"
            self.read.error("E107", message, item.span, help)
        only = next((key for key in ALONE if key in given), None)
        if only and len(given) > 1 and (rule.remove or only == "replace"):
            other = item.get(next(key for key in given if key != only))
            assert other is not None
            message = f"`{only}` cannot be combined with `{other.key}`"
            help = "delete one of the two" if rule.remove else "write a second rule, or delete one of the two"
            self.read.error("E109", message, other.key_span, help)
