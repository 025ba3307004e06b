"""Misspelt names: replaces the name at an error by a known one, or renames the definition."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cnngraph.diagnostics import Diagnostic, Edit, Question, Span, Suggestion
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.vocabulary import language, plausibility
from cnngraph.fixes.written import TOKEN, Written
from cnngraph.language.keys import BLOCK_KEYS
from cnngraph.language.names import first_name
from cnngraph.nearest import near_words
from cnngraph.ops.elsewhere import ELSEWHERE, NEEDLESS
from cnngraph.ops.registry import absent_op, equivalent_op

MOST_TOKENS = 8  # of an error's place


def spellings(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Replace each name at an error by a similar known one."""
    assert error.span is not None
    text = written.slice(error.span)
    if error.code == "E313" and "." in text and (op := equivalent_op(text)):
        yield Candidate(0.9, Suggestion(op), (Edit(error.span, op),))
    for match in list(TOKEN.finditer(text))[:MOST_TOKENS]:
        token = match[0]
        column = error.span.column + match.start()
        span = written.place(error.span.line, column, column + len(token))
        elsewhere = error.code == "E301" and any(node.name == token for node in written.nodes)
        for cost, name in known_names(written, token):
            cost += 0.7 if elsewhere else 0.0  # it is a valid name elsewhere
            yield Candidate(cost, Suggestion(_as_written(text, match, name)), (Edit(span, name),))
        yield from _definitions(written, token, span, error.code)


def keys(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Replace keys of the node around an error by similar keys of the language."""
    node = written.around(error.span) if error.span else None
    for entry in node.entries if node is not None else ():
        known = BLOCK_KEYS if node is not None and node.op in written.blocks else (*BLOCK_KEYS, *language()[1])
        if entry.key not in known and written.name_counts[entry.key] == 1:
            other = [key for key in ELSEWHERE.get(entry.key.lower(), ()) if key in BLOCK_KEYS]
            for rank, key in enumerate([*other, *near_words(entry.key, BLOCK_KEYS)[:2]]):
                title = Question(f"`{key}` instead of `{entry.key}` at {entry.key_span}")
                yield Candidate(0.9 + 0.1 * rank, title, (Edit(entry.key_span, key),))


def needless(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Remove a parameter that only other libraries need."""
    node = written.around(error.span) if error.span else None
    for entry in node.entries if node is not None else ():
        if entry.key in NEEDLESS and (edit := written.remove_entry(entry)):
            yield Candidate(0.9, f"remove `{entry.key}` at {entry.key_span}", (edit,))


def _as_written(text: str, match: re.Match[str], name: str) -> str:
    """The name with the `$` in front of it, if any."""
    return f"${name}" if text[: match.start()].endswith("$") else name


def known_names(written: Written, token: str) -> Iterator[tuple[float, str]]:
    """The known names that a name may be a misspelling of, with costs."""
    op = equivalent_op(token)
    for rank, name in enumerate((*ELSEWHERE.get(token.lower(), ()), *([op] if op and op != token else ()))):
        yield 1.0 + 0.01 * rank, name
    own = [item for item, times in written.name_counts.items() if item != token and (times > 1 or len(item) > 1)]
    rare = written.name_counts[token] == 1
    for group in (own,) if absent_op(token) is not None else (*language(), own):
        for rank, name in enumerate(near_words(token, [known for known in group if known != token])[:4]):
            yield (1.0 if rare else 1.3) + 0.2 * rank + (0.1 if group is own else 0.0), name


def _defined(written: Written, span: Span, code: str) -> tuple[dict[str, Span], dict[str, Span]]:
    """The names defined at an error: nodes, and others that may have been meant."""
    around = written.around(span)
    scope = around.scope if around else written.top
    nodes = {node.name: node.start for node in reversed(scope.nodes) if node.entry is not None} if scope else {}
    blocks = {name: block.entry.key_span for name, block in written.blocks.items()}
    used = written.blocks.get(around.op) if around else None
    params = {param.key: param.key_span for param in written.params}
    for block in (scope.block if scope else None, used if code != "E402" else None):
        params.update((param.key, param.key_span) for param in (block.params if block else ()))
    if code in ("E301", "E304"):
        return nodes, {}
    return ({}, blocks) if code == "E313" else (nodes, params) if code in ("E402", "E315") else ({}, params)


def _definitions(written: Written, token: str, span: Span, code: str) -> Iterator[Candidate]:
    """Rename a definition to the name that is used: the definition may be the misspelt one."""
    nodes, others = _defined(written, span, code)
    if token in others or (token in nodes and not others):
        return
    places = {**nodes, **others}
    places.pop(token, None)
    for rank, name in enumerate(near_words(token, places)[:3]):
        if token in nodes and (name in nodes or written.name_counts[name] > 1):
            continue  # a node has this name, but perhaps a param was meant to have it
        uses, other_uses = written.name_counts[token], written.name_counts[name]
        cost = 0.5 if uses > 1 and other_uses == 1 else 1.05 if uses >= other_uses else 1.6
        if uses == other_uses == 1:
            cost = 0.9 if plausibility(written, token) > plausibility(written, name) else 1.5
        if code == "E301" and any(node.name == token for node in written.nodes):
            cost = 1.7  # it is the name of a node elsewhere
        title = f"rename `{name}` at {places[name]} to `{token}`"
        yield Candidate(cost + 0.2 * rank, title, (Edit(places[name], token),))


def repeated(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """A duplicate key: remove one, or rename the second to a missing name or a numbered one."""
    assert error.span is not None
    key = written.slice(error.span)
    line = written.lines[error.span.line - 1]
    for match in re.finditer(rf"(?<![\w.]){re.escape(key)}: (\[[^\]]*\]|[^,{{}}\[\]]+)", line):
        start, end = match.start(), match.end()
        if line[end:].startswith(", ") or line[:start].endswith(", "):
            first = (start, end + 2) if line[end:].startswith(", ") else (start - 2, end)
            cost = 1.0 + (0.1 if start + 1 == error.span.column else 0.0) + (0.3 if "$" in match[1] else 0.0)
            edit = Edit(written.place(error.span.line, first[0] + 1, first[1] + 1), "")
            yield Candidate(cost, f"remove `{match[0].strip()}`", (edit,))
    read = [path for node in written.nodes for path in (first_name(str(read.value)) for read in node.reads)]
    names = {node.name for node in written.nodes} | {"in"}
    for rank, name in enumerate(dict.fromkeys(path for path in read if path not in names and TOKEN.fullmatch(path))):
        yield Candidate(0.8 + 0.1 * rank, f"rename this `{key}` to `{name}`", (Edit(error.span, name),))
    stem = key.rstrip("0123456789")
    number = next(index for index in range(2, 10_000) if f"{stem}{index}" not in names)
    yield Candidate(2.5, f"rename this `{key}` to `{stem}{number}`", (Edit(error.span, f"{stem}{number}"),))
