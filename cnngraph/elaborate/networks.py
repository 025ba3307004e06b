"""`net`: a network as a node of another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from cnngraph.diagnostics import Span
from cnngraph.document import Table
from cnngraph.elaborate import changes
from cnngraph.elaborate.blocks import named_inputs
from cnngraph.elaborate.changes import Changed, NodeUse, matching
from cnngraph.elaborate.check_names import unknown_parameter
from cnngraph.elaborate.file_scope import FileScope
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.elaborate.module_paths import Place
from cnngraph.elaborate.paths import find
from cnngraph.elaborate.values import Argument, Bound, Reads, Tensors, VisibleNodes
from cnngraph.frozen import frozen
from cnngraph.language.model import LocatedText, NodeSpec, ScopeSpec, Spec
from cnngraph.language.names import heads

Arguments = dict[str, Argument]


class Walker(changes.Walker, Protocol):
    """The part of the walker that a network uses."""

    networks: Mapping[Span, Spec]
    nets: list[NetUse]

    def scope(
        self,
        scope: ScopeSpec,
        child: NodeSpec,
        env: Env,
        kind: str,
        block: str | None,
        place: Place,
        value: Callable[[Bound], Tensors | None],
    ) -> Bound:
        """Elaborate the nodes of a scope with a level of names."""


@frozen
class NetUse:
    """A network that is a node: its spec, and the scope of its file, whose `path` is that of the node."""

    spec: Spec
    env: Env


def use_network(walker: Walker, child: NodeSpec, arguments: Arguments, reads: Reads, env: Env, place: Place) -> Bound:
    """A network as a node, as the rules of `change` leave it."""
    assert child.net is not None
    spec = walker.networks.get(child.net.span)
    if spec is None:  # it could not be read
        raise UnknownError

    def run(use: NodeUse) -> Bound:
        bound, net = _network(walker, spec, child, use.arguments, use.reads, env, place)
        walker.nets.append(net)
        bound.again = lambda reads, place: _network(walker, spec, child, use.arguments, reads, env, place)[0]
        return bound

    use = NodeUse(reads, env.library, LocatedText(spec.name, child.net.span), arguments)
    matches = matching(spec.name, child, env, place, walker.maker)
    return Changed(walker, child, env, place, run).apply(matches, use) if matches else run(use)


def _network(
    walker: Walker, spec: Spec, child: NodeSpec, arguments: Arguments, reads: Reads, env: Env, place: Place
) -> tuple[Bound, NetUse]:
    """Elaborate a network as a node. Raises ProblemError for unknown params or a wrong number of inputs."""
    assert spec.nodes is not None
    walker.budget.visit(child.span, len(walker.maker.nodes))
    walker.budget.enter_network(spec.name, place.peek(), child.span)
    names = [entry.key for entry in spec.input] if isinstance(spec.input, Table) else ["in"]
    inputs = named_inputs(names, f"the network `{spec.name}`", reads, child, walker.maker)
    prefix = place.level.path if child.flat else place.peek()
    prefix = walker.maker.owner(prefix) or prefix
    file = FileScope(spec.library, {}, spec.change, env.file, f"{prefix}." if prefix else "")
    inner = Env(spec.library, file.params, inputs, VisibleNodes(), env.type_of, file)
    _bind(spec, arguments, inner, child)
    until = child.until and LocatedText(env.text(child.until), child.until.span)
    nodes = _cut(spec.nodes, until.text) if until else spec.nodes

    def value(last: Bound) -> Tensors | None:
        return find(inner, until).tensors() if until else _outputs(spec, inner, last)

    return walker.scope(nodes, child, inner, "block", spec.name, place, value), NetUse(spec, inner)


def _bind(spec: Spec, arguments: Arguments, env: Env, child: NodeSpec) -> None:
    """Bind the params of a network's file: the arguments of the node, or their defaults."""
    params = spec.library.params
    for key, argument in arguments.items():
        if key not in params:
            raise unknown_parameter(key, f"the network `{spec.name}`", params, argument.key_span)
    for name, param in params.items():
        if name in arguments:
            env.params[name] = arguments[name]
        elif param.default is not None:
            env.params[name] = env.argument(param.name.span, param.default)
        else:
            message = f"the network `{spec.name}` requires `{name}`"
            raise ProblemError("E206", message, child.span, help=f"add `{name}: …`", key=name)


def _outputs(spec: Spec, env: Env, last: Bound) -> Tensors | None:
    """The value of a network: its output, or the list of those that exist in eval mode."""
    training = {name.text for name in spec.training_only}
    paths = [path for name, path in spec.outputs if name.text not in training]
    if not paths:
        return last.value
    values = [find(env, path).tensors() for path in paths]
    return values[0] if len(values) == 1 else Tensors(tuple(ref for value in values for ref in value.refs), True)


def _cut(scope: ScopeSpec, path: str) -> ScopeSpec:
    """The nodes up to the one that a path leads to, as far as the names are known before the nodes are elaborated."""
    names = [child.name.text for child in scope.children]
    index = next((names.index(head) for head in heads(path) if head in names), None)
    if index is None or any(child.flat for child in scope.children[: index + 1]):
        return scope
    child = scope.children[index]
    rest = path[len(names[index]) + 1 :]
    if rest and child.nodes is not None and child.repeat is None:
        child = replace(child, nodes=_cut(child.nodes, rest), expect=None)
    children = (*scope.children[:index], child)
    return replace(scope, children=children, numbered=min(scope.numbered, len(children)))
