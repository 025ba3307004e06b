"""The specs that errors are planted in: bundled specs without `extends`, and examples of the docs."""

from __future__ import annotations

from functools import cache

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from tests.docs.page import LANGUAGE, TUTORIAL, completed
from tests.library import BLOCKS, NETWORKS
from tests.planted.places import ValidSpec

MAX_NODES = 500
VARIANT = "\nextends:"


@cache
def corpus() -> tuple[ValidSpec, ...]:
    """Specs of moderate size without errors."""
    specs = [
        ValidSpec(path.name, path.read_text(encoding="utf-8"), path.parent) for path in NETWORKS if path not in BLOCKS
    ]
    specs = [spec for spec in specs if VARIANT not in spec.text]
    for page in (LANGUAGE, TUTORIAL):
        for number, example in enumerate(page.examples()):
            if example.language == "yaml" and "nodes:" in example.text and "import:" not in example.text:
                specs.append(ValidSpec(f"{page.path.stem}_{number}.yaml", completed(example.text), page.path.parent))
    return tuple(spec for spec in specs if _is_valid(spec))


def _is_valid(spec: ValidSpec) -> bool:
    result = compile_text(Source(spec.name, spec.text), spec.folder)
    return result.ok and result.graph is not None and 3 <= len(result.graph.nodes) <= MAX_NODES
