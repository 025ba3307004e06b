"""Merges the params and blocks of a file with those of the file that it extends and of its imports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from cnngraph.diagnostics import Diagnostic, DiagnosticList, Severity, Span, did_you_mean
from cnngraph.document import texts_in
from cnngraph.language.model import BlockSpec, Library, LocatedText, ParamSpec
from cnngraph.language.parse import FileSpec
from cnngraph.language.usage import names_used

MAX_MISSPELT = 50  # new names of a variant that are compared with those it could replace
WRITTEN = re.compile(r"\w+")


def merge_library(file: FileSpec, base: Library, imports: tuple[Library, ...], diagnostics: DiagnosticList) -> Library:
    """Merge a file's params and blocks with those of its base. An ambiguous name is an error."""
    own = {block.name.text: block for block in file.blocks}
    for reference, library in zip(file.imports, imports, strict=True):
        for name in [name for name in library.blocks if name in base.blocks and name not in own]:
            fact = f"one is in `{file.extends}` at {base.blocks[name].name.span}, the other in `{reference}` at "
            _clash(diagnostics, name, reference.span, f"{fact}{library.blocks[name].name.span}")
    imported: dict[str, BlockSpec] = {}
    for library in (*base.imports, *imports):
        for name, block in library.blocks.items():
            if name in imported and imported[name].name.span != block.name.span:
                first = imported[name].name.span
                _clash(diagnostics, name, block.name.span, f"the other one is imported from {first}")
            imported[name] = block
    known = {name: block.name.span for library in base.imports for name, block in library.blocks.items()}
    replaced = {**base.replaced, **{known[name]: name for name in own if name in known}}
    for name, block in own.items():
        if name in imported and name not in base.blocks and imported[name].name.span not in replaced:
            _clash(diagnostics, name, block.name.span, f"the other one is imported from {imported[name].name.span}")
    params = {param.name.text: param for param in file.params}
    _misspelt(diagnostics, file, "block", [definition.name for definition in file.blocks], {**known, **base.blocks})
    _misspelt(diagnostics, file, "param", [param.name for param in file.params], base.params)
    incomplete = base.incomplete or any(library.incomplete for library in imports)
    return Library(
        _merged(base.params, params),
        {**base.blocks, **own},
        (*base.imports, *imports),
        (*base.ignore, *file.ignore),
        replaced,
        incomplete,
    )


def _misspelt(
    diagnostics: DiagnosticList, file: FileSpec, what: str, names: Iterable[LocatedText], known: Mapping[str, object]
) -> None:
    """Warn about a name that overrides nothing in the base and is never used: probably a typo."""
    new = [name for name in names if known and name.text not in known]
    written = Counter(WRITTEN.findall(file.source.text)) if new else {}
    for name in [name for name in new if written[name.text] == 1][:MAX_MISSPELT]:
        help = did_you_mean(name.text, known)
        if help:
            message = f"the {what} `{name}` overrides nothing and is never used"
            note = f"`{file.extends}` has no {what} of that name"
            diagnostics.append(Diagnostic("W318", message, name.span, Severity.WARNING, notes=(note,), help=help))


def _clash(diagnostics: DiagnosticList, name: str, span: Span, fact: str) -> None:
    message = f"the block `{name}` is defined twice"
    diagnostics.append(Diagnostic("E308", message, span, notes=(fact,), help="rename one of them"))


def _merged(base: Mapping[str, ParamSpec], own: Mapping[str, ParamSpec]) -> dict[str, ParamSpec]:
    """The params of a variant in evaluation order: those of the base, each after the params it uses, then new ones."""
    if not base:
        return dict(own)
    known, merged, visited = {**base, **own}, dict[str, ParamSpec](), set[str]()
    for first in known:
        waiting = [first]  # an explicit stack: chains of params may be thousands long
        while waiting:
            name = waiting[-1]
            used = _used(known[name]) if name not in visited and (name in own or len(waiting) > 1) else []
            visited.add(name)
            needed = [other for other in used if other in known and other not in visited]
            if needed:
                waiting += reversed(needed)
            else:
                merged.setdefault(name, known[name])
                waiting.pop()
    return merged


def _used(param: ParamSpec) -> list[str]:
    """The names that a param's value uses."""
    return names_used(texts_in(param.default)) if param.default else []
