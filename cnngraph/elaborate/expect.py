"""`expect`: compares the shape that a spec expects with the inferred one."""

from __future__ import annotations

from cnngraph.diagnostics import Cause, Span
from cnngraph.document import Listing, Value
from cnngraph.document.flow import write_flow
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Bound
from cnngraph.fields import show_value
from cnngraph.numbers import show_sizes


def check_expect(value: Value, bound: Bound, env: Env, maker: Maker) -> None:
    """Evaluate an `expect` and compare it with the node's shape. Raises ProblemError if they differ."""
    sizes = [env.evaluate(item) for item in value.items] if isinstance(value, Listing) else env.evaluate(value)
    compare_sizes(sizes, bound, value.span, maker)


def compare_sizes(sizes: object, bound: Bound, span: Span, maker: Maker) -> None:
    """Compare evaluated sizes with the node's shape. Raises ProblemError if they differ."""
    if maker.sharing is not None:
        return  # it was checked for the owner; a shared module may run on other sizes
    tensors = bound.tensors()
    if not isinstance(sizes, list) or any(size != "_" and (type(size) is not int or size < 1) for size in sizes):
        raise _no_sizes(sizes, span).about(bound.path, tensors.refs)
    if not sizes and any(maker.type_of(ref).sizes for ref in tensors.refs):  # only a mean over all axes has no sizes
        raise _no_sizes(sizes, span).about(bound.path, tensors.refs)
    for ref in tensors.refs:
        found = maker.type_of(ref).sizes
        if len(found) == len(sizes) and all(want in ("_", have) for want, have in zip(sizes, found, strict=True)):
            continue
        message = f"expected shape {show_sizes(sizes)}, got {maker.type_of(ref)}"
        pairs = zip(sizes, found, strict=True) if len(found) == len(sizes) else ()
        differs = tuple(axis for axis, (want, have) in enumerate(pairs) if want not in ("_", have))
        cause = Cause(span, "expect", (write_flow(found),), differs)
        causes = (cause, *maker.trace.causes((ref,), sizes[0]))
        problem = ProblemError("E209", message, span, notes=maker.trace.history(ref), causes=causes)
        raise problem.about(bound.path, tensors.refs)


def _no_sizes(value: object, span: Span) -> ProblemError:
    message = "`expect` must be a list of sizes such as `[64, 28, 28]`, with `_` for any size"
    return ProblemError("E205", f"{message}, got `{show_value(value)}`", span)
