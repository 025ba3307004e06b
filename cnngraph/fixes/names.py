"""Misspelt names: replaces the word at an error by a known one, or renames the definition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cnngraph.diagnostics import Diagnostic, Edit, Question, Span, Suggestion
from cnngraph.fields import Choice, Either, Kind, Optional, fields_of
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.written import TOKEN, Written
from cnngraph.language.expressions.functions import FUNCTIONS
from cnngraph.language.expressions.values import SHAPE_WORDS
from cnngraph.language.keys import BLOCK_KEYS, FILE_KEYS
from cnngraph.nearest import near_words
from cnngraph.ops.elsewhere import ELSEWHERE, NEEDLESS
from cnngraph.ops.registry import builtin_ops, called

MOST_TOKENS = 8  # of an error's place


@cache
def language() -> tuple[tuple[str, ...], ...]:
    """The names of the language in groups: ops, keys, and others."""
    kinds = [field.kind for op in builtin_ops().values() for field in fields_of(op).values()]
    choices = [option for kind in kinds for option in _choices(kind)]
    keys = [*BLOCK_KEYS, *FILE_KEYS, *(name for op in builtin_ops().values() for name in fields_of(op))]
    others = [*choices, *SHAPE_WORDS, *FUNCTIONS, "true", "false", "null", "and", "or", "not", "if", "else", "in"]
    groups = (list(builtin_ops()), keys, [*others, "from", "item", "last", "concat", "none"])
    return tuple(tuple(dict.fromkeys(group)) for group in groups)


def _choices(kind: Kind) -> Iterator[str]:
    if isinstance(kind, Choice):
        yield from kind.options
    elif isinstance(kind, Either):
        for option in kind.kinds:
            yield from _choices(option)
    elif isinstance(kind, Optional):
        yield from _choices(kind.kind)


def spellings(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Replace each word at an error by a similar known one."""
    assert error.span is not None
    text = written.slice(error.span)
    if error.code == "E313" and "." in text and (op := called(text)):
        yield Candidate(0.9, Suggestion(op), (Edit(error.span, op),))
    for match in list(TOKEN.finditer(text))[:MOST_TOKENS]:
        token = match[0]
        column = error.span.column + match.start()
        span = written.place(error.span.line, column, column + len(token))
        elsewhere = error.code == "E301" and any(node.name == token for node in written.nodes)
        for cost, word in known_words(written, token):
            cost += 0.7 if elsewhere else 0.0  # it is a valid name elsewhere
            yield Candidate(cost, Suggestion(_as_written(text, match, word)), (Edit(span, word),))
        yield from _definitions(written, token, span, error.code)


