"""The arguments, statements and return values of every module's forward, determined before any code is generated.

The nodes of a graph only refer to the tensors they read. A module has arguments and return values, so every tensor that
crosses the boundary of a scope must become an argument or a return value. A scope with its own forward is a frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.ops.merge import Concat
from cnngraph.ops.op import Layer
from cnngraph.tensor_type import TensorType

FLOW = "x"  # the variable of the tensor that flows through a module
LONG_CONCAT = 256  # a concatenation of more tensors reads the previous one, if that has all but the last of them


@frozen(eq=False)
class Step:
    """One statement of a forward: a call of the module at `target`, or the expression of a node."""

    start: int  # its position in the order of execution
    node: Node | None  # None: the call of a frame
    path: str
    target: str
    reads: tuple[Ref, ...]
    outputs: tuple[Ref, ...]
    training_only: bool


@dataclass(eq=False)
class Frame:
    """A scope with its own forward.

    `module` is the path of the module that runs it: its own, or the one it shares. `arguments` are the tensors that its
    forward takes, with the names of the scope's inputs; `returns` are the tensors that it returns: first its value,
    then other tensors that are read outside.
    """

    scope: Scope
    parent: Frame | None
    module: str
    nodes: list[int] = field(default_factory=list)  # the nodes that run in its forward
    frames: list[Frame] = field(default_factory=list)  # the frames that its forward calls
    arguments: dict[Ref, str] = field(default_factory=dict)
    returns: list[Ref] = field(default_factory=list)
    values: int = 0  # the number of returns that are the scope's value
    steps: list[Step] = field(default_factory=list)
    training_only: bool = False  # everything in it runs only in training mode
    unused: bool = False  # nothing in it ever runs

    def contains(self, ref: Ref) -> bool:
        """Whether the tensor is computed inside; the network's inputs are inside the network."""
        return self.parent is None or self.scope.start <= ref.node < self.scope.stop

    def reaches(self, module: str) -> bool:
        """Whether the module at that path is inside the one that runs this frame."""
        return self.parent is None or module.startswith(f"{self.module}.")

    def enclosing(self) -> Iterator[Frame]:
        """This frame, the one around it, and so on up to the network's."""
        frame: Frame | None = self
        while frame:
            yield frame
            frame = frame.parent

    @cached_property
    def uses(self) -> dict[Ref, list[int]]:
        """The positions of the steps that read each tensor; a returned tensor is also read after the last step."""
        uses: dict[Ref, list[int]] = defaultdict(list)
        for position, step in enumerate(self.steps):
            for ref in dict.fromkeys(step.reads):
                uses[ref].append(position)
        for ref in dict.fromkeys(self.returns):
            uses[ref].append(len(self.steps))
        return dict(uses)

    @cached_property
    def producer(self) -> dict[Ref, Step]:
        """The step that computes each tensor."""
        return {ref: step for step in self.steps for ref in step.outputs}


