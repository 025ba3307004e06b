"""Recipe text to Recipe: every mistake at once, each at its place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from cnngraph.diagnostics import Diagnostic, DiagnosticList, Known, Span, Suggestion, did_you_mean, has_errors
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
from cnngraph.recipe.kinds import Named, OrNone, Record
from cnngraph.recipe.model import Recipe

WRONG = object()  # stands for a value that has been complained about
NOTHING = (0, False, "no", "off", "false")  # how `none` is said elsewhere
ELSEWHERE = {  # words that other tools use, and what they are called here
    "accumulate_grad_batches": "accumulate",
    "amp": "precision",
    "batch": "batch_size",
    "clip_grad": "clip",
    "clip_grad_norm": "clip: {norm: …}",
    "class_weights": "loss: {class_weights: …}",
    "dataset": "data",
    "gradient_accumulation_steps": "accumulate",
    "label_smoothing": "loss: {label_smoothing: …}",
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
    "weight_decay": "optimizer: {weight_decay: …}",
}


def read_recipe(value: Table, *, name: str) -> tuple[Recipe | None, list[Diagnostic]]:
    """The recipe that a table says, and all that is wrong with it; None where there is an error."""
    reader = Reader()
    recipe = reader.record(Recipe, value, "", "a recipe")
    if has_errors(reader.diagnostics) or not isinstance(recipe, Recipe):
        return None, reader.diagnostics
    return replace(recipe, name=name, places=reader.places), reader.diagnostics


@dataclass
class Reader:
    """Walks a recipe's tables and gathers what is wrong, and where each word stands."""

    diagnostics: DiagnosticList = field(default_factory=DiagnosticList)
    places: dict[str, Span] = field(default_factory=dict)

    def refuse(self, code: str, message: str, span: Span, help: str | None = None) -> object:
        """Note a mistake."""
        self.diagnostics.append(Diagnostic(code, message, span, help=help))
        return WRONG

    def record(self, cls: type[Any], table: Table, path: str, what: str) -> Any:
        """An instance of a dataclass from a table, or WRONG."""
        fields = fields_of(cls)
        found: dict[str, Any] = {}
        for entry in table:
            if entry.key in fields:
                found[entry.key] = self.value(fields[entry.key].kind, entry.value, f"{path}{entry.key}")
            else:
                found.setdefault(self.unknown_word(entry, fields, what), WRONG)
        missing = [each for each in fields if fields[each].required and each not in found]
        for each in missing:
            doc = fields[each].doc
            self.refuse("E604", f"{what} needs {each}: {doc}, {fields[each].kind.describe()}", table.span)
        if missing or any(each is WRONG for each in found.values()):
            return WRONG
        made = cls(**found)
        problems = CHECKS[cls](made) if cls in CHECKS else []
        for word, message in problems:
            at = table.get(word)
            self.refuse("E605", message, at.value.span if at else table.span)
        return WRONG if problems else made

    def unknown_word(self, entry: Entry, fields: dict[str, Field], what: str) -> str:
        """Complain about a word that no field has; the field that was perhaps meant."""
        elsewhere = ELSEWHERE.get(entry.key, "")
        meant = elsewhere if elsewhere.partition(":")[0] in fields else nearest(entry.key, fields)
        help = Suggestion(meant) if meant else Known.listed("it has", fields)
        self.refuse("E602", f"{what} has no word {entry.key}", entry.key_span, help)
        return meant.partition(":")[0] if meant else entry.key

    def value(self, kind: Kind, value: Value, path: str) -> Any:
        """A value as its kind holds it, or WRONG."""
        self.places[path] = value.span
        table = tables_in(kind)
        if isinstance(table, Record) and isinstance(value, Table):
            return self.record(table.cls, value, f"{path}.", path)
        if isinstance(table, Record) and table.short and not _empty(value):
            said = Table((Entry(table.short, value.span, value),), value.span)
            return self.record(table.cls, said, f"{path}.", path)
        if isinstance(table, Named) and not (isinstance(kind, Optional) and _empty(value)):
            return self.named(table, value, path)
        if isinstance(kind, ListOf) and isinstance(kind.item, Record) and isinstance(value, Listing):
            is_short = kind.most is None or len(value.items) <= kind.most
            return self.records(kind.item, value, path) if is_short else self.converted(kind, value, path)
        return self.converted(kind, value, path)

    def converted(self, kind: Kind, value: Value, path: str) -> Any:
        """A plain value as its kind holds it, or WRONG."""
        try:
            return kind.convert(value.plain())
        except FieldError as error:
            help = literal_help(error.help, "", value.plain(), kind)
            return self.refuse("E603", f"{path} {error.message}", value.span, help or meant(kind, value, path))

    def records(self, kind: Record, value: Listing, path: str) -> Any:
        """A list of tables."""
        found = [self.value(kind, each, f"{path}.{index}") for index, each in enumerate(value.items)]
        return WRONG if any(each is WRONG for each in found) else tuple(found)

    def named(self, kind: Named, value: Value, path: str) -> Any:
        """One of several tables, told apart by name."""
        table = value if isinstance(value, Table) else Table((), value.span)
        name: Value = value
        if isinstance(value, Table):
            entry = value.get("name")
            other = next((each for each in value if not entry and each.value.plain() in kind.names), None)
            if other:
                message = f"{path} has no word {other.key}"
                return self.refuse("E602", message, other.key_span, f"{other.key} is called name here")
            if not entry:
                return self.refuse("E604", f"{path} needs name: {Choice(kind.names).describe()}", value.span)
            name = entry.value
        variant = kind.variant(name.value) if isinstance(name, Scalar) else None
        if not variant:
            said = name.plain()
            help = did_you_mean(said, kind.names) if isinstance(said, str) else None
            message = f"{path} must be {kind.describe()}, got {show_value(said)}"
            return self.refuse("E603", message, name.span, help)
        if table is not value:
            table = Table((Entry("name", value.span, name),), value.span)
        return self.record(variant, table, f"{path}.", f"{path} {show_value(name.plain())}")


