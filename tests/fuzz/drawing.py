"""Random valid specs: each node is drawn for the shapes of its inputs and immediately read by `Reading`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cnngraph.tensor_type import TensorType
from tests.fuzz.drawn_nodes import COMMON, TRIES, NodeDrawer, types_of
from tests.fuzz.expressions import RefusedError, elements
from tests.fuzz.init_rules import fits
from tests.fuzz.names import Env, InvalidError, Level, Tensor, Value, paths
from tests.fuzz.spec_tree import BlockTree, NodeTree, ScopeTree, SpecTree

ODD_NAMES = [
    "weight",
    "bias",
    "conv",
    "batch_norm",
    "linear",
    "module",
    "name",
    "torch",
    "nn",
    "F",
    "re",
    "x",
    "y",
    "out",
]
ODD_NAMES += [
    "a-1",
    "b-2-c",
    "layer1",
    "running_mean",
    "init",
    "result",
    "gate",
    "T",
    "input",
    "super",
    "Any",
    "Tensor",
]
INPUTS = {"x", "y", "skip", "left", "right"}  # a node must not have the name of an input of its scope
WRONG = (InvalidError, RefusedError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError)


class Drawer(NodeDrawer):
    """Draws one spec from a seed."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.in_own_file = True  # whether nodes are drawn for the main file
        self.odd = self.happens(0.3)
        self.files = self.happens(0.35)
        self.outputs: dict[str, str] = {}

    # -- the spec

    def draw(self) -> SpecTree:
        """A spec; raises InvalidError if the draw fails."""
        types = self.draw_inputs()
        self.file_params = elements(self.draw_params())
        params = {key: self.disguised(key, value) for key, value in self.file_params.items()}
        env = Env(self.file_params, {name: Value((Tensor(name, type_),)) for name, type_ in types.items()})
        inputs = {name: list(type_.sizes) for name, type_ in types.items()}
        spec = SpecTree(inputs, params, self.blocks, ScopeTree([], False), self.outputs)
        with self.scratch():
            spec.nodes = self.draw_scope(env, Level(""), 0, top=True)
        outputs = self.spec(spec)
        if len(outputs) > 1 and self.happens(0.5):
            spec.training_only = self.rng.sample(sorted(outputs), self.rng.randint(1, len(outputs) - 1))
        if self.happens(0.4) and any(not node.implied for node in self.operations):
            spec.init = [self.draw_rule() for _ in range(self.rng.randint(1, 4))]
        if self.happens(0.15):
            self.draw_variant(spec)
        return spec

    def draw_rule(self) -> dict[str, Any]:
        """An init rule for an op, a module, or a path with stars."""
        operation = self.rng.choice([node for node in self.operations if not node.implied])
        parts = operation.path.split(".")
        pattern = [self.rng.choice([part, part, "*"]) for part in parts]
        patterns = [
            operation.op.name,
            operation.path,
            ".".join(pattern),
            "*",
            "**",
            f"{parts[0]}.**",
            f"**.{parts[-1]}",
            f"{parts[0]}*",
        ]
        calls = [0, 1, 0.5, -2, "zeros", "ones", {"normal": {"std": 0.1}}, {"uniform": {"a": -1, "b": 1}}]
        names = self.rng.choice([["weight"], ["weight", "bias"], ["bias"]])
        match = self.rng.choice(patterns)
        fitting = [node.op.name for node in self.operations if fits(match, node.op.name, node.path)]
        if fitting and set(fitting) == {"parameter"}:
            match = "relu"
        return {"match": match, **{name: self.rng.choice(calls) for name in names}}

    def draw_variant(self, spec: SpecTree) -> None:
        """Move the spec into a base file that is extended with other params and blocks."""
        params = {}
        for key in self.rng.sample(sorted(spec.params), self.rng.randint(0, len(spec.params))):
            value = self.file_params[key]
            params[key] = self.rng.choice([not value if isinstance(value, bool) else value, None, 5])
        own = [block for block in spec.blocks.values() if not block.file]
        blocks = {block.name: block for block in self.rng.sample(own, self.rng.randint(0, len(own)))}
        spec.variant = {"params": params, "blocks": blocks}

    def draw_inputs(self) -> dict[str, TensorType]:
        first, other = self.draw_input(), self.draw_input()
        return {"in": first} if self.happens(0.8) else {"left": first, "right": self.rng.choice([first, other])}

    def draw_input(self) -> TensorType:
        """An input type, mostly a map."""
        if self.happens(0.15):
            return TensorType.vector(self.rng.choice([1, 3, 8, 12]))
        return TensorType.map(self.rng.choice([1, 2, 3, 4, 6, 8]), self.rng.randint(1, 9), self.rng.randint(1, 9))

    def draw_params(self) -> dict[str, Any]:
        options = {
            "k": self.rng.choice([1, 3]),
            "wide": self.rng.choice([2, 4, 6]),
            "widths": [self.rng.choice([2, 3, 4]) for _ in range(self.rng.randint(1, 3))],
            "on": self.happens(0.5),
            "rate": self.rng.choice([0.5, 0.25, 1.5]),
            "rows": [{"out": self.rng.choice([2, 4])} for _ in range(2)],
            "act": self.rng.choice(["relu", "tanh", "gelu"]),
        }
        return {key: options[key] for key in self.rng.sample(sorted(options), self.rng.randint(0, 5))}

    def disguised(self, key: str, value: Any) -> Any:
        """A param's default, possibly as an expression over earlier params."""
        if type(value) is int and self.happens(0.3):
            return self.integer(value, Env(_before(self.file_params, key), {}))
        return value

    # -- scopes

    def draw_scope(self, env: Env, level: Level, depth: int, *, top: bool = False) -> ScopeTree:
        """Nodes that read each other, all of which are read."""
        scope = ScopeTree([], self.happens(0.3))
        start = len(self.operations)
        last: Value | None = None
        size = self.rng.randint(2, 6) if top else self.rng.randint(1, 4)
        for _ in range(size):
            last = self.add_node(scope, env, last, level, depth) or last
            if self.budget <= 0:
                break
        if last is None or last.unused:
            last = self.add(
                scope, NodeTree(self.name(scope), "identity", reads=[self.first_input(env)]), env, last, level
            )
        self.join_unread(scope, env, last, level, start, top=top)
        if self.happens(0.15):
            self.shuffle(scope, env)
        return scope

    def shuffle(self, scope: ScopeTree, env: Env) -> None:
        """Shuffle the textual order of the nodes, except the last one."""
        nodes = scope.children
        if scope.numbered or len(env.inputs) != 1 or any(node.flat for node in nodes) or any(env.names.others):
            return
        if any(value.flat or value.unused for value in env.names.values()):
            return
        for node, above in zip(nodes, [None, *nodes], strict=False):
            if node.reads is None and node.op != "parameter":
                node.reads = [above.name if above is not None else self.first_input(env)]
        order = list(range(len(nodes) - 1))
        self.rng.shuffle(order)
        scope.order = [*order, len(nodes) - 1]

    def first_input(self, env: Env) -> str:
        return next(iter(env.inputs))

    def add_node(self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int) -> Value | None:
        """Add a node, if one that fits is found within a few attempts."""
        for _ in range(TRIES):
            self.budget -= 1
            must = above is None and len(env.inputs) != 1
            absent_above = above is not None and above.unused
            try:
                trees = self.draw_nodes(scope, env, above, level, depth, must or absent_above)
            except (InvalidError, ArithmeticError, IndexError, RefusedError, ValueError, TypeError):
                continue
            value: Value | None = above
            added = len(scope.children)
            for tree in trees:
                value = self.add(scope, tree, env, value, level)
                if value is None:
                    break
            if value is not None:
                return value
            if len(scope.children) > added:
                raise InvalidError("half of a pair")
        return None

    def add(self, scope: ScopeTree, tree: NodeTree, env: Env, above: Value | None, level: Level) -> Value | None:
        """Add a node to the scope if it is valid; otherwise leave the scope unchanged."""
        start, using, taken, count = len(self.operations), len(self.using), set(level.taken), level.count
        names = env.names.copy()
        try:
            value = self.child(tree, env, above, level)
        except (
            InvalidError,
            ArithmeticError,
            IndexError,
            RefusedError,
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ):
            del self.operations[start:], self.using[using:]
            level.taken, level.count = taken, count
            env.names.clear()
            env.names.update(names)
            env.names.others = names.others
            return None
        scope.children.append(tree)
        return value

    def join_unread(
        self, scope: ScopeTree, env: Env, last: Value | None, level: Level, start: int, *, top: bool
    ) -> None:
        """Add a last node that reads everything unread."""
        if last is None:
            raise InvalidError("no output")
        final = {tensor.name for tensor in last.tensors} if not last.unused else set()
        unread = self.unread(start, final, env.inputs if top else {})
        if not unread and not (top and (last.is_list or len(last.tensors) != 1 or last.unused)):
            return
        sources = self.sources([node for node in unread if not isinstance(node, str)], env)
        sources += [name for name in unread if isinstance(name, str)]
        parts = [part for path in sources for part in self.parts(path, env.find(path))]
        last_paths = [self.path_of(last, env)] if not last.unused else []
        needed = list(dict.fromkeys([*(parts if self.happens(0.2) else sources), *last_paths]))
        if not needed:
            raise InvalidError("no output")
        if top and self.happens(0.4):
            self.outputs |= {f"o{number}": path for number, path in enumerate(dict.fromkeys([*parts, *last_paths]))}
            if all(len(env.find(path)) == 1 for path in self.outputs.values()):
                return
            self.outputs.clear()
        self.rng.shuffle(needed)
        for op in self.rng.sample(["add", "concat", "maximum", "mean"], 4):
            if self.add(scope, NodeTree(self.name(scope), op, reads=needed), env, last, level):
                return
        flat: list[str] = []
        for path in needed:
            value = env.find(path)
            for source in self.parts(path, value) if value.is_list else [path]:
                name = self.name(scope)
                found = self.add(scope, NodeTree(name, "flatten", reads=[source]), env, last, level)
                if found is None:
                    raise InvalidError("cannot be joined")
                flat.append(name or str(level.count - 1))
        if self.add(scope, NodeTree(self.name(scope), "concat", reads=flat), env, last, level) is None:
            raise InvalidError("cannot be joined")

    def parts(self, path: str, value: Value) -> list[str]:
        """The paths of a list's tensors by number, unless these are names of inner nodes."""
        numbers = [str(number) for number in range(len(value))]
        if not value.is_list or any(number in value.names for number in numbers):
            return [path]
        return [f"{path}.{number}" for number in numbers]

    def sources(self, left: list[Any], env: Env) -> list[str]:
        """The shortest paths whose values contain the tensors of all these operations."""
        needed = {tensor.name for operation in left for tensor in operation.outputs}
        found: list[str] = []
        for path, value in sorted(paths(env.names), key=lambda pair: pair[0].count(".")):
            names = {tensor.name for tensor in value.tensors}
            if names & needed and self.found(env, path) is not None:
                found.append(path)
                needed -= {
                    t.name
                    for operation in left
                    for t in operation.outputs
                    if any(o.name in names for o in operation.outputs)
                }
        if needed:
            raise InvalidError("unreachable tensors")
        return found

    def name(self, scope: ScopeTree) -> str:
        if scope.numbered:
            return ""
        self.named += 1
        taken = {child.name for child in scope.children}
        if self.odd and self.happens(0.6):
            name = self.rng.choice(ODD_NAMES)
            if name not in taken | INPUTS:
                return name
        if self.happens(0.06):
            return f"group.{self.named}"
        return f"n{self.named}"

    # -- blocks

    def use_block(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A use of an existing or a new block."""
        reads, value = self.source(env, above, must)
        usable = [candidate for candidate in self.blocks.values() if self.in_own_file or candidate.file]
        block = self.rng.choice(usable) if usable and self.happens(0.6) else self.draw_block(value, depth)
        names = block.inputs or ["in"]
        if len(names) > 1:
            known = self.reachable(env)
            like = [pair for pair in known if types_of(pair[1]) == types_of(value)] or known
            reads = [*(reads or [self.path_of(value, env)]), *(self.rng.choice(like)[0] for _ in names[1:])]
        local = replace(env, reads=value)
        arguments = {}
        for key, default in block.params.items():
            example = block.examples[key]
            if default is None or self.happens(0.3):
                arguments[key] = self.disguise(example, local)
        tree = NodeTree(self.name(scope), block.name, arguments, reads=reads)
        if self.happens(0.3):
            tree.repeat = self.rng.choice([1, 2, 2])
            tree.carry = self.rng.choice(["last", "last", "concat", "none"])
            tree.gives = self.given()
            self.draw_ends(tree)
        if self.happens(0.15) and (tree.repeat is not None or block.body.nodes is not None):
            tree.flat = True
        if not tree.flat:
            self.decorate(tree, local, value)
        return [tree]

    def draw_block(self, value: Value, depth: int) -> BlockTree:
        """A new block, drawn for an input."""
        self.named += 1
        file = "blocks.yaml" if self.files and self.happens(0.5) else ""
        in_own_file, self.in_own_file = self.in_own_file, self.in_own_file and not file
        if not self.in_own_file:
            file = "blocks.yaml"
        try:
            return self._draw_block(f"block{self.named}", file, value, depth)
        finally:
            self.in_own_file = in_own_file

    def _draw_block(self, name: str, file: str, value: Value, depth: int) -> BlockTree:
        examples: dict[str, Any] = {}
        for key in self.rng.sample(["out", "size", "norm", "kind"], self.rng.randint(0, 2)):
            examples[key] = {"out": 4, "size": self.rng.choice([1, 3]), "norm": self.happens(0.5), "kind": "tanh"}[key]
        params: dict[str, Any] = {key: None if self.happens(0.5) else item for key, item in examples.items()}
        base = {} if file else dict(self.file_params)
        kind = self.rng.choice(["nodes", "nodes", "alias", "repeat"])
        inputs = None
        values = [Value(value.tensors, value.is_list)]
        if kind == "nodes" and self.happens(0.25):
            inputs = self.rng.choice([["x"], ["x", "y"], ["x", "skip"]])
            values = values * len(inputs)
        env = Env({**base, **examples}, dict(zip(inputs or ["in"], values, strict=True)))
        body = NodeTree()
        if kind == "alias":
            if len(value) != 1:
                raise InvalidError("several tensors")
            body.op, arguments = self.fitting(COMMON, value)
            body.arguments = self.written(arguments, env)
            if body.arguments and self.happens(0.3):
                body.arguments.pop(self.rng.choice(sorted(body.arguments)))
        else:
            if kind == "repeat":
                body.repeat = self.rng.choice([1, 2])
                body.carry = self.rng.choice(["last", "last", "concat", "none"])
                body.gives = self.given()
                env = replace(env, round=(0, None))
            body.flat = self.happens(0.15)
            with self.scratch():
                self.using.append(name)
                body.nodes = self.draw_scope(env, Level("inside"), depth + 1)
        if self.happens(0.1):
            body.when = self.condition(replace(env, round=None))
        block = BlockTree(name, params, inputs, body, file, examples)
        self.blocks[name] = block
        return block


def _before(params: dict[str, Any], key: str) -> dict[str, Any]:
    names = list(params)
    return {name: params[name] for name in names[: names.index(key)]}
