"""`python -m cnngraph.generate` writes the generated files; with `--check` it only compares them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cnngraph.api.compiling import load
from cnngraph.catalogue import library_page, library_text
from cnngraph.diagnostics import SpecError
from cnngraph.errors_page import errors_page
from cnngraph.experiment_plan.manual import experiment_manual
from cnngraph.language.keys import keys_manual
from cnngraph.lint.manual import lint_manual
from cnngraph.ops.manual import manual
from cnngraph.recipe.manual import recipe_manual
from cnngraph.render import Settings, draw
from cnngraph.schema import spec_schema
from cnngraph.schemas.manual import documents_manual

IMAGES: dict[str, tuple[Any, ...]] = {  # the drawings of the documentation, which names the command of each
    "googlenet_mnist": ("googlenet_mnist", Settings(page="slide")),
    "resnet18": ("resnet18", Settings()),
    "googlenet": ("googlenet", Settings(legend=True)),
    "vgg16_volumes": ("vgg16", Settings(style="volumes")),
    "unet_volumes": ("unet", Settings(style="volumes")),
    "unet": ("unet", Settings()),
    "inception": ("googlenet", Settings(node="inception3a")),
    "resnet34": ("resnet34", Settings()),
    "drn_c_26": ("drn_c_26", Settings()),
    "densenet_block": ("densenet121", Settings(node="features.denseblock1", fold=False, depth=1)),
    "resnet50_fpn": ("resnet50_fpn", Settings()),
    "hrnet": ("hrnet", Settings()),
    "alexnet_error": ("alexnet", Settings(page="slide"), (3, 48, 48)),
}
ROOT = Path(__file__).parent.parent


def schema_text() -> str:
    """The content of cnngraph/schema.json."""
    return json.dumps(spec_schema(), indent=1, ensure_ascii=False) + "\n"


def image(network: str, settings: Settings, input: tuple[int, ...] | None = None) -> str:
    """A drawing of a bundled network, as SVG; up to the error if it does not fit the input."""
    try:
        graph = load(network, input=input)
    except SpecError as error:
        graph = error.valid_part
    return draw(graph, "svg", settings).decode()


FILES: dict[str, Callable[[], str]] = {
    "docs/keys.md": keys_manual,
    "docs/ops.md": manual,
    "docs/recipes.md": recipe_manual,
    "docs/experiments.md": experiment_manual,
    "docs/json.md": documents_manual,
    "docs/errors.md": errors_page,
    "docs/lint.md": lint_manual,
    "cnngraph/schema.json": schema_text,
    "cnngraph/library.json": library_text,
    "specs/README.md": library_page,
    **{f"docs/images/{name}.svg": partial(image, *drawn) for name, drawn in IMAGES.items()},
}


def stale() -> dict[str, str]:
    """The generated files that are out of date, with their new text."""
    texts = {name: make() for name, make in FILES.items()}
    return {name: text for name, text in texts.items() if _text(ROOT / name) != text}


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Write the stale files; with `--check`, only print their names and return 1 if there are any."""
    found, only_checks = stale(), arguments == ["--check"]
    for name, text in found.items():
        print(f"{name} is stale" if only_checks else f"wrote {name}")
        if not only_checks:
            (ROOT / name).write_text(text, encoding="utf-8")
    return 1 if found and only_checks else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
