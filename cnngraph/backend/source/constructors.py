"""The constructors of a network's classes: values that differ between the uses of a class become its parameters."""

from __future__ import annotations

import inspect
import keyword
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from cnngraph.backend.formatting import format_statement, literal, quoted
from cnngraph.backend.modules.build_layer import layer_class, name_in_source
from cnngraph.backend.modules.classes import class_source
from cnngraph.backend.modules.plan import MODULE_LIST, SEQUENTIAL, Leaf, ScopeModule
from cnngraph.frozen import frozen
from cnngraph.ops.op import Layer

UNSET = object()  # an argument without a default
GENERAL = ("num_features", "num_channels", "normalized_shape")  # names that are less specific than in_channels
LEADING = ("in_channels", "out_channels", "num_features")  # parameters that are passed by position
MIN_LOOP = 3  # this many equal consecutive modules are written as a loop


@frozen
class Argument:
    """One argument of a call: a literal, the name of a parameter, or a call."""

    name: str
    value: Any
    default: Any = UNSET
    positional: bool = False


@frozen
class Name:
    """A parameter of the enclosing constructor."""

    text: str


@frozen
class Call:
    """A call of a constructor; the class of a scope is referred to by its definition."""

    function: str | Definition
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        function = self.function if isinstance(self.function, str) else self.function.name
        if function in (SEQUENTIAL, MODULE_LIST):
            arguments = ", ".join(_with_loops([str(argument.value) for argument in self.arguments]))
            return f"{function}({arguments})" if function == SEQUENTIAL else f"{function}([{arguments}])"
        written = []
        for argument in self.arguments:
            value = argument.value.text if isinstance(argument.value, Name) else literal(argument.value)
            if argument.positional:
                written.append(value)
            elif (
                argument.default is UNSET
                or isinstance(argument.value, Name)
                or not _same(argument.value, argument.default)
            ):
                written.append(f"{argument.name}={value}")
        return f"{function}({', '.join(written)})"


@dataclass(eq=False, slots=True)
class Definition:
    """A class to print, with all its uses in the network."""

    name: str
    first: ScopeModule
    uses: dict[str, ScopeModule] = field(default_factory=dict)  # by path
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)  # the values in all uses, by parameter
    children: dict[str, Call] = field(default_factory=dict)

    def source(self, ending: tuple[str, ...] = ()) -> str:
        """The source of the class; its constructor ends with the lines of `ending`."""
        arguments = ["self", *(f"{name}: {_annotation(values.values())}" for name, values in self.parameters.items())]
        lines = format_statement(f"def __init__({', '.join(arguments)}) -> None:", 4)
        if self.first.kind == SEQUENTIAL:
            lines += format_statement(
                f"super().__init__({', '.join(_with_loops(map(str, self.children.values())))})", 8
            )
            return class_source(replace(self.first, kind=self.name), lines, SEQUENTIAL)
        lines.append("        super().__init__()")
        for name, call in self.children.items():
            module = self.first.children[name]
            if name.isidentifier():
                lines += format_statement(f"self.{name} = {call}", 8)
            elif isinstance(module, Leaf) and module.is_attribute:
                lines += format_statement(f"setattr(self, {quoted(name)}, {call})", 8)
            else:
                lines += format_statement(f"self.add_module({quoted(name)}, {call})", 8)
        lines += [f"        {line}" for line in ending]
        return class_source(replace(self.first, kind=self.name), lines)


def define(root: ScopeModule) -> list[Definition]:
    """The classes of a network, each before those that use it; the class of the network itself comes last."""
    definitions: dict[object, Definition] = {}
    of_group: dict[str, Definition] = {}
    blocks = Counter(group.block for group in _inside_out(root) if group.block)
    for group in _inside_out(root):
        if group.kind not in (SEQUENTIAL, MODULE_LIST) or blocks[group.block] > 1:
            children = tuple((name, _skeleton(child, of_group)) for name, child in group.children.items())
            name = group.block or group.kind
            definition = definitions.setdefault((name, group.forward, children), Definition(name, group))
            definition.uses[group.path] = group
            of_group[group.path] = definition
    _name(list(definitions.values()))
    for definition in definitions.values():
        _find_parameters(definition, of_group)
    return list(definitions.values())


def _inside_out(group: ScopeModule) -> Iterator[ScopeModule]:
    for module in group.children.values():
        if isinstance(module, ScopeModule):
            yield from _inside_out(module)
    yield group


def _skeleton(module: Leaf | ScopeModule, of_group: Mapping[str, Definition]) -> object:
    """What two modules must have in common to be created by the same line of source."""
    if isinstance(module, Leaf):
        return module.layer.kind, tuple((argument.name, argument.positional) for argument in _arguments(module.layer))
    if module.path in of_group:
        return of_group[module.path]
    return module.kind, tuple(_skeleton(child, of_group) for child in module.children.values())


