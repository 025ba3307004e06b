"""Random variants: rules of `change`, networks as nodes, nodes beside `extends`, and replaced blocks."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnngraph.fields import fields_of
from cnngraph.graph.graph import Graph
from tests.fuzz.spec_tree import Expr, written

BUNDLED = {"googlenet_mnist": "", "residual_mnist": "", "cifar2_skip": "{depth: 2}", "resnet_cifar": "{depth: 8}"}
BUNDLED |= {"resnet_cifar_222": "", "mobilenet_v2": "", "densenet121": ""}
MAIN = "variant.yaml"
BASE = "base.yaml"
UNITS = """cnngraph: 1
blocks:
  single: {op: conv, kernel: 3, padding: half, bias: false}
  unit:
    params: {width: null, act: relu}
    nodes: {conv: {op: single, out: $width}, bn: batch_norm, act: $act}
  skipped: {params: {on: true}, when: $on, nodes: {act: tanh, pool: {op: max_pool, kernel: 2}}}
  merged: {inputs: [x, y], nodes: {sum: {op: add, from: [x, y]}, act: relu}}
"""
PLAIN = """cnngraph: 1
input: [4, 8, 8]
import: units.yaml
params: {width: 4, on: false, act: gelu}
nodes:
  stem: {op: single, out: $width, expect: [4, 8, 8]}
  layers: {repeat: 2, op: unit, width: $width, last: {act: tanh}}
  named: {repeat: [{act: relu}, {act: $act}], name: unit1, op: unit, width: 4}
  off: {op: skipped, on: $on}
  mapped: {op: skipped}
  flat: {flat: true, nodes: {one: {op: conv, out: 4, kernel: 1}, two: relu}}
  more: {repeat: 2, flat: true, nodes: {a$i: relu, b$i: batch_norm}}
  listed: [{op: conv, out: 4, kernel: 1}, relu, {op: relu, when: $on}, {op: unit, width: 4}, [sigmoid, relu]]
  dense: {repeat: 2, carry: concat, op: conv, out: 2, kernel: 1}
  all: {repeat: 2, gives: all, from: dense, op: single, out: 2}
  parts: {op: chunk, chunks: 2, from: all.1}
  both: {op: merged, from: ["parts[0]", "parts[1]"]}
  again: {share: both, from: ["parts[1]", both]}
  twin: {share: listed, from: mapped}
  dotted.name: {op: add, from: [both, again]}
  joined: {op: concat, from: [dotted.name, twin, twin.0]}
  head: {nodes: [global_avg_pool, {op: linear, out: 3}]}
  aux: {op: linear, from: head.0, out: 2}
