"""The base class of the rules that check a network against its own recipe."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.frozen import frozen
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule

NOTE = "the spec's own recipe cannot train this network"


@frozen(slots=False)
class Misfit(Rule):
    """A network that cannot be trained with its own recipe. This is only a warning, since another recipe may fit it.

    `train` and `experiment` report it as an error, with the same number: E610 for W610.
    """

    needs_recipe: ClassVar[bool] = True

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report, as warnings, the errors that have the number of the rule."""
        if network.recipe is None or network.graph is None or network.chosen:
            return
        for error in network.misfits:
            if error.code[1:] == self.code[1:]:
                yield replace(error, code=self.code, severity=Severity.WARNING, notes=(*error.notes, NOTE))
