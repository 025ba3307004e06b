"""A spec from its files: `extends` and `import` followed, overrides applied.

Safe for untrusted specs: nothing outside the spec's folder tree and the library is opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cnngraph.diagnostics import (
    Diagnostic,
    DiagnosticList,
    Known,
    Source,
    Span,
    SpecError,
    Suggestion,
    did_you_mean,
)
from cnngraph.document import LIMITS, Limits, Table, Value, parse, read_file
from cnngraph.file_kinds import RECIPE, other_kind
from cnngraph.frozen import frozen
from cnngraph.language.merge import merge_library
from cnngraph.language.model import Library, LocatedText, ParamSpec, ScopeSpec, Spec
from cnngraph.language.parse import FileSpec, nodes_of, parse_file
from cnngraph.language.without_expect import without_expect
from cnngraph.library import ENDINGS, find_network, is_name, library_root, shown
from cnngraph.text import in_backticks

NOTHING: Mapping[str, str] = {}
MAX_FILES = 100
MAX_EXTENDS = 20
MAX_IMPORTED = 1_000_000  # characters


@frozen
class Override:
    """A value that replaces what the file says: `--set classes=4`, `--input 3x320x320`, or a keyword argument.

    If the spec has no param of this name, `elsewhere` is the name to suggest, or else a similar one of `others`.
    """

    name: str
    value: Value
    elsewhere: str | None = None
    others: tuple[str, ...] = ()


def load_spec(
    source: Source,
    folder: Path,
    params: Iterable[Override] = (),
    input: Value | None = None,
    limits: Limits = LIMITS,
    texts: Mapping[str, str] = NOTHING,
) -> tuple[Spec | None, list[Diagnostic]]:
    """Load a spec's text as if it were a file in `folder`. Returns the spec and the errors in its structure and files.

    `texts` are used instead of other files; the keys are source names.
    """
    loader = _Loader(folder.resolve(), texts)
    file = loader.file(source, limits)
    if file is None:
        return None, loader.diagnostics
    spec = loader.spec(file, folder, (Path(os.path.realpath(folder / Path(source.name).name)),))
    overrides = tuple(params)
    if overrides or input is not None:
        spec = replace(spec, published={}, base=spec)  # published metrics hold for the network without overrides
    if input is not None:
        spec = replace(spec, input=loader.other_input(spec.input, input))
    spec = replace(spec, library=loader.override(spec.library, overrides))
    return spec, loader.diagnostics


def _parsed(source: Source, limits: Limits) -> tuple[FileSpec | None, tuple[Diagnostic, ...]]:
    """The contents of a file, and the errors in its structure."""
    document, errors = parse(source, limits)
    if (document is None and errors) or any(error.code == "E103" and error.key in HEADS for error in errors):
        return None, tuple(errors)
    spec, more = parse_file(source, document)
    return spec, (*errors, *more)


@lru_cache(maxsize=16)
def _parsed_once(name: str, text: str, path: Path | None) -> tuple[FileSpec | None, tuple[Diagnostic, ...]]:
    """The contents of a bundled file, which is parsed once for all specs that use it."""
    return _parsed(Source(name, text, path), LIMITS)


# sections whose names are needed to check the rest: if one is duplicate, only half of its names are known
HEADS = ("params", "blocks", "nodes", "inputs", "import", "extends")


@dataclass(slots=True, eq=False, repr=False)
class _Loader:
    root: Path
    texts: Mapping[str, str]
    diagnostics: DiagnosticList = field(default_factory=DiagnosticList)
    libraries: dict[Path, Library | None] = field(default_factory=dict)
    networks: dict[Span, Spec] = field(default_factory=dict)  # of `net`, by the span of the name
    known_networks: dict[Path, Spec | None] = field(default_factory=dict)
    opened: int = 0
    read_so_far: int = 0  # characters
    files: list[str] | None = None  # files that could be imported, filled when a file is not found

    def file(self, source: Source, limits: Limits = LIMITS) -> FileSpec | None:
        is_bundled = source.path is not None and source.path.is_relative_to(library_root())
        if is_bundled and limits == LIMITS:
            spec, errors = _parsed_once(source.name, source.text, source.path)
        else:
            spec, errors = _parsed(source, limits)
        self.diagnostics.extend(errors)
        return spec

    def spec(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> Spec:
        base = self.base(file, folder, seen)
        base = without_expect(base) if base and file.change else base
        imports = self.imports(file, folder, seen)
        self.load_networks(file, folder, seen)
        library = merge_library(file, base.library if base else Library({}, {}), imports, self.diagnostics)
        path = Path(file.source.name)
        spec = base or Spec(file.source, _name_of(path), "", library)
        changes: dict[str, Any] = {
            "source": file.source,
            "library": library,
            "name": _name_of(path),
            "published": file.published,
            "networks": self.networks,
            "base": base,
        }
        for key, attribute in _REPLACED_WHOLE.items():
            if key in file.keys and not (key == "nodes" and file.extends):
                changes[attribute] = getattr(file, attribute)
        if file.extends and file.nodes and base and base.nodes:
            changes["nodes"] = self.with_nodes(base.nodes, file.nodes, file.extends)
        if "change" in file.keys:
            changes["change"] = (*spec.change, *file.change)
        if "outputs" in file.keys and "training_only" not in file.keys:
            # keep those of the base whose outputs still exist
            kept = {name.text for name, _ in file.outputs}
            changes["training_only"] = tuple(name for name in spec.training_only if name.text in kept)
        if "train" in file.keys:
            changes["train"] = self.recipe(file.train, folder)
        for key, text in (("name", file.name), ("about", file.about), ("paper", file.paper)):
            if text:
                changes[key] = text.text
        return replace(spec, **changes)

    def base(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> Spec | None:
        if file.extends is None:
            return None
        path = self.named(file.extends, folder) if is_name(file.extends.text) else self.beside(file.extends, folder)
        if self.ends(file.extends, path, seen, "extends"):
            return None
        inner = self.open(file.extends, path)
        if path is None or inner is None:
            return None
        return self.spec(inner, path.parent, (*seen, path))

    def with_nodes(self, base: ScopeSpec, own: ScopeSpec, extends: LocatedText) -> ScopeSpec:
        """The nodes of a base and those that a variant adds, which come after them."""
        known = {child.name.text: child for child in base.children}
        for child in own.children:
            if other := known.get(child.name.text):
                message = f"`{extends}` has a node `{child.name}` already"
                help = f"rename it; to change the base's node, write `change: [{{match: {child.name}, …}}]`"
                note = f"it is at {other.span}"
                self.diagnostics.append(Diagnostic("E305", message, child.name.span, notes=(note,), help=help))
        return replace(
            base, children=(*base.children, *(child for child in own.children if child.name.text not in known))
        )

    def ends(self, reference: LocatedText, path: Path | None, seen: tuple[Path, ...], verb: str) -> bool:
        """Whether a file must not be read from those in `seen`: it is one of them, or they are too many."""
        if path in seen:
            message, help = f"`{reference}` {verb} itself", "name another file, or a network of the library"
            self.diagnostics.append(Diagnostic("E309", message, reference.span, help=help))
        elif len(seen) > MAX_EXTENDS:
            message = f"files extend or contain each other more than {MAX_EXTENDS} levels deep"
            self.diagnostics.append(Diagnostic("E503", message, reference.span, help="write fewer levels"))
        return path in seen or len(seen) > MAX_EXTENDS

    def load_networks(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> None:
        """Load the networks that nodes of a file use."""
        for reference in [node.net for node in nodes_of(file) if node.net is not None]:
            path = self.named(reference, folder) if is_name(reference.text) else self.beside(reference, folder)
            if self.ends(reference, path, seen, "contains"):
                continue
            if path is not None and path not in self.known_networks:
                inner = self.open(reference, path)
                self.known_networks[path] = self.spec(inner, path.parent, (*seen, path)) if inner else None
            spec = self.known_networks.get(path) if path else None
            if spec is not None and spec.nodes is None:
                message = f"`{reference}` is a library of blocks, not a network"
                help = "add it to `import`, and use its blocks as ops"
                self.diagnostics.append(Diagnostic("E311", message, reference.span, help=help))
            elif spec is not None:
                self.networks[reference.span] = spec

    def imports(self, file: FileSpec, folder: Path, seen: tuple[Path, ...]) -> tuple[Library, ...]:
        found = []
        for reference in file.imports:
            path = self.beside(reference, folder)
            inner = self.open(reference, path)
            if path is None or inner is None:
                found.append(Library({}, {}, incomplete=True))
                continue
            if path not in self.libraries:
                self.libraries[path] = None
                self.load_networks(inner, path.parent, seen)
                self.libraries[path] = merge_library(
                    inner, Library({}, {}), self.imports(inner, path.parent, seen), self.diagnostics
                )
            library = self.libraries[path]
            if library is None:
                self.diagnostics.append(Diagnostic("E309", f"`{reference}` imports itself", reference.span))
            found.append(library or Library({}, {}, incomplete=True))
        return tuple(found)

    def open(self, reference: LocatedText, path: Path | None) -> FileSpec | None:
        """The contents of the spec at `path`; reports an error and returns None if it cannot be read."""
        source = self.read(reference, path)
        return self.file(source) if source else None

    def recipe(self, train: Table | LocatedText | None, folder: Path) -> Table | LocatedText | None:
        """The training recipe: a mapping, that of a file in the spec's folder, or the name of a bundled recipe."""
        if not isinstance(train, LocatedText) or not train.text.endswith(ENDINGS):
            return train
        source = self.read(train, self.beside(train, folder))
        if source is None:
            return None
        value, errors = parse(source)
        self.diagnostics.extend(errors)
        if not isinstance(value, Table) and not errors:
            self.diagnostics.append(
                Diagnostic("E601", f"`{train}` is not a recipe: a recipe must be a mapping", train.span)
            )
        wrong = other_kind(value, RECIPE, "E601") if isinstance(value, Table) else None
        self.diagnostics.extend([wrong] if wrong else [])
        return value if isinstance(value, Table) and not wrong else None

    def named(self, reference: LocatedText, folder: Path) -> Path | None:
        """The path of the bundled network of that name; reports an error and returns None if there is none."""
        try:
            return Path(os.path.realpath(find_network(reference.text, reference.span, folder)))
        except SpecError as error:
            self.diagnostics.extend(error.diagnostics)
            return None

    def beside(self, reference: LocatedText, folder: Path) -> Path | None:
        """The path of a file in the spec's folder or the library; reports an error and returns None without one."""
        candidates = [folder / reference.text, library_root() / reference.text]
        resolved = [Path(os.path.realpath(candidate)) for candidate in candidates] if "\0" not in reference.text else []
        inside = [path for path in resolved if self.inside(path)]
        path = next((candidate for candidate in inside if _is_file(candidate)), None)
        if path is None:
            self.diagnostics.append(self.not_found(reference, bool(inside)))
        return path

    def read(self, reference: LocatedText, path: Path | None) -> Source | None:
        """Read a file; reports an error and returns None if that fails."""
        if path is None:
            return None
        self.opened += 1
        if self.opened > MAX_FILES:
            raise SpecError.of("E501", f"more than {MAX_FILES} files are imported", reference.span)
        try:
            source = read_file(path, shown(path))
            source = replace(source, text=self.texts.get(source.name, source.text))
        except SpecError as error:
            self.diagnostics.extend(replace(diagnostic, span=reference.span) for diagnostic in error.diagnostics)
            return None
        self.read_so_far += len(source.text)
        if self.read_so_far > MAX_IMPORTED:
            message = f"the imported files have more than {MAX_IMPORTED:,} characters in total"
            raise SpecError.of("E501", message, reference.span)
        return source

    def inside(self, path: Path) -> bool:
        return any(path.is_relative_to(root) for root in (self.root, Path(os.path.realpath(library_root()))))

    def not_found(self, reference: LocatedText, allowed: bool) -> Diagnostic:
        if not allowed:
            message = f"`{reference}` is outside the spec's folder and the library"
            help = "move the file into the spec's folder or a subfolder"
            return Diagnostic("E310", message, reference.span, help=help)
        if self.files is None:
            folders = (self.root, library_root())
            self.files = [str(path.relative_to(root)) for root in folders for path in _specs_below(root)]
        notes = ("searched the spec's folder and the library",)
        return Diagnostic(
            "E311",
            f"file `{reference}` not found",
            reference.span,
            notes=notes,
            help=did_you_mean(reference.text, self.files),
        )

    def override(self, library: Library, overrides: Iterable[Override]) -> Library:
        params: dict[str, ParamSpec] = dict(library.params)
        for override in overrides:
            if override.name in params:
                params[override.name] = replace(params[override.name], default=override.value)
            else:
                similar = did_you_mean(override.name, [*params, *override.others])
                known = Suggestion(override.elsewhere) if override.elsewhere else similar
                message = f"the spec has no param `{override.name}`"
                self.diagnostics.append(
                    Diagnostic("E303", message, override.value.span, help=known or _listing(params))
                )
        return replace(library, params=params)

    def other_input(self, input: Value | None, sizes: Value) -> Value:
        """Replace the sizes of the input, or of the named ones of several inputs."""
        names = [entry.key for entry in input] if isinstance(input, Table) else []
        if not names and not isinstance(sizes, Table):
            return sizes
        if not isinstance(input, Table) or not isinstance(sizes, Table) or not names:
            has = f"the inputs {in_backticks(names)}" if names else "a single input"
            help = f"name the input: `--input {names[0]}=3x224x224`" if names else "leave out the name"
            self.diagnostics.append(Diagnostic("E303", f"the spec has {has}", sizes.span, help=help))
            return input or sizes
        for entry in sizes:
            if entry.key in names:
                input = input.replaced([entry.key], entry.value)
            else:
                help = did_you_mean(entry.key, names) or Known.listed("its inputs are", names)
                message = f"the spec has no input `{entry.key}`"
                self.diagnostics.append(Diagnostic("E303", message, entry.key_span, help=help))
        return input


_REPLACED_WHOLE = {
    "input": "input",
    "nodes": "nodes",
    "outputs": "outputs",
    "training_only": "training_only",
    "init": "init",
    "weights": "weights",
}


def _listing(params: Mapping[str, ParamSpec]) -> str:
    return Known.listed("its params are", params) if params else "the spec has no params"


def _specs_below(root: Path) -> list[Path]:
    """YAML files below a folder, for suggestions. Stops early in a large tree."""
    found: list[Path] = []
    for visited, (folder, folders, files) in enumerate(os.walk(root)):
        folders[:] = [name for name in sorted(folders) if not name.startswith((".", "_"))]
        found += [Path(folder) / file for file in sorted(files) if file.endswith(ENDINGS)]
        if visited > 200 or len(found) > 500:
            break
    return found


def _is_file(path: Path) -> bool:
    """Whether the file exists; False for names that the system refuses."""
    try:
        return path.is_file()
    except OSError:
        return False


def _name_of(path: Path) -> str:
    r"""The name of a network, from its file name; invalid UTF-8 becomes `\xff`, since a run's spec.yaml is UTF-8."""
    return path.stem.encode(errors="surrogateescape").decode(errors="backslashreplace")