outputs: {logits: head, aux: aux}
training_only: [aux]
init: [{match: conv, weight: zeros}, {match: "layers.*.bn", weight: 0.5}]
"""
NEW = ["relu", "silu", "identity", "batch_norm", "sigmoid", "dropout", "avg_pool", "conv", "linear", "add", "none_such"]
NEW += ["unit", "single", "flatten", "softmax", "chunk"]
VALUES: list[Any] = [1, 2, 3, 4, 0, -1, None, "half", True, [3, 3], "relu", Expr("$from.channels"), Expr("$i + 1")]
VALUES += [Expr("$from.channels // 2"), Expr("$name"), Expr("$missing"), 0.5, Expr("$in.channels")]
KEYS = ["out", "kernel", "stride", "padding", "bias", "width", "act", "p", "dim", "sizes", "from", "when", "repeat"]
KEYS += ["on", "chunks", "first", "last", "flat", "name", "else", "nodes", "op"]
NAMES = ["n", "n_$name", "n$i", "n$name.x", "$name", "act", "0", "a.b", "n_${$i + 1}", "se", "in", "weight", "extra$i"]


@dataclass
class Variant:
    """The files of a variant. `rules` are those of its `change`; `alone` is whether nothing else is changed."""

    files: dict[str, str]
    rules: list[dict[str, Any]] = field(default_factory=list)
    nets: bool = False
    alone: bool = True


class VariantDrawer:
    """Draws rules and nodes for the graph of a base."""

    def __init__(self, rng: random.Random, files: Mapping[str, str], graph: Graph) -> None:
        self.rng = rng
        self.files = dict(files)
        self.graph = graph
        self.nodes = list(graph.nodes)
        self.scopes = [scope for scope in graph.scopes() if scope.path]
        self.ops = sorted({node.op for node in graph.nodes} | {s.block for s in self.scopes if s.block} | {"single"})
        self.paths = sorted({node.path for node in graph.nodes} | {scope.path for scope in self.scopes})

    def happens(self, chance: float) -> bool:
        """True with a probability."""
        return self.rng.random() < chance

    # -- rules

    def match(self, prefix: str = "") -> str:
        """An op, a block, or a path with stars; sometimes one that does not exist."""
        kind = self.rng.random()
        if kind < 0.35:
            return self.rng.choice(self.ops)
        if kind < 0.37:
            return self.rng.choice(["nothing", "**", "*", "", "layers.*", "**.act", "x..y", "$op", "n_*", "**n**"])
        parts = self.rng.choice(self.paths).split(".")
        if self.happens(0.5):
            place = self.rng.randrange(len(parts))
            parts[place] = self.rng.choice(["*", "**", f"{parts[place][:1]}*", f"*{parts[place][-1:]}"])
        return prefix + ".".join(parts)

    def rule(self, prefix: str = "") -> dict[str, Any]:
        """A rule."""
        rule: dict[str, Any] = {"match": self.match(prefix)}
        actions = [self.sets, self.swaps, self.removes, self.inserts, self.inserts, self.replaces]
        self.rng.choice(actions)(rule)
        if self.happens(0.15) and (self.happens(0.1) or not {"remove", "replace"} & rule.keys()):
            self.rng.choice(actions[:5])(rule)
        return rule

    def sets(self, rule: dict[str, Any]) -> None:
        """Set or remove parameters: those of the node, mostly."""
        fitting = [node for node in self.nodes if rule["match"] in (node.op, node.path)]
        if self.happens(0.85):
            node = self.rng.choice(fitting or self.nodes)
            if not fitting:
                rule["match"] = self.rng.choice([node.path, node.op])
            known = fields_of(type(node.operation))
            for key in self.rng.sample(sorted(known), min(len(known), self.rng.choice([1, 1, 2]))):
                value = getattr(node.operation, key)
                plain = value if isinstance(value, int | float | str | bool) else None
                rule[key] = self.rng.choice([plain, None if key not in ("out", "kernel") else 1, plain or 2])
            if known:
                return
        for _ in range(self.rng.choice([1, 1, 2])):
            rule[self.rng.choice(KEYS[:6] if self.happens(0.7) else KEYS)] = self.rng.choice(VALUES)

    def swaps(self, rule: dict[str, Any]) -> None:
        rule["op"] = self.rng.choice(["relu", "silu", "identity", "tanh"] if self.happens(0.5) else [*NEW, *self.ops])
        fitting = [node for node in self.nodes if rule["match"] in (node.op, node.path)]
        if self.happens(0.7) and fitting:
            rule |= {key: None for node in fitting[:2] for key in fields_of(type(node.operation))}
        if rule["op"] in ("conv", "single"):
            rule["out"] = 4
        if rule["op"] == "conv":
            rule["kernel"] = 1
        if self.happens(0.3):
            rule[self.rng.choice(KEYS)] = None

    def removes(self, rule: dict[str, Any]) -> None:
        rule["remove"] = not self.happens(0.05)

    def inserts(self, rule: dict[str, Any]) -> None:
        names = self.rng.sample(NAMES, self.rng.choice([1, 1, 2, 3]))
        if self.happens(0.75):
            names = ["n_$name"]
        scope = {name: self.node([*names, "in"]) for name in names}
        rule[self.rng.choice(["before", "after"])] = scope if self.happens(0.97) else [*scope.values()]

    def replaces(self, rule: dict[str, Any]) -> None:
        rule["replace"] = self.node(["in"]) if self.happens(0.6) else [self.node(["in"]), self.node(["in"])]

    def node(self, reads: list[str]) -> Any:
        """A node that fits almost everywhere, mostly."""
        kind = self.rng.random()
        if kind < 0.45:
            return self.rng.choice(["relu", "identity", "silu", "tanh"])
        if kind < 0.5:
            return {"op": "conv", "out": Expr("$from.channels"), "kernel": 1}
        if kind < 0.6:
            return {"nodes": self.rng.choice([{"a": "relu", "b": "tanh"}, ["relu", "relu"]]), "flat": self.happens(0.3)}
        if kind < 0.67:
            return {"repeat": 2, "op": "relu", "name": "unit0"} if self.happens(0.3) else {"repeat": 2, "op": "relu"}
        if self.happens(0.6):
            return self.rng.choice(["relu", "identity"])
        if kind < 0.74:
            return {"op": "add", "from": ["in", self.rng.choice([*reads, *self.paths])]}
        if kind < 0.79:
            return {"share": self.rng.choice([*reads, *self.paths])}
        if kind < 0.84:
            return {"op": "relu", "when": self.happens(0.5)}
        if kind < 0.88:
            return {"op": "unit", "width": Expr("$in.channels")}
        if kind < 0.92:
            return {"net": BASE, "until": self.rng.choice(self.paths)}
        if kind < 0.95:
            return {"op": "relu", "from": self.rng.choice(self.paths)}
        return {"op": self.rng.choice(NEW)}

    def rules(self, prefix: str = "") -> list[dict[str, Any]]:
        """A few rules."""
        return [self.rule(prefix) for _ in range(self.rng.choice([1, 1, 1, 1, 2, 2, 3]))]

    # -- files

    def extending(self) -> Variant:
        """A variant of the base."""
        rules = self.rules()
        document: dict[str, Any] = {"extends": BASE, "change": rules}
        alone = True
        if self.happens(0.2):
            alone = False
            document["nodes"] = {
                "extra": self.node(["in"]),
                "last": {"op": "relu", "from": self.rng.choice(self.paths)},
            }
            document["outputs"] = {"one": self.rng.choice(self.paths), "two": "last"}
            if self.happens(0.5):
                document["outputs"]["three"] = "extra"
        if self.happens(0.15):
            alone = False
            block = self.rng.choice([scope.block for scope in self.scopes if scope.block] or ["single"])
            body: dict[str, Any] = {"nodes": {"act": self.node(["in"]), "other": "relu"}}
            if self.happens(0.8):
                body["params"] = dict.fromkeys(("width", "act", "on", "out", "stride", "w"), 4)
            document["blocks"] = {block: body}
        return Variant({**self.files, MAIN: text_of(document)}, rules, alone=alone)

    def net(self) -> dict[str, Any]:
        """A node that is the base."""
        node: dict[str, Any] = {"net": BASE}
        if self.happens(0.5):
            node["until"] = self.rng.choice([*self.paths, "missing", "logits"])
        if self.happens(0.15):
            node["flat"] = True
        if self.happens(0.1):
            node["when"] = self.happens(0.5)
        if self.happens(0.1):
            node["repeat"] = 2
        if self.happens(0.1):
            node["unused"] = True
        if self.happens(0.2):
            node[self.rng.choice(["width", "on", "classes", "act", "k"])] = self.rng.choice([4, True, "relu", 3])
        return node

    def nesting(self) -> Variant:
        """A network with the base as a node, sometimes more than once."""
        inputs = list(self.graph.inputs)
        nodes: dict[str, Any] = {}
        before = {"pre": {"op": "identity"}} if self.happens(0.3) and inputs == ["in"] else {}
        source = [*before] or inputs
        for name in ("a", "b", "c")[: self.rng.choice([1, 1, 2, 3])]:
            node = self.net()
            node["from"] = source[0] if len(source) == 1 else source
            if nodes and self.happens(0.3):
                node = {"share": "a", "from": node["from"]}
            nodes[name] = {"nodes": {"inner": node}} if self.happens(0.1) else node
        nodes = {**before, **nodes}
        if self.happens(0.5):
            paths = [f"a.{self.rng.choice(self.paths)}" for _ in range(self.rng.choice([1, 1, 2]))]
            nodes["end"] = (
                {"op": "add", "from": [*paths, "a"]} if self.happens(0.3) else {"op": "relu", "from": paths[0]}
            )
        shapes = {name: list(type_.sizes) for name, type_ in self.graph.inputs.items()}
        document: dict[str, Any] = {"input": shapes["in"] if inputs == ["in"] else shapes, "nodes": nodes}
        if "units.yaml" in self.files:
            document["import"] = "units.yaml"
        if self.happens(0.4):
            document["outputs"] = {f"o{number}": name for number, name in enumerate(nodes) if name != "pre"}
        rules = self.rules(self.rng.choice(["a.", "", "*.", "b."])) if self.happens(0.5) else []
        if rules:
            document["change"] = rules
        files = {**self.files, MAIN: text_of(document)}
        if self.happens(0.25):
            own = text_of({"change": self.rules()}).partition("\n")[2]
            files[BASE] += own
        if self.happens(0.2):
            files["middle.yaml"] = files[MAIN]
            files[MAIN] = text_of(
                {
                    "input": document["input"],
                    "nodes": {"deep": {"net": "middle.yaml", "from": inputs}, "z": self.node(["in"])},
                }
            )
        elif self.happens(0.2):
            files["middle.yaml"] = files[MAIN]
            files[MAIN] = text_of({"extends": "middle.yaml", "change": self.rules("a.")})
        return Variant(files, rules, nets=True, alone=False)

    def draw(self) -> Variant:
        """A variant, or a network with networks."""
        return self.extending() if self.happens(0.7) else self.nesting()


def text_of(document: Mapping[str, Any]) -> str:
    """The text of a spec: one line for each key, and for each node and rule."""
    lines = ["cnngraph: 1"]
    for key, value in document.items():
        if isinstance(value, Mapping):
            lines += [f"{key}:", *(f"  {written(name)}: {written(item)}" for name, item in value.items())]
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            lines += [f"{key}:", *(f"  - {written(item)}" for item in value)]
        else:
            lines.append(f"{key}: {written(value)}")
    return "\n".join(lines) + "\n"
