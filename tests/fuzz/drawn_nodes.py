"""Random nodes, each drawn for the shapes of its inputs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cnngraph.fields import FieldError
from cnngraph.ops.op import Op, OpError, infer_types, make_op
from cnngraph.tensor_type import TensorType
from tests.fuzz.arguments import draw_arguments
from tests.fuzz.disguises import Disguises
from tests.fuzz.names import Env, InvalidError, Level, Names, Value, joined, paths
from tests.fuzz.reading import OPS
from tests.fuzz.spec_tree import Expr, NodeTree, ScopeTree

COMMON = [
    "conv",
    "conv",
    "conv",
    "relu",
    "batch_norm",
    "max_pool",
    "tanh",
    "linear",
    "global_avg_pool",
    "conv_transpose",
]
LIKE = sorted(name for name, op in OPS.items() if op.input_names == ("map", "like"))
SINGLE = sorted([*(name for name, op in OPS.items() if op.inputs == (1, 1)), *LIKE])
JOINS = ["add", "concat", "mul", "maximum", "mean", "sub", "gate", "identity", *LIKE]
TRIES = 8
REFUSED_KEPT = 4


@dataclass(frozen=True)
class Refused:
    """An op with the input types that it rejected while a spec was drawn."""

    op: Op
    types: tuple[TensorType, ...]
    error: OpError


class NodeDrawer(Disguises):
    """Draws nodes for the current scope."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.budget = self.rng.choice([4, 8, 12, 18, 30])
        self.refused: list[Refused] = []
        self.named = 0

    @abstractmethod
    def draw_scope(self, env: Env, level: Level, depth: int, *, top: bool = False) -> ScopeTree:
        """Nodes that read each other, all of which are read."""

    @abstractmethod
    def use_block(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A use of an existing or a new block."""

    @abstractmethod
    def name(self, scope: ScopeTree) -> str:
        """A name for one more node of the scope."""

    def source(self, env: Env, above: Value | None, must: bool, share: float = 0.25) -> tuple[list[str] | None, Value]:
        """The input of a node: its `from` (None: the previous node) and its value."""
        if above is None and len(env.inputs) == 1:
            (above,) = env.inputs.values()
        if must or above is None or above.absent or self.happens(share):
            known = self.reachable(env)
            path, value = self.rng.choice(known)
            return [path], value
        return None, above

    def reachable(self, env: Env) -> list[tuple[str, Value]]:
        known = [*env.inputs.items(), *paths(env.names)]
        known += [
            (f"{name}{self.rng.choice(['.0', '[0]', '[-1]'])}", value[0])
            for name, value in env.inputs.items()
            if len(value) and self.happens(0.2)
        ]
        known += [
            (f"{name}[{self.rng.choice(['1:', ':-1', '::2', '::-1', '-1:'])}]", value)
            for name, value in known
            if value.is_list and "[" not in name and self.happens(0.2)
        ]
        return [(path, found) for path, _ in known if (found := self.found(env, path)) is not None and found.tensors]

    def found(self, env: Env, path: str) -> Value | None:
        """The value of a path, if it is unambiguous."""
        try:
            return env.find(path)
        except InvalidError:
            return None

    def path_of(self, value: Value, env: Env) -> str:
        for path, other in paths(env.names):
            if other is value and self.found(env, path) is not None:
                return path
        names = [tensor.name for tensor in value.tensors]
        for path, other in [*paths(env.names), *env.inputs.items()]:
            if [tensor.name for tensor in other.tensors] == names and self.found(env, path) is not None:
                return path
        raise InvalidError("no path")

    def fitting(self, ops: list[str], *values: Value) -> tuple[str, dict[str, Any]]:
        """An op and arguments that it accepts for these tensors."""
        types = tuple(tensor.type for value in values for tensor in value.tensors)
        for _ in range(TRIES):
            name = self.rng.choice(ops)
            arguments = draw_arguments(self.rng, OPS[name], types)
            try:
                op = make_op(OPS[name], arguments)
            except FieldError:
                continue
            try:
                infer_types(op, types)
            except OpError as error:
                if len(self.refused) < REFUSED_KEPT:
                    self.refused.append(Refused(op, types, error))
                continue
            return name, arguments
        raise InvalidError("no op fits")

    def draw_nodes(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A node, or two that belong together."""
        kinds: list[Callable[..., list[NodeTree]]] = [self.single] * 8 + [self.join] * 3 + [self.factor]
        kinds += [self.shared] * 2
        if depth < 3 and self.budget > 0:
            kinds += [self.inner] * 3 + [self.use_block] * 3 + [self.iterations] * 3
        tree = self.rng.choice(kinds)(scope, env, above, level, depth, must)
        return tree

    def single(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """An op that reads one tensor."""
        reads, value = self.source(env, above, must)
        if len(value) != 1:
            reads, value = self.part(reads, value, env, above)
        op, arguments = self.fitting(self.rng.choice([COMMON, SINGLE]), value)
        local = replace(env, reads=value)
        tree = NodeTree(self.name(scope), op, self.written(arguments, local), reads=reads)
        self.decorate(tree, local, value)
        return [tree]

    def part(self, reads: list[str] | None, value: Value, env: Env, above: Value | None) -> tuple[list[str], Value]:
        singles = [pair for pair in self.reachable(env) if len(pair[1]) == 1]
        path, value = self.rng.choice(singles)
        return [path], value

    def join(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """An op that reads several tensors."""
        known = self.reachable(env)
        chosen = [self.rng.choice(known) for _ in range(self.rng.choice([1, 2, 2, 2, 3]))]
        if self.happens(0.5):  # of the same shape as the first
            like = [pair for pair in known if types_of(pair[1]) == types_of(chosen[0][1])]
            chosen = [chosen[0], *(self.rng.choice(like) for _ in chosen[1:])]
        op, arguments = self.fitting(JOINS, *(value for _, value in chosen))
        local = replace(env, reads=joined([value for _, value in chosen]))
        tree = NodeTree(self.name(scope), op, self.written(arguments, local), reads=[path for path, _ in chosen])
        self.decorate(tree, local, chosen[0][1])
        return [tree]

    def factor(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A free parameter and the node that reads it."""
        reads, value = self.source(env, above, True)
        if len(value) != 1 or not value.tensors[0].type.batched:
            raise InvalidError("no batch axis")
        arguments = draw_arguments(self.rng, OPS["parameter"], (value.tensors[0].type,))
        parameter = NodeTree(self.name(scope), "parameter", arguments)
        path = parameter.name or str(level.count)
        pair = [*(reads or []), path]
        self.rng.shuffle(pair)
        name = self.name(scope)
        while name and name == parameter.name:
            name = self.name(scope)
        return [parameter, NodeTree(name, self.rng.choice(["mul", "add", "mul", "maximum"]), reads=pair)]

    def shared(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A node that shares the module of another."""
        owners = [(path, value) for path, value in paths(env.names) if value.again is not None and value.operations]
        if not owners:
            raise InvalidError("nothing to share")
        path, owner = self.rng.choice(owners)
        reads, _ = self.source(env, above, must, 0.5)
        if self.happens(0.6) and len(owner.operations) and owner.operations[0].reads:
            first = owner.operations[0].reads
            alike = [path for path, value in self.reachable(env) if self.same_input(owner, value)]
            if alike and len(first) == 1:
                chosen = self.rng.choice(alike)
                reads = [chosen]
        tree = NodeTree(self.name(scope), share=path, reads=reads)
        if self.happens(0.25):
            tree.repeat = self.rng.choice([1, 2])
            tree.carry = self.rng.choice(["last", "last", "none"])
            tree.gives = self.given()
        return [tree]

    def same_input(self, owner: Value, value: Value) -> bool:
        needed = owner.operations[0].reads[0]
        types = [tensor.type for operation in self.operations for tensor in operation.outputs if tensor.name == needed]
        return len(value) == 1 and [value.tensors[0].type] == types[:1]

    def inner(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """Inline nodes."""
        reads, value = self.source(env, above, must)
        if self.happens(0.15):
            known = self.reachable(env)
            more = self.rng.choice(known)
            reads = [*(reads or [self.path_of(value, env)]), more[0]]
            value = joined([value, more[1]])
        inside = replace(env, inputs={"in": Value(value.tensors, value.is_list)}, names=Names(), reads=None)
        with self.scratch():
            nodes = self.draw_scope(inside, Level("inside"), depth + 1)
        tree = NodeTree(self.name(scope), nodes=nodes, reads=reads, flat=self.happens(0.15))
        self.decorate(tree, replace(env, reads=value), value)
        return [tree]

    def iterations(
        self, scope: ScopeTree, env: Env, above: Value | None, level: Level, depth: int, must: bool
    ) -> list[NodeTree]:
        """A repeat of an op or of inline nodes."""
        reads, value = self.source(env, above, must)
        tree = NodeTree(self.name(scope), reads=reads, flat=self.happens(0.2))
        tree.carry = self.rng.choice(["last", "last", "concat", "none"])
        tree.gives = self.given()
        count = self.rng.choice([1, 2, 2, 3])
        item: Any = None
        kind = self.rng.choice(["number", "number", "list", "rows"])
        if kind == "list":
            item = [self.rng.choice([1, 2, 3, 4]) for _ in range(count)]
            tree.repeat = self.listed(item, env)
        elif kind == "number":
            tree.repeat = self.integer(count, env)
        first = item[0] if item else None
        local = replace(env, reads=value, round=(0, first))
        if kind == "rows" or self.happens(0.5):
            if len(value) != 1:
                raise InvalidError("several tensors")
            pool = ["conv", "conv", "conv", "linear", "relu", "batch_norm", "max_pool", "avg_pool", "dropout"]
            tree.op, arguments = self.fitting(pool, value)
            tree.arguments = self.written(arguments, local)
            if kind == "rows":
                self.draw_rows(tree, arguments, count)
        else:
            inside = replace(local, inputs={"in": Value(value.tensors, value.is_list)}, names=Names(), reads=None)
            with self.scratch():
                tree.nodes = self.draw_scope(inside, Level("inside"), depth + 1)
        if tree.flat or self.happens(0.2):
            self.named += 1
            tree.round_name = (
                f"r{self.named}x{self.rng.choice([0, 1, 9])}" if not scope.numbered or self.happens(0.3) else ""
            )
        self.draw_ends(tree)
        self.vary(tree, env)
        if tree.carry == "last" and self.happens(0.3):
            self.read_back(tree)
        return [tree]

    def read_back(self, tree: NodeTree) -> None:
        """Let iterations read several earlier ones, or always the input."""
        if tree.op is not None and tree.repeat is not None and self.happens(0.5):
            tree.op, tree.arguments, tree.first, tree.last = self.rng.choice(["add", "concat", "identity"]), {}, {}, {}
            tree.repeat = self.rng.choice([2, 3, 4])
        forms = ["$i + 1", "1 if $i < 2 else 2", "range(1, $i + 2)", "[1, 2, 1][:$i + 1]"]
        forms += ["[$q for $q in [1, 2, 4] if ($i + 1) % $q == 0]"] * 2
        tree.back = Expr(self.rng.choice(forms))
        tree.gives = self.rng.choice(["all", "all", tree.gives])

    def given(self) -> str:
        """What a repeat outputs."""
        return self.rng.choice(["", "", "", "all", "last"])

    def vary(self, tree: NodeTree, env: Env) -> None:
        """Let each iteration read another tensor of a list."""
        lists = [
            (path, value)
            for path, value in self.reachable(env)
            if value.is_list and len(value) > 1 and "[" not in path  # a slice has no index after it
        ]
        if tree.carry != "none" or not lists or not self.happens(0.5):
            return
        path, value = self.rng.choice(lists)
        last = len(value) - 1
        forms = [f"{path}[$i]", f"{path}[{last} - $i]", f"{path}[-1 - $i]"]
        forms += [] if value.is_numbered else [f"{path}.$i", f"{path}.${{{last} - $i}}"]
        tree.reads = [self.rng.choice(forms)]
        tree.repeat = self.rng.randint(1, len(value))

    def draw_rows(self, tree: NodeTree, arguments: dict[str, Any], count: int) -> None:
        rows = [dict(arguments) for _ in range(count)]
        for row in rows:
            if "out" in row:
                row["out"] = self.rng.choice([2, 3, 4, row["out"]])
            if self.happens(0.1):
                row["when"] = False
        tree.arguments = {} if self.happens(0.5) else tree.arguments
        tree.repeat = rows

    def draw_ends(self, tree: NodeTree) -> None:
        for arguments in (tree.first, tree.last):
            if not self.happens(0.2):
                continue
            if tree.op == "conv" and self.happens(0.6):
                arguments["stride"] = self.rng.choice([1, 2])
            elif tree.op in ("conv", "linear") and self.happens(0.5):
                arguments["bias"] = False
            elif self.happens(0.5):
                arguments["when"] = False

    def decorate(self, tree: NodeTree, env: Env, value: Value) -> None:
        """Add `when`, `expect` and `unused`."""
        if self.happens(0.12):
            tree.when = self.condition(env)
            if self.happens(0.4):
                choices = [path for path, _ in self.reachable(env)]
                tree.otherwise = self.rng.choice(
                    [[self.rng.choice(choices)], self.rng.sample(choices, min(2, len(choices)))]
                )
        elif self.happens(0.05) and tree.op != "parameter":
            tree.unused = True
        elif self.happens(0.1):
            tree.expect = self.expected(tree, env)

    def expected(self, tree: NodeTree, env: Env) -> list[Any] | None:
        """The `expect` of an op, with some sizes left open."""
        if tree.op is None or tree.op not in OPS or env.reads is None:
            return None
        types = tuple(tensor.type for tensor in env.reads.tensors)
        result = infer_types(make_op(OPS[tree.op], env.value(tree.arguments)), types)
        first = result[0] if isinstance(result, tuple) else result
        return [self.rng.choice(["_", size, size, self.integer(size, env)]) for size in first.sizes]


def types_of(value: Value) -> list[TensorType]:
    return [tensor.type for tensor in value.tensors]
