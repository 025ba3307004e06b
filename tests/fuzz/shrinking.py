"""Minimising specs that fail."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from tests.fuzz.spec_tree import NodeTree, ScopeTree, SpecTree

Case = TypeVar("Case")
MAX_ATTEMPTS = 300  # per failure


def shrunk(case: Case, candidates: Callable[[Case], Iterator[Case]], fails: Callable[[Case], bool]) -> Case:
    """Minimise a case by removing one element after another while it still fails."""
    trials = 0
    while True:
        for candidate in candidates(case):
            trials += 1
            if fails(candidate):
                case = candidate
                break
            if trials >= MAX_ATTEMPTS:
                return case
        else:
            return case


def smaller_texts(files: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """The files without one line and its indented block, or without one entry of a flow mapping."""
    for name, text in files.items():
        lines = text.split("\n")
        for start, line in enumerate(lines):
            stop = start + 1
            depth = len(line) - len(line.lstrip())
            while stop < len(lines) and lines[stop].strip() and len(lines[stop]) - len(lines[stop].lstrip()) > depth:
                stop += 1
            if line.strip():
                yield {**files, name: "\n".join(lines[:start] + lines[stop:])}
        for match in re.finditer(r", [\w.]+: ('[^']*'|\[[^]]*\]|[^,{}\[\]]+)", text):
            yield {**files, name: text[: match.start()] + text[match.end() :]}


def smaller_specs(spec: SpecTree) -> Iterator[SpecTree]:
    """Variants of the spec with one element removed."""
    for number in range(_count(spec)):
        smaller = copy.deepcopy(spec)
        list(_removals(smaller))[number]()
        yield smaller


def _count(spec: SpecTree) -> int:
    return sum(1 for _ in _removals(spec))


def _removals(spec: SpecTree) -> Iterator[Callable[[], object]]:
    if spec.variant is not None:
        yield partial(setattr, spec, "variant", None)
    yield from (_pop(spec.init, number) for number in range(len(spec.init)))
    yield from (_drop(spec.outputs, name) for name in spec.outputs)
    yield from (_pop(spec.training_only, number) for number in range(len(spec.training_only)))
    yield from (_drop(spec.blocks, name) for name in spec.blocks)
    yield from _scope_removals(spec.nodes)
    for block in spec.blocks.values():
        yield from _node_removals(block.body)
        yield from (_drop(block.params, name) for name in block.params)
        if block.file:
            yield partial(setattr, block, "file", "")
    yield from (_drop(spec.params, name) for name in spec.params)


def _scope_removals(scope: ScopeTree) -> Iterator[Callable[[], object]]:
    if scope.order is not None:
        yield partial(setattr, scope, "order", None)
    else:
        yield from (partial(_without, scope, number) for number in range(len(scope.children)))
        yield from (_pop(scope.children, number) for number in range(len(scope.children)))
    for node in scope.children:
        yield from _node_removals(node)


def _node_removals(node: NodeTree) -> Iterator[Callable[[], object]]:
    plain = NodeTree()
    for name in ("when", "otherwise", "expect", "repeat", "carry", "gives", "round_name", "flat", "unused", "reads"):
        if getattr(node, name) != getattr(plain, name):
            yield partial(setattr, node, name, getattr(plain, name))
    for arguments in (node.arguments, node.first, node.last):
        yield from (_drop(arguments, key) for key in arguments)
    if node.reads and len(node.reads) > 1:
        yield from (_pop(node.reads, number) for number in range(len(node.reads)))
    if isinstance(node.repeat, list):
        yield from (_pop(node.repeat, number) for number in range(len(node.repeat)))
    if node.nodes is not None:
        yield from _scope_removals(node.nodes)


def _without(scope: ScopeTree, number: int) -> None:
    """Remove a node and its uses as an input."""
    name = scope.children.pop(number).name
    for node in scope.children:
        if name and node.reads is not None:
            node.reads = [read for read in node.reads if read != name and not read.startswith(f"{name}.")] or None


def _pop(values: list[Any], number: int) -> Callable[[], object]:
    return partial(values.pop, number)


def _drop(values: dict[str, Any], key: str) -> Callable[[], object]:
    return partial(values.pop, key)
