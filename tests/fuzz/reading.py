"""A second, small implementation of the language, written from docs/guide: from a spec's tree to its operations.

It supports only what drawn specs use, and takes the shapes of single operations from the ops, which are compared with
PyTorch elsewhere. Its paths, operations and wiring are compared with the compiler's graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from cnngraph.fields import FieldError
from cnngraph.ops.op import Layer, Op, OpError, infer_types, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.tensor_type import TensorType
from tests.fuzz.expressions import elements
from tests.fuzz.names import Env, InvalidError, Level, Names, Operation, Tensor, Value, joined, read_back
from tests.fuzz.spec_tree import BlockTree, Expr, NodeTree, ScopeTree, SpecTree

OPS = builtin_ops()
LARGEST_TENSOR = 3000


class Reading:
    """Expands trees and records their operations."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.blocks: dict[str, BlockTree] = {}
        self.file_params: dict[str, Any] = {}
        self.sharing: tuple[str, str] | None = None
        self.using: list[str] = []

    def spec(self, spec: SpecTree) -> dict[str, Tensor]:
        """The outputs of the network; raises InvalidError if a node or input is unread."""
        self.operations.clear()
        types = {name: TensorType.of(tuple(sizes)) for name, sizes in spec.inputs.items()}
        self.blocks, self.file_params = spec.blocks, {}
        inputs = {name: Value((Tensor(name, type_),)) for name, type_ in types.items()}
        env = Env(self.file_params, inputs)
        for name, given in spec.params.items():
            self.file_params[name] = elements(env.value(given))
        env = Env(self.file_params, inputs)
        last = self.scope(spec.nodes, env, Level(""))
        found = {name: env.find(path) for name, path in spec.outputs.items()} or {"output": last}
        if any(len(value) != 1 or not value.tensors[0].type.batched or value.unused for value in found.values()):
            raise InvalidError("no output")
        outputs = {name: item.tensors[0] for name, item in found.items()}
        if self.unread(0, {output.name for output in outputs.values()}, inputs):
            raise InvalidError("a node or input is unread")
        return outputs

    def unread(self, start: int, final: set[str], inputs: Mapping[str, Value]) -> list[Operation | str]:
        """The inputs, and the operations since `start`, that nothing reads."""
        read = final.union(*(operation.reads for operation in self.operations if not operation.unused))
        left: list[Operation | str] = [
            node
            for node in self.operations[start:]
            if not node.unused and not any(t.name in read for t in node.outputs)
        ]
        return left + [name for name, item in inputs.items() if not any(t.name in read for t in item.tensors)]

    def scope(self, scope: ScopeTree, env: Env, level: Level) -> Value:
        """The value of a scope's last node; its names are added to `env`."""
        last: Value | None = None
        for node in scope.children:
            last = self.child(node, env, last, level)
        if last is None:
            raise InvalidError("no nodes")
        return last

    def child(self, node: NodeTree, env: Env, above: Value | None, level: Level) -> Value:
        """Read one node of a scope and define its name."""
        if above is None and len(env.inputs) == 1:
            (above,) = env.inputs.values()
        name = env.text(node.name)
        before = level.count
        value = self.node(node, env, above, level, name)
        if name:
            env.names.put(name, value)
        elif not value.absent and not value.flat:
            env.names.put(str(before), value)
        if value.flat:
            env.names.join(value.names)
        return value

    def node(self, node: NodeTree, env: Env, above: Value | None, level: Level, name: str) -> Value:
        start = len(self.operations)
        if node.reads is not None:
            own = [read for read in node.reads if node.repeat is not None and _varies(node, read)]
            values = [env.find(read) for read in node.reads if read not in own]
        else:
            own = []
            if above is None and not node.op == "parameter":
                raise InvalidError("reads nothing")
            values = [above] if above is not None else []
        if any(read.unused for read in values):
            raise InvalidError("an unused node is read")
        env = replace(env, reads=joined(values) if values else None)
        if node.when is not None and not env.value(node.when):
            return self.absent(node.otherwise, env, values)
        if node.repeat is not None:
            value = self.repeat(node, env, values, own, level, name, node.flat)
        else:
            value = self.body(node, {}, env, values, level, name, node.flat)
        if node.expect is not None:
            self.expect(node.expect, env, value)
        if node.unused:
            for operation in self.operations[start:]:
                operation.unused = True
            _mark_unused(value)
        return value

    def expect(self, sizes: list[Any], env: Env, value: Value) -> None:
        expected = env.value(sizes)
        for tensor in value.tensors:
            found = tensor.type.sizes
            if len(expected) != len(found) or any(
                one not in ("_", other) for one, other in zip(expected, found, strict=True)
            ):
                raise InvalidError("expect fails")

    def absent(self, otherwise: list[str] | None, env: Env, values: list[Value]) -> Value:
        if otherwise is not None:
            found = [env.find(path) for path in otherwise]
            whole = joined(found) if found else Value((), True)
        else:
            whole = (values[0].passes or values[0]) if values else Value((), True)
        return Value(whole.tensors, whole.is_list, absent=True)

    # -- repeats

    def repeat(
        self, node: NodeTree, env: Env, values: list[Value], own: list[str], level: Level, name: str, flat: bool
    ) -> Value:
        count = env.value(node.repeat)
        if isinstance(count, int) and count < 0:
            raise InvalidError("a negative repeat")
        items = list(count) if isinstance(count, list) else [None] * count
        if not items:
            return (
                Value((), True, absent=True) if node.gives == "all" else replace(values[0], names=Names(), absent=True)
            )
        start = len(self.operations)
        level.least = 0 if flat else level.least
        inner = level if flat else Level(level.take(name))
        so_far = list(values[0].tensors) if values else []
        results: list[Tensor] = []
        value: Value | None = None
        whole = Value((), path=inner.prefix, flat=flat)
        for number, item in enumerate(items):
            inner.least = 0 if flat else number
            carried = values
            reads = bool(node.gives) or not self.is_absent(node, number, item, len(items))
            if number and node.carry == "concat" and reads:
                carried = [self.concat(so_far), *values[1:]]
            elif node.back is not None:
                carried = [read_back(node.back, [values[0], *whole.iterations], item, env), *values[1:]]
            elif number and node.carry == "last":
                assert value is not None
                carried = [Value(value.tensors, value.is_list), *values[1:]]
            value = self.iteration(node, env, number, item, len(items), carried, own, inner)
            whole.iterations.append(value)
            if value.flat:
                whole.names.join(value.names)
            elif value.path:
                whole.names.put(value.path[len(inner.prefix) + 1 if inner.prefix else 0 :], value)
            results += value.tensors
            if not value.absent:
                so_far += value.tensors
        inner.least = 0
        assert value is not None
        gives = node.gives or {"none": "all"}.get(node.carry, node.carry)
        result = {"last": value, "all": Value(tuple(results), True)}.get(gives) or self.concat(so_far)
        if not flat and not any(iteration.flat for iteration in whole.iterations):
            self.count_absent(whole, node)
        whole.tensors, whole.is_list, whole.operations = result.tensors, result.is_list, self.operations[start:]
        if not own:
            whole.again = lambda values, level, name: self.repeat(
                node, replace(env, reads=joined(values)), values, [], level, name, flat
            )
        return whole

    def iteration(
        self,
        node: NodeTree,
        env: Env,
        number: int,
        item: Any,
        count: int,
        values: list[Value],
        own: list[str],
        level: Level,
    ) -> Value:
        env = replace(env, round=(number, item), reads=joined(values) if values else None)
        if own:
            values = [*values, *(env.find(path) for path in own)]
            env = replace(env, reads=joined(values))
        overlay = dict(item) if isinstance(item, Mapping) else {}
        for arguments, holds in ((node.first, number == 0), (node.last, number == count - 1)):
            overlay |= {key: env.value(value) for key, value in arguments.items()} if holds else {}
        otherwise = overlay.pop("else", None)
        if not overlay.pop("when", True):
            paths = [otherwise] if isinstance(otherwise, str) else otherwise
            return self.absent(paths, env, values)
        return self.body(node, overlay, env, values, level, node.name_of(number), False)

    def count_absent(self, whole: Value, node: NodeTree) -> None:
        """Absent iterations have names, too; a number that may have meant another iteration is refused."""
        absent = [number for number, value in enumerate(whole.iterations) if value.absent]
        for number in absent:
            whole.names.put(node.name_of(number) or str(number), whole.iterations[number])
        if absent and not node.round_name and not node.gives:
            whole.refused = absent[0]

    def is_absent(self, node: NodeTree, number: int, item: Any, count: int) -> bool:
        rows = [item if isinstance(item, Mapping) else {}, node.first if not number else {}]
        rows.append(node.last if number == count - 1 else {})
        return not {"when": True, **rows[0], **rows[1], **rows[2]}["when"]

    def concat(self, tensors: list[Tensor]) -> Value:
        """The concatenation of `carry: concat`, without a path."""
        if len(tensors) == 1:
            return Value((tensors[0],))
        op = make_op(OPS["concat"], {})
        types = tuple(read.type for read in tensors)
        (type_,) = _inferred(op, types)[0]
        reads = tuple(read.name for read in tensors)
        result = Tensor(f"concat({', '.join(reads)})", type_)
        if any(tensor.name == result.name for operation in self.operations for tensor in operation.outputs):
            raise InvalidError("two implied concatenations of the same tensors are ambiguous")
        self.operations.append(Operation(result.name, op, reads, (result,), _call(op, types), None, implied=True))
        return Value((result,))

    # -- bodies

    def body(
        self,
        node: NodeTree,
        overlay: dict[str, Any],
        env: Env,
        values: list[Value],
        level: Level,
        name: str,
        flat: bool,
    ) -> Value:
        if node.nodes is not None and "op" not in overlay:
            return self.inline(node.nodes, env, values, level, name, flat)
        if node.share is not None:
            return self.share(node.share, env, values, level, name)
        arguments = {**{key: env.value(item) for key, item in node.arguments.items()}, **overlay}
        op = arguments.pop("op", None) or (env.value(node.op) if isinstance(node.op, Expr) else node.op)
        return self.use(op, arguments, values, level, name, flat)

    def inline(self, scope: ScopeTree, env: Env, values: list[Value], level: Level, name: str, flat: bool) -> Value:
        inside = replace(env, inputs={"in": joined(values)}, names=Names(), reads=None)
        again = lambda values, level, name: self.inline(scope, env, values, level, name, flat)  # noqa: E731
        return self.opened(scope, inside, level, name, flat, again)

    def opened(
        self, scope: ScopeTree, env: Env, level: Level, name: str, flat: bool, again: Callable[..., Value]
    ) -> Value:
        start = len(self.operations)
        level.least = 0 if flat else level.least
        inner = level if flat else Level(level.take(name))
        last = self.scope(scope, env, inner)
        operations = self.operations[start:]
        return Value(last.tensors, last.is_list, inner.prefix, env.names, flat, again=again, operations=operations)

    def use(
        self, op: Any, arguments: dict[str, Any], values: list[Value], level: Level, name: str, flat: bool
    ) -> Value:
        if op in self.blocks:
            return self.block(self.blocks[op], arguments, values, level, name, flat)
        if op not in OPS:
            raise InvalidError(f"no op {op}")
        return self.leaf(op, arguments, values, level, name)

    def leaf(self, op_name: str, arguments: dict[str, Any], values: list[Value], level: Level, name: str) -> Value:
        if OPS[op_name].inputs == (0, 0):
            values = []
        tensors = joined(values).tensors if values else ()
        types = tuple(tensor.type for tensor in tensors)
        try:
            op = make_op(OPS[op_name], arguments)
        except FieldError as error:
            raise InvalidError(error.message) from None
        outputs, is_list = _inferred(op, types)
        path = level.take(name)
        shares = self.sharing[0] + path[len(self.sharing[1]) :] if self.sharing else None
        results = tuple(Tensor(f"{path}[{part}]" if is_list else path, output) for part, output in enumerate(outputs))
        reads = tuple(tensor.name for tensor in tensors)
        operation = Operation(path, op, reads, results, _call(op, types), shares)
        self.operations.append(operation)
        again = lambda values, level, name: self.leaf(op_name, arguments, values, level, name)  # noqa: E731
        return Value(results, is_list, path, again=again, operations=[operation])

    def share(self, path: str, env: Env, values: list[Value], level: Level, name: str) -> Value:
        owner = env.find(path)
        if (
            owner.absent
            or owner.flat
            or owner.again is None
            or self.sharing
            or any(node.shares or node.unused for node in owner.operations)
        ):
            raise InvalidError("cannot be shared")
        if owner.operations and owner.operations[0].op.name == "parameter" and owner.operations[0].path == owner.path:
            raise InvalidError("a free parameter has no module")
        self.sharing = (owner.path, f"{level.prefix}.{name}" if level.prefix else name or str(level.next))
        if not name and level.prefix:
            self.sharing = (owner.path, f"{level.prefix}.{level.next}")
        try:
            value = owner.again(values, level, name)
        finally:
            self.sharing = None
        theirs, mine = ([(node.op, node.call) for node in one.operations] for one in (owner, value))
        if theirs != mine or not any(isinstance(node.call, Layer) for node in owner.operations):
            raise InvalidError("other weights")
        return replace(value, again=None)

    def block(
        self, block: BlockTree, arguments: dict[str, Any], values: list[Value], level: Level, name: str, flat: bool
    ) -> Value:
        if block.name in self.using:
            raise InvalidError("a cycle")
        env = self.block_env(block, arguments, values)
        rest = {key: value for key, value in arguments.items() if key not in block.params}
        body = block.body
        self.using.append(block.name)
        try:
            if body.when is not None and not env.value(body.when):
                return self.absent(body.otherwise, env, values)
            flat = flat or body.flat
            again = lambda values, level, name: self.block(block, arguments, values, level, name, flat)  # noqa: E731
            if body.repeat is not None:
                value = self.repeat(body, env, values, [], level, name, flat)
            elif body.nodes is not None:
                return self.opened(body.nodes, env, level, name, flat, again)
            else:
                assert body.op is not None
                return self.use(
                    body.op,
                    {**{k: env.value(v) for k, v in body.arguments.items()}, **rest},
                    values,
                    level,
                    name,
                    flat,
                )
        finally:
            self.using.pop()
        value.again = again
        return value

    def block_env(self, block: BlockTree, arguments: dict[str, Any], values: list[Value]) -> Env:
        alias = block.inputs is None and block.body.op is not None and block.body.repeat is None
        names = block.inputs or ["in"]
        if alias:
            values = [joined(values)] if values else []
        elif len(values) != len(names):
            values = [Value((tensor,)) for value in values for tensor in value.tensors]
        if len(values) != len(names):
            raise InvalidError("wrong inputs")
        base = {} if block.file else {k: v for k, v in self.file_params.items() if k not in block.params}
        inputs = {name: joined([value]) for name, value in zip(names, values, strict=True)}
        env = Env(base, inputs, reads=joined(values), in_own_file=not block.file)
        for key, default in block.params.items():
            if key not in arguments and default is None:
                raise InvalidError(f"{key} is missing")
            env.params[key] = elements(arguments[key] if key in arguments else env.value(default))
        return env


def _varies(node: NodeTree, path: str) -> bool:
    return "$" in path and (node.carry == "none" or path != (node.reads or [""])[0])


def _mark_unused(value: Value) -> None:
    value.unused = True
    for inner in value.names.values():
        _mark_unused(inner)


def _call(op: Op, types: tuple[TensorType, ...]) -> object:
    """The call in the module's forward, which is the same wherever the module runs."""
    names = tuple(f"x{number}" for number in range(len(types)))
    return op.layer(*types) or op.code(names, *types)


def _inferred(op: Op, types: tuple[TensorType, ...]) -> tuple[tuple[TensorType, ...], bool]:
    try:
        result = infer_types(op, types)
        outputs = result if isinstance(result, tuple) else (result,)
        weights = sum(TensorType.of(shape).count for shape in op.parameters(*types).values())
    except OpError as error:
        raise InvalidError(error.message) from None
    if weights > LARGEST_TENSOR or any(output.count > LARGEST_TENSOR for output in outputs):
        raise InvalidError("too large")
    return outputs, isinstance(result, tuple)
