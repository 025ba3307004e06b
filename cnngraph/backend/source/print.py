"""A network as stand-alone Python source, as a person would write it."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator

from cnngraph.backend.formatting import format_statement
from cnngraph.backend.modules import compile as modules
from cnngraph.backend.modules import layers
from cnngraph.backend.modules.plan import Group, Leaf, plan
from cnngraph.backend.source.constructors import define
from cnngraph.backend.source.initial_source import init_weights_source
from cnngraph.elaborate.elaborate import collector_paused
from cnngraph.graph.graph import Graph
from cnngraph.version import __version__

IMPORTS = {  # what a name in the source needs
    "Any": "from typing import Any",
    "torch": "import torch",
    "F": "import torch.nn.functional as F",
    "Tensor": "from torch import Tensor",
    "nn": "from torch import nn",
    "NamedTuple": "from typing import NamedTuple",
    "re": "import re",
}
MAIN = """if __name__ == "__main__":
    model = {name}()
    print(model)
    print(f"{{sum(each.numel() for each in model.parameters()):,}} parameters")
"""


def model_source(graph: Graph) -> str:
    """A Python file with the network: it needs nothing but torch, and its state_dict has the same keys.

    Given the same seed, its weights are those of the network that `lower` builds, bit by bit.
    """
    with collector_paused():
        return _written(graph, plan(graph))


def _written(graph: Graph, root: Group) -> str:
    *classes, network = define(root)
    kinds = {leaf.layer.kind for leaf in _leaves(root)}
    init = init_weights_source(root, graph.init)
    ending = ("init_weights(self)",) if init else ()
    chunks = [*_own(kinds, numbered=any(each.first.is_numbered for each in [*classes, network]))]
    chunks += [each.source() for each in classes]
    chunks += [init] if init else []
    chunks += [network.source(ending), MAIN.format(name=network.name)]
    body = "\n\n".join(chunk.strip("\n") + "\n" for chunk in chunks)
    return f"{_docstring(graph)}\n\n{_imports(body, kinds)}\n\n\n{body}"


def _leaves(group: Group) -> Iterator[Leaf]:
    for part in group.parts.values():
        if isinstance(part, Group):
            yield from _leaves(part)
        else:
            yield part


def _docstring(graph: Graph) -> str:
    about = f"{graph.name}: {graph.about}" if graph.about else graph.name
    plain = "".join(each if each.isprintable() else " " for each in about)
    safe = plain.replace("\\", "\\\\").replace('"', '\\"') if "\\" in plain or '"""' in plain else plain
    first, *rest = textwrap.wrap(safe, 85) or ["A network."]
    written = f"Written by cnngraph {__version__}. It needs nothing but torch."
    return "\n".join([f'"""{first}', *rest, "", written, '"""'])


def _own(kinds: set[str], numbered: bool) -> Iterator[str]:
    """The source of the layers that torch.nn lacks, and of what these use in turn."""
    if numbered:
        yield _narrow(inspect.getsource(modules.Numbered))
    source = inspect.getsource(layers)
    defined = {each.name: each for each in ast.parse(source).body if isinstance(each, ast.ClassDef | ast.FunctionDef)}
    needed = kinds & modules.OWN_LAYERS.keys()
    waiting = list(needed)
    while waiting:
        used = _names(defined[waiting.pop()]) & defined.keys() - needed
        needed |= used
        waiting += used
    for name, each in defined.items():
        if name in needed:
            yield _narrow(ast.get_source_segment(source, each) or "")


def _narrow(source: str) -> str:
    """The same source with its long statements laid out anew."""
    lines = []
    for line in source.splitlines():
        text = line.lstrip()
        lines += format_statement(text, len(line) - len(text)) if text.endswith((":", ")", "]")) else [line]
    return "\n".join(lines)


def _names(tree: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}


def _imports(body: str, kinds: set[str]) -> str:
    """The import statements that the source needs, sorted as formatters do."""
    known = dict(IMPORTS)
    for each in ast.parse(inspect.getsource(layers)).body:
        if isinstance(each, ast.Import | ast.ImportFrom):
            for alias in each.names:
                alone = type(each)(**{**vars(each), "names": [alias]})
                known.setdefault(alias.asname or alias.name, ast.unparse(alone))
    for kind in kinds:
        module, _, name = kind.rpartition(".")
        if module:
            known[name] = f"from {module} import {name}"
    needed = {known[name] for name in _names(ast.parse(body)) & known.keys()}
    sections: dict[bool, dict[tuple[bool, str], list[str]]] = {True: {}, False: {}}
    for statement in needed:
        module = statement.split()[1]
        is_from = statement.startswith("from")
        start = statement.partition(" import ")[0] if is_from else statement
        standard = module.partition(".")[0] in sys.stdlib_module_names
        sections[standard].setdefault((is_from, start), []).append(statement.partition(" import ")[2])
    return "\n\n".join(
        "\n".join(
            f"{start} import {', '.join(sorted(names))}" if is_from else start
            for (is_from, start), names in sorted(section.items())
        )
        for section in sections.values()
        if section
    )
