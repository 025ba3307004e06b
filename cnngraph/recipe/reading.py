"""Converting the YAML mapping of a recipe to a Recipe, with all errors and their spans."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from keyword import iskeyword
from pathlib import Path
from typing import Any

from cnngraph.diagnostics import (
    Diagnostic,
    DiagnosticList,
    Known,
    Span,
    SpecError,
    Suggestion,
    did_you_mean,
    has_errors,
)
from cnngraph.document import Entry, Listing, Scalar, Table, Value
from cnngraph.fields import (
    Bool,
    Choice,
    Either,
    Field,
    FieldError,
    Kind,
    ListOf,
    Optional,
    fields_of,
    literal_help,
    show_value,
)
from cnngraph.nearest import nearest
from cnngraph.recipe.checks import CHECKS
from cnngraph.recipe.extending import resolved
from cnngraph.recipe.finding import recipe_table
from cnngraph.recipe.kinds import Named, OneOrMore, OrNone, Record
from cnngraph.recipe.model import Recipe

INVALID = object()  # placeholder for a value whose error has been reported
NOTHING = (0, False, "no", "off", "false")  # what other tools use for `none`
ELSEWHERE = {  # keys of other tools, and the corresponding keys here
    "accumulate_grad_batches": "accumulate",
    "amp": "precision",
    "batch": "batch_size",
    "clip_grad": "clip",
    "clip_grad_norm": "clip: {norm: …}",
    "class_weights": "loss: {class_weights: …}",
    "dataset": "data",
    "freeze_layers": "freeze",
    "frozen": "freeze",
    "gradient_accumulation_steps": "accumulate",
    "label_smoothing": "loss: {label_smoothing: …}",
    "layer_decay": "optimizer: {layer_decay: …}",
    "layer_wise_lr_decay": "optimizer: {layer_decay: …}",
    "learning_rate": "optimizer: {lr: …}",
    "lr": "optimizer: {lr: …}",
    "lr_scheduler": "schedule",
    "max_epochs": "epochs",
    "models": "specs",
    "momentum": "optimizer: {momentum: …}",
    "networks": "specs",
    "optim": "optimizer",
    "patience": "early_stopping",
    "scheduler": "schedule",
    "transforms": "augment",
    "unfreeze": "freeze: {match: …, epochs: …}",
    "weight_decay": "optimizer: {weight_decay: …}",
}


def read_recipe(value: Table, *, name: str) -> tuple[Recipe | None, list[Diagnostic]]:
    """Read a recipe from a mapping: the recipe, or None if there are errors, and all diagnostics."""
    reader = RecipeReader()
    try:
        value = resolved(value)
    except SpecError as error:
        return None, list(error.diagnostics)
    recipe = reader.record(Recipe, value, "", "a recipe")
    if has_errors(reader.diagnostics) or not isinstance(recipe, Recipe):
        return None, reader.diagnostics
    return replace(recipe, name=name, places=reader.places), reader.diagnostics


def load_recipe(name: str) -> Recipe:
    """Read and check a recipe by name or path. Raises SpecError."""
    recipe, diagnostics = read_recipe(recipe_table(name), name=Path(name).stem)
    if not recipe:
        raise SpecError(diagnostics)
    return recipe


@dataclass
class RecipeReader:
    """Reads the mappings of a recipe, and collects diagnostics and the span of every value."""

    diagnostics: DiagnosticList = field(default_factory=DiagnosticList)
    places: dict[str, Span] = field(default_factory=dict)

    def refuse(self, code: str, message: str, span: Span, help: str | None = None) -> object:
        """Add an error; returns INVALID."""
        self.diagnostics.append(Diagnostic(code, message, span, help=help))
        return INVALID

    def record(self, cls: type[Any], table: Table, path: str, what: str) -> Any:
        """An instance of a dataclass from a mapping, or INVALID."""
        fields = fields_of(cls)
        found: dict[str, Any] = {}
        for entry in table:
            if entry.key in fields:
                found[entry.key] = self.value(fields[entry.key].kind, entry.value, f"{path}{entry.key}")
            else:
                found.setdefault(self.unknown_key(entry, fields, what), INVALID)
        missing = [name for name in fields if fields[name].required and name not in found]
        for name in missing:
            doc = fields[name].doc
            message = f"{what} needs `{name}`: {doc} ({fields[name].kind.describe()})"
            self.refuse("E604", message, table.span)
        if missing or any(value is INVALID for value in found.values()):
            return INVALID
        record = cls(**{f"{name}_" if iskeyword(name) else name: value for name, value in found.items()})
        problems = CHECKS[cls](record) if cls in CHECKS else []
        for key, message in problems:
            at = table.get(key)
            self.refuse("E605", message, at.value.span if at else table.span)
        return INVALID if problems else record

    def unknown_key(self, entry: Entry, fields: dict[str, Field], what: str) -> str:
        """Report a key that no field has; returns the field that was probably meant."""
        elsewhere = ELSEWHERE.get(entry.key, "")
        meant = elsewhere if elsewhere.partition(":")[0] in fields else nearest(entry.key, fields)
        help = Suggestion(meant) if meant else Known.listed("its keys are", fields)
        self.refuse("E602", f"{what} has no key `{entry.key}`", entry.key_span, help)
        return meant.partition(":")[0] if meant else entry.key

    def value(self, kind: Kind, value: Value, path: str) -> Any:
        """A value converted by its kind, or INVALID."""
        self.places[path] = value.span
        if isinstance(kind, OrNone) and isinstance(kind.kind, OneOrMore):
            if _is_none(value):
                return None
            kind = kind.kind.list
            value = value if isinstance(value, Listing) else Listing((value,), value.span)
        table = tables_in(kind)
        if isinstance(table, Record) and isinstance(value, Table):
            return self.record(table.cls, value, f"{path}.", f"`{path}`")
        if isinstance(table, Record) and table.short and not _empty(value):
            expanded = Table((Entry(table.short, value.span, value),), value.span)
            return self.record(table.cls, expanded, f"{path}.", f"`{path}`")
        if isinstance(table, Named) and not (isinstance(kind, Optional) and _empty(value)):
            return self.named(table, value, path)
        if isinstance(kind, ListOf) and isinstance(kind.item, Record) and isinstance(value, Listing):
            is_valid = kind.least <= len(value.items) and (kind.most is None or len(value.items) <= kind.most)
            return self.records(kind.item, value, path) if is_valid else self.converted(kind, value, path)
        return self.converted(kind, value, path)

    def converted(self, kind: Kind, value: Value, path: str) -> Any:
        """A plain value converted by its kind, or INVALID."""
        try:
            return kind.convert(value.plain())
        except FieldError as error:
            help = literal_help(error.help, "", value.plain(), kind)
            return self.refuse("E603", f"`{path}` {error.message}", value.span, help or meant(kind, value, path))

    def records(self, kind: Record, value: Listing, path: str) -> Any:
        """A list of mappings."""
        found = [self.value(kind, item, f"{path}.{index}") for index, item in enumerate(value.items)]
        return INVALID if any(item is INVALID for item in found) else tuple(found)

    def named(self, kind: Named, value: Value, path: str) -> Any:
        """One of several mappings, distinguished by name."""
        table = value if isinstance(value, Table) else Table((), value.span)
        name: Value = value
        if isinstance(value, Table):
            entry = value.get("name")
            other = next(
                (candidate for candidate in value if not entry and candidate.value.plain() in kind.names), None
            )
            if other:
                message = f"`{path}` has no key `{other.key}`"
                return self.refuse("E602", message, other.key_span, f"write `name` instead of `{other.key}`")
            if not entry:
                return self.refuse("E604", f"`{path}` needs `name`: {Choice(kind.names).describe()}", value.span)
            name = entry.value
        variant = kind.variant(name.value) if isinstance(name, Scalar) else None
        if not variant:
            plain = name.plain()
            help = did_you_mean(plain, kind.names) if isinstance(plain, str) else None
            message = f"`{path}` must be {kind.describe()}, got `{show_value(plain)}`"
            return self.refuse("E603", message, name.span, help)
        if table is not value:
            table = Table((Entry("name", value.span, name),), value.span)
        return self.record(variant, table, f"{path}.", f"`{path}: {show_value(name.plain())}`")


def _empty(value: Value) -> bool:
    return isinstance(value, Scalar) and value.value is None


def _is_none(value: Value) -> bool:
    return isinstance(value, Scalar) and value.value in (None, "none")


def meant(kind: Kind, value: Value, path: str) -> str | None:
    """A help text for an invalid value: the first likely correction that is valid."""
    key, plain = path.rpartition(".")[2], value.plain()
    prefix = "" if key.isdigit() else f"{key}: "
    if isinstance(plain, float) and plain.is_integer() and _is_valid(kind, Scalar(int(plain), value.span)):
        return f"write `{int(plain)}`"
    if isinstance(value, Scalar) and not _empty(value) and _is_valid(kind, Listing((value,), value.span)):
        return f"write `{prefix}[{show_value(plain)}]`"
    if plain in NOTHING and _is_valid(kind, Scalar("none", value.span)):
        return f"write `{prefix}none`"
    table = tables_in(kind)
    return _as_mapping(table.cls, plain, prefix) if isinstance(table, Record) and not _empty(value) else None


def _is_valid(kind: Kind, value: Value) -> bool:
    return RecipeReader().value(kind, value, "") is not INVALID


def _as_mapping(cls: type[Any], plain: object, prefix: str) -> str:
    """How to write a value as a mapping: with the keys that it names, the first key that accepts it, or all keys."""
    fields = fields_of(cls)
    values = plain if isinstance(plain, list) else [plain]
    named = [name for name in fields if name in values and isinstance(fields[name].kind, Bool)]
    if named:
        return f"write `{prefix}{{{', '.join(f'{name}: true' for name in named)}}}`"
    for name, candidate in fields.items():
        try:
            candidate.kind.convert(plain)
            return f"write `{prefix}{{{name}: {show_value(plain)}}}`"
        except FieldError:
            continue
    first = next((candidate for candidate in fields.values() if isinstance(candidate.default, int | float | str)), None)
    example = f", for example `{prefix}{{{first.name}: {show_value(first.default)}}}`" if first else ""
    return f"write a mapping with the keys {', '.join(fields)}{example}"


def recipe_key(name: str) -> str | None:
    """The dotted recipe key for a name used here or by other tools, or None."""
    if name.partition(".")[0] in fields_of(Recipe):
        return name
    return ELSEWHERE.get(name, "").replace(": {", ".").removesuffix(": …}") or None


def tables_in(kind: Kind) -> Kind | None:
    """The Record or Named inside a kind, which is read from a mapping key by key, or None."""
    match kind:
        case Record() | Named():
            return kind
        case Optional(kind=inner) | OrNone(kind=inner):
            return tables_in(inner)
        case OneOrMore(item=item):
            return item
        case Either(kinds=kinds):
            return next((found for option in kinds if (found := tables_in(option))), None)
    return None
