"""Hooks of the documentation site: links that leave docs/ lead to the repository, or are plain text without one."""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(((?!\w+:|#)[^)#\s]+)(#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Rewrite the links of a page outside of its code."""
    pieces, end = [], 0
    for fence in FENCE.finditer(markdown):
        pieces += [_rewritten(markdown[end : fence.start()], page, config), fence[0]]
        end = fence.end()
    return "".join([*pieces, _rewritten(markdown[end:], page, config)])


def _rewritten(text: str, page: Any, config: Any) -> str:
    folder = posixpath.dirname(page.file.src_uri)

    def link(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, found[2]))
        if target.startswith("docs/"):
            return found[0]
        return f"[{found[1]}]({config.repo_url}/blob/main/{target})" if config.repo_url else found[1]

    return LINK.sub(link, text)
