"""A use of a block: checks its parameters and binds the block's inputs and params."""

from __future__ import annotations

from cnngraph.diagnostics import Guess
from cnngraph.elaborate.check_names import unknown_parameter, without_misspelt
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Argument, Bound, Reads, Tensors
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import BlockSpec, NodeSpec
from cnngraph.text import in_backticks


def check_params(block: BlockSpec, arguments: dict[str, Argument], child: NodeSpec) -> None:
    """Raise ProblemError for an unknown or a missing parameter of a block."""
    known = {param.name.text: None for param in block.params}
    missing = [param.name.text for param in block.params if param.default is None and param.name.text not in arguments]
    missing = without_misspelt(missing, arguments, known)
    passes = block.body.op is not None and block.body.repeat is None
    for key, argument in arguments.items():
        if key not in known and not passes:
            raise unknown_parameter(key, f"the block `{block.name}`", known, argument.key_span)
    if missing:
        message = f"the block `{block.name}` requires {in_backticks(missing, ' and ')}"
        raise ProblemError("E206", message, child.span, help=Guess(f"add `{missing[0]}: …`"), key=missing[0])


def block_inputs(block: BlockSpec, reads: Reads, child: NodeSpec, maker: Maker) -> dict[str, Bound]:
    """The block's inputs in this use. Raises ProblemError for a wrong number of inputs."""
    if block.inputs is None and block.body.op is not None and block.body.repeat is None:
        return {"in": Bound(reads.joined, child.span)}  # a block that is a single op reads what the op reads
    names = [name.text for name in block.inputs] if block.inputs is not None else ["in"]
    help = "name the inputs in the block: `inputs: [x, skip]`" if block.inputs is None else None
    return named_inputs(names, f"the block `{block.name}`", reads, child, maker, help)


def named_inputs(
    names: list[str], what: str, reads: Reads, child: NodeSpec, maker: Maker, help: str | None = None
) -> dict[str, Bound]:
    """The inputs of a block or network by name. Raises ProblemError for a wrong number of them."""
    values = reads.values
    if len(values) != len(names):
        values = tuple(Tensors((ref,)) for ref in reads.refs)
    if len(values) != len(names):
        expected = "one input" if names == ["in"] else f"{len(names)} inputs ({in_backticks(names)})"
        message = f"{what} expects {expected}, got {len(values)}"
        help = help or f"write `from: [{', '.join(names)}]`"
        raise ProblemError("E210", message, child.span, notes=maker.trace.facts(reads), help=help)
    return {name: Bound(value, child.span) for name, value in zip(names, values, strict=True)}


def bind_params(block: BlockSpec, arguments: dict[str, Argument], env: Env) -> dict[str, Argument]:
    """Bind the block's params in order. Returns the remaining parameters, which belong to its op."""
    rest = dict(arguments)
    count_steps(len(block.params) + len(env.params) // 8)
    for param in block.params:  # all of them hide the file's params, including those not bound yet
        env.params.pop(param.name.text, None)
    for param in block.params:
        name = param.name.text
        if name in rest:
            env.params[name] = rest.pop(name)
        elif param.default is not None:
            env.params[name] = env.argument(param.name.span, param.default)
    return rest
