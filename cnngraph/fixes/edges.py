"""Wrong connections: other names in a `from`, an added or removed name, another order, an inserted node."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit, Question
from cnngraph.document import Listing, Scalar, Table
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.written import Written, WrittenNode, WrittenScope
from cnngraph.language.names import first_name, tensor_path

MOST_NODES = 16  # upstream of an error, whose connections are tried
MOST_NAMES = 8  # of a scope that are tried instead of one
TENSOR = re.compile(r"(?P<head>[^\[\]]+?)(?:\[(?P<index>\d{1,6})\]|\.(?P<number>\d{1,6}))")
MERGES = ("add", "concat", "mul", "sub", "maximum", "gate", "mean")
SIZES_DIFFER = ("E202", "E203", "E204", "E208", "E209")
SIMILAR_OPS = {
    "add": ("concat", "mul"),
    "mul": ("add", "concat"),
    "sub": ("add",),
    "concat": ("add",),
    "conv": ("linear", "conv_transpose"),
    "linear": ("conv",),
    "conv_transpose": ("conv",),
    "max_pool": ("global_max_pool", "avg_pool"),
    "avg_pool": ("global_avg_pool", "max_pool"),
    "adaptive_avg_pool": ("global_avg_pool",),
    "global_avg_pool": ("avg_pool", "adaptive_avg_pool"),
    "split": ("chunk",),
    "chunk": ("split",),
    "flatten": ("global_avg_pool",),
    "upsample": ("conv_transpose", "max_pool"),
}


def edges(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Changes of the inputs of the nodes upstream of an error."""
    if error.code == "E301" and not _is_elsewhere(written, error):
        return
    nodes = _nodes(written, error)
    for distance, node in enumerate(nodes[:MOST_NODES]):
        unread = unread_names(written, node.scope)
        far = 0.1 * distance
        if error.code in SIZES_DIFFER and not unread:
            far += 1.2  # all nodes are used, so a wrong input is unlikely
        if error.code == "E301":
            far += 0.7  # an unknown name is more likely misspelt
        if node.op in MERGES:
            far -= 0.4 if len(node.reads) < 2 else 0.0
        elif error.code == "E316":
            far += 0.5
        yield from _other_names(written, node, unread, far)
        if distance < 4:
            yield from _other_op(node, far)
    if error.code in ("E211", "E209", "E202"):
        yield from _between(written, nodes[:2])


def _is_elsewhere(written: Written, error: Diagnostic) -> bool:
    """Whether the unknown name belongs to a node in another scope, or further down."""
    name = first_name(written.slice(error.span).strip("\"'")) if error.span else ""
    return any(node.name == name for node in written.nodes)


def _nodes(written: Written, error: Diagnostic) -> list[WrittenNode]:
    """The nodes upstream of an error, nearest first; for an unused node also its siblings."""
    found: dict[int, WrittenNode] = {}
    spans = [*([error.span] if error.span else []), *(cause.span for cause in error.causes if not cause.key)]
    for span in spans:
        node = written.at(span) or (written.around(span) if span == error.span else None)
        if node is not None:
            found.setdefault(id(node), node)
    if error.code in ("E316", "E304", "E312") and found:
        first = next(iter(found.values()))
        for sibling in first.scope.nodes:
            found.setdefault(id(sibling), sibling)
        for block in written.nodes:  # a block with unused inputs
            if len(block.scope.inputs) > 1 and unread_names(written, block.scope):
                found.setdefault(id(block), block)
    return list(found.values())


def unread_names(written: Written, scope: WrittenScope) -> list[str]:
    """The unused nodes of a scope, as far as the text shows."""
    read: set[str] = set()
    for position, node in enumerate(scope.nodes):
        if not node.get("from") and position:
            read.add(scope.nodes[position - 1].name)
        for path in node.reads:
            read.add(first_name(str(path.value)).partition("$")[0])
        for key in ("else", "share"):
            entry = node.get(key)
            if entry:
                read.update(re.findall(r"\w+", written.slice(entry.value.span)))
    unread = [sibling.name for sibling in scope.nodes[:-1] if sibling.name and sibling.name not in read]
    return unread + [input_ for input_ in scope.inputs if input_ not in read and len(scope.inputs) > 1]


def _names(node: WrittenNode, unread: list[str]) -> list[str]:
    """Possible inputs of a node, likeliest first: unused nodes, then the nodes above it."""
    position = next((at for at, sibling in enumerate(node.scope.nodes) if sibling is node), 0)
    above = [sibling.name for sibling in reversed(node.scope.nodes[:position]) if sibling.name]
    below = [sibling.name for sibling in node.scope.nodes[position + 1 :] if sibling.name and sibling.name in unread]
    names = [name for name in unread if name != node.name] + above[:MOST_NAMES] + list(node.scope.inputs) + below
    return list(dict.fromkeys(names))


