"""Which tensors each module of a network takes, makes and hands back, worked out before any code is written.

The nodes of a graph only say which tensors they read. A module has arguments and returns, so each tensor that crosses
the border of a scope becomes an argument or a return of it. A scope with a forward of its own is a frame.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.ops.merge import Concat
from cnngraph.ops.op import Layer
from cnngraph.tensor_type import TensorType

FLOW = "x"  # the name of what flows through a module
LONG = 256  # a concatenation of more tensors goes on from the one before, where that has all but the last of them


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One statement of a forward: the module at `target` is called, or a node's expression stands there."""

    start: int  # its place in the order of execution
    node: Node | None  # None: a frame is run
    path: str
    target: str
    reads: tuple[Ref, ...]
    gives: tuple[Ref, ...]
    training_only: bool


@dataclass(eq=False)
class Frame:
    """A scope with a forward of its own.

    `module` is the path of the module that runs it: its own, or another's where it shares that one. `arguments` are
    the tensors that its forward takes, with the name of the scope's input; `returns` are those that it hands back,
    first its value, then what is read from outside although it is not its value.
    """

    scope: Scope
    parent: Frame | None
    module: str
    nodes: list[int] = field(default_factory=list)  # that it runs itself
    frames: list[Frame] = field(default_factory=list)  # that it runs
    arguments: dict[Ref, str] = field(default_factory=dict)
    returns: list[Ref] = field(default_factory=list)
    values: int = 0  # how many of the returns are the scope's value
    steps: list[Step] = field(default_factory=list)
    training_only: bool = False  # what runs in it runs in training mode only
    unused: bool = False  # nothing in it runs

    def holds(self, ref: Ref) -> bool:
        """Whether the tensor is made inside (the network's inputs are inside the network)."""
        return self.parent is None or self.scope.start <= ref.node < self.scope.stop

    def reaches(self, module: str) -> bool:
        """Whether the module at that path is inside the one that runs this frame."""
        return self.parent is None or module.startswith(f"{self.module}.")

    def around(self) -> Iterator[Frame]:
        """This frame, the one around it, and so on up to the network's."""
        frame: Frame | None = self
        while frame:
            yield frame
            frame = frame.parent

    @cached_property
    def uses(self) -> dict[Ref, list[int]]:
        """For each tensor the steps that read it; what is returned is read by the step after the last."""
        uses: dict[Ref, list[int]] = defaultdict(list)
        for position, step in enumerate(self.steps):
            for ref in dict.fromkeys(step.reads):
                uses[ref].append(position)
        for ref in dict.fromkeys(self.returns):
            uses[ref].append(len(self.steps))
        return dict(uses)

    @cached_property
    def maker(self) -> dict[Ref, Step]:
        """The step that makes a tensor."""
        return {ref: step for step in self.steps for ref in step.gives}


