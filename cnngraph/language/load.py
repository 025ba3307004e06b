"""A spec from its files: `extends` and `import` followed, overrides laid in.

Safe for a stranger's spec: nothing outside the spec's folder tree and the library is opened.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cnngraph.diagnostics import (
    Diagnostic,
    Known,
    Mistakes,
    Severity,
    Source,
    Span,
    SpecError,
    Suggestion,
    did_you_mean,
)
from cnngraph.document import LIMITS, Limits, Table, Value, parse, read_file, texts_in
from cnngraph.file_kinds import RECIPE, other_kind
from cnngraph.language.model import BlockSpec, Library, ParamSpec, Spec, Word
from cnngraph.language.parse import FileSpec, parse_file
from cnngraph.language.usage import names_used
from cnngraph.library import ENDINGS, find_network, is_name, library_root, shown
from cnngraph.text import in_backticks

NOTHING: Mapping[str, str] = {}
MAX_FILES = 100
MAX_EXTENDS = 20
MAX_MISSPELT = 50  # new names of a variant that are compared with those it could replace
MAX_IMPORTED = 1_000_000  # characters


@dataclass(frozen=True, slots=True)
class Override:
    """A value that replaces what the file says: `--set classes=4`, `--input 3x320x320`, or a keyword argument.

    `elsewhere` is the name by which the value may be meant if the spec has no param of this one.
    """

    name: str
    value: Value
    elsewhere: str | None = None


def load_spec(
    source: Source,
    folder: Path,
    params: Iterable[Override] = (),
    input: Value | None = None,
    limits: Limits = LIMITS,
    texts: Mapping[str, str] = NOTHING,
) -> tuple[Spec | None, list[Diagnostic]]:
    """The spec of a text that stands in `folder`, and all that is wrong with its structure and files.

    `texts` are read in place of other files, by the names of their sources.
    """
    loader = _Loader(folder.resolve(), texts)
    file = loader.file(source, limits)
    if file is None:
        return None, loader.diagnostics
    spec = loader.spec(file, folder, (Path(os.path.realpath(folder / Path(source.name).name)),))
    overrides = tuple(params)
    if overrides or input is not None:
        spec = replace(spec, published={}, base=spec)  # the figures are those of the network as its file says it
    if input is not None:
        spec = replace(spec, input=loader.other_input(spec.input, input))
    spec = replace(spec, library=loader.override(spec.library, overrides))
    return spec, loader.diagnostics


HEADS = ("params", "blocks", "nodes", "inputs", "import", "extends")  # given twice, what only one says is not known


@dataclass(slots=True)
class _Loader:
    root: Path
    texts: Mapping[str, str]
    diagnostics: Mistakes = field(default_factory=Mistakes)
    libraries: dict[Path, Library | None] = field(default_factory=dict)
    opened: int = 0
    read_so_far: int = 0  # characters
    files: list[str] | None = None  # some of those that could be imported, once somebody asks

    def file(self, source: Source, limits: Limits = LIMITS) -> FileSpec | None:
        document, mistakes = parse(source, limits)
        self.diagnostics.extend(mistakes)
        if (document is None and mistakes) or any(each.code == "E103" and each.key in HEADS for each in mistakes):
            return None
        spec, more = parse_file(source, document)
        self.diagnostics.extend(more)
        return spec

    def spec(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> Spec:
        base = self.base(file, folder, seen)
        imports = self.imports(file, folder)
        library = self.library(file, base.library if base else Library({}, {}), imports)
        path = Path(file.source.name)
        spec = base or Spec(file.source, _name_of(path), "", library)
        changes: dict[str, object] = {
            "source": file.source,
            "library": library,
            "name": _name_of(path),
            "published": file.published,
            "base": base,
        }
        for word, attribute in _REPLACED_WHOLE.items():
            if word in file.given and not (word == "nodes" and file.extends):
                changes[attribute] = getattr(file, attribute)
        if "outputs" in file.given and "training_only" not in file.given:  # of the extended file's, those that it keeps
            kept = {name.text for name, _ in file.outputs}
            changes["training_only"] = tuple(word for word in spec.training_only if word.text in kept)
        if "train" in file.given:
            changes["train"] = self.recipe(file.train, folder)
        for word, given in (("name", file.name), ("about", file.about), ("paper", file.paper)):
            if given:
                changes[word] = given.text
        return replace(spec, **changes)  # type: ignore[arg-type]

    def base(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> Spec | None:
        if file.extends is None:
            return None
        path = self.named(file.extends, folder) if is_name(file.extends.text) else self.beside(file.extends, folder)
        if path in seen or len(seen) > MAX_EXTENDS:
            message = f"`{file.extends}` extends itself"
            help = "name another file, or a network of the library"
            self.diagnostics.append(Diagnostic("E309", message, file.extends.span, help=help))
            return None
        inner = self.open(file.extends, path)
        if path is None or inner is None:
            return None
        return self.spec(inner, path.parent, (*seen, path))

    def imports(self, file: FileSpec, folder: Path) -> tuple[Library, ...]:
        found = []
        for word in file.imports:
            path = self.beside(word, folder)
            inner = self.open(word, path)
            if path is None or inner is None:
                found.append(Library({}, {}, incomplete=True))
                continue
            if path not in self.libraries:
                self.libraries[path] = None
                self.libraries[path] = self.library(inner, Library({}, {}), self.imports(inner, path.parent))
            library = self.libraries[path]
            if library is None:
                self.diagnostics.append(Diagnostic("E309", f"`{word}` imports itself", word.span))
            found.append(library or Library({}, {}, incomplete=True))
        return tuple(found)

    def library(self, file: FileSpec, base: Library, imports: tuple[Library, ...]) -> Library:
        """One file's names over those of the file it extends; a name that means two things is an error."""
        own = {block.name.text: block for block in file.blocks}
        for word, each in zip(file.imports, imports, strict=True):
            for name in [name for name in each.blocks if name in base.blocks and name not in own]:
                fact = f"one is in `{file.extends}` at {base.blocks[name].name.span}, the other in `{word}` at "
                self.clash(name, word.span, f"{fact}{each.blocks[name].name.span}")
        imported: dict[str, BlockSpec] = {}
        for each in (*base.imports, *imports):
            for name, block in each.blocks.items():
                if name in imported and imported[name].name.span != block.name.span:
                    first = imported[name].name.span
                    self.clash(name, block.name.span, f"the other one is imported from {first}")
                imported[name] = block
        for name, block in own.items():
            if name in imported and name not in base.blocks:
                self.clash(name, block.name.span, f"the other one is imported from {imported[name].name.span}")
        params = {each.name.text: each for each in file.params}
        self.misspelt(file, "block", [each.name for each in file.blocks], base.blocks)
        self.misspelt(file, "param", [each.name for each in file.params], base.params)
        incomplete = base.incomplete or any(each.incomplete for each in imports)
        return Library(
            _merged(base.params, params),
            {**base.blocks, **own},
            (*base.imports, *imports),
            (*base.ignore, *file.ignore),
            incomplete,
        )

    def misspelt(self, file: FileSpec, what: str, words: Iterable[Word], known: Mapping[str, object]) -> None:
        """Warn of a name that was to replace one of the extended file's, and is written nowhere else."""
        new = [word for word in words if known and word.text not in known]
        written = Counter(WRITTEN.findall(file.source.text)) if new else {}
        for word in [each for each in new if written[each.text] == 1][:MAX_MISSPELT]:
            mend = did_you_mean(word.text, known)
            if mend:
                message = f"the {what} `{word}` replaces nothing and is never used"
                note = f"`{file.extends}` has no {what} of that name"
                self.diagnostics.append(
                    Diagnostic("W318", message, word.span, Severity.WARNING, notes=(note,), help=mend)
                )

    def clash(self, name: str, span: Span, fact: str) -> None:
        message = f"the block `{name}` is defined twice"
        self.diagnostics.append(Diagnostic("E308", message, span, notes=(fact,), help="rename one of them"))

    def open(self, word: Word, path: Path | None) -> FileSpec | None:
        """The spec file that a word names; None, with the mistake told, if it can't be had."""
        source = self.read(word, path)
        return self.file(source) if source else None

    def recipe(self, train: Table | Word | None, folder: Path) -> Table | Word | None:
        """The training recipe: a table, that of a file in the spec's folder, or the name of one in the library."""
        if not isinstance(train, Word) or not train.text.endswith(ENDINGS):
            return train
        source = self.read(train, self.beside(train, folder))
        if source is None:
            return None
        value, mistakes = parse(source)
        self.diagnostics.extend(mistakes)
        if not isinstance(value, Table) and not mistakes:
            self.diagnostics.append(Diagnostic("E601", f"`{train}` is not a recipe: it must be a mapping", train.span))
        wrong = other_kind(value, RECIPE, "E601") if isinstance(value, Table) else None
        self.diagnostics.extend([wrong] if wrong else [])
        return value if isinstance(value, Table) and not wrong else None

    def named(self, word: Word, folder: Path) -> Path | None:
        """The file of the library's network that a word names; None, with the mistake told."""
        try:
            return Path(os.path.realpath(find_network(word.text, word.span, folder)))
        except SpecError as error:
            self.diagnostics.extend(error.diagnostics)
            return None

    def beside(self, word: Word, folder: Path) -> Path | None:
        """The file that a word names, beside the spec or in the library; None, with the mistake told."""
        candidates = [folder / word.text, library_root() / word.text]
        resolved = [Path(os.path.realpath(each)) for each in candidates] if "\0" not in word.text else []
        inside = [each for each in resolved if self.inside(each)]
        path = next((each for each in inside if _is_file(each)), None)
        if path is None:
            self.diagnostics.append(self.not_found(word, bool(inside)))
        return path

    def read(self, word: Word, path: Path | None) -> Source | None:
        """The text of a file; None, with the mistake told, if there is none."""
        if path is None:
            return None
        self.opened += 1
        if self.opened > MAX_FILES:
            raise SpecError([Diagnostic("E501", f"more than {MAX_FILES} files are imported", word.span)])
        try:
            source = read_file(path, shown(path))
            source = replace(source, text=self.texts.get(source.name, source.text))
        except SpecError as error:
            self.diagnostics.extend(replace(each, span=word.span) for each in error.diagnostics)
            return None
        self.read_so_far += len(source.text)
        if self.read_so_far > MAX_IMPORTED:
            message = f"the imported files have more than {MAX_IMPORTED:,} characters in total"
            raise SpecError([Diagnostic("E501", message, word.span)])
        return source

    def inside(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in (self.root, Path(os.path.realpath(library_root()))))

    def not_found(self, word: Word, allowed: bool) -> Diagnostic:
        if not allowed:
            message = f"`{word}` is outside the spec's folder and the library"
            help = "move the file into the spec's folder or a subfolder"
            return Diagnostic("E310", message, word.span, help=help)
        if self.files is None:
            folders = (self.root, library_root())
            self.files = [str(each.relative_to(root)) for root in folders for each in _specs_below(root)]
        notes = ("searched the spec's folder and the library",)
        return Diagnostic(
            "E311", f"file `{word}` not found", word.span, notes=notes, help=did_you_mean(word.text, self.files)
        )

    def override(self, library: Library, overrides: Iterable[Override]) -> Library:
        params: dict[str, ParamSpec] = dict(library.params)
        for each in overrides:
            if each.name in params:
                params[each.name] = replace(params[each.name], default=each.value)
            else:
                known = Suggestion(each.elsewhere) if each.elsewhere else did_you_mean(each.name, params)
                message = f"the spec has no param `{each.name}`"
                self.diagnostics.append(Diagnostic("E303", message, each.value.span, help=known or _listing(params)))
        return replace(library, params=params)

    def other_input(self, input: Value | None, given: Value) -> Value:
        """The input with other sizes: of several, those that are named."""
        names = [each.key for each in input] if isinstance(input, Table) else []
        if not names and not isinstance(given, Table):
            return given
        if not isinstance(input, Table) or not isinstance(given, Table) or not names:
            has = f"the inputs {in_backticks(names)}" if names else "a single input"
            help = f"name the input: `--input {names[0]}=3x224x224`" if names else "leave out the name"
            self.diagnostics.append(Diagnostic("E303", f"the spec has {has}", given.span, help=help))
            return input or given
        for each in given:
            if each.key in names:
                input = input.replaced([each.key], each.value)
            else:
                help = did_you_mean(each.key, names) or Known.listed("its inputs are", names)
                message = f"the spec has no input `{each.key}`"
                self.diagnostics.append(Diagnostic("E303", message, each.key_span, help=help))
        return input


