"""Shared modules: what can be shared, and whether it fits other inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from cnngraph.elaborate.budget import Budget
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.module_paths import Place
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.paths import find
from cnngraph.elaborate.values import Bound, Reads
from cnngraph.graph.nodes import Node
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import LocatedText, NodeSpec
from cnngraph.numbers import show_sizes
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType


class Walker(Protocol):
    """The part of the walker that sharing uses."""

    budget: Budget
    maker: Maker
    unused: set[int]
    unused_shares: list[Bound]


def share(walker: Walker, child: NodeSpec, reads: Reads, env: Env, place: Place) -> Bound:
    """Share the module of another node: elaborate it again with these inputs and compare."""
    shared = child.share
    assert shared is not None
    if child.flat:
        raise ProblemError(
            "E109", "`flat` cannot be combined with `share`: a shared module adds no level of names", child.span
        )
    owner = find(env, shared)
    again = shareable(shared, owner, walker.maker.nodes)
    if not child.unused and _is_unused(owner, walker.unused):
        message = f"`{shared}` is marked `unused`, so its module cannot be shared"
        note = f"`{shared}` is at {owner.span}"
        raise ProblemError("E312", message, shared.span, notes=(note,), help="remove `unused` there")
    path = place.take()
    start, depth = len(walker.maker.nodes), len(walker.budget.chain)
    walker.maker.sharing, walker.budget.instead = (owner.path, path), place.span
    try:
        bound = again(reads, place)
    except ProblemError as problem:
        raise problem.moved(place.span) from None
    finally:
        walker.maker.sharing = walker.budget.instead = None
        del walker.budget.chain[depth:]
    walker.maker.place_at(place.span, path, place.slot)
    count_steps(bound.stop - start)
    if bound.value is not None and (found := difference(walker.maker, owner, start, path)) is not None:
        what, fact = found
        notes = (f"`{shared}` is at {owner.span}", fact, *walker.maker.trace.facts(reads))
        raise ProblemError(
            "E307", f"`{shared}` cannot be shared: it would need {what} for this input", shared.span, notes=notes
        )
    bound.again, bound.shares = None, shared.text
    if child.unused:
        walker.unused_shares.append(bound)
    return bound


def _is_unused(owner: Bound, unused: set[int]) -> bool:
    nodes = range(owner.start, owner.stop)
    return owner.unused or (bool(nodes) and unused.issuperset(nodes))


def shareable(path: LocatedText, owner: Bound, nodes: list[Node]) -> Callable[..., Bound]:
    """The function that elaborates a node again. Raises ProblemError if it has no module to share."""
    notes = (f"`{path}` is at {owner.span}",)
    if owner.value is None:
        raise UnknownError
    if owner.flat:
        message = f"`{path}` is `flat`, so it has no module to share"
        raise ProblemError(
            "E307", message, path.span, notes=notes, help="share its nodes individually, or remove `flat`"
        )
    if owner.shares:
        message = f"`{path}` shares the module of `{owner.shares}` and has none of its own"
        raise ProblemError("E307", message, path.span, notes=notes, help=f"write `share: {owner.shares}`")
    inside = next((node for node in nodes[owner.start : owner.stop] if node.shares), None)
    if inside is not None:
        message = f"`{path}` cannot be shared: it contains `{inside.path}`, which shares `{inside.shares}`"
        raise ProblemError("E307", message, path.span, notes=notes)
    if owner.absent or owner.again is None:
        raise ProblemError("E307", f"`{path}` has no module to share", path.span)
    return owner.again


def difference(maker: Maker, owner: Bound, start: int, path: str) -> tuple[str, str] | None:
    """The first difference between the nodes created since `start` and the owner's: what differs, and a note."""
    mine, theirs = maker.nodes[start:], maker.nodes[owner.start : owner.stop]
    is_scope = len(theirs) != 1 or theirs[0].path != owner.path
    for a, b in zip(mine, theirs, strict=False):
        if a.path[len(path) :] != b.path[len(owner.path) :] or a.op != b.op:
            return (
                "different operations",
                f"`{a.path}` would be `{a.op}`, but `{owner.path}` has `{b.path}`, which is `{b.op}`",
            )
        if a.operation != b.operation:
            return "different parameters", f"the parameters of `{b.path}` would be different"
        for name, shape in {**a.parameters, **a.buffers}.items():
            have = {**b.parameters, **b.buffers}.get(name)
            if have != shape:
                expected, found = (show_sizes(sizes) if sizes is not None else "missing" for sizes in (shape, have))
                return "different weights", f"`{name}` would be {expected}, but `{b.path}.{name}` is {found}"
        here, there = ([maker.type_of(ref) for ref in node.reads] for node in (a, b))
        if not (fits_in_scope(a.operation, there, here) if is_scope else a.operation.fits(there, here)):
            made, expected = (_written(a.operation, types)[0] for types in (there, here))
            return "a different module", f"`{b.path}` is `{made}`, but would be `{expected}`"
    if len(mine) != len(theirs):
        return "different operations", f"it would have {len(mine)} operations, but `{owner.path}` has {len(theirs)}"
    return None


def fits_in_scope(op: Op, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
    """`Op.fits` for a node inside a shared module, whose expressions must be the same, too."""
    has_module = op.layer(*inputs) is not None
    return op.fits(made_for, inputs) and (has_module or _written(op, made_for) == _written(op, inputs))


def _written(op: Op, types: Sequence[TensorType]) -> tuple[str, ...]:
    """An operation in generated code: a constructor call, or an expression and its module in nn.Sequential."""
    if (made := op.layer(*types)) is not None:
        return (str(made),)
    code = op.code(tuple(f"x{number}" for number in range(len(types))), *types)
    return code, str(op.chain_layer(*types))