class Layout:
    """The frames of a graph, and where the modules are that run its nodes.

    Scopes at the paths in `dissolved` get no frame: the frame around them runs what is in them, as it runs what is in
    the containers that dotted keys make.
    """

    def __init__(self, graph: Graph, dissolved: frozenset[str] = frozenset()) -> None:
        self.graph = graph
        self.dissolved = dissolved
        self.frames: dict[str, Frame] = {}  # by the scope's path, each before those in it
        self.shared = dict(_shared_modules(graph))
        self.owner: dict[int, Frame] = {}  # the frame that runs a node
        self._returned: dict[Frame, set[Ref]] = {}  # what a frame hands back, to look up
        self.root = self._open(graph.root, None)
        self.reads = [node.reads for node in graph.nodes]  # what each node reads when it runs
        self._shorten_concatenations()
        self._mark()
        self._take_formal_arguments()
        self._carry_across_borders()
        self._agree_on_returns()
        for frame in reversed(self.frames.values()):
            frame.steps = _early(sorted(self._steps(frame), key=lambda step: step.start))

    @cached_property
    def layers(self) -> tuple[Layer | None, ...]:
        """The layer of each node, None for one that is an expression."""
        nodes = enumerate(self.graph.nodes)
        return tuple(node.operation.layer(*self.types_read(index)) for index, node in nodes)

    def chain_layer(self, index: int) -> Layer | None:
        """The layer of a node as a part of nn.Sequential, where some expressions are modules too."""
        node = self.graph.nodes[index]
        return self.layers[index] or node.operation.chain_layer(*self.types_read(index))

    def module(self, path: str) -> str:
        """The path of the module that runs the node or scope at `path`: its own, or the one that it shares."""
        return self.shared.get(path, path)

    def types_read(self, index: int) -> list[TensorType]:
        """The types of what a node reads."""
        return [self.graph.type_of(ref) for ref in self.reads[index]]

    def path_within(self, above: str, ref: Ref) -> str:
        """What a tensor made below `above` is called by: the outermost scope there whose value it is, or its node."""
        scopes = (path for path in self.worth.get(ref, ()) if path.startswith(f"{above}."))
        node = self.graph.nodes[ref.node]
        return next(scopes, node.path + f".{ref.part}" * node.is_list)

    @cached_property
    def worth(self) -> dict[Ref, list[str]]:
        """The scopes whose value is one tensor, by that tensor, from the outermost."""
        worth: dict[Ref, list[str]] = defaultdict(list)
        for path, frame in self.frames.items():
            if len(frame.scope.value) == 1:
                worth[frame.scope.value[0]].append(path)
        return worth

    def is_parameter(self, ref: Ref) -> bool:
        """Whether it is a free parameter: an attribute of a module, which no step has to make."""
        return ref.node >= 0 and "" in self.graph.nodes[ref.node].parameters

    def is_never_made(self, ref: Ref, frame: Frame) -> bool:
        """Whether nothing makes the tensor where the frame runs: its node is built for its keys alone."""
        return ref.node >= 0 and not frame.unused and self.graph.nodes[ref.node].unused

    def is_chain(self, frame: Frame) -> bool:
        """Whether nn.Sequential says it all: modules 0, 1, 2 … each of which reads the one before, and no more."""
        if frame.parent is None or len(frame.arguments) != 1 or len(frame.steps) != len(frame.scope.children):
            return False
        (last,) = frame.arguments
        for number, step in enumerate(frame.steps):
            fits = step.target == f"{frame.module}.{number}" and step.reads == (last,) and len(step.gives) == 1
            is_module = step.node is None or (self.chain_layer(step.start) is not None and not step.node.is_list)
            if not (fits and is_module) or step.training_only:
                return False
            (last,) = step.gives
        return frame.returns == [last]

    def blind(self) -> Iterator[Frame]:
        """Frames that should call a module which is not inside them, because it is shared with the outside."""
        for frame in self.frames.values():
            calls = [step.target for step in frame.steps if step.node is None]
            calls += [self.module(self.graph.nodes[each].path) for each in frame.nodes if self.layers[each]]
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
        """Let each concatenation of a long dense block read the one before it: else the code grows quadratically."""
        before: dict[Frame, int] = {}
        for index, frame in sorted(self.owner.items(), key=lambda each: each[0]):
            node = self.graph.nodes[index]
            if not isinstance(node.operation, Concat):
                continue
            last = self.graph.nodes[before[frame]] if frame in before else node
            alike = (last.operation, last.training_only, last.unused) == (
                node.operation,
                node.training_only,
                node.unused,
            )
            if len(node.reads) > LONG and alike and last.reads == node.reads[:-1]:
                self.reads[index] = (Ref(before[frame]), node.reads[-1])
            before[frame] = index

    def _mark(self) -> None:
        """Find the frames in which nothing runs, or in training mode only."""
        runs: set[Frame] = set()
        runs_always: set[Frame] = set()
        for index, owner in self.owner.items():
            node = self.graph.nodes[index]
            if not node.unused:
                runs.update(owner.around())
                if not node.training_only:
                    runs_always.update(owner.around())
        for frame in self.frames.values():
            frame.unused = frame.parent is not None and frame not in runs
            frame.training_only = frame in runs and frame not in runs_always

    def _take_formal_arguments(self) -> None:
        for frame in self.frames.values():
            for name, refs in frame.scope.inputs if frame.parent else ():
                for number, ref in enumerate(refs):
                    if self.is_never_made(ref, frame):
                        continue
                    frame.arguments.setdefault(ref, f"{_word(name)}{number}" if len(refs) > 1 else _word(name))
            frame.returns = [ref for ref in frame.scope.value if not self.is_never_made(ref, frame)]
            frame.values = len(frame.returns)
        self.root.arguments = {Ref(-1 - index): _word(name) for index, name in enumerate(self.graph.inputs)}
        self.root.returns = list(self.graph.outputs.values())

    def _carry_across_borders(self) -> None:
        """Make an argument or a return of everything else that crosses a border."""
        nodes = self.graph.nodes
        for frame in self.frames.values():
            for ref in tuple(frame.returns):  # a list may have tensors that only its parts' insides know
                self._carry_in(ref, frame)
                self._carry_out(ref, frame)
        for index, frame in self.owner.items():
            for ref in self.reads[index]:
                self._carry_in(ref, frame)
                if not nodes[index].unused or (ref.node >= 0 and nodes[ref.node].unused):
                    self._carry_out(ref, frame)
        for frame in self.frames.values():  # a forward takes its block's inputs, those too that nothing inside reads
            if frame.parent is not None and (frame.parent.unused or not frame.unused):
                for ref in tuple(frame.arguments):
                    self._carry_in(ref, frame.parent)
                    if not frame.unused or (ref.node >= 0 and nodes[ref.node].unused):
                        self._carry_out(ref, frame.parent)

    def _carry_in(self, ref: Ref, reader: Frame) -> None:
        for frame in reader.around():
            if frame.holds(ref) or self.is_never_made(ref, frame):
                break
            frame.arguments.setdefault(ref, FLOW)

    def _carry_out(self, ref: Ref, reader: Frame) -> None:
        if ref.node < 0 or self.is_parameter(ref):
            return
        maker = self.owner[ref.node]
        around = () if maker is reader else set(reader.around())
        for frame in maker.around():
            if frame is reader or frame in around:
                break
            if frame not in self._returned:
                self._returned[frame] = set(frame.returns)
            if ref not in self._returned[frame] and not self.is_never_made(ref, frame):
                self._returned[frame].add(ref)
                frame.returns.append(ref)

    def _agree_on_returns(self) -> None:
        """A module that runs at several places hands back at each what any of them needs."""
        groups = defaultdict(list)
        for frame in self.frames.values():
            groups[frame.module].append(frame)
        for group in groups.values():
            if len(group) > 1 and len({each.scope.stop - each.scope.start for each in group}) == 1:
                taps = {_moved(ref, -each.scope.start) for each in group for ref in _taps(each)}
                for each in group:
                    here = [_moved(ref, each.scope.start) for ref in sorted(taps)]
                    value = each.returns[: each.values]
                    each.returns = value + [ref for ref in here if ref not in value]

    def _steps(self, frame: Frame) -> Iterator[Step]:
        for index in frame.nodes:
            node = self.graph.nodes[index]
            if not self.is_parameter(Ref(index)) and (frame.unused or not node.unused):
                gives = tuple(Ref(index, part) for part in range(len(node.types)))
                training_only = node.training_only and not frame.training_only
                yield Step(index, node, node.path, self.module(node.path), self.reads[index], gives, training_only)
        for inner in frame.frames:
            if inner.steps and (frame.unused or not inner.unused):
                reads, gives = tuple(inner.arguments), tuple(inner.returns)
                training_only = inner.training_only and not frame.training_only
                path = inner.scope.path
                yield Step(inner.scope.start, None, path, inner.module, reads, gives, training_only)


