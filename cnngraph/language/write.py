"""Writes a spec as a single file: `extends` resolved, imported blocks inlined, overrides as param values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cnngraph.document import Entry, Plain
from cnngraph.document.flow import write_flow, write_key
from cnngraph.language.model import (
    LANGUAGE_VERSION,
    BlockSpec,
    ChangeSpec,
    Library,
    NodeSpec,
    ParamSpec,
    RepeatSpec,
    ScopeSpec,
    Spec,
    WeightsSpec,
)

WIDTH = 110


def write_spec(spec: Spec, train: Plain = None) -> str:
    """YAML of the same network that needs no other file. `train` is the recipe to include.

    An imported block sees its own params only, so it can be moved to any file. Where two files have blocks of
    the same name, the second is renamed.
    """
    libraries = list(spec.library.with_imports())
    names = _names(libraries)
    main = _Writer(names[id(spec.library)])
    blocks = {
        names[id(library)][name]: _Writer(names[id(library)]).block(block)
        for library in libraries
        for name, block in library.blocks.items()
        if library is spec.library or block.name.span not in spec.library.replaced
    }
    document: dict[str, Plain] = {
        "cnngraph": LANGUAGE_VERSION,
        "name": spec.name,
        "about": spec.about,
        "paper": spec.paper,
        "published": dict(spec.published),
        "input": spec.input.plain() if spec.input else None,
        "params": main.params(spec.library.params.values()),
        "blocks": blocks,
        "nodes": main.scope(spec.nodes) if spec.nodes else None,
        "change": [main.rule(rule) for rule in spec.change],
        "outputs": {name.text: path.text for name, path in spec.outputs},
        "training_only": [path.text for path in spec.training_only],
        "init": [{"match": rule.match.text, **main.table(rule.values)} for rule in spec.init],
        "weights": _weights(spec.weights),
        "train": train,
        "ignore": {entry.code.text: entry.reason for library in reversed(libraries) for entry in library.ignore},
    }
    return write_document(document)


def _weights(weights: WeightsSpec) -> Plain:
    networks: dict[str, Plain] = {path.text: source.text for path, source in weights.networks}
    return {**({"renames": dict(weights.renames)} if weights.renames else {}), **networks}


def write_document(document: Mapping[str, Plain]) -> str:
    """YAML of a spec's keys; those with an empty value are left out."""
    lines = [line for key, value in document.items() if value for line in _entry(key, value, 0)]
    return "\n".join(lines) + "\n"


def _names(libraries: Iterable[Library]) -> dict[int, dict[str, str]]:
    """For each library (by id), the names in the merged file of the blocks visible to it."""
    libraries = list(libraries)
    replaced = libraries[0].replaced
    taken = {name for library in libraries for name in library.blocks}
    used: set[str] = set()
    names: dict[int, dict[str, str]] = {}
    for library in libraries:
        own = names[id(library)] = {}
        for name, block in library.blocks.items():
            if library is not libraries[0] and block.name.span in replaced:
                own[name] = names[id(libraries[0])][replaced[block.name.span]]
                continue
            own[name] = _free(name, taken) if name in used else name
            used.add(own[name])
            taken.add(own[name])
    for library in libraries:
        for imported_library in library.imports:
            imported = {name: names[id(imported_library)][name] for name in imported_library.blocks}
            names[id(library)] = imported | names[id(library)]
    return names


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