def _other_names(written: Written, node: WrittenNode, unread: list[str], far: float) -> Iterator[Candidate]:
    names = _names(node, unread)
    entry = node.get("from")
    if entry is None:
        yield from _new_from(written, node, names, unread, far)
        return
    place = f" at {entry.key_span}"
    own = [str(read.value) for read in node.reads]
    for path in node.reads:
        for rank, name in enumerate(names):
            if name != path.value and name not in own:
                base = 0.6 if name in unread else 1.5 - 0.15 * min(_popularity(node, name), 4)
                base -= 0.3 if name == "in" and node.op in MERGES else 0.0
                base += 0.7 if _only_reader(node, str(path.value)) else 0.0
                base += 0.5 if len(own) == 1 and (node.op in MERGES or isinstance(entry.value, Listing)) else 0.0
                cost = base + 0.1 * rank + far
                yield Candidate(cost, Question(f"`{name}` instead of `{path.value}`{place}"), (Edit(path.span, name),))
        yield from _other_part(path, far, place)
    is_list = len(own) > 1 and _merges_inside(written, node)
    if not is_list and (edit := written.remove_entry(entry)):
        left = any(_only_reader(node, str(read.value)) for read in node.reads)
        merges = node.op in MERGES or _reads_several(written, node)
        cost = 1.6 + (0.8 if left else 0.0) + (0.8 if merges else 0.0) + far
        yield Candidate(cost, f"remove `from: {written.slice(entry.value.span)}`{place}", (edit,))
    yield from _more_or_less(written, node, names, unread, far)


def _popularity(node: WrittenNode, name: str) -> int:
    """How many other nodes of the scope read a name."""
    return sum(any(path.value == name for path in sibling.reads) for sibling in node.scope.nodes if sibling is not node)


def _only_reader(node: WrittenNode, name: str) -> bool:
    """Whether this node is the only reader of a known name, which would become unused."""
    scope = node.scope
    if name not in scope.names and name not in scope.inputs:
        return False
    follows = any(
        sibling.name == name and at + 1 < len(scope.nodes) and scope.nodes[at + 1].get("from") is None
        for at, sibling in enumerate(scope.nodes)
    )
    return not follows and not _popularity(node, name) and (len(scope.inputs) > 1 or name not in scope.inputs)


def _other_part(path: Scalar, far: float, place: str) -> Iterator[Candidate]:
    """Another tensor of a list: `halves[1]` for `halves[0]`."""
    text = str(path.value)
    if found := TENSOR.fullmatch(text):
        head, number = found["head"], int(found["index"] or found["number"])
        if found["number"]:
            part = tensor_path(head, number)
            yield Candidate(0.3 + far, f"write `{part}`{place}", (Edit(path.span, f'"{part}"'),))
        for other in (number - 1, number + 1, 0):
            if other >= 0 and other != number:
                yield _part(path, head, other, 1.4 + far, place)
        yield Candidate(1.7 + far, Question(f"`{head}`{place}"), (Edit(path.span, head),))
    elif "$" not in text:
        for number in (0, 1):
            yield _part(path, text, number, 1.9 + far, place)


def _part(path: Scalar, head: str, number: int, cost: float, place: str) -> Candidate:
    """Read one tensor of a list; in quotes, which a bracket needs between braces."""
    part = tensor_path(head, number)
    return Candidate(cost, Question(f"`{part}`{place}"), (Edit(path.span, f'"{part}"'),))


def _new_from(
    written: Written, node: WrittenNode, names: list[str], unread: list[str], far: float
) -> Iterator[Candidate]:
    """A `from` for a node that has none."""
    position = next((at for at, sibling in enumerate(node.scope.nodes) if sibling is node), 0)
    above = node.scope.nodes[position - 1].name if position else "in"
    for rank, name in enumerate(names):
        inner = node.scope.block is not None or node.scope.outer is not None
        cost = (0.9 if name in unread else 1.4 if name == "in" and inner else 1.8) + 0.1 * rank + far
        if name != above and (edit := written.add_entry(node, "from", name)):
            yield Candidate(cost, f"add `from: {name}` to {_called(node)} at {node.start}", (edit,))
    if not (node.op in MERGES or _reads_several(written, node)):
        return
    together = [[*unread, above]] if len(unread) > 1 else []
    together += [[above, name] for name in names if name != above] if above else []
    together += [list(node.scope.inputs)] if len(node.scope.inputs) > 1 else []
    for rank, paths in enumerate(together):
        ordered = in_order(node, paths)
        if node.op not in MERGES and "in" in ordered:
            ordered = ["in", *(name for name in ordered if name != "in")]  # the input of the block comes first
        for turned, final in enumerate((ordered, ordered[::-1])):
            text = f"[{', '.join(final)}]"
            if edit := written.add_entry(node, "from", text):
                new = [path for path in paths if path != above]
                likely = all(name in unread or name in node.scope.inputs for name in new)
                cost = (0.7 if likely else 1.5) + 0.1 * rank + 0.05 * turned + far - 0.1 * (len(paths) > 2)
                yield Candidate(cost, f"add `from: {text}` to {_called(node)} at {node.start}", (edit,))