def _early(steps: list[Step]) -> list[Step]:
    """With what runs in training mode only right behind what it reads, wherever the spec has it.

    So an auxiliary head, whose module mostly stands at the end, runs where its tensor is made, as in networks written
    by hand: the tensor is free early, and gradients are added up in the same order, to the last bit.
    """
    anchors: dict[Ref, int] = {}  # the last step that always runs among those that a tensor hangs on
    places = []
    for number, step in enumerate(steps):
        anchor = max((anchors.get(ref, -1) for ref in step.reads), default=-1) if step.training_only else number
        anchors.update(dict.fromkeys(step.gives, anchor))
        places.append((anchor, step.training_only, number))
    return [steps[number] for _, _, number in sorted(places)]


def _shared_modules(graph: Graph) -> Iterator[tuple[str, str]]:
    """The paths of nodes and scopes that have no module of their own, with the path of the one that runs them."""
    known: dict[str, str] = {}
    waiting: list[tuple[Scope, str]] = [(graph.root, graph.root.path)]
    while waiting:
        scope, module = waiting.pop()
        for child in reversed(scope.children):
            each = graph.nodes[child] if isinstance(child, int) else child
            inherited = module + each.path[len(scope.path) :] if module != scope.path else each.path
            target = each.shares or inherited
            if target != each.path:
                known[each.path] = target
            if isinstance(each, Scope):
                waiting.append((each, target))
    for path, target in known.items():
        seen = {path}
        while target in known and target not in seen:
            seen.add(target)
            target = known[target]
        yield path, target


def _word(name: str) -> str:
    return FLOW if name == "in" else name


def _taps(frame: Frame) -> list[Ref]:
    return frame.returns[frame.values :]


def _moved(ref: Ref, distance: int) -> Ref:
    return ref._replace(node=ref.node + distance)
