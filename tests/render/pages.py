"""Reads the HTML of a page."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from cnngraph.render.page import page
from cnngraph.render.settings import Settings
from tests.render.networks import graph_of

VOID = {"meta", "link", "input"}


@dataclass
class Page(HTMLParser):
    """The elements of a page, and the texts in its scripts, styles and drawings."""

    html: str
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    inside: list[str] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)
        assert not self.inside, f"{self.inside} not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        match self.inside[-1:]:
            case ["script"] if self.tags[-1][1].get("id") == "facts":
                self.data = json.loads(data)
            case ["script"]:
                self.scripts.append(data)
            case ["style"]:
                self.styles.append(data)
            case _:
                self.texts.append(data)

    @property
    def policy(self) -> str:
        return next(a["content"] or "" for tag, a in self.tags if a.get("http-equiv") == "Content-Security-Policy")

    @property
    def network(self) -> dict[str, Any]:
        network: dict[str, Any] = self.data["network"]
        return network

    def opened(self) -> set[str]:
        """The paths of the groups that are open at first, if the settings say so."""
        return {self.network["groups"][number]["path"] for number in self.data["open"]}


def page_of(text: str, **settings: Any) -> Page:
    return Page(page(graph_of(text), Settings(page=None, **settings)))
