"""Elaboration: a Spec becomes a Graph in one walk in topological order.

Blocks and repeats are expanded, expressions evaluated and shapes inferred together, since expressions can read shapes.
A node with an error has an unknown shape, and nodes that read it report nothing: one error, one message.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document import Table
from cnngraph.document.flow import write_flow
from cnngraph.elaborate.budget import MAX_MARKED, MAX_NODES, Budget, TooLargeError
from cnngraph.elaborate.check_names import check_names
from cnngraph.elaborate.file_scope import FileScope
from cnngraph.elaborate.finish import WalkResult, finish
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.module_paths import Level, Slot, module_tree
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Argument, Bound, Tensors, VisibleNodes
from cnngraph.elaborate.walk import Walker
from cnngraph.fields import FieldError, Int, show_value
from cnngraph.frozen import frozen
from cnngraph.graph import sizes
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Input, NodeError, Ref, Scope
from cnngraph.language.expressions.values import meter
from cnngraph.language.model import Spec
from cnngraph.language.names import NAME, NAME_RULE
from cnngraph.ops.registry import Registry
from cnngraph.tensor_type import TensorType

SIZE = re.compile(r"\d{1,9}")
__all__ = ["MAX_NODES", "Elaboration", "collector_paused", "elaborate"]


@frozen(slots=False)
class Elaboration:
    """The graph and its diagnostics. With errors, the graph is incomplete or None."""

    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]


def elaborate(spec: Spec, registry: Registry, *, max_nodes: int = MAX_NODES, sound: bool = True) -> Elaboration:
    """Expand, evaluate and infer. A library of blocks has no graph, and only its names are checked.

    `sound` is False if the spec's text has errors, which may be why a node is unused.
    """
    budget = Budget(max_nodes, spec.nodes.span if spec.nodes else None)
    budget.extend(check_names(spec, registry))
    counting = meter.set(budget.count_steps)
    watching = sizes.log.set(sizes.SizeLog())
    try:
        graph = _network(spec, registry, budget, sound) if spec.nodes is not None else None
    finally:
        meter.reset(counting)
        sizes.log.reset(watching)
    return Elaboration(graph, budget.result())


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's garbage collector, which otherwise takes half the time of a large network."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _network(spec: Spec, registry: Registry, budget: Budget, sound: bool) -> Graph | None:
    """The graph, incomplete if there are errors; None if the params or inputs are invalid."""
    kept = sizes.log.get()
    assert kept is not None
    maker = Maker(budget, kept)
    env = _environment(spec, maker, budget)
    if env is None:
        return None
    walked = _walk(spec, registry, env, maker)
    try:
        graph, more = finish(spec, walked, complete=sound and not budget.has_errors)
    except TooLargeError as bound:  # outputs and `init` rules have expressions, too
        if walked.last is not None:
            budget.report(bound.problem, "")
        return None
    if sound and not budget.has_errors:  # else the nodes that a rule matches may be missing because of errors
        budget.extend(env.file.unmatched(graph))
    budget.extend(more)
    marked = (*budget.marked.values(), *_marked(graph, more))
    complete = sound and not budget.has_errors
    rules = sizes.SizeRules(kept.decisions, graph.nodes, graph.inputs) if kept.decisions and complete else None
    return replace(graph, plugins=registry.plugins, size_rules=rules, errors=marked[:MAX_MARKED])


def _marked(graph: Graph, found: Iterable[Diagnostic]) -> Iterator[NodeError]:
    """The nodes of a graph that an error is about, such as unused ones."""
    errors = {item.node: item for item in found if item.is_error and item.node}
    if not errors:
        return
    values = {scope.path: (scope.stop, scope.value) for scope in graph.scopes()}
    for index, node in enumerate(graph.nodes):
        values[node.path] = index + 1, tuple(Ref(index, part) for part in range(len(node.types)))
    for path, item in errors.items():
        if path in values and item.span is not None:
            position, refs = values[path]
            yield NodeError(path, item.code, item.message, item.span, refs, position)


def _environment(spec: Spec, maker: Maker, budget: Budget) -> Env | None:
    """The network's params and inputs; None if one of them is invalid."""
    params: dict[str, Argument] = {}
    env = Env(spec.library, params, {}, VisibleNodes(), maker.type_of, FileScope(spec.library, params, spec.change))
    try:
        _bind_params(spec, env)
        return env.inside(_inputs(spec, env, maker))
    except ProblemError as problem:
        budget.report(problem, "")
    except UnknownError:
        pass
    except TooLargeError as bound:
        budget.report(bound.problem, "")
    return None


