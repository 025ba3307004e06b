"""Limits of an elaboration, and its diagnostics with the chain of block uses that led to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Cause, Diagnostic, DiagnosticList, Span, has_errors
from cnngraph.elaborate.messages import ProblemError, moved
from cnngraph.elaborate.values import Reads
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import NodeError
from cnngraph.language.model import BlockSpec, LocatedText

MAX_NODES = 50_000
MAX_NESTING = 60
VISITS_PER_NODE = 3
STEPS_PER_NODE = 60  # a dense block with hundreds of iterations needs many; a hostile spec needs millions
SHOWN_USES = 6
MAX_MARKED = 20  # nodes with errors that a drawing shows


class TooLargeError(Exception):
    """The network exceeds a limit; elaboration stops."""

    def __init__(self, code: str, message: str, span: Span, help: str | None = None) -> None:
        super().__init__(message)
        self.problem = ProblemError(code, message, span, help=help)


@frozen
class Use:
    """A use of a block, an iteration of a repeat (`number`), or a rule of `change`, or a network, around a node."""

    block: BlockSpec | None
    number: int
    path: str
    span: Span
    match: LocatedText | None = None
    network: str = ""

    def __str__(self) -> str:
        if self.network:
            return f"in the network `{self.network}`, used as `{self.path}` at {self.span}"
        if self.match is not None:
            return f"`{self.path}` at {self.span} is changed by `match: {self.match}` at {self.match.span}"
        if self.block is not None:
            return f"in block `{self.block.name}`, used as `{self.path}` at {self.span}"
        return f"in `{self.path}`, iteration {self.number} of the repeat at {self.span}"


@dataclass(slots=True, eq=False, repr=False)
class Budget:
    """Limits and diagnostics of one elaboration. `chain` are the uses around the current node, outermost first."""

    max_nodes: int
    at: Span | None  # the place of the last visit
    chain: list[Use] = field(default_factory=list)
    diagnostics: DiagnosticList = field(default_factory=DiagnosticList)
    warnings: dict[Span, Diagnostic] = field(default_factory=dict)  # only reported if there is no error
    repeated: dict[tuple[str, Span], int] = field(default_factory=dict)
    marked: dict[str, NodeError] = field(default_factory=dict)
    visits: int = 0
    steps: int = 0
    instead: Span | None = None  # where errors are reported while a shared module runs again

    # -- bounds

    def visit(self, span: Span, nodes: int, more: int = 0) -> None:
        """Count a visited node. Raises TooLargeError for too many visits, or if there would be too many nodes."""
        self.visits += 1
        self.at = span
        what = None
        if nodes + more > self.max_nodes:
            what = f"{self.max_nodes:,} nodes"
        elif self.visits > self.max_nodes * VISITS_PER_NODE:
            what = f"{self.max_nodes * VISITS_PER_NODE:,} nodes, blocks and iterations, including absent ones"
        if what:
            help = "if this is intended, raise the limit with `--max-nodes`"
            raise TooLargeError("E502", f"the network has more than {what}", span, help)

    def count_steps(self, steps: int) -> None:
        """Count connections, params and list elements that are processed. Raises TooLargeError."""
        self.steps += steps
        if self.steps > self.max_nodes * STEPS_PER_NODE and self.at is not None:
            message = f"elaborating the network takes more than {self.max_nodes * STEPS_PER_NODE:,} steps"
            raise TooLargeError(
                "E502", message, self.at, "use fewer or shorter lists, or raise the limit with `--max-nodes`"
            )

    def enter(self, block: BlockSpec, path: str, span: Span) -> None:
        """Enter a use of a block. Raises ProblemError if it contains itself, TooLargeError if nested too deeply."""
        if any(use.block is block for use in self.chain):
            inside = [use.block for use in self.chain if use.block is not None]
            circle = " → ".join(outer.name.text for outer in (*inside[inside.index(block) :], block))
            message = f"the block `{block.name}` contains itself: {circle}"
            raise ProblemError("E306", message, block.name.span, help="use `repeat` to run a block several times")
        if len(self.chain) >= MAX_NESTING:
            raise TooLargeError("E503", f"blocks are nested more than {MAX_NESTING} levels deep", span)
        self.chain.append(Use(block, 0, path, span))

    def enter_iteration(self, number: int, path: str, span: Span) -> None:
        """Enter an iteration of a repeat."""
        self.chain.append(Use(None, number, path, span))

    def enter_network(self, network: str, path: str, span: Span) -> None:
        """Enter a network that is a node. Raises TooLargeError if nested too deeply."""
        if len(self.chain) >= MAX_NESTING:
            raise TooLargeError("E503", f"networks are nested more than {MAX_NESTING} levels deep", span)
        self.chain.append(Use(None, 0, path, span, network=network))

    def enter_change(self, match: LocatedText, path: str, span: Span) -> None:
        """Enter a node that a rule of `change` matches."""
        self.chain.append(Use(None, 0, path, span, match))

    # -- diagnostics

    @property
    def has_errors(self) -> bool:
        """Whether any diagnostic so far is an error."""
        return has_errors(self.diagnostics)

    def report(self, problem: ProblemError, path: str) -> None:
        """Add an error. The same error in another use of a block is only counted."""
        found = problem.diagnostic if self.instead is None else moved(problem.diagnostic, self.instead)
        assert found.span is not None
        key = (found.code, found.span)
        if key in self.repeated:
            self.repeated[key] += 1
            return
        self.repeated[key] = 0
        if any(diagnostic.code == found.code and diagnostic.span == found.span for diagnostic in self.diagnostics):
            return
        uses = tuple(map(str, reversed(self.chain)))
        if len(uses) > SHOWN_USES:
            uses = (*uses[: SHOWN_USES - 2], f"… {len(uses) - SHOWN_USES + 1} more", uses[-1])
        around = tuple(Cause(use.span) for use in reversed(self.chain))
        causes = (*found.causes, *around)
        self.diagnostics.append(replace(found, node=path or None, notes=(*found.notes, *uses), causes=causes))

    def mark(self, problem: ProblemError | Span, path: str, position: int, reads: Reads | None = None) -> None:
        """Remember a node with an error, for drawings. A span stands for an error that was found in the text before."""
        if len(self.marked) >= MAX_MARKED:
            return
        refs = tuple(ref for value in reads.values for ref in value.refs) if reads else ()
        if isinstance(problem, Span):
            self.marked.setdefault(path, NodeError(path, "", "", problem, refs, position))
            return
        found, path = problem.diagnostic, problem.path or path
        refs = refs if problem.reads is None else problem.reads
        if found.span is not None:
            self.marked.setdefault(path, NodeError(path, found.code, found.message, found.span, refs, position))

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add finished diagnostics."""
        self.diagnostics.extend(diagnostics)

    def warn(self, warning: Diagnostic) -> None:
        """Add a warning, once for its place in the file."""
        assert warning.span is not None
        self.warnings.setdefault(warning.span, warning)

    def result(self) -> tuple[Diagnostic, ...]:
        """All diagnostics in source order, with the number of other uses of a block that have the same error."""
        found = [] if self.has_errors else list(self.warnings.values())
        for diagnostic in self.diagnostics:
            times = self.repeated.get((diagnostic.code, diagnostic.span), 0) if diagnostic.span else 0
            if times:
                more = f"the same error occurs in {times} more {'use' if times == 1 else 'uses'}"
                diagnostic = replace(diagnostic, notes=(*diagnostic.notes, more))
            found.append(diagnostic)
        return tuple(sorted(found, key=lambda item: (item.file or "", item.line or 0, item.column or 0)))