class Layout:
    """The frames of a graph, and the modules that run its nodes.

    Scopes at the paths in `dissolved` have no frame: their nodes run in the enclosing frame, as those of containers do.
    """

    def __init__(self, graph: Graph, dissolved: frozenset[str] = frozenset()) -> None:
        self.graph = graph
        self.dissolved = dissolved
        self.frames: dict[str, Frame] = {}  # by the scope's path, each before those in it
        self.shared = dict(_shared_modules(graph))
        self.owner: dict[int, Frame] = {}  # the frame that runs a node
        self._returned: dict[Frame, set[Ref]] = {}  # the returns of a frame, as a set
        self.root = self._open(graph.root, None)
        self.reads = [node.reads for node in graph.nodes]  # the tensors that each node reads when it runs
        self._shorten_concatenations()
        self._mark()
        self._take_formal_arguments()
        self._carry_across_borders()
        self._agree_on_returns()
        for frame in reversed(self.frames.values()):
            frame.steps = _early(sorted(self._steps(frame), key=lambda step: step.start))

    @cached_property
    def layers(self) -> tuple[Layer | None, ...]:
        """The layer of each node, or None for an expression."""
        nodes = enumerate(self.graph.nodes)
        return tuple(node.operation.layer(*self.types_read(index)) for index, node in nodes)

    def chain_layer(self, index: int) -> Layer | None:
        """The layer of a node inside nn.Sequential, where some expressions have a module, too."""
        node = self.graph.nodes[index]
        return self.layers[index] or node.operation.chain_layer(*self.types_read(index))

    def module(self, path: str) -> str:
        """The path of the module that runs the node or scope at `path`: its own, or the one it shares."""
        return self.shared.get(path, path)

    def types_read(self, index: int) -> list[TensorType]:
        """The types of the tensors that a node reads."""
        return [self.graph.type_of(ref) for ref in self.reads[index]]

    def path_within(self, above: str, ref: Ref) -> str:
        """The path that names a tensor computed below `above`: the outermost scope whose value it is, or its node."""
        scopes = (path for path in self.scopes_by_value.get(ref, ()) if path.startswith(f"{above}."))
        node = self.graph.nodes[ref.node]
        return next(scopes, node.path + f".{ref.output}" * node.is_list)

    @cached_property
    def scopes_by_value(self) -> dict[Ref, list[str]]:
        """The scopes whose value is a single tensor, by that tensor, outermost first."""
        scopes: dict[Ref, list[str]] = defaultdict(list)
        for path, frame in self.frames.items():
            if len(frame.scope.value) == 1:
                scopes[frame.scope.value[0]].append(path)
        return scopes

    def is_attribute(self, ref: Ref) -> bool:
        """Whether the tensor is a free parameter or a constant: an attribute of a module, which no step computes."""
        return ref.node >= 0 and self.graph.nodes[ref.node].operation.is_attribute

    def is_never_computed(self, ref: Ref, frame: Frame) -> bool:
        """Whether the tensor does not exist when the frame runs, because its node is unused."""
        return ref.node >= 0 and not frame.unused and self.graph.nodes[ref.node].unused

    def is_chain(self, frame: Frame) -> bool:
        """Whether the frame can be an nn.Sequential: modules 0, 1, 2, …, each of which reads only the previous one."""
        if frame.parent is None or len(frame.arguments) != 1 or len(frame.steps) != len(frame.scope.children):
            return False
        (last,) = frame.arguments
        for number, step in enumerate(frame.steps):
            fits = step.target == f"{frame.module}.{number}" and step.reads == (last,) and len(step.outputs) == 1
            is_module = step.node is None or (self.chain_layer(step.start) is not None and not step.node.is_list)
            if not (fits and is_module) or step.training_only:
                return False
            (last,) = step.outputs
        return frame.returns == [last]

    def frames_that_call_outside(self) -> Iterator[Frame]:
        """Frames that would have to call a module outside of them, because they share it."""
        for frame in self.frames.values():
            calls = [step.target for step in frame.steps if step.node is None]
            calls += [self.module(self.graph.nodes[index].path) for index in frame.nodes if self.layers[index]]
            if not all(map(frame.reaches, calls)):
                yield frame

    def _open(self, scope: Scope, parent: Frame | None) -> Frame:
        frame = self.frames[scope.path] = Frame(scope, parent, self.module(scope.path))
        waiting = list(reversed(scope.children))
        while waiting:
            child = waiting.pop()
            if isinstance(child, int):
                frame.nodes.append(child)
                self.owner[child] = frame
            elif child.kind == "container" or child.path in self.dissolved:
                waiting += reversed(child.children)
            else:
                frame.frames.append(self._open(child, frame))
        return frame

    def _shorten_concatenations(self) -> None:
        """Make each concatenation of a long dense block read the previous one, or the code would grow quadratically."""
        before: dict[Frame, int] = {}
        for index, frame in sorted(self.owner.items(), key=lambda item: item[0]):
            node = self.graph.nodes[index]
            if not isinstance(node.operation, Concat):
                continue
            last = self.graph.nodes[before[frame]] if frame in before else node
            alike = (last.operation, last.training_only, last.unused) == (
                node.operation,
                node.training_only,
                node.unused,
            )
            if len(node.reads) > LONG_CONCAT and alike and last.reads == node.reads[:-1]:
                self.reads[index] = (Ref(before[frame]), node.reads[-1])
            before[frame] = index

    def _mark(self) -> None:
        """Find the frames in which nothing runs, or only in training mode."""
        runs: set[Frame] = set()
        runs_always: set[Frame] = set()
        for index, owner in self.owner.items():
            node = self.graph.nodes[index]
            if not node.unused:
                runs.update(owner.enclosing())
                if not node.training_only:
                    runs_always.update(owner.enclosing())
        for frame in self.frames.values():
            frame.unused = frame.parent is not None and frame not in runs
            frame.training_only = frame in runs and frame not in runs_always

    def _take_formal_arguments(self) -> None:
        for frame in self.frames.values():
            for name, refs in frame.scope.inputs if frame.parent else ():
                for number, ref in enumerate(refs):
                    if self.is_never_computed(ref, frame):
                        continue
                    frame.arguments.setdefault(
                        ref, f"{_argument_name(name)}{number}" if len(refs) > 1 else _argument_name(name)
                    )
            frame.returns = [ref for ref in frame.scope.value if not self.is_never_computed(ref, frame)]
            frame.values = len(frame.returns)
        self.root.arguments = {Ref(-1 - index): _argument_name(name) for index, name in enumerate(self.graph.inputs)}
        self.root.returns = list(self.graph.outputs.values())

    def _carry_across_borders(self) -> None:
        """Make every other tensor that crosses a boundary an argument or a return value."""
        nodes = self.graph.nodes
        for frame in self.frames.values():
            for ref in tuple(frame.returns):  # the items of a list may be computed in inner frames
                self._carry_in(ref, frame)
                self._carry_out(ref, frame)
        for index, frame in self.owner.items():
            for ref in self.reads[index]:
                self._carry_in(ref, frame)
                if not nodes[index].unused or (ref.node >= 0 and nodes[ref.node].unused):
                    self._carry_out(ref, frame)
        for frame in self.frames.values():  # a forward takes all inputs of its block, even those it does not read
            if frame.parent is not None and (frame.parent.unused or not frame.unused):
                for ref in tuple(frame.arguments):
                    self._carry_in(ref, frame.parent)
                    if not frame.unused or (ref.node >= 0 and nodes[ref.node].unused):
                        self._carry_out(ref, frame.parent)

    def _carry_in(self, ref: Ref, reader: Frame) -> None:
        for frame in reader.enclosing():
            if frame.contains(ref) or self.is_never_computed(ref, frame):
                break
            frame.arguments.setdefault(ref, FLOW)

    def _carry_out(self, ref: Ref, reader: Frame) -> None:
        if ref.node < 0 or self.is_attribute(ref):
            return
        producer = self.owner[ref.node]
        around = () if producer is reader else set(reader.enclosing())
        for frame in producer.enclosing():
            if frame is reader or frame in around:
                break
            if frame not in self._returned:
                self._returned[frame] = set(frame.returns)
            if ref not in self._returned[frame] and not self.is_never_computed(ref, frame):
                self._returned[frame].add(ref)
                frame.returns.append(ref)

    def _agree_on_returns(self) -> None:
        """Make all uses of a shared module return the same tensors: whatever one of them needs."""
        groups = defaultdict(list)
        for frame in self.frames.values():
            groups[frame.module].append(frame)
        for group in groups.values():
            if len(group) > 1 and len({frame.scope.stop - frame.scope.start for frame in group}) == 1:
                taps = {_moved(ref, -frame.scope.start) for frame in group for ref in _taps(frame)}
                for frame in group:
                    here = [_moved(ref, frame.scope.start) for ref in sorted(taps)]
                    value = frame.returns[: frame.values]
                    frame.returns = value + [ref for ref in here if ref not in value]

    def _steps(self, frame: Frame) -> Iterator[Step]:
        for index in frame.nodes:
            node = self.graph.nodes[index]
            if not self.is_attribute(Ref(index)) and (frame.unused or not node.unused):
                outputs = tuple(Ref(index, number) for number in range(len(node.types)))
                training_only = node.training_only and not frame.training_only
                yield Step(index, node, node.path, self.module(node.path), self.reads[index], outputs, training_only)
        for inner in frame.frames:
            if inner.steps and (frame.unused or not inner.unused):
                reads, outputs = tuple(inner.arguments), tuple(inner.returns)
                training_only = inner.training_only and not frame.training_only
                path = inner.scope.path
                yield Step(inner.scope.start, None, path, inner.module, reads, outputs, training_only)


