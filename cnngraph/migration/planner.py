"""Makes the plan: matches the modules, follows the tensors through the new network, and decides for every weight."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Ref
from cnngraph.graph.path_patterns import matching_keys
from cnngraph.migration.claims import ADAPTED_FIELDS, Claims
from cnngraph.migration.heads import last_modules
from cnngraph.migration.inserted import STATISTICS, USUAL, Roles, initial_value, roles_of
from cnngraph.migration.layers import Adaptation, Inputs, adapt
from cnngraph.migration.matching import Matches, match
from cnngraph.migration.modules import Module, modules_of, owner
from cnngraph.migration.plan import Dropped, Fill, FoldNorm, Kind, Multiply, Plan, Step, Take, TensorPlan
from cnngraph.migration.values import Const, Known, OldValues, Value, plain_result, same_except
from cnngraph.ops.norm import BatchNorm

INPUT_CHANNELS = ("sum", "mean", "cycle")
COUNTER = "num_batches_tracked"
CHOSEN = f"{USUAL}, as chosen by --fresh"


@frozen
class Options:
    """What a person decides: how input channels are adapted, which old outputs to keep, and what is fresh.

    `input_channels` is one of INPUT_CHANNELS, or empty for `sum` if there is one new channel and else `cycle`.
    """

    input_channels: str = ""
    classes: tuple[int, ...] | None = None
    fresh: tuple[str, ...] = ()


def plan(old: Graph, new: Graph, options: Options | None = None) -> Plan:
    """Plan how the weights of a network become those of another one. Raises SpecError (E707) for impossible options."""
    return _Planner(old, new, options or Options()).run()


@dataclass(slots=True)
class _Planner:
    old: Graph
    new: Graph
    options: Options
    theirs: dict[str, Module] = field(init=False)
    ours: dict[str, Module] = field(init=False)
    matches: Matches = field(init=False)
    roles: Roles = field(init=False)
    old_values: OldValues = field(init=False)
    values: dict[Ref, Value] = field(default_factory=dict)
    adaptations: dict[str, Adaptation] = field(default_factory=dict)
    folded: dict[str, FoldNorm] = field(default_factory=dict)  # by new path
    bias_from: dict[str, str] = field(default_factory=dict)  # new batch norms, and the old layers whose bias they take
    heads: set[str] = field(default_factory=set)
    chosen: Collection[str] = ()  # keys of fresh weights

    def __post_init__(self) -> None:
        self.theirs, self.ours = modules_of(self.old), modules_of(self.new)
        found = match(self.old, self.new)
        self.chosen = matching_keys(self.options.fresh, self.new.state, "fresh", "the network").keys()
        chosen = {path for path, module in self.ours.items() if all(map(self.is_fresh, module.keys))}
        self.matches = replace(found, old={path: old for path, old in found.old.items() if path not in chosen})
        self.old_values = OldValues(self.old)
        self.heads = self.changed_heads()
        inserted = set(self.ours) - set(self.matches.old) - chosen - set(found.ambiguous)
        self.roles = roles_of(self.new, self.ours, inserted)

    def run(self) -> Plan:
        """Follow all tensors, and collect the plan."""
        for index, shape in enumerate(self.new.inputs):
            same = index < len(self.old.inputs) and shape is not None
            self.values[Ref(-1 - index)] = Known(Ref(-1 - index)) if same else None
        for index, node in enumerate(self.new.nodes):
            results = self.results(node, [self.values.get(ref) for ref in node.reads])
            for number, value in enumerate(results):
                self.values[Ref(index, number)] = value
        tensors = tuple(tensor for path in self.ours for tensor in self.tensors(self.ours[path]))
        in_order = {tensor.key: tensor for tensor in tensors}
        tensors = tuple(in_order[key] for key in self.new.state if key in in_order)
        return Plan(self.old.name, self.new.name, tensors, tuple(self.dropped(tensors)), tuple(self.claims().all()))

    def claims(self) -> Claims:
        """What is preserved of each output in eval mode."""
        return Claims(
            self.old,
            self.new,
            self.theirs,
            self.ours,
            self.matches,
            self.roles,
            self.adaptations,
            self.values,
            self.old_values,
            self.is_fresh,
        )

    def is_fresh(self, key: str) -> bool:
        """Whether a person asked for a fresh weight."""
        return key in self.chosen

    # -- classifiers

    def changed_heads(self) -> set[str]:
        """The last layers with another number of outputs. Raises SpecError (E707) if chosen classes do not fit."""
        found = set()
        for path in last_modules(self.new):
            old_path = self.matches.old.get(path)
            if (
                old_path is None
                or "weight" not in self.ours[path].shapes
                or self.ours[path].op not in ("conv", "linear")
            ):
                continue
            theirs, ours = self.theirs[old_path].shapes["weight"], self.ours[path].shapes["weight"]
            if theirs[0] != ours[0]:
                found.add(path)
            self.check_classes(path, theirs[0], ours[0])
        has_head = any(path in self.matches.old for path in last_modules(self.new))
        if self.options.classes is not None and not has_head:
            raise SpecError.of(
                "E707", f"`{self.new.name}` has no classifier that corresponds to one of `{self.old.name}`"
            )
        return found

    def check_classes(self, path: str, theirs: int, ours: int) -> None:
        """Raise SpecError (E707) if the chosen classes do not fit a classifier."""
        classes = self.options.classes
        if classes is None:
            return
        if len(classes) != ours:
            raise SpecError.of("E707", f"{len(classes):,} classes are chosen, but `{path}` has {ours:,} outputs")
        if wrong := [number for number in classes if not 0 <= number < theirs]:
            message = f"class {wrong[0]} is chosen, but `{path}` of `{self.old.name}` has classes 0 to {theirs - 1:,}"
            raise SpecError.of("E707", message)

    # -- following tensors

    def results(self, node: Node, values: list[Value]) -> list[Value]:
        """The values of a node's outputs."""
        nothing: list[Value] = [None] * len(node.types)
        if node.unused:
            return nothing
        if not (node.parameters or node.buffers):
            return plain_result(node, values, self.old_values, [self.new.type_of(ref) for ref in node.reads])
        path = owner(node)
        if path in self.roles.inserted:
            return [self.inserted_value(node, path, values)]
        if path in self.matches.old:
            return [self.matched_value(path, values)]
        return nothing

    def inserted_value(self, node: Node, path: str, values: list[Value]) -> Value:
        """The value of an inserted module."""
        role = self.roles.inserted[path]
        factor = self.roles.factors.get(path, (1.0, ""))[0]
        if role.start in ("zero", "gate"):
            return Const(role.bias)
        value = values[0] if values else None
        if role.start != "identity" or not isinstance(value, Known):
            return None
        if value.without and node.op == "batch_norm":
            self.bias_from[path] = value.without
            value = replace(value, without="")
        if value.without:
            return None
        return replace(value, scale=value.scale * factor)

    def matched_value(self, path: str, values: list[Value]) -> Value:
        """The value of a module that corresponds to an old one; the first call decides how it is adapted."""
        old, new = self.theirs[self.matches.old[path]], self.ours[path]
        value = values[0] if values else None
        call = self.old_call(old, values)
        if path not in self.adaptations:
            self.adaptations[path] = self.adaptation(old, new, value if call is not None else None)
        adaptation = self.adaptations[path]
        if call is None or not adaptation.possible or not adaptation.exact:
            return None
        known = value if isinstance(value, Known) else Known(Ref(0))
        names = ADAPTED_FIELDS.get(new.op, ())
        if known.scale != 1.0 or known.without or not same_except(old.operation, new.operation, *names):
            return None
        result = Known(
            self.old_values.canonical(Ref(call)),
            adaptation.origin,
            scale=self.roles.factors.get(path, (1.0, ""))[0],
            nearly=known.nearly,
            grey=known.grey or adaptation.grey,
        )
        return self.with_bias(old, new, result, call)

    def with_bias(self, old: Module, new: Module, value: Known, call: int) -> Known:
        """The value if the layers differ in their bias: one that is folded into the other, or taken from it."""
        norm = self.norm_after(old, call)
        had, has = ("bias" in module.shapes for module in (old, new))
        if norm is not None and has and new.op in ("conv", "linear") and new.path not in self.heads:
            assert isinstance(norm.operation, BatchNorm)
            self.folded[new.path] = FoldNorm(norm.path, norm.operation.eps, had)
            return replace(value, ref=self.old_values.canonical(Ref(norm.calls[0])))
        return replace(value, without=old.path) if had and not has and new.op in ADAPTED_FIELDS else value

    def norm_after(self, old: Module, call: int) -> Module | None:
        """The batch norm directly after an old layer, if the new network does not have it."""
        readers = [
            (index, node) for index, node in enumerate(self.old.nodes) if any(ref.node == call for ref in node.reads)
        ]
        if (
            len(readers) != 1
            or readers[0][1].op != "batch_norm"
            or call in {ref.node for ref in self.old.outputs.values()}
        ):
            return None
        norm = self.theirs[owner(readers[0][1])]
        operation = norm.operation
        is_plain = isinstance(operation, BatchNorm) and operation.affine and operation.track_running_stats
        is_used = norm.path in self.matches.old.values()
        return norm if is_plain and not is_used and len(norm.calls) == len(old.calls) == 1 else None

    def old_call(self, old: Module, values: list[Value]) -> int | None:
        """The old node that calls the module with the same tensors."""
        refs = [value.ref if isinstance(value, Known) else None for value in values]
        for index in old.calls:
            if [self.old_values.canonical(ref) for ref in self.old.nodes[index].reads] == refs:
                return index
        return None

    def adaptation(self, old: Module, new: Module, value: Value) -> Adaptation:
        """The steps for the tensors of a module."""
        is_known = isinstance(value, Known)
        origin = value.origin if isinstance(value, Known) else None
        inputs = Inputs(
            is_known,
            origin,
            is_known and isinstance(value, Known) and value.ref.node < 0,
            self.options.input_channels,
        )
        if new.path in self.heads and self.options.classes is None:
            theirs, ours = (module.shapes["weight"][0] for module in (old, new))
            return Adaptation(possible=False, notes=[f"{theirs:,} → {ours:,} outputs"])
        is_head = self.options.classes is not None and new.path in last_modules(self.new)
        result = adapt(old, new, inputs, self.options.classes if is_head else None)
        if fresh := [key for key in new.keys if self.is_fresh(key)]:
            result.exact = False
            result.notes.append(f"{' and '.join(fresh)} fresh")
        return result

    # -- tensors

    def tensors(self, module: Module) -> Iterator[TensorPlan]:
        """The plans for the tensors of a module."""
        old_path = self.matches.old.get(module.path)
        adaptation = self.adaptations.get(module.path)
        if old_path is not None and adaptation is None:  # it never runs
            adaptation = adapt(self.theirs[old_path], module, Inputs(known=False))
        if old_path is None or adaptation is None or not adaptation.possible:
            yield from (self.fresh(module, name, adaptation) for name in module.shapes)
            return
        old = self.theirs[old_path]
        for name, shape in module.shapes.items():
            steps = [*adaptation.steps.get(name, ())]
            notes = [*adaptation.notes] if steps else []
            if (fold := self.folded.get(module.path)) and name in ("weight", "bias"):
                steps.insert(0, fold)
                notes.append(f"{fold.norm} folded in")
            if (factor := self.roles.factors.get(module.path)) and name in ("weight", "bias"):
                steps.append(Multiply(factor[0]))
                notes.append(f"×{factor[0]:g}, undone by the gate {factor[1]}")
            if self.is_fresh(module.key(name)):
                yield TensorPlan(module.key(name), shape, "fresh", note=CHOSEN)
                continue
            has_source = name in old.shapes or (bool(steps) and isinstance(steps[0], FoldNorm))
            if not has_source:
                yield self.absent(module, name)
                continue
            key, source = module.key(name), old.key(name)
            kind: Kind = "adapted" if steps else "copied" if key == source else "renamed"
            note = "; ".join(notes) or (f"was {source}" if kind == "renamed" else "")
            if old.op != module.op:
                note = "; ".join([*filter(None, [note]), f"of {old.op}"])
            yield TensorPlan(key, shape, kind, source, old.shapes.get(name, shape), tuple(steps), note=note)

    def absent(self, module: Module, name: str) -> TensorPlan:
        """A tensor that the corresponding old module does not have."""
        value = {"weight": 1.0, **STATISTICS}.get(name, 0.0)
        old = self.theirs[self.matches.old[module.path]]
        name_of_old = "the old module" if old.op == module.op else old.op
        is_estimated = name in STATISTICS
        note = f"{'estimated anew in training' if is_estimated else f'{value:g}'}; {name_of_old} has none"
        return TensorPlan(module.key(name), module.shapes[name], "fresh", initial=Fill(value), note=note)

    def fresh(self, module: Module, name: str, adaptation: Adaptation | None) -> TensorPlan:
        """A tensor of a module that has no corresponding one, or whose weights cannot be used."""
        shape, key = module.shapes[name], module.key(name)
        role = self.roles.inserted.get(module.path)
        if role is None or role.start == "random":
            note = role.note if role else CHOSEN if self.is_fresh(key) else USUAL
            if adaptation is not None:
                note = f"{USUAL}: {'; '.join(adaptation.notes) or 'its old weights do not fit'}"
            elif count := self.matches.ambiguous.get(module.path):
                note = f"{USUAL}: {count} old modules fit equally well"
            elif (old := self.theirs.get(module.path)) and old.op != module.op:
                note = f"{USUAL}: {module.op} instead of {old.op}"
            return TensorPlan(key, shape, "fresh", note=note)
        if module.path in self.bias_from and name == "bias":
            old = self.theirs[self.bias_from[module.path]]
            steps = self.bias_steps(old)
            kind: Kind = "adapted" if steps else "renamed"
            source = old.key("bias")
            return TensorPlan(key, shape, kind, source, old.shapes["bias"], steps, note=f"was {source}")
        return TensorPlan(
            key,
            shape,
            "fresh",
            initial=initial_value(module, name, role.start, role.bias, self.factor(module)),
            note=role.note,
        )

    def factor(self, module: Module) -> float:
        return self.roles.factors.get(module.path, (1.0, ""))[0]

    def bias_steps(self, old: Module) -> tuple[Step, ...]:
        """The selection of channels for a bias that a new batch norm takes over."""
        new_path = next((path for path, old_path in self.matches.old.items() if old_path == old.path), "")
        adaptation = self.adaptations.get(new_path)
        return (Take(0, adaptation.origin),) if adaptation and adaptation.origin is not None else ()

    def dropped(self, tensors: tuple[TensorPlan, ...]) -> Iterator[Dropped]:
        """The tensors of the old network that are not used."""
        used = {tensor.source for tensor in tensors}
        for fold in self.folded.values():
            used.update(f"{fold.norm}.{name}" for name in ("weight", "bias", "running_mean", "running_var"))
        by_old = {old: new for new, old in self.matches.old.items()}
        folded = {fold.norm for fold in self.folded.values()}
        for key, shape in self.old.state.items():
            if key not in used:
                path = key.rpartition(".")[0]
                note = f"{path} is folded in" if path in folded else "the new network has no such module"
                if path in self.ours and self.ours[path].op != self.theirs[path].op:
                    note = f"it is {self.ours[path].op} now"
                old_path = path if path in by_old else key
                if old_path in by_old:
                    new = self.ours[by_old[old_path]]
                    adaptation = self.adaptations.get(new.path)
                    note = f"{'the new module' if new.op == self.theirs[old_path].op else new.op} has none"
                    if adaptation and not adaptation.possible:
                        note = "; ".join(adaptation.notes) or "its shape does not fit"
                yield Dropped(key, shape, note)