def _walk(spec: Spec, registry: Registry, env: Env, maker: Maker) -> WalkResult:
    """Elaborate all nodes of the network, or those before one that exceeds a limit."""
    assert spec.nodes is not None
    budget = maker.budget
    walker = Walker(registry, budget, maker, spec.networks)
    slot: Slot = []
    last = None
    try:
        last = walker.children(spec.nodes, env, Level(""), slot)
    except TooLargeError as bound:
        budget.chain.clear()
        budget.report(bound.problem, "")
    root = Scope(
        path="",
        kind="network",
        block=None,
        inputs=tuple(Input(name, item.tensors().refs) for name, item in env.inputs.items()),
        value=last.value.refs if last and last.value else (),
        children=module_tree("", slot, maker.nodes, maker.implicit),
        start=0,
        stop=len(maker.nodes),
        span=spec.nodes.span,
    )
    return WalkResult(
        env,
        root,
        last,
        maker.nodes,
        maker.inputs,
        walker.unused,
        walker.unused_shares,
        spec.source.name,
        walker.passed_over,
        walker.nets,
    )


def _bind_params(spec: Spec, env: Env) -> None:
    """Bind the file's params in order: a default may use earlier ones."""
    for param in spec.library.params.values():
        if param.default is None:
            message = f"the param `{param.name}` has neither a value nor a default"
            raise ProblemError("E206", message, param.name.span, help=f"pass `--set {param.name}=…`, or add a default")
        argument: Argument = env.argument(param.name.span, param.default)
        env.params[param.name.text] = argument


def _inputs(spec: Spec, env: Env, maker: Maker) -> dict[str, Bound]:
    """The network's inputs by name."""
    value = spec.input
    if value is None:
        raise UnknownError
    entries = [(entry.key, entry.value) for entry in value] if isinstance(value, Table) else [("in", value)]
    bounds = {}
    for name, entry in entries:
        if isinstance(value, Table) and (name in ("from", "i", "item") or not NAME.fullmatch(name)):
            reason = f"`${name}` is a variable of expressions" if NAME.fullmatch(name) else NAME_RULE
            raise ProblemError("E108", f"`{name}` is not a valid input name: {reason}", entry.span)
        key = name if isinstance(value, Table) else "input"
        ref = maker.add_input(name, _input_type(key, env.evaluate(entry), entry.span))
        bounds[name] = Bound(Tensors((ref,)), entry.span)
    if not bounds:
        raise ProblemError("E107", "the network has no `input`", value.span)
    return bounds


def _input_help(key: str, value: object) -> str:
    """Help that shows how to write the intended input."""
    sizes = value
    if isinstance(value, str):
        sizes = [int(size) for size in SIZE.findall(value)]
    match sizes:
        case [_, _] if sizes is value:
            image, line = f"[1, {sizes[0]}, {sizes[1]}]", f"[{sizes[0]}, 1, {sizes[1]}]"
            if image == line:
                return f"write `{key}: {line}` for a 1-D signal (a map of height 1)"
            return f"write `{key}: {image}` for a greyscale image, `{key}: {line}` for a 1-D signal (a map of height 1)"
        case [_, _, _] if sizes is not value:
            return f"write `{key}: {write_flow(sizes)}`"
        case [_, _, _, _] if sizes is value:
            return _help_for_four(key, list(sizes))
        case int() if not isinstance(sizes, bool):
            return f"write `{key}: [{sizes}]` for a vector, `{key}: [3, 224, 224]` for an image"
    return f"write, for example, `{key}: [3, 224, 224]` (channels, height, width)"


def _help_for_four(key: str, sizes: list[object]) -> str:
    """Help for four sizes: with a batch, or of volumes."""
    image = f"leave out the batch size: `{key}: {show_value(sizes[1:])}`"
    numbers = [size for size in sizes if type(size) is int]
    if starts_with_batch(sizes) or len(numbers) < 4:
        return image
    slices = f"`{key}: {show_value([numbers[0] * numbers[1], *numbers[2:]])}`"
    return (
        "3-D convolutions are not supported; write the slices of a volume or the frames of a video as channels, "
        f"{slices}; or, for a batch of maps, {image}"
    )


def starts_with_batch(sizes: list[object]) -> bool:
    """Whether the first of four sizes can only be a batch size: otherwise they may be those of a volume or a video."""
    batch, channels, *_ = sizes
    return type(batch) is not int or batch < 2 or channels in (1, 3, 4)


def _input_type(key: str, value: object, span: Span) -> TensorType:
    """The type of an input: [channels, height, width] or [features]. `key` is `input`, or the name of an input."""
    if not isinstance(value, list) or len(value) not in (1, 3):
        is_shape = key != "input" or isinstance(value, list)
        several = "" if is_shape else ", or a mapping of names to such shapes"
        message = f"`{key}` must be [channels, height, width] or [features]{several}, got `{show_value(value)}`"
        raise ProblemError("E107", message, span, help=_input_help(key, value))
    try:
        return TensorType.of(tuple(Int(1, 1_000_000).convert(size) for size in value))
    except FieldError as error:
        raise ProblemError("E205", f"a size in `{key}` {error.message}", span, help=error.help) from None
