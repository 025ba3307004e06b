"""The specs that errors are planted in: the library's that are not mere variants, and the examples of the docs."""

from __future__ import annotations

from functools import cache

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from tests.docs.page import LANGUAGE, TUTORIAL, whole
from tests.library import BLOCKS, NETWORKS
from tests.planted.places import Good

LARGE = 500  # nodes
VARIANT = "\nextends:"


@cache
def corpus() -> tuple[Good, ...]:
    """Good specs of moderate size."""
    goods = [Good(path.name, path.read_text(encoding="utf-8"), path.parent) for path in NETWORKS if path not in BLOCKS]
    goods = [good for good in goods if VARIANT not in good.text]
    for page in (LANGUAGE, TUTORIAL):
        for number, example in enumerate(page.examples()):
            if example.language == "yaml" and "nodes:" in example.text and "import:" not in example.text:
                goods.append(Good(f"{page.path.stem}_{number}.yaml", whole(example.text), page.path.parent))
    return tuple(good for good in goods if _is_good(good))


def _is_good(good: Good) -> bool:
    result = compile_text(Source(good.name, good.text), good.folder)
    return result.ok and result.graph is not None and 3 <= len(result.graph.nodes) <= LARGE
