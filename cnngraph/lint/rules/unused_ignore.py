"""W400: an `ignore` that suppresses nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Fix, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.lint.edits import remove_key
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule
from cnngraph.lint.selection import known_codes, where_reported


@frozen(slots=False)
class UnusedIgnore(Rule):
    """An entry of `ignore` that suppresses no warning: the cause was fixed, or its code is misspelled.

    It would hide the next warning with this code, and its reason misleads readers. Only entries in the spec's own
    file are reported, and none if `--set` or `--input` changes the network. Remove the entry.
    """

    code: ClassVar[str] = "W400"
    title: ClassVar[str] = "ignore that suppresses nothing"
    is_last: ClassVar[bool] = True
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        nodes: [relu]
        ignore: {W401: the list has one tensor}
        """,
        """
        input: [3, 8, 8]
        nodes:
          act: {op: relu, ignore: {W403: it is narrow}}
          conv: {op: conv, out: 8, kernel: 3}
        """,
        """
        input: [3, 8, 8]
        nodes: [relu]
        ignore: {W999: there is no such warning}
        """,
        """
        input: [3, 8, 8]
        nodes: [relu]
        ignore: {W620: the images are all alike}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [3, 8, 8]
        nodes: [{op: concat, ignore: {W401: more branches are to come}}]
        """,
        """
        input: [28, 28, 1]
        nodes: [relu]
        ignore:
          W403: 28 sensors, each with a line of 28 values
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each entry that was not used."""
        for entry in network.unused_ignores:
            code = entry.code.text
            edit = remove_key(network.text, "ignore", entry.code.span)
            message, help = f"unused `ignore`: `{code}` is not reported here", "remove the entry"
            if where := where_reported(code):
                message = f"`{code}` cannot be ignored in a spec: {where}"
            elif code not in known_codes():
                message = f"no spec warning has the code `{code}`"
                help = did_you_mean(code, known_codes()) or help
            fixes = [Fix(f"remove `{code}`", (edit,))] if edit else []
            yield self.warning(message, entry.code.span, help=help, fixes=fixes)