class _Writer:
    """Converts parts of a spec to plain values, with renamed blocks."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def block(self, block: BlockSpec) -> Plain:
        """One block."""
        body = self.node(block.body)
        head: dict[str, Plain] = {"params": self.params(block.params)} if block.params else {}
        if block.inputs is not None:
            head["inputs"] = [input_.text for input_ in block.inputs]
        if not head:
            return body
        return head | (body if isinstance(body, dict) else {"op" if isinstance(body, str) else "nodes": body})

    def params(self, params: Iterable[ParamSpec]) -> dict[str, Plain]:
        """Params and their defaults."""
        return {param.name.text: self.value(param.default.plain()) if param.default else None for param in params}

    def scope(self, scope: ScopeSpec) -> Plain:
        """`nodes:`."""
        if scope.numbered == len(scope.children):
            return [self.node(child) for child in scope.children]
        return {child.name.text: self.node(child) for child in scope.children}

    def rule(self, rule: ChangeSpec) -> Plain:
        """A rule of `change`."""
        keys: dict[str, Plain] = {
            "match": self.value(rule.match.text),
            "op": self.value(rule.op.text) if rule.op else None,
            "remove": rule.remove or None,
            "before": self.scope(rule.before) if rule.before else None,
            "after": self.scope(rule.after) if rule.after else None,
            "replace": self.node(rule.replace) if rule.replace else None,
        }
        return {key: value for key, value in keys.items() if value is not None} | self.table(rule.entries)

    def node(self, node: NodeSpec) -> Plain:
        """A node, in its short form if possible."""
        keys = self.keys(node)
        if list(keys) == ["op"] or (list(keys) == ["nodes"] and isinstance(keys["nodes"], list)):
            return next(iter(keys.values()))
        return keys

    def keys(self, node: NodeSpec) -> dict[str, Plain]:
        """All keys of a node, in the conventional order."""
        keys: dict[str, Plain] = {
            "repeat": self.value(node.repeat.count.plain()) if node.repeat else None,
            "op": self.value(node.op.text) if node.op else None,
            "share": node.share.text if node.share else None,
            "net": node.net.text if node.net else None,
            "until": node.until.text if node.until else None,
            "from": _paths(node.reads),
            "when": node.when.plain() if node.when else None,
            "else": _paths(node.otherwise),
            **self.table(node.arguments),
            **(self.repeat(node.repeat) if node.repeat else {}),
            "flat": node.flat or None,
            "unused": node.unused or None,
            "expect": node.expect.plain() if node.expect else None,
            "ignore": {entry.code.text: entry.reason for entry in node.ignore} or None,
            "nodes": self.scope(node.nodes) if node.nodes else None,
        }
        own = {entry.key for entry in node.arguments}
        return {key: value for key, value in keys.items() if value is not None or key in own}

    def repeat(self, repeat: RepeatSpec) -> dict[str, Plain]:
        """The keys that belong to `repeat`."""
        carry = repeat.carry if repeat.carry != "last" else None
        return {
            "name": repeat.name.text if repeat.name else None,
            "carry": carry if repeat.back is None else self.value(repeat.back.plain()),
            "gives": repeat.gives or None,
            "first": self.table(repeat.first) or None,
            "last": self.table(repeat.last) or None,
        }

    def table(self, entries: Iterable[Entry]) -> dict[str, Plain]:
        """Keys and their values."""
        return {entry.key: self.value(entry.value.plain()) for entry in entries}

    def value(self, value: Plain) -> Plain:
        """A value, with names of blocks replaced by the new ones."""
        if isinstance(value, str):
            return self.names.get(value, value)
        if isinstance(value, list):
            return [self.value(element) for element in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value


def _paths(paths: Iterable[object] | None) -> Plain:
    """`from` or `else`: a single path, or a list."""
    if paths is None:
        return None
    texts: list[Plain] = [str(path) for path in paths]
    return texts[0] if len(texts) == 1 else texts


# Plain values as YAML.


def _entry(key: str, value: Plain, indent: int) -> Iterator[str]:
    """`key: value` on one line if it fits, else one line for each item of the value."""
    start = f"{' ' * indent}{write_key(key)}:"
    flow = f"{start} {write_flow(value)}" if value is not None else start
    if len(flow) <= WIDTH or not isinstance(value, dict | list) or not value:
        yield flow
        return
    yield start
    yield from _inside(value, indent + 2)


def _inside(value: dict[str, Plain] | list[Plain], indent: int) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _entry(key, inner, indent)
        return
    for item in value:
        flow = f"{' ' * indent}- {write_flow(item)}"
        if len(flow) <= WIDTH or not isinstance(item, dict | list) or not item:
            yield flow
            continue
        first, *rest = _inside(item, indent + 2)
        yield f"{' ' * indent}- {first.lstrip()}"
        yield from rest