def _merged(base: Mapping[str, ParamSpec], own: Mapping[str, ParamSpec]) -> dict[str, ParamSpec]:
    """The params of a variant as they are evaluated: the base's, each behind what its value uses, then new ones."""
    if not base:
        return dict(own)
    known, merged, begun = {**base, **own}, dict[str, ParamSpec](), set[str]()
    for first in known:
        waiting = [first]  # a stack of its own: a stranger's params may use each other thousands deep
        while waiting:
            name = waiting[-1]
            used = _used(known[name]) if name not in begun and (name in own or len(waiting) > 1) else []
            begun.add(name)
            needed = [each for each in used if each in known and each not in begun]
            if needed:
                waiting += reversed(needed)
            else:
                merged.setdefault(name, known[name])
                waiting.pop()
    return merged


def _used(param: ParamSpec) -> list[str]:
    """The names that a param's value uses."""
    return names_used(texts_in(param.default)) if param.default else []


WRITTEN = re.compile(r"\w+")
_REPLACED_WHOLE = {
    "input": "input",
    "nodes": "nodes",
    "outputs": "outputs",
    "training_only": "training_only",
    "init": "init",
    "weights": "renames",
}


def _listing(params: Mapping[str, ParamSpec]) -> str:
    return Known.listed("its params are", params) if params else "the spec has no params"


def _specs_below(root: Path) -> list[Path]:
    """Some of the YAML files below a folder, for did-you-mean; a large tree is not searched to its end."""
    found: list[Path] = []
    for visited, (folder, folders, files) in enumerate(os.walk(root)):
        folders[:] = [each for each in sorted(folders) if not each.startswith((".", "_"))]
        found += [Path(folder) / each for each in sorted(files) if each.endswith(ENDINGS)]
        if visited > 200 or len(found) > 500:
            break
    return found


def _is_file(path: Path) -> bool:
    """Whether there is such a file, and its name is one that can be asked for."""
    try:
        return path.is_file()
    except OSError:
        return False


def _name_of(path: Path) -> str:
    r"""The name of a network by its file: bytes that are not UTF-8 as `\xff`, since a run's spec.yaml is UTF-8."""
    return path.stem.encode(errors="surrogateescape").decode(errors="backslashreplace")