def _empty(value: Value) -> bool:
    return isinstance(value, Scalar) and value.value is None


def meant(kind: Kind, value: Value, path: str) -> str | None:
    """How a value was perhaps meant: the first of the likely ones that the kind takes, as a help."""
    word, plain = path.rpartition(".")[2], value.plain()
    shown = "" if word.isdigit() else f"{word}: "
    if isinstance(plain, float) and plain.is_integer() and _takes(kind, Scalar(int(plain), value.span)):
        return f"write {int(plain)}"
    if isinstance(value, Scalar) and not _empty(value) and _takes(kind, Listing((value,), value.span)):
        return f"write {shown}[{show_value(plain)}]"
    if plain in NOTHING and _takes(kind, Scalar("none", value.span)):
        return f"write {shown}none"
    table = tables_in(kind)
    return _as_table(table.cls, plain, shown) if isinstance(table, Record) and not _empty(value) else None


def _takes(kind: Kind, value: Value) -> bool:
    return Reader().value(kind, value, "") is not WRONG


def _as_table(cls: type[Any], plain: object, shown: str) -> str:
    """What a value may mean as a table: the words that it names, or the first one that takes it; else what there is."""
    fields = fields_of(cls)
    said = plain if isinstance(plain, list) else [plain]
    named = [each for each in fields if each in said and isinstance(fields[each].kind, Bool)]
    if named:
        return f"write {shown}{{{', '.join(f'{each}: true' for each in named)}}}"
    for name, each in fields.items():
        try:
            each.kind.convert(plain)
            return f"write {shown}{{{name}: {show_value(plain)}}}"
        except FieldError:
            continue
    first = next((each for each in fields.values() if isinstance(each.default, int | float | str)), None)
    example = f", as in {shown}{{{first.name}: {show_value(first.default)}}}" if first else ""
    return f"the table has {', '.join(fields)}{example}"


def recipe_word(name: str) -> str | None:
    """The dotted word of a recipe that a name is, or that other tools call so."""
    if name.partition(".")[0] in fields_of(Recipe):
        return name
    return ELSEWHERE.get(name, "").replace(": {", ".").removesuffix(": …}") or None


def tables_in(kind: Kind) -> Kind | None:
    """The kind among a kind's alternatives that reads a table word by word."""
    match kind:
        case Record() | Named():
            return kind
        case Optional(kind=inner) | OrNone(kind=inner):
            return tables_in(inner)
        case Either(kinds=kinds):
            return next((found for each in kinds if (found := tables_in(each))), None)
    return None
