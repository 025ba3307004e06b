"""A use of a block: whether its parameters are those that the block has, and what its inputs and params are."""

from __future__ import annotations

from cnngraph.diagnostics import Guess
from cnngraph.elaborate.check_names import not_meant, unknown_word
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.nodes import Maker
from cnngraph.elaborate.values import Bound, Given, Reads, Tensors
from cnngraph.language.expressions.values import spend
from cnngraph.language.model import BlockSpec, NodeSpec
from cnngraph.text import in_backticks


def check_params(block: BlockSpec, words: dict[str, Given], child: NodeSpec) -> None:
    """Raise ProblemError for a parameter that the block does not have, or one that it needs and is not given."""
    known = {param.name.text: None for param in block.params}
    missing = [param.name.text for param in block.params if param.default is None and param.name.text not in words]
    missing = not_meant(missing, words, known)
    passes = block.body.op is not None and block.body.repeat is None
    for key, given in words.items():
        if key not in known and not passes:
            raise unknown_word(key, f"the block `{block.name}`", known, given.key_span)
    if missing:
        message = f"the block `{block.name}` requires {in_backticks(missing, ' and ')}"
        raise ProblemError("E206", message, child.span, help=Guess(f"add `{missing[0]}: …`"), key=missing[0])


def block_inputs(block: BlockSpec, reads: Reads, child: NodeSpec, maker: Maker) -> dict[str, Bound]:
    """What the block's inputs are in this use. Raises ProblemError where they are too few or too many."""
    if block.inputs is None and block.body.op is not None and block.body.repeat is None:
        return {"in": Bound(reads.joined, child.span)}  # one op with parameters filled in reads what that op reads
    names = [word.text for word in block.inputs] if block.inputs is not None else ["in"]
    values = reads.values
    if len(values) != len(names):
        values = tuple(Tensors((ref,)) for ref in reads.refs)
    if len(values) != len(names):
        wanted = "one input" if block.inputs is None else f"{len(names)} inputs ({in_backticks(names)})"
        message = f"the block `{block.name}` expects {wanted}, got {len(values)}"
        help = (
            "name the inputs in the block: `inputs: [x, skip]`"
            if block.inputs is None
            else f"write `from: [{', '.join(names)}]`"
        )
        raise ProblemError("E210", message, child.span, notes=maker.trace.facts(reads), help=help)
    return {name: Bound(value, child.span) for name, value in zip(names, values, strict=True)}


def bind_params(block: BlockSpec, words: dict[str, Given], env: Env) -> dict[str, Given]:
    """Give the block's params their values, in order; what is left goes to its op."""
    rest = dict(words)
    spend(len(block.params) + len(env.params) // 8)
    for param in block.params:  # they hide the file's, those further down as well
        env.params.pop(param.name.text, None)
    for param in block.params:
        name = param.name.text
        if name in rest:
            env.params[name] = rest.pop(name)
        elif param.default is not None:
            env.params[name] = env.given(param.name.span, param.default)
    return rest