def in_order(node: WrittenNode, paths: list[str]) -> list[str]:
    """Paths in conventional order: file order, a single input last, several inputs before the nodes."""
    own, inputs = [sibling.name for sibling in node.scope.nodes], list(node.scope.inputs)
    names = [*own, *inputs] if len(inputs) == 1 else [*inputs, *own]
    return sorted(paths, key=lambda path: names.index(path) if path in names else len(names))


def _reads_several(written: Written, node: WrittenNode) -> bool:
    block = written.blocks.get(node.op)
    inputs = block.entry.value.get("inputs") if block and isinstance(block.entry.value, Table) else None
    return inputs is not None


def _merges_inside(written: Written, node: WrittenNode) -> bool:
    """Whether a block has an operation that merges tensors, but only reads the input of the block."""
    block = written.blocks.get(node.op)
    if block is None:
        return False
    inner = (found for found in written.nodes if found.scope.block is block and found.entry is not block.entry)
    first = next(inner, None)
    return first is not None and first.op in MERGES and not first.get("from")


def _more_or_less(
    written: Written, node: WrittenNode, names: list[str], unread: list[str], far: float
) -> Iterator[Candidate]:
    """A `from` with a path added, removed, or in another order."""
    entry = node.get("from")
    assert entry is not None
    own = [written.slice(read.span) for read in node.reads]
    if not own or not all(own):
        return
    place = f" at {entry.key_span}"
    lists: list[tuple[float, list[str]]] = []
    several = len(own) > 1 or isinstance(entry.value, Listing) or node.op in MERGES or _reads_several(written, node)
    for rank, name in enumerate(names):
        if name not in own and several:
            cost = (0.65 if name in unread else 1.45 if name == "in" else 1.7) + 0.1 * rank
            found = [[*own[:at], name, *own[at:]] for at in range(len(own) + 1)]
            lists += [(cost + (0.05 if path != in_order(node, path) else 0.0), path) for path in found]
    if len(own) > 1:
        lists += [(1.3, [*own[:at], own[at + 1], own[at], *own[at + 2 :]]) for at in range(len(own) - 1)]
        kept = [0.8 if _only_reader(node, path) else 0.0 for path in own]
        if not _merges_inside(written, node):  # it was meant to merge them
            lists += [(1.8 + kept[at], own[:at] + own[at + 1 :]) for at in range(len(own))]
    for cost, paths in lists:
        text = f"[{', '.join(paths)}]" if len(paths) > 1 else paths[0]
        yield Candidate(cost + far, Question(f"`from: {text}`{place}"), (Edit(entry.value.span, text),))


def _other_op(node: WrittenNode, far: float) -> Iterator[Candidate]:
    """Another op that is easily confused with this one."""
    found = node.get("op")
    span = found.value.span if found else node.value.span if isinstance(node.value, Scalar) else None
    if span is None:
        return
    for rank, other in enumerate(SIMILAR_OPS.get(node.op, ())):
        title = Question(f"the op `{other}` at {node.start}")
        yield Candidate(1.9 + 0.1 * rank + far, title, (Edit(span, other),))


def _between(written: Written, nodes: list[WrittenNode]) -> Iterator[Candidate]:
    """A `flatten` or a pooling inserted before a node that reads vectors."""
    for node in nodes:
        ops = ("flatten", "global_avg_pool")
        for rank, op in enumerate(
            ops[::-1] if written.name_counts["batch_norm"] or written.name_counts["import"] else ops
        ):
            edit = insert_before(written, node, op, op)
            if edit and node.op in ("linear", "batch_norm", "softmax", "relu", "dropout") and not node.get("from"):
                yield Candidate(1.0 + 0.3 * rank, f"insert `{op}` before the `{node.op}` at {node.start}", (edit,))


def insert_before(written: Written, node: WrittenNode, text: str, name: str) -> Edit | None:
    """Insert a node before one that reads the node above; in a list it has no name."""
    start = node.start
    line = written.lines[start.line - 1]
    indent = line[: start.column - 1]
    place = written.place(start.line, start.column)
    if node.scope.numbered:
        return Edit(place, f"{text}, " if indent.strip(" -") else f"{text}\n{indent}")
    name = name if name not in node.scope.names else f"{name}_{len(node.scope.names)}"
    return None if indent.strip() else Edit(place, f"{name}: {text}\n{indent}")


def _called(node: WrittenNode) -> str:
    return f"`{node.name}`" if node.name else f"the `{node.op or 'node'}`"
