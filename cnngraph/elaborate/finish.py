"""The end of elaboration: finds outputs, reports unused nodes, reads init rules and creates the Graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, DiagnosticList, did_you_mean, has_errors
from cnngraph.document import Entry
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.networks import NetUse
from cnngraph.elaborate.paths import find
from cnngraph.elaborate.values import Bound
from cnngraph.fields import FieldError
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import NetworkWeights, Node, Ref, Scope
from cnngraph.graph.path_patterns import InitRule
from cnngraph.graph.prune import pruned
from cnngraph.language.model import InitSpec, LocatedText, Spec
from cnngraph.language.names import tensor_path
from cnngraph.numbers import show_sizes
from cnngraph.ops.init import InitCall, read_init
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks

DEFAULT_OUTPUT = "output"


@frozen
class WalkResult:
    """The result of the walk through a spec: scopes, nodes, and the environment that outputs are looked up in."""

    env: Env
    root: Scope
    last: Bound | None  # the network's last node
    nodes: list[Node]
    inputs: Mapping[str, TensorType]
    unused: set[int]
    file: str  # of the spec; its base's nodes are in other files
    passed_over: Mapping[int, str]  # nodes that only an absent node would read, and the note that says so
    nets: Sequence[NetUse]


def finish(spec: Spec, walked: WalkResult, *, complete: bool) -> tuple[Graph, list[Diagnostic]]:
    """The graph and further diagnostics. If not `complete`, there were errors before and the graph is partial."""
    found, nodes, unused = DiagnosticList(), walked.nodes, walked.unused
    outputs, omitted = _outputs(spec, walked.env, walked.last, found)
    training = frozenset(name.text for name in spec.training_only) - omitted
    found.extend(_training_errors(spec, omitted))
    rules = tuple(
        replace(rule, within=net.env.file.path)
        for net in walked.nets
        for rule in _init_rules(net.spec, net.env, nodes, found, False)
    )
    rules += _init_rules(spec, walked.env, nodes, found, complete)
    always = _live(nodes, [ref for name, ref in outputs.items() if name not in training])
    live = always | _live(nodes, outputs.values())
    if complete and _are_taps(spec):
        unused = unused.union(index for index in range(len(nodes)) if index not in live)
    left_out = _left_out(nodes, live, unused, walked.nets) if complete else set()
    if complete and not has_errors(found):
        found.extend(_unused_errors(walked, live, unused | left_out, outputs.values()))
    graph = Graph(
        name=spec.name,
        about=spec.about,
        inputs=dict(walked.inputs),
        outputs=outputs,
        training_only=training,
        nodes=_flagged(nodes, live, always, unused),
        root=walked.root,
        init=rules,
        renames=spec.weights.renames,
        weights=_network_weights(spec, walked.nets, found),
        params={name: argument.value for name, argument in walked.env.params.items()},
        paper=spec.paper,
        published=spec.published,
        base=spec.base,
    )
    return pruned(graph, left_out) if left_out else graph, found


def _network_weights(spec: Spec, nets: Sequence[NetUse], found: DiagnosticList) -> tuple[NetworkWeights, ...]:
    """The weights that the spec names for its networks, and those that they name for theirs."""
    known = {net.env.file.path.removesuffix("."): net.spec for net in nets}
    named = [("", pair) for pair in spec.weights.networks]
    named += [(net.env.file.path, pair) for net in nets for pair in net.spec.weights.networks]
    weights: dict[str, NetworkWeights] = {}
    for prefix, (path, source) in reversed(named):
        network = known.get(f"{prefix}{path}")
        if network is None:
            help = did_you_mean(path.text, known) or "name a node with `net`; `renames` are names in published weights"
            found.append(Diagnostic("E301", f"there is no network `{path}` here", path.span, help=help))
            continue
        where = source.text
        if not where.startswith("torchvision"):  # a file, beside the spec
            if Path(where).is_absolute() or ".." in Path(where).parts:
                message = f"`{where}` is outside the spec's folder"
                found.append(Diagnostic("E310", message, source.span, help="move the file into the spec's folder"))
                continue
            where = str(Path(source.span.file).parent / where)
        full = f"{prefix}{path}"
        weights[full] = NetworkWeights(full, where, source.span, tuple(_chain(network)), network.weights.renames)
    return tuple(weights.values())


def _chain(spec: Spec | None) -> Iterator[str]:
    """The names of a network and of its bases."""
    while spec is not None:
        yield spec.name
        spec = spec.base


def _left_out(nodes: list[Node], live: set[int], unused: set[int], nets: Sequence[NetUse]) -> set[int]:
    """The nodes of networks in nodes that nothing reads, and whose modules no other node runs."""
    dead = {
        index
        for net in nets
        for index, node in enumerate(nodes)
        if index not in live and index not in unused and (node.shares or node.path).startswith(net.env.file.path)
    }
    index_of = {node.path: index for index, node in enumerate(nodes)}
    waiting = [index for index in range(len(nodes)) if index not in dead]
    while waiting:
        node = nodes[waiting.pop()]
        needed = {ref.node for ref in node.reads} | ({index_of[node.shares]} if node.shares else set())
        waiting += needed & dead
        dead -= needed
    return dead


def _flagged(nodes: list[Node], live: set[int], always: set[int], unused: set[int]) -> tuple[Node, ...]:
    """The nodes, with `training_only` and `unused` set."""
    return tuple(
        replace(node, training_only=index in live and index not in always, unused=index in unused)
        if index in unused or index not in always
        else node
        for index, node in enumerate(nodes)
    )


def _are_taps(spec: Spec) -> bool:
    """Whether a spec replaces the outputs of its base: nodes that these do not need are kept but not run."""
    return bool(spec.outputs) and spec.nodes is not None and spec.outputs[0][0].span.source != spec.nodes.span.source


def _outputs(spec: Spec, env: Env, last: Bound | None, found: DiagnosticList) -> tuple[dict[str, Ref], set[str]]:
    """The outputs, and the names of those that are omitted because they are absent nodes with `else: []`."""
    assert spec.nodes is not None
    outputs: dict[str, Ref] = {}
    omitted: set[str] = set()
    listed: list[tuple[str, LocatedText | None]] = [(name.text, path) for name, path in spec.outputs]
    for name, path in listed or [(DEFAULT_OUTPUT, None)]:
        try:
            bound = find(env, path) if path else last
            if bound is None:
                continue
            if path and not bound.tensors().refs:
                omitted.add(name)
            else:
                outputs[name] = _output(bound, path, spec.nodes.children[-1].name.text, env)
        except ProblemError as problem:
            found.append(problem.diagnostic)
        except UnknownError:
            pass
    if len(omitted) == len(listed) > 0:
        message = "the network has no outputs: all of them are absent, and nothing replaces them"
        found.append(Diagnostic("E304", message, spec.outputs[0][1].span))
    return outputs, omitted


def _output(bound: Bound, path: LocatedText | None, name: str, env: Env) -> Ref:
    """The tensor of an output. `path` names it in the spec; None for the last node, which is called `name`."""
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
        raise ProblemError(
            "E322", message, span, help=f"select one (`{tensor_path(what, 0)}`), or concatenate them with `concat`"
        )
    if not env.type_of(refs[0]).batched:
        raise ProblemError(
            "E212", f"`{what}` is a free parameter, which has no batch axis, so it cannot be an output", span
        )
    return refs[0]


def _training_errors(spec: Spec, omitted: set[str]) -> Iterable[Diagnostic]:
    names = [name.text for name, _ in spec.outputs] or [DEFAULT_OUTPUT]
    training = {name.text for name in spec.training_only}
    for name in spec.training_only:
        if name.text not in names:
            help = did_you_mean(name.text, names) or f"the outputs are {in_backticks(names)}"
            yield Diagnostic("E314", f"there is no output `{name}`", name.span, help=help)
    left = [name for name in names if name not in omitted]
    if left and training.issuperset(left):
        message = "the network has no outputs in eval mode: all of them are in `training_only`"
        help = "write `training_only: []` to compute them in eval mode too, or add another output"
        yield Diagnostic("E314", message, spec.training_only[0].span, help=help)


def _live(nodes: list[Node], outputs: Iterable[Ref]) -> set[int]:
    """The nodes that the outputs depend on."""
    live = {ref.node for ref in outputs if ref.node >= 0}
    for index in range(max(live, default=-1), -1, -1):  # nodes only read earlier ones
        if index in live:
            live.update(ref.node for ref in nodes[index].reads)
    return {index for index in live if index >= 0}


def _unused_errors(walked: WalkResult, live: set[int], unused: set[int], outputs: Iterable[Ref]) -> list[Diagnostic]:
    """Report unused nodes once, at the outermost block whose value they are, in its first use."""
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
        if span.file != walked.file:
            help = f"name it under `outputs`, or remove it: `change: [{{match: {path}, remove: true}}]`"
        found.append(Diagnostic("E316", f"`{path}` is never used", span, node=path, notes=notes, help=help))
    used = {ref.node for index in live for ref in nodes[index].reads}.union(ref.node for ref in outputs)
    for position, name in enumerate(walked.inputs):
        if -1 - position not in used and used:
            found.append(
                Diagnostic("E316", f"the input `{name}` is never used", root.span, help="remove it, or read it")
            )
    return found


PASSED_OVER_HELP = (
    "an absent node passes its first input through: there, list this node first in `from`, or name it in `else`"
)
UNREAD_HELP = "read it with `from`, remove it, or mark it `unused: true` to keep its weights without running it"


def _all_scopes(root: Scope) -> Iterable[Scope]:
    waiting = deque(child for child in root.children if isinstance(child, Scope))
    while waiting:
        scope = waiting.popleft()
        yield scope
        waiting += [child for child in scope.children if isinstance(child, Scope)]


def _init_rules(spec: Spec, env: Env, nodes: list[Node], found: DiagnosticList, complete: bool) -> tuple[InitRule, ...]:
    rules = []
    for init in spec.init:
        try:
            rule = _init_rule(init, env)
        except UnknownError:  # it reads a node that has an error
            continue
        except ProblemError as problem:
            found.append(problem.diagnostic)
            continue
        rules.append(rule)
        if complete:  # else the modules that a rule matches may be missing because of errors
            found.extend(_rule_errors(init, rule, nodes))
    return tuple(rules)


def _init_rule(spec: InitSpec, env: Env) -> InitRule:
    values = {}
    for entry in spec.values:
        argument = env.argument(entry.key_span, entry.value)
        try:
            values[entry.key] = read_init(argument.value)
        except FieldError as error:
            raise ProblemError("E702", f"`{entry.key}` {error.message}", argument.span, help=error.help) from None
    return InitRule(spec.match.text, values)


def _unfillable(entry: Entry, rule: InitRule, fitting: list[Node]) -> Iterable[Diagnostic]:
    """Report an init function that cannot fill a tensor of the shape of a matching module."""
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


def _rule_errors(spec: InitSpec, rule: InitRule, nodes: list[Node]) -> Iterable[Diagnostic]:
    """Report parameters of a rule that no matching module has."""
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
