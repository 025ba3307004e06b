"""Single operations: converts parameters, infers shapes and creates nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cnngraph.diagnostics import Cause, Guess, Span, Suggestion
from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.causes import Trace
from cnngraph.elaborate.check_names import unknown_parameter, without_misspelt
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.module_paths import Slot
from cnngraph.elaborate.values import Argument, Reads, Tensors
from cnngraph.fields import Choice, Field, FieldError, fields_of, literal_help
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.graph.sizes import SizeLog, decide
from cnngraph.language.names import tensor_path
from cnngraph.ops.merge import Concat
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks


@frozen
class Facts:
    """What an op computes from its input types."""

    types: tuple[TensorType, ...]
    is_list: bool
    parameters: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]
    macs: int


def _how_to_add(field: Field) -> Guess:
    """Help for a missing parameter: its meaning and, if there are few, its options."""
    options = f" ({field.kind.describe()})" if isinstance(field.kind, Choice) else ""
    return Guess(f"add `{field.name}`{options}: {field.doc}")


class Maker:
    """Creates the nodes of a graph, in order of execution."""

    def __init__(self, budget: Budget, log: SizeLog) -> None:
        self.budget = budget
        self.log = log
        self.inputs: dict[str, TensorType] = {}
        self.input_names: list[str] = []
        self.input_types: list[TensorType] = []
        self.nodes: list[Node] = []
        self.arguments: dict[int, Mapping[str, Argument]] = {}
        self.implicit: set[int] = set()
        # while a shared module is elaborated: its own path, and the path of the node that shares it
        self.sharing: tuple[str, str] | None = None
        self.trace = Trace(self.nodes, self.arguments, self.type_of, Counter())
        self._facts: dict[object, Facts] = {}
        self._paths: set[str] = set()
        self._last_concat: int | None = None

    def add_input(self, name: str, type_: TensorType) -> Ref:
        """Add an input of the network."""
        self.inputs[name] = type_
        self.input_names.append(name)
        self.input_types.append(type_)
        return Ref(-len(self.input_types))

    def type_of(self, ref: Ref) -> TensorType:
        """A tensor's type."""
        return self.nodes[ref.node].types[ref.output] if ref.node >= 0 else self.input_types[-1 - ref.node]

    def name_of(self, ref: Ref) -> str:
        """A tensor's name: the path of its node, followed by its index if the value is a list."""
        if ref.node < 0:
            return self.input_names[-1 - ref.node]
        node = self.nodes[ref.node]
        return tensor_path(node.path, ref.output) if node.is_list else node.path

    def owner(self, path: str) -> str | None:
        """The path of the node whose module is shared here; None if the node has its own."""
        if self.sharing is None:
            return None
        owner, sharer = self.sharing
        return owner + path[len(sharer) :]

    def place_at(self, span: Span, path: str, slot: Slot) -> None:
        """Set the span of a node that shares a module, which differs from its owner's."""
        for position in range(len(slot) - 1, -1, -1):  # from the end, since a repeat may share thousands of times
            child = slot[position]
            if isinstance(child, Scope) and child.path == path:
                slot[position] = replace(child, span=span)
                return
            if isinstance(child, int) and self.nodes[child].path == path:
                self.nodes[child] = replace(self.nodes[child], span=span)
                return

    def operation(self, cls: type[Op], arguments: Mapping[str, Argument], span: Span, path: str, reads: Reads) -> Op:
        """Create the op from its parameters, reporting all of their errors at once. Raises ProblemError."""
        fields = fields_of(cls)
        values: dict[str, Any] = {}
        problems: list[ProblemError] = []
        behind: tuple[Cause, ...] | None = None
        for key, argument in arguments.items():
            decide(argument.sized, f"{key} of {path}", argument.span)
            known = fields.get(key)
            if known is None:
                problems.append(unknown_parameter(key, f"`{cls.name}`", fields, argument.key_span))
                continue
            try:
                values[key] = known.kind.convert(argument.value)
            except FieldError as error:
                behind = self.trace.causes(reads.refs) if behind is None else behind
                notes = (f"the value comes from {argument.origin}",) if argument.origin != argument.span else ()
                message = f"`{key}` of `{cls.name}` {error.message}"
                causes = (Cause(argument.origin, key), *behind)
                others = {name: item.value for name, item in arguments.items()}
                help = (
                    cls.advice(key, argument.value, others)
                    or literal_help(error.help, argument.span.text, argument.value, known.kind)
                    or (Suggestion(argument.as_expression) if argument.as_expression else None)
                )
                problems.append(
                    ProblemError("E205", message, argument.span, notes=notes, help=help, key=key, causes=causes)
                )
        missing = [name for name, item in fields.items() if item.required and name not in arguments]
        missing = without_misspelt(missing, arguments, fields)
        if missing:
            message = f"`{cls.name}` requires {in_backticks(missing, ' and ')}"
            help = _how_to_add(fields[missing[0]])
            problems.append(ProblemError("E206", message, span, help=help, key=missing[0]))
        for problem in problems[:-1]:
            self.budget.report(problem, path)
        if problems:
            raise problems[-1]
        return cls(**values)

    def make(self, cls: type[Op], arguments: Mapping[str, Argument], reads: Reads, path: str, span: Span) -> int:
        """Create the op and its node, and return the node's index. Raises ProblemError."""
        try:
            return self.add(self.operation(cls, arguments, span, path, reads), arguments, reads, path, span)
        except ProblemError as problem:
            raise problem.about(path, reads.refs) from None

    def add(self, op: Op, arguments: Mapping[str, Argument], reads: Reads, path: str, span: Span) -> int:
        """Add a node and return its index. Raises ProblemError if the op rejects its inputs."""
        refs = reads.refs
        self.budget.visit(span, len(self.nodes), 1)
        self.budget.count_steps(2 * len(refs))
        types = tuple(self.type_of(ref) for ref in refs)
        try:
            facts = self.facts(op, types)
        except OpError as error:
            from cnngraph.elaborate.repairs import Repairs  # not needed as long as a network is fine

            raise Repairs(self.trace).refusal(error, op, reads, arguments, span) from None
        names = tuple(self.name_of(ref) for ref in refs)
        self.trace.readers.update({ref.node for ref in refs})
        return self.append(op, arguments, refs, names, facts, path, span)

    def append(
        self,
        op: Op,
        arguments: Mapping[str, Argument],
        refs: tuple[Ref, ...],
        names: tuple[str, ...],
        facts: Facts,
        path: str,
        span: Span,
    ) -> int:
        """Append a node. Raises ProblemError if its path is taken."""
        self.budget.count_steps(len(facts.types))
        if path in self._paths:
            raise ProblemError("E305", f"two nodes would be named `{path}`", span, help="rename one of them")
        self._paths.add(path)
        node = Node(
            path=path,
            operation=op,
            reads=refs,
            inputs=names,
            types=facts.types,
            is_list=facts.is_list,
            span=span,
            shares=self.owner(path),
            parameters=facts.parameters,
            buffers=facts.buffers,
            macs=facts.macs,
        )
        self.nodes.append(node)
        self.log.add_node(len(self.nodes) - 1, op, refs)
        self.arguments[len(self.nodes) - 1] = arguments
        return len(self.nodes) - 1

    def facts(self, op: Op, types: tuple[TensorType, ...]) -> Facts:
        """The output types and cost of an op, cached for the iterations of repeats. Raises OpError."""
        key = (op, types)
        try:
            known = self._facts.get(key)
        except TypeError:  # an op with a mapping in it is not hashable
            return _facts(op, types)
        if known is None:
            known = self._facts[key] = _facts(op, types)
        return known

    def concat(self, refs: tuple[Ref, ...], path: str, slot: Slot, span: Span) -> Tensors:
        """The concatenation that `carry: concat` implies; for a single tensor, that tensor."""
        if len(refs) == 1:
            return Tensors(refs)
        index = self.extend_concat(refs, self.free_path(path), span)
        if index is None:
            reads = Reads((Tensors(refs, True),), ("the iterations so far",), False)
            index = self.add(Concat(), {}, reads, self.free_path(path), span)
        self._last_concat = index
        self.implicit.add(index)
        slot.append(index)
        return Tensors((Ref(index),))

    def extend_concat(self, refs: tuple[Ref, ...], path: str, span: Span) -> int | None:
        """Add a concatenation that extends the previous one, in time proportional to the new tensors.

        None if it does not extend it, or if the new tensors do not fit, which `add` reports in full.
        """
        if self._last_concat is None:
            return None
        last = self.nodes[self._last_concat]
        more = refs[len(last.reads) :]
        if refs[: len(last.reads)] != last.reads:
            return None
        self.budget.visit(span, len(self.nodes), 1)
        self.budget.count_steps(2 * len(refs))
        try:
            facts = self.facts(last.operation, (*last.types, *map(self.type_of, more)))
        except OpError:
            return None
        self.trace.readers.update({ref.node for ref in refs})
        names = (*last.inputs, *map(self.name_of, more))
        return self.append(last.operation, {}, refs, names, facts, path, span)

    def free_path(self, path: str) -> str:
        """The path, with a number appended if it is taken. Only for nodes without a module."""
        number = 2
        found = path
        while found in self._paths:
            found = f"{path}_{number}"
            number += 1
        return found


def _facts(op: Op, types: tuple[TensorType, ...]) -> Facts:
    result = infer_types(op, types)
    outputs = result if isinstance(result, tuple) else (result,)
    return Facts(outputs, isinstance(result, tuple), op.parameters(*types), op.buffers(*types), op.macs(*types))
