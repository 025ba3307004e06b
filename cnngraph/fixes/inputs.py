"""Wrong sizes of the network's input."""

from __future__ import annotations

from collections.abc import Iterator

from cnngraph.diagnostics import Edit, Question
from cnngraph.elaborate.elaborate import starts_with_batch
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.written import Written

FACTORS = (2, 4, 8, 16, 32)


def inputs(written: Written) -> Iterator[Candidate]:
    """Other sizes for the input: without a batch axis, with an added axis, or divisible ones."""
    entry = written.document.get("input") if written.document else None
    sizes = entry.value.plain() if entry else None
    if isinstance(sizes, list) and len(sizes) == 4 and type(sizes[0]) is not int:
        sizes = [1, *sizes[1:]]  # any batch size
    if entry is None or not isinstance(sizes, list) or not all(type(size) is int for size in sizes):
        return
    numbers = [size for size in sizes if isinstance(size, int)]
    for cost, new in _others(numbers):
        text = f"[{', '.join(map(str, new))}]"
        yield Candidate(cost, Question(f"`input: {text}` at {entry.key_span}"), (Edit(entry.value.span, text),))


def _others(sizes: list[int]) -> Iterator[tuple[float, list[int]]]:
    match sizes:
        case [_, c, h, w] if starts_with_batch([*sizes]):
            yield 0.5, [c, h, w]
        case [a, b] if a == b:
            yield 0.8, [3, a, b]
            yield 0.9, [1, a, b]
        case [c, side] if c > 1:
            yield 0.8, [c, side, side]
        case [1, side]:
            yield 0.8, [1, 1, side] if side > 64 else [1, side, side]  # a signal, or the digits
        case [c, h, w] if min(h, w) < 1:
            yield 0.8, [c, max(h, w), max(h, w)]
        case [h, w, c] if c in (1, 3, 4) and h > 4:
            yield 0.9, [c, h, w]
        case [c, h, w]:
            if h != w:
                yield 1.9, [c, max(h, w), max(h, w)]
            for rank, factor in enumerate(FACTORS):
                if h % factor or w % factor:
                    yield 1.9 + 0.1 * rank, [c, max(1, h // factor) * factor, max(1, w // factor) * factor]
                    yield 2.0 + 0.1 * rank, [c, -(-h // factor) * factor, -(-w // factor) * factor]
