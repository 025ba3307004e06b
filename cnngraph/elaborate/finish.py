"""The end of elaboration: outputs found, what is never read told, rules of initialisation read, the Graph made."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from cnngraph.diagnostics import Diagnostic, Mistakes, did_you_mean, has_errors
from cnngraph.document import Entry
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.paths import find
from cnngraph.elaborate.values import Bound
from cnngraph.fields import FieldError
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref, Scope
from cnngraph.graph.path_patterns import InitRule
from cnngraph.language.model import InitSpec, Spec, Word
from cnngraph.numbers import show_sizes
from cnngraph.ops.init import InitCall, read_init
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks

DEFAULT_OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Walked:
    """What the walk through a spec has made: the scopes and nodes, and what their outputs are to be found by."""

    env: Env
    root: Scope
    last: Bound | None  # the network's last node
    nodes: list[Node]
    inputs: Mapping[str, TensorType]
    unused: set[int]
    passed_over: Mapping[int, str]  # nodes that an absent node would read, and why it does not


def finish(spec: Spec, walked: Walked, *, complete: bool) -> tuple[Graph, list[Diagnostic]]:
    """The graph, and what is still wrong with it. Of a graph that is not `complete` the part that could be made."""
    found, nodes, unused = Mistakes(), walked.nodes, walked.unused
    outputs, nothing = _outputs(spec, walked.env, walked.last, found)
    training = frozenset(word.text for word in spec.training_only) - nothing
    found.extend(_training_mistakes(spec, nothing))
    rules = _init_rules(spec, walked.env, nodes, found, complete)
    always = _live(nodes, [ref for name, ref in outputs.items() if name not in training])
    live = always | _live(nodes, outputs.values())
    if complete and _are_taps(spec):
        unused = unused.union(index for index in range(len(nodes)) if index not in live)
    if complete and not has_errors(found):
        found.extend(_unread(walked, live, unused, outputs.values()))
    graph = Graph(
        name=spec.name,
        about=spec.about,
        inputs=dict(walked.inputs),
        outputs=outputs,
        training_only=training,
        nodes=_flagged(nodes, live, always, unused),
        root=walked.root,
        init=rules,
        renames=spec.renames,
        params={name: given.value for name, given in walked.env.params.items()},
        paper=spec.paper,
        published=spec.published,
        base=spec.base,
    )
    return graph, found


def _flagged(nodes: list[Node], live: set[int], always: set[int], unused: set[int]) -> tuple[Node, ...]:
    """The nodes, each marked if it is run in training mode only, or never."""
    return tuple(
        replace(node, training_only=index in live and index not in always, unused=index in unused)
        if index in unused or index not in always
        else node
        for index, node in enumerate(nodes)
    )


def _are_taps(spec: Spec) -> bool:
    """Whether a variant has other outputs than the network it extends: what these do not need is kept, and not run."""
    return bool(spec.outputs) and spec.nodes is not None and spec.outputs[0][0].span.source != spec.nodes.span.source


def _outputs(spec: Spec, env: Env, last: Bound | None, told: Mistakes) -> tuple[dict[str, Ref], set[str]]:
    """The outputs, and the names of those that are left out since they are nothing: absent nodes with `else: []`."""
    assert spec.nodes is not None
    outputs: dict[str, Ref] = {}
    nothing: set[str] = set()
    wanted: list[tuple[str, Word | None]] = [(name.text, path) for name, path in spec.outputs]
    for name, path in wanted or [(DEFAULT_OUTPUT, None)]:
        try:
            bound = find(env, path) if path else last
            if bound is None:
                continue
            if path and not bound.tensors().refs:
                nothing.add(name)
            else:
                outputs[name] = _output(bound, path, spec.nodes.children[-1].name.text, env)
        except ProblemError as problem:
            told.append(problem.diagnostic)
        except UnknownError:
            pass
    if len(nothing) == len(wanted) > 0:
        message = "the network has no outputs: all of them are absent, and nothing replaces them"
        told.append(Diagnostic("E304", message, spec.outputs[0][1].span))
    return outputs, nothing


def _output(bound: Bound, path: Word | None, name: str, env: Env) -> Ref:
    """The one tensor that an output is; `path` is how the author names it, None for the last node, called `name`."""
    what, span = (path.text, path.span) if path else (name, bound.span)
    if bound.unused:
        message = f"`{what}` is marked `unused`, so it cannot be an output"
        raise ProblemError("E312", message, span, help=None if path else "name the outputs: `outputs: {logits: …}`")
    refs = bound.tensors().refs
    if not refs:
        message = f"the network has no output: `{what}` is absent, and nothing replaces it"
        raise ProblemError("E304", message, span, help="name the outputs: `outputs: {logits: …}`")
    if len(refs) != 1:
        message = f"an output must be a single tensor, but `{what}` is a list of {len(refs)}"
        raise ProblemError("E322", message, span, help=f"select one (`{what}.0`), or concatenate them with `concat`")
    if not env.type_of(refs[0]).batched:
        raise ProblemError("E212", f"`{what}` is a free parameter, which has no batch, so it cannot be an output", span)
    return refs[0]


def _training_mistakes(spec: Spec, nothing: set[str]) -> Iterable[Diagnostic]:
    names = [name.text for name, _ in spec.outputs] or [DEFAULT_OUTPUT]
    training = {word.text for word in spec.training_only}
    for word in spec.training_only:
        if word.text not in names:
            help = did_you_mean(word.text, names) or f"the outputs are {in_backticks(names)}"
            yield Diagnostic("E314", f"there is no output `{word}`", word.span, help=help)
    left = [name for name in names if name not in nothing]
    if left and training.issuperset(left):
        message = "the network has no outputs in eval mode: all of them are in `training_only`"
        help = "write `training_only: []` to compute them in eval mode too, or add another output"
        yield Diagnostic("E314", message, spec.training_only[0].span, help=help)


def _live(nodes: list[Node], outputs: Iterable[Ref]) -> set[int]:
    """The nodes that outputs hang on."""
    live = {ref.node for ref in outputs if ref.node >= 0}
    for index in range(max(live, default=-1), -1, -1):  # a node reads what is made before it
        if index in live:
            live.update(ref.node for ref in nodes[index].reads)
    return {index for index in live if index >= 0}


def _unread(walked: Walked, live: set[int], unused: set[int], outputs: Iterable[Ref]) -> list[Diagnostic]:
    """Nodes that nothing reads, each reported once: at the outermost block whose value it is, and at its first use."""
    root, nodes = walked.root, walked.nodes
    found = [
        Diagnostic("E312", f"`{nodes[index].path}` is marked `unused`, but it is read", nodes[index].span)
        for index in sorted(live & unused)
    ]
    read = {ref.node for index, node in enumerate(nodes) if index not in unused for ref in node.reads}
    dead = [index for index in range(len(nodes)) if index not in live and index not in unused and index not in read]
    outermost: dict[int, Scope] = {}
    for scope in _all_scopes(root) if dead else ():
        for ref in scope.value:
            outermost.setdefault(ref.node, scope)
    seen: dict[object, int] = {}
    for index in dead:
        where = outermost.get(index, nodes[index])
        path, span = where.path, where.span
        if span in seen:
            continue
        seen[span] = index
        fact = walked.passed_over.get(index)
        notes, help = ((fact,), PASSED_OVER_HELP) if fact else ((), UNREAD_HELP)
        found.append(Diagnostic("E316", f"`{path}` is never used", span, node=path, notes=notes, help=help))
    used = {ref.node for index in live for ref in nodes[index].reads}.union(ref.node for ref in outputs)
    for position, name in enumerate(walked.inputs):
        if -1 - position not in used and used:
            found.append(
                Diagnostic("E316", f"the input `{name}` is never used", root.span, help="remove it, or read it")
            )
    return found


PASSED_OVER_HELP = (
    "an absent node passes its first input through: list this node first in its `from`, or name it in its `else`"
)
UNREAD_HELP = "read it with `from`, remove it, or mark it `unused: true` (built for the keys of its weights, never run)"


def _all_scopes(root: Scope) -> Iterable[Scope]:
    waiting = deque(each for each in root.children if isinstance(each, Scope))
    while waiting:
        scope = waiting.popleft()
        yield scope
        waiting += [each for each in scope.children if isinstance(each, Scope)]


def _init_rules(spec: Spec, env: Env, nodes: list[Node], told: Mistakes, complete: bool) -> tuple[InitRule, ...]:
    rules = []
    for each in spec.init:
        try:
            rule = _init_rule(each, env)
        except ProblemError as problem:
            told.append(problem.diagnostic)
            continue
        rules.append(rule)
        if complete:  # else the modules that a rule fits may be among those that failed
            told.extend(_rule_mistakes(each, rule, nodes))
    return tuple(rules)


def _init_rule(spec: InitSpec, env: Env) -> InitRule:
    values = {}
    for entry in spec.values:
        given = env.given(entry.key_span, entry.value)
        try:
            values[entry.key] = read_init(given.value)
        except FieldError as error:
            raise ProblemError("E702", f"`{entry.key}` {error.message}", given.span, help=error.help) from None
    return InitRule(spec.match.text, values)


def _unfillable(entry: Entry, rule: InitRule, fitting: list[Node]) -> Iterable[Diagnostic]:
    """A function that cannot fill a tensor of the shape that one of the modules has."""
    value = rule.values.get(entry.key)
    if not isinstance(value, InitCall):
        return
    for node in fitting:
        shape = node.parameters.get(entry.key)
        reason = value.refusal(shape) if shape is not None else None
        if reason:
            note = f"`{node.path}.{entry.key}` has shape {show_sizes(shape or ())}"
            yield Diagnostic("E703", reason, entry.key_span, notes=(note,))
            return


def _rule_mistakes(spec: InitSpec, rule: InitRule, nodes: list[Node]) -> Iterable[Diagnostic]:
    """A parameter that none of the modules has which a rule fits."""
    fitting = [node for node in nodes if rule.fits(node.op, node.path)]
    if not fitting:
        return
    if all(node.op == "parameter" for node in fitting):
        message = "a free parameter is initialised by its own `init`, not by a rule"
        yield Diagnostic("E702", message, spec.match.span, help="write `{op: parameter, shape: …, init: 0.1}`")
        return
    known = {name for node in fitting for name in node.parameters} | {"weight", "bias"}
    for entry in spec.values:
        yield from _unfillable(entry, rule, fitting)
        if entry.key not in known:
            message = f"`{rule.match}` has no parameter `{entry.key}`"
            yield Diagnostic("E702", message, entry.key_span, help=did_you_mean(entry.key, known))