def keys(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Replace keys of the node around an error by similar keys of the language."""
    node = written.around(error.span) if error.span else None
    for entry in node.entries if node is not None else ():
        known = BLOCK_KEYS if node is not None and node.op in written.blocks else (*BLOCK_KEYS, *language()[1])
        if entry.key not in known and written.words[entry.key] == 1:
            other = [word for word in ELSEWHERE.get(entry.key.lower(), ()) if word in BLOCK_KEYS]
            for rank, word in enumerate([*other, *near_words(entry.key, BLOCK_KEYS)[:2]]):
                title = Question(f"`{word}` instead of `{entry.key}` at {entry.key_span}")
                yield Candidate(0.9 + 0.1 * rank, title, (Edit(entry.key_span, word),))


def needless(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Remove a parameter that only other libraries need."""
    node = written.around(error.span) if error.span else None
    for entry in node.entries if node is not None else ():
        if entry.key in NEEDLESS and (edit := written.remove_entry(entry)):
            yield Candidate(0.9, f"remove `{entry.key}` at {entry.key_span}", (edit,))


def _as_written(text: str, match: re.Match[str], word: str) -> str:
    """The word with the `$` in front of it, if any."""
    return f"${word}" if text[: match.start()].endswith("$") else word


def known_words(written: Written, token: str) -> Iterator[tuple[float, str]]:
    """The names that a word may be a misspelling of, with costs."""
    op = called(token)
    for rank, word in enumerate((*ELSEWHERE.get(token.lower(), ()), *([op] if op and op != token else ()))):
        yield 1.0 + 0.01 * rank, word
    own = [item for item, times in written.words.items() if item != token and (times > 1 or len(item) > 1)]
    rare = written.words[token] == 1
    for group in (*language(), own):
        for rank, word in enumerate(near_words(token, [known for known in group if known != token])[:4]):
            yield (1.0 if rare else 1.3) + 0.2 * rank + (0.1 if group is own else 0.0), word


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
        if token in nodes and (name in nodes or written.words[name] > 1):
            continue  # a node has this name, but perhaps a param was meant to have it
        asked, defined = written.words[token], written.words[name]
        cost = 0.5 if asked > 1 and defined == 1 else 1.05 if asked >= defined else 1.6
        if asked == defined == 1:
            cost = 0.9 if plausible(written, token) > plausible(written, name) else 1.5
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
        whole = line[end:].startswith(", ") or line[:start].endswith(", ")
        if whole:
            first = (start, end + 2) if line[end:].startswith(", ") else (start - 2, end)
            cost = 1.0 + (0.1 if start + 1 == error.span.column else 0.0) + (0.3 if "$" in match[1] else 0.0)
            edit = Edit(written.place(error.span.line, first[0] + 1, first[1] + 1), "")
            yield Candidate(cost, f"remove `{match[0].strip()}`", (edit,))
    asked = [path for node in written.nodes for path in (str(read.value).partition(".")[0] for read in node.reads)]
    names = {node.name for node in written.nodes} | {"in"}
    for rank, name in enumerate(dict.fromkeys(path for path in asked if path not in names and TOKEN.fullmatch(path))):
        yield Candidate(0.8 + 0.1 * rank, f"rename this `{key}` to `{name}`", (Edit(error.span, name),))
    stem = key.rstrip("0123456789")
    number = next(index for index in range(2, 10_000) if f"{stem}{index}" not in names)
    yield Candidate(2.5, f"rename this `{key}` to `{stem}{number}`", (Edit(error.span, f"{stem}{number}"),))


_COMMON = (
    "conv bn relu pool fc layer layers features classifier branch stage up down skip shortcut downsample head "
    "stem norm act proj concat add flatten dropout block unit in out x y a b c width depth kernel stride channels "
    "expand reduce squeeze excite se gate scale mix split merge left right top main body first last classes units "
    "hidden dense linear residual transition project identity chain half halve halves names rows input output "
    "outputs logits aux maps near point depthwise pointwise basic bottleneck groups growth rate level scales base "
    "small large path parts sum join far old new deep wide farther context guide trunk refine widen shrink eye "
    "view fuse attend weigh encoder decoder "
)


@cache
def vocabulary() -> frozenset[str]:
    """Common words of the field, of the language and of the ops' manuals."""
    texts = [
        text for op in builtin_ops().values() for text in (op.__doc__ or "", *(f.doc for f in fields_of(op).values()))
    ]
    words = {word.lower() for text in texts for word in re.findall(r"[A-Za-z]{2,}", text)}
    return frozenset(
        words | set(_COMMON.split()) | {part for group in language() for word in group for part in word.split("_")}
    )


@cache
def _pairs() -> frozenset[str]:
    """All pairs of adjacent letters in the vocabulary."""
    return frozenset(word[at : at + 2] for word in vocabulary() for at in range(len(word) - 1))


def plausible(written: Written, name: str) -> float:
    """How plausible a name is: known words count fully, others by the share of common letter pairs."""
    parts = [part for part in re.split(r"[_\d]+", name.lower()) if part]
    others = {part for word in written.words if word != name for part in re.split(r"[_\d]+", word.lower())}
    scores = []
    for part in parts:
        pairs = [part[at : at + 2] for at in range(len(part) - 1)]
        known = part in others or not vocabulary().isdisjoint((part, part.removesuffix("s")))
        scores.append(1.0 if known else 0.8 * sum(pair in _pairs() for pair in pairs) / max(1, len(pairs)))
    return sum(scores) / len(scores) if scores else 1.0