def _early(steps: list[Step]) -> list[Step]:
    """The steps with those that run only in training mode moved directly after the steps they depend on.

    An auxiliary head, which is usually defined at the end, then runs where its input is computed, as in networks
    written by hand: the tensor is freed early, and gradients are accumulated in the same order, bit for bit.
    """
    anchors: dict[Ref, int] = {}  # the last always-running step that a tensor depends on
    order = []
    for index, step in enumerate(steps):
        anchor = max((anchors.get(ref, -1) for ref in step.reads), default=-1) if step.training_only else index
        anchors.update(dict.fromkeys(step.outputs, anchor))
        order.append((anchor, step.training_only, index))
    return [steps[index] for _, _, index in sorted(order)]


def _shared_modules(graph: Graph) -> Iterator[tuple[str, str]]:
    """The paths of nodes and scopes without their own module, with the path of the module that runs them."""
    known: dict[str, str] = {}
    waiting: list[tuple[Scope, str]] = [(graph.root, graph.root.path)]
    while waiting:
        scope, module = waiting.pop()
        for child in reversed(scope.children):
            member = graph.nodes[child] if isinstance(child, int) else child
            inherited = module + member.path[len(scope.path) :] if module != scope.path else member.path
            target = member.shares or inherited
            if target != member.path:
                known[member.path] = target
            if isinstance(member, Scope):
                waiting.append((member, target))
    for path, target in known.items():
        seen = {path}
        while target in known and target not in seen:
            seen.add(target)
            target = known[target]
        yield path, target


def _argument_name(name: str) -> str:
    return FLOW if name == "in" else name


def _taps(frame: Frame) -> list[Ref]:
    return frame.returns[frame.values :]


def _moved(ref: Ref, distance: int) -> Ref:
    return ref._replace(node=ref.node + distance)
