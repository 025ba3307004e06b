"""The blocks of a library: their parameters, inputs, and a compiled example of each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Source
from cnngraph.document.flow import write_flow
from cnngraph.fields import REQUIRED, fields_of
from cnngraph.frozen import frozen
from cnngraph.language.model import BlockSpec, Spec
from cnngraph.library import block_files, library_root
from cnngraph.ops.registry import find_op

INPUTS = ((64, 32, 32), (3, 32, 32), (64,))  # input shapes to try for an example
VALUES: tuple[object, ...] = (64, 16, 4, 2, 1, "relu", True, 0.5, [64, 64])  # to try for a param without default
MOST_TRIED = 200


@frozen
class Example:
    """A node that uses a block, with its input and output shapes and its number of parameters."""

    node: str
    reads: tuple[int, ...]
    gives: tuple[tuple[int, ...], ...]
    num_params: int


@frozen
class Block:
    """A block of a library. `params` are its params with their defaults in YAML, None if required.

    `op` is the op or block that it sets some parameters of; the others can be set as well.
    """

    name: str
    params: dict[str, str | None]
    inputs: tuple[str, ...]
    op: str | None
    example: Example | None


@frozen
class BlockLibrary:
    """A file of blocks. `name` is its name in the `import` of a spec."""

    name: str
    about: str
    blocks: tuple[Block, ...]


def bundled_libraries() -> Iterator[BlockLibrary]:
    """Read the bundled block libraries."""
    for path in block_files().values():
        spec = compile_spec(str(path)).spec
        assert spec
        yield describe(spec)


def describe(spec: Spec) -> BlockLibrary:
    """Describe the blocks of a library, with a compiled example of each."""
    root, path = library_root().resolve(), _place(spec)
    file = path.resolve()
    name = file.relative_to(root).as_posix() if file.is_relative_to(root) else path.name
    blocks = tuple(_described(block, name, path.parent) for block in spec.library.blocks.values())
    return BlockLibrary(name, " ".join(spec.about.split()), blocks)


def _place(spec: Spec) -> Path:
    """The file of a block library. The source of a bundled one may have its name in the package."""
    return block_files().get(spec.source.name.partition("specs/")[2], Path(spec.source.name))


def _described(block: BlockSpec, library: str, folder: Path) -> Block:
    params = {
        param.name.text: None if param.default is None else write_flow(param.default.plain()) for param in block.params
    }
    inputs = tuple(name.text for name in block.inputs or ())
    op = block.body.op.text if block.body.op else None
    return Block(block.name.text, params, inputs, op, _example(block, library, folder))


def _example(block: BlockSpec, library: str, folder: Path) -> Example | None:
    """The first use of a block that compiles; None if none of MOST_TRIED does."""
    required = [*(param.name.text for param in block.params if param.default is None), *_required_by_op(block)]
    counts = (len(block.inputs),) if block.inputs else (1, 2, 3)  # an op may have several inputs
    tries = product(INPUTS, counts, product(VALUES, repeat=len(required)))
    for shape, count, values in islice(tries, MOST_TRIED):
        reads = [] if count == 1 else [f"from: [{', '.join(['x'] * count)}]"]
        settings = [f"{name}: {write_flow(value)}" for name, value in zip(required, values, strict=True)]
        node = f"{{{', '.join([f'op: {block.name.text}', *reads, *settings])}}}"
        nodes = f"{{x: identity, y: {node}}}"
        text = f"{{cnngraph: 1, input: {list(shape)}, import: [{write_flow(library)}], nodes: {nodes}}}"
        compilation = compile_text(Source("example.yaml", text), folder)
        graph = compilation.graph
        if compilation.ok and graph:
            return Example(node, shape, tuple(graph.output_shapes.values()), graph.num_params)
    return None


def _required_by_op(block: BlockSpec) -> list[str]:
    """The required parameters of a block's op that the block does not set."""
    op = find_op(block.body.op.text) if block.body.op else None
    if op is None:
        return []
    set_keys = {argument.key for argument in block.body.arguments}
    return [field.name for field in fields_of(op).values() if field.default is REQUIRED and field.name not in set_keys]