def _name(definitions: list[Definition]) -> None:
    """Give every class a unique name, by appending its additional module, or else a number."""
    *classes, network = definitions
    taken = {network.name: network}
    for definition in classes:
        base = definition.name if definition.name != network.name else f"{definition.name}Block"
        if base in taken:
            more = definition.first.children.keys() - taken[base].first.children.keys()
            less = taken[base].first.children.keys() - definition.first.children.keys()
            (extra,) = more if len(more) == 1 and not less else ("",)
            if extra.isidentifier():
                base = f"{base}With{''.join(word.capitalize() for word in extra.split('_'))}"
        number, definition.name = 2, base
        while definition.name in taken:
            definition.name, number = f"{base}{number}", number + 1
        taken[definition.name] = definition


def _arguments(layer: Layer) -> tuple[Argument, ...]:
    """All arguments of a layer, including those with default values."""
    parameters = inspect.signature(layer_class(layer.kind)).parameters
    named = [
        name
        for name, parameter in parameters.items()
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    ]
    passed = {**dict(zip(named, layer.args, strict=False)), **layer.kwargs}
    order = [*(name for name in named if name in passed or parameters[name].default is not inspect.Parameter.empty)]
    order += [name for name in passed if name not in order]
    arguments = []
    for position, name in enumerate(order):
        default = parameters[name].default if name in parameters else UNSET
        default = UNSET if default is inspect.Parameter.empty else default
        arguments.append(Argument(name, passed.get(name, default), default, position < len(layer.args)))
    return tuple(arguments)


def _call(module: Leaf | ScopeModule, of_group: Mapping[str, Definition]) -> Call:
    if isinstance(module, Leaf):
        return Call(name_in_source(module.layer.kind), _arguments(module.layer))
    if module.path in of_group:
        definition = of_group[module.path]
        arguments: list[Argument] = []
        for name, values in definition.parameters.items():
            first = name in LEADING and all(argument.positional for argument in arguments)
            alone = len(definition.parameters) == 1
            arguments.append(Argument(name, values[module.path], UNSET, positional=first or alone))
        return Call(definition, tuple(arguments))
    return Call(module.kind, tuple(Argument(name, _call(child, of_group)) for name, child in module.children.items()))


def _find_parameters(definition: Definition, of_group: Mapping[str, Definition]) -> None:
    """Compare the uses of a class: values that differ become parameters of its constructor."""
    calls = [
        {name: _call(module, of_group) for name, module in use.children.items()} for use in definition.uses.values()
    ]
    slots: dict[tuple[str, ...], list[Any]] = {}
    for use in calls:
        for name, call in use.items():
            for path, value in _literals(call, (name,)):
                slots.setdefault(path, []).append(value)
    groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    for path, values in slots.items():
        written = tuple(literal(value) for value in values)
        if len(set(written)) > 1:
            groups.setdefault(written, []).append(path)
    names: dict[tuple[str, ...], Name] = {}
    for paths in groups.values():
        name = _parameter_name(paths, definition.parameters)
        definition.parameters[name] = dict(zip(definition.uses, slots[paths[0]], strict=True))
        names |= dict.fromkeys(paths, Name(name))
    definition.children = {name: _with_names(call, (name,), names) for name, call in calls[0].items()}


def _literals(call: Call, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for argument in call.arguments:
        if isinstance(argument.value, Call):
            yield from _literals(argument.value, (*path, argument.name))
        else:
            yield (*path, argument.name), argument.value


def _with_names(call: Call, path: tuple[str, ...], names: Mapping[tuple[str, ...], Name]) -> Call:
    arguments = []
    for argument in call.arguments:
        here = (*path, argument.name)
        value = (
            _with_names(argument.value, here, names)
            if isinstance(argument.value, Call)
            else names.get(here, argument.value)
        )
        arguments.append(replace(argument, value=value))
    return replace(call, arguments=tuple(arguments))


def _parameter_name(paths: list[tuple[str, ...]], taken: Mapping[str, Any]) -> str:
    """`out_channels`, or `branch2_out_channels` if that name is taken."""
    *where, name = next((path for path in paths if path[-1] not in GENERAL), paths[0])
    if name in taken:
        place = "_".join(where).replace("-", "_")
        name = f"{name}_{place}" if place[0].isdecimal() else f"{place}_{name}"
    base, number = f"{name}_" if keyword.iskeyword(name) or name in ("self", "nn", "torch", "F") else name, 2
    name = base
    while name in taken:
        name, number = f"{base}_{number}", number + 1
    return name


def _with_loops(texts: Iterable[str]) -> Iterator[str]:
    """The arguments of nn.Sequential, with runs of equal ones written as a loop."""
    for text, run in groupby(texts):
        count = len(list(run))
        if count >= MIN_LOOP:
            yield f"*({text} for _ in range({count}))"
        else:
            yield from [text] * count


def _annotation(values: Iterable[Any]) -> str:
    values = list(values)
    kinds = {type(value) for value in values}
    if kinds == {int, float}:
        return "float"
    items = {type(item) for value in values if isinstance(value, tuple) for item in value}
    item = "int" if items <= {int} else "float" if items <= {int, float} else "Any"
    names = sorted(f"tuple[{item}, ...]" if kind is tuple else kind.__name__ for kind in kinds - {type(None)})
    return " | ".join([*names, "None"] if type(None) in kinds else names)


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)
