"""An entry of the table of codes, and helpers to write its examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from inspect import cleandoc

from cnngraph.frozen import frozen

SPEC_FILE = "network.yaml"


@frozen
class Example:
    """Files in an empty folder and the commands to run there, of which the last one shows the point.

    A command is a shell command line. Files with bytes are images, which are counted rather than shown.
    """

    files: Mapping[str, str | bytes]
    commands: tuple[str, ...]

    @property
    def texts(self) -> dict[str, str]:
        """The files that can be shown."""
        return {name: content for name, content in self.files.items() if isinstance(content, str)}

    @property
    def images(self) -> dict[str, int]:
        """How many images there are in each folder."""
        return Counter(name.rpartition("/")[0] for name, content in self.files.items() if isinstance(content, bytes))

    def changed_from(self, other: Example) -> dict[str, str]:
        """The files that can be shown and are not the same in another example."""
        return {name: content for name, content in self.texts.items() if other.files.get(name) != content}

    def to_dict(self) -> dict[str, object]:
        """What `cnngraph explain --format json` prints; of images only how many there are in each folder."""
        return {"files": self.texts, "images": self.images, "commands": list(self.commands)}


@frozen
class Code:
    """One code with its explanation and examples.

    `title` is a noun phrase. `explanation` is Markdown with one paragraph in each item: what it means, why it is
    an error, how to fix it. `wrong` makes cnngraph report the code and no other error, `right` is the same example
    fixed. If no script can cause it, `without_example` is the reason and `test` the test that covers it.
    """

    code: str
    title: str
    explanation: tuple[str, ...]
    wrong: Example | None = None
    right: Example | None = None
    without_example: str = ""
    test: str = ""

    @property
    def severity(self) -> str:
        """`error` or `warning`: the code's first letter."""
        return "warning" if self.code.startswith("W") else "error"

    def to_dict(self) -> dict[str, object]:
        """What `cnngraph explain --format json` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "title": self.title,
            "explanation": list(self.explanation),
            "wrong": self.wrong.to_dict() if self.wrong else None,
            "right": self.right.to_dict() if self.right else None,
        }


@frozen
class Group:
    """Codes of one subject."""

    title: str
    codes: tuple[Code, ...] = field(repr=False)


def code(
    name: str,
    title: str,
    explanation: str,
    wrong: Example | None = None,
    right: Example | None = None,
    *,
    without_example: str = "",
    test: str = "",
) -> Code:
    """An entry; an empty line in `explanation` starts a paragraph."""
    paragraphs = tuple(" ".join(paragraph.split()) for paragraph in cleandoc(explanation).split("\n\n"))
    return Code(name, title, paragraphs, wrong, right, without_example, test)


def text(content: str) -> str:
    """A file's text, written with the indentation of the code around it."""
    return cleandoc(content) + "\n"


def spec(content: str, *arguments: str, **files: str) -> Example:
    """A spec that is checked with these arguments, beside other files: `lib_yaml` stands for lib.yaml."""
    command = " ".join(("cnngraph check", SPEC_FILE, *arguments))
    return Example({SPEC_FILE: text(content), **_named(files)}, (command,))


def project(*commands: str, **files: str) -> Example:
    """Files with commands of their own: `network_yaml` stands for network.yaml."""
    return Example(_named(files), commands)


def _named(files: Mapping[str, str]) -> dict[str, str]:
    return {".".join(name.rsplit("_", 1)): text(content) for name, content in files.items()}
