"""The forward method of a frame as Python source, as readable as if written by hand."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from cnngraph.backend.formatting import WIDTH, format_statement, quoted
from cnngraph.backend.modules.frames import FLOW, Frame, Layout, Step
from cnngraph.backend.modules.size_check import CHECK_SIZE, size_check_source
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Ref

MAX_IDLE = 10  # a tensor that is no longer needed is deleted if it would survive more statements than this
BODY = "y"  # the variable of the body of a residual unit
OUTPUTS = "Outputs"
NOT_VARIABLES = frozenset(
    {*keyword.kwlist, *dir(builtins), "torch", "nn", "F", "self", "Tensor", "_", OUTPUTS, CHECK_SIZE}
)


@frozen
class Forward:
    """The source of a forward method, indented as in a class, and the fields of the named tuple that it returns."""

    source: str
    outputs: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()  # fields that are None in eval mode
    size_check: str = ""  # the source of the input size check that it calls


@frozen
class _Statement:
    value: str
    targets: tuple[str, ...] = ()
    training_only: bool = False
    absent: tuple[str, ...] = ()  # variables that are None if it does not run

    @property
    def text(self) -> str:
        if all(target == "_" for target in self.targets):
            return self.value
        return f"{', '.join(self.targets)} = {self.value}"


def write_forward(layout: Layout, frame: Frame) -> Forward:
    """Write the forward method of a frame."""
    writer = _Writer(layout, frame)
    lines = format_statement(writer.signature(), 4)
    checked = writer.checked_inputs()
    check = ""
    if checked:
        check = size_check_source(layout.graph, checked)
        variables = ", ".join(variable for _, variable in checked)
        lines += format_statement(f"{variables} = {CHECK_SIZE}({variables})", 8)
    for indent, text in _grouped(writer.statements()):
        lines += format_statement(text, 8 + indent)
    if len(writer.outputs) < 2:
        return Forward("\n".join(lines), size_check=check)
    optional = layout.graph.training_only if len(writer.always) > 1 else frozenset()
    return Forward("\n".join(lines), tuple(writer.outputs), optional, check)


def _grouped(statements: Iterable[_Statement]) -> Iterator[tuple[int, str]]:
    """The lines with their indentation: consecutive training-only statements share one `if`."""
    absent: list[str] | None = None  # variables that the open `if` leaves undefined
    for statement in [*statements, None]:
        inside = statement is not None and statement.training_only
        if inside and absent is None:
            absent = []
            yield 0, "if self.training:"
        elif absent is not None and not inside:
            if absent:
                yield 0, "else:"
                yield 4, " = ".join([*dict.fromkeys(absent), "None"])
            absent = None
        if statement:
            yield 4 * inside, statement.text
            if absent is not None:
                absent += statement.absent


class _Names:
    """The assignment of tensors to variables.

    A chain keeps its variable, a branch gets a new one, and where branches join, the chain continues. So `x` is the
    tensor that flows through a module, `y` the body of a residual unit, and other branches are named after their nodes.
    """

    def __init__(self, layout: Layout, frame: Frame) -> None:
        self.layout = layout
        self.frame = frame
        self.end = len(frame.steps)
        self.variables: dict[Ref, str] = {}
        self.lives: list[tuple[str, Ref, int]] = []  # variable, its tensor, the statement that assigns it
        self._tensors: dict[str, Ref] = {}  # the current tensor of each variable
        self._inner: set[str] = set()  # variables for an item of a list, or for a tensor inside a module

    def targets(self, position: int, step: Step) -> list[str]:
        """The variables for the outputs of a step; `_` for an output that is not needed or already assigned."""
        count = len(step.outputs) if step.node else len(self.layout.frames[step.path].scope.value)
        targets: list[str] = []
        for number, ref in enumerate(step.outputs):
            if self.last_use(ref) <= position or ref in self.variables or self.is_attribute(ref):
                targets.append("_")
                continue
            if number < count == 1:
                name = self._choose(position, step, ref)
            else:
                path = f"{step.path}.{number}" if number < count else self.layout.path_within(step.path, ref)
                name = self._named_after(path)
                self._inner.add(name)
            self.assign(name, ref, position)
            targets.append(name)
        return targets

    def assign(self, name: str, ref: Ref, position: int) -> None:
        """Assign the tensor to the variable in the statement at this position."""
        if name in self._tensors:
            self.variables.pop(self._tensors[name], None)
        self.variables[ref] = name
        self._tensors[name] = ref
        self.lives.append((name, ref, position))

    def new(self, text: str) -> str:
        """A variable name that is not in use, similar to a text."""
        stem = re.sub(r"\W|^(?=\d)", "_", text, flags=re.ASCII)
        if stem in NOT_VARIABLES:
            stem += "_"
        name, number = stem, 2
        while name in self._tensors:
            name, number = f"{stem}_{number}", number + 1
        return name

    def is_attribute(self, ref: Ref) -> bool:
        """Whether the tensor is a free parameter of a module inside, which needs no variable."""
        return self.layout.is_attribute(ref) and self.frame.contains(ref)

    def last_use(self, ref: Ref) -> int:
        """The position of the last step that reads the tensor, or -1."""
        return self.frame.uses.get(ref, [-1])[-1]

    def _choose(self, position: int, step: Step, ref: Ref) -> str:
        read = self._tensors_read(step)
        if len(read) == 1:
            return self._continue(position, step, ref, read[0])
        free = [name for name in (FLOW, BODY) if read and self._is_free(name, position)]
        return free[0] if free else self._named_after(step.path)

    def _continue(self, position: int, step: Step, ref: Ref, read: Ref) -> str:
        """The variable for the output of a step with one input: the same in a chain, a new one at a fork."""
        variable = self.variables[read]
        if len(self.frame.uses[read]) == 1 and (variable == FLOW or not (variable in self._inner or self._ends(ref))):
            return variable
        if not self._continues(ref) or variable in self._inner:
            return self._named_after(step.path)
        if self._is_free(variable, position) and not step.training_only:
            return variable
        return BODY if self._is_free(BODY, position) else self._named_after(step.path)

    def _ends(self, ref: Ref) -> bool:
        """Whether a branch ends with this tensor: it forks, or joins more than one other branch."""
        uses = self.frame.uses[ref]
        return len(uses) > 1 or (uses[0] != self.end and len(self._tensors_read(self.frame.steps[uses[0]])) > 2)

    def _continues(self, ref: Ref) -> bool:
        """Whether the branch that starts with this tensor has a second statement."""
        uses = self.frame.uses[ref]
        return len(uses) == 1 and uses[0] != self.end and len(self._tensors_read(self.frame.steps[uses[0]])) == 1

    def _tensors_read(self, step: Step) -> list[Ref]:
        return [ref for ref in dict.fromkeys(step.reads) if not self.is_attribute(ref)]

    def _is_free(self, name: str, position: int) -> bool:
        """Whether the value of the variable is not needed after the statement at this position."""
        return name not in self._tensors or self.last_use(self._tensors[name]) <= position

    def _named_after(self, path: str) -> str:
        """`branch1` for the node branch1, `y3` for the node 3."""
        name = path[len(self.frame.scope.path) :].lstrip(".").replace(".", "_")
        return self.new(f"{BODY}{name}" if name[0].isdecimal() else name)


class _Writer:
    def __init__(self, layout: Layout, frame: Frame) -> None:
        self.layout = layout
        self.graph = layout.graph
        self.frame = frame
        self.names = _Names(layout, frame)
        self.outputs = list(self.graph.outputs) if frame.parent is None else []
        self.always = [name for name in self.outputs if name not in self.graph.training_only]

    def signature(self) -> str:
        arguments = ["self"]
        for ref, argument in self.frame.arguments.items():
            name = self.names.new(FLOW if len(self.frame.arguments) == 1 else argument)
            self.names.assign(name, ref, -1)
            optional = ref.node >= 0 and self.graph.nodes[ref.node].training_only and not self.frame.training_only
            arguments.append(f"{name}: Tensor | None" if optional else f"{name}: Tensor")
        return f"def forward({', '.join(arguments)}) -> {self._return_type()}:"

    def checked_inputs(self) -> list[tuple[str, str]]:
        """The network's inputs with restricted sizes, each with its variable."""
        if self.frame.parent is not None:
            return []
        limited = {limit.input for limit in self.graph.size_limits}
        variables = [self.names.variables[ref] for ref in self.frame.arguments]
        return [pair for pair in zip(self.graph.inputs, variables, strict=True) if pair[0] in limited]

    def statements(self) -> list[_Statement]:
        written = [self._statement(position, step) for position, step in enumerate(self.frame.steps)]
        deleted = self._deleted()
        statements = []
        for position, statement in enumerate(written):
            if statement.targets != (statement.value,):
                statements.append(statement)
            if position in deleted:
                statements.append(_Statement(f"del {', '.join(reversed(deleted[position]))}"))
        returns = [self._expression(ref) for ref in self.frame.returns]
        if len(self.outputs) > 1:
            return [*statements, *self._return_outputs(returns)]
        last = statements[-1] if statements else None
        if last and [*last.targets] == returns and len(returns) == 1 and not last.training_only:
            return [*statements[:-1], _Statement(f"return {last.value}")]
        return [*statements, _Statement(_returning(returns))]

    def _return_outputs(self, returns: list[str]) -> Iterator[_Statement]:
        """Return all outputs in training mode; in eval mode those that always exist, without a tuple if it is one."""
        if len(self.always) < len(self.outputs):
            yield _Statement(f"return {OUTPUTS}({', '.join(returns)})", training_only=True)
        left = [value if name in self.always else "None" for name, value in zip(self.outputs, returns, strict=True)]
        if len(self.always) > 1:
            yield _Statement(f"return {OUTPUTS}({', '.join(left)})")
        else:
            yield _Statement(f"return {left[self.outputs.index(self.always[0])]}")

    def _statement(self, position: int, step: Step) -> _Statement:
        value = self._call(step)
        targets = self.names.targets(position, step)
        absent = []
        for name, ref in zip(targets, step.outputs, strict=True) if step.training_only else ():
            if name != "_" and any(map(self._runs_always, self.frame.uses[ref])):
                absent.append(name)
        if step.node and step.node.is_list and len(targets) == 1:
            targets = [f"({targets[0]},)"]
        return _Statement(value, tuple(targets), step.training_only, tuple(absent))

    def _call(self, step: Step) -> str:
        arguments = tuple(map(self._expression, step.reads))
        if step.node and not self.layout.layers[step.start]:
            code = step.node.operation.code(arguments, *self.layout.types_read(step.start))
            return code if '"' in code else code.replace("'", '"')
        return f"{self._attribute(step.target)}({', '.join(arguments)})"

    def _expression(self, ref: Ref) -> str:
        if self.names.is_attribute(ref):
            return self._attribute(self.layout.module(self.graph.nodes[ref.node].path))
        return self.names.variables[ref]

    def _attribute(self, module: str) -> str:
        """`self.layer1[0].conv1`, or `getattr(self, "block1-0")` for a name that is not an identifier."""
        written = "self"
        for name in module[len(self.frame.module) :].lstrip(".").split("."):
            if name.isidentifier():
                written += f".{name}"
            else:
                written = f"{written}[{name}]" if name.isdecimal() else f"getattr({written}, {quoted(name)})"
        return written

    def _runs_always(self, position: int) -> bool:
        if position == len(self.frame.steps):
            return len(self.always) == len(self.outputs)
        return not self.frame.steps[position].training_only

    def _deleted(self) -> dict[int, list[str]]:
        """Variables to delete after a statement, so that memory is freed as early as in code written by hand."""
        deleted = defaultdict(list)
        following: dict[str, int] = {}
        for name, ref, position in reversed(self.names.lives):
            last = max(position, self.names.last_use(ref))
            assigned_always = position >= 0 and not self.frame.steps[position].training_only
            if assigned_always and last + MAX_IDLE < following.get(name, len(self.frame.steps)):
                deleted[last].append(name)
            following[name] = position
        return deleted

    def _return_type(self) -> str:
        if len(self.outputs) > 1:
            return f"Tensor | {OUTPUTS}" if len(self.always) == 1 else OUTPUTS
        producers = [self.frame.producer.get(ref) for ref in self.frame.returns]
        types = ["Tensor | None" if step and step.training_only else "Tensor" for step in producers]
        if len(types) == 1:
            return types[0]
        if len(types) > 3:
            return f"tuple[{'Tensor | None' if 'Tensor | None' in types else 'Tensor'}, ...]"
        return f"tuple[{', '.join(types)}]"


def _returning(values: list[str]) -> str:
    text = f"return {', '.join(values)}"
    return text if len(text) < WIDTH - 8 else f"return ({', '.join(values)})"
