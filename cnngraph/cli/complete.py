"""What the shell completes: names that are cheap to find. Where none begins as was typed, files are completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from click.shell_completion import CompletionItem

Completer: TypeAlias = "Callable[[Any, Any, str], list[CompletionItem]]"


def complete_networks(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """The networks of the library, and files."""
    from cnngraph.library import network_files

    return _beginning(network_files(), incomplete)


def complete_schemas(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """The kinds of documents that have a schema."""
    from cnngraph.schemas import DOCUMENTS, FILES

    return _beginning([*FILES, *DOCUMENTS], incomplete)


def complete_codes(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    """The codes of errors and warnings."""
    from cnngraph.lint.codes import all_codes

    return _beginning(all_codes(), incomplete.upper())


def _beginning(names: Iterable[str], incomplete: str) -> list[CompletionItem]:
    """The names that begin so, or what makes the shell complete files."""
    found = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]
