"""A spec as one text again: `extends` followed, imported blocks laid in, overrides made the params' values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from cnngraph.document import Entry, Plain
from cnngraph.document.flow import write_flow, write_key
from cnngraph.language.model import (
    LANGUAGE_VERSION,
    BlockSpec,
    Library,
    NodeSpec,
    ParamSpec,
    RepeatSpec,
    ScopeSpec,
    Spec,
)

WIDTH = 110


def write_spec(spec: Spec, train: Plain = None) -> str:
    """YAML that reads as the same network and needs no other file. `train` is the recipe to put into it.

    An imported block sees its own params only, so it can stand in any file; where two files have a block of one
    name, the second goes by another one.
    """
    libraries = list(_all_libraries(spec.library))
    names = _names(libraries)
    main = _Writer(names[id(spec.library)])
    blocks = {
        names[id(library)][name]: _Writer(names[id(library)]).block(block)
        for library in libraries
        for name, block in library.blocks.items()
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
        "outputs": {name.text: path.text for name, path in spec.outputs},
        "training_only": [each.text for each in spec.training_only],
        "init": [{"match": each.match.text, **main.table(each.values)} for each in spec.init],
        "weights": {"renames": dict(spec.renames)} if spec.renames else None,
        "train": train,
        "ignore": {each.code.text: each.reason for library in reversed(libraries) for each in library.ignore},
    }
    lines = [line for key, value in document.items() if value for line in _entry(key, value, 0)]
    return "\n".join(lines) + "\n"


def _all_libraries(library: Library) -> Iterator[Library]:
    """A library and all that it imports, each once."""
    seen: set[int] = set()
    waiting = [library]
    while waiting:
        each = waiting.pop(0)
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += each.imports


def _names(libraries: Iterable[Library]) -> dict[int, dict[str, str]]:
    """For each library (by id) what the blocks that it sees are called in the merged file."""
    libraries = list(libraries)
    taken = {name for library in libraries for name in library.blocks}
    used: set[str] = set()
    names: dict[int, dict[str, str]] = {}
    for library in libraries:
        own = names[id(library)] = {}
        for name in library.blocks:
            own[name] = _free(name, taken) if name in used else name
            used.add(own[name])
            taken.add(own[name])
    for library in libraries:
        for each in library.imports:
            imported = {name: names[id(each)][name] for name in each.blocks}
            names[id(library)] = imported | names[id(library)]
    return names


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


class _Writer:
    """Parts of a spec as plain values, with blocks by their new names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def block(self, block: BlockSpec) -> Plain:
        """One block."""
        body = self.node(block.body)
        head: dict[str, Plain] = {"params": self.params(block.params)} if block.params else {}
        if block.inputs is not None:
            head["inputs"] = [each.text for each in block.inputs]
        if not head:
            return body
        return head | (body if isinstance(body, dict) else {"op" if isinstance(body, str) else "nodes": body})

    def params(self, params: Iterable[ParamSpec]) -> dict[str, Plain]:
        """Params and their defaults."""
        return {each.name.text: self.value(each.default.plain()) if each.default else None for each in params}

    def scope(self, scope: ScopeSpec) -> Plain:
        """`nodes:`."""
        if scope.numbered:
            return [self.node(each) for each in scope.children]
        return {each.name.text: self.node(each) for each in scope.children}

    def node(self, node: NodeSpec) -> Plain:
        """A node; in its short form where it says nothing but what it runs."""
        words = self.words(node)
        if list(words) == ["op"] or (list(words) == ["nodes"] and isinstance(words["nodes"], list)):
            return next(iter(words.values()))
        return words

    def words(self, node: NodeSpec) -> dict[str, Plain]:
        """All that a node says, in the order in which people say it."""
        given: dict[str, Plain] = {
            "repeat": self.value(node.repeat.count.plain()) if node.repeat else None,
            "op": self.value(node.op.text) if node.op else None,
            "share": node.share.text if node.share else None,
            "from": _paths(node.reads),
            "when": node.when.plain() if node.when else None,
            "else": _paths(node.otherwise),
            **self.table(node.words),
            **(self.repeat(node.repeat) if node.repeat else {}),
            "flat": node.flat or None,
            "unused": node.unused or None,
            "expect": node.expect.plain() if node.expect else None,
            "ignore": {each.code.text: each.reason for each in node.ignore} or None,
            "nodes": self.scope(node.nodes) if node.nodes else None,
        }
        own = {each.key for each in node.words}
        return {word: value for word, value in given.items() if value is not None or word in own}

    def repeat(self, repeat: RepeatSpec) -> dict[str, Plain]:
        """The words that go with `repeat`."""
        return {
            "name": repeat.name.text if repeat.name else None,
            "carry": repeat.carry if repeat.carry != "last" else None,
            "first": self.table(repeat.first) or None,
            "last": self.table(repeat.last) or None,
        }

    def table(self, entries: Iterable[Entry]) -> dict[str, Plain]:
        """Words and their values."""
        return {each.key: self.value(each.value.plain()) for each in entries}

    def value(self, value: Plain) -> Plain:
        """A value; a block's name in it is the new one."""
        if isinstance(value, str):
            return self.names.get(value, value)
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if isinstance(value, dict):
            return {key: self.value(each) for key, each in value.items()}
        return value


def _paths(words: Iterable[object] | None) -> Plain:
    """`from` or `else`: a path, or a list of other than one."""
    if words is None:
        return None
    texts: list[Plain] = [str(each) for each in words]
    return texts[0] if len(texts) == 1 else texts


# Plain values as YAML.


def _entry(key: str, value: Plain, indent: int) -> Iterator[str]:
    """`key: value` on one line where it fits, else with what is inside on lines of its own."""
    start = f"{' ' * indent}{write_key(key)}:"
    flow = f"{start} {write_flow(value)}" if value is not None else start
    if len(flow) <= WIDTH or not isinstance(value, dict | list) or not value:
        yield flow
        return
    yield start
    yield from _inside(value, indent + 2)


def _inside(value: dict[str, Plain] | list[Plain], indent: int) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _entry(key, each, indent)
        return
    for item in value:
        flow = f"{' ' * indent}- {write_flow(item)}"
        if len(flow) <= WIDTH or not isinstance(item, dict | list) or not item:
            yield flow
            continue
        first, *rest = _inside(item, indent + 2)
        yield f"{' ' * indent}- {first.lstrip()}"
        yield from rest
