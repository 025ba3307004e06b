"""Chooses among the weights of a checkpoint: which of its mappings, and under which prefix, a network can load.

Training scripts store several sets of weights (`model` and `model_ema`, `student` and `teacher`), and wrap modules so
that keys get prefixes. A candidate is a mapping with a prefix; that from which a network can load most is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from cnngraph.backend.weights.renames import Renames
from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen

Shape = tuple[int, ...]

BOOKKEEPING = ("n_averaged", "total_ops", "total_params")  # counters of torch's AveragedModel and of thop, not weights
PREFIXES = ("module", "_orig_mod")  # of parallel training and of torch.compile: ignored for every network
INSIDE = frozenset((*PREFIXES, "_fsdp_wrapped_module", "_checkpoint_wrapped_module"))  # wrap inner modules, too
WRAPPERS = INSIDE | {  # names that training scripts give to the attribute with the network
    *("model", "net", "network", "backbone", "encoder", "student", "teacher", "generator", "discriminator"),
    *("ema", "ema_model", "model_ema", "encoder_q", "encoder_k", "base_encoder", "momentum_encoder"),
    *("online_encoder", "online_network", "target_encoder", "target_network", "_forward_module"),
}
AVERAGED = re.compile(r"ema|swa|averag|shadow", re.IGNORECASE)
MAX_PREFIX_DEPTH, MAX_PREFIXES = 8, 24  # of a file, which may be untrusted
MAX_CANDIDATES = 48
MAX_WORK = 2_000_000  # keys that are compared


@frozen
class Table:
    """The weights in one mapping of a file. `found_in` are the keys of the mappings around it."""

    found_in: tuple[str, ...]
    shapes: Mapping[str, Shape]


@frozen
class View:
    """The weights of one table without a prefix; with `inner` also without the names of wrappers inside of keys."""

    table: Table
    prefix: str = ""
    inner: bool = False

    @property
    def label(self) -> str:
        """How a person selects it: `model_ema`, or `state_dict.student` for a prefix inside of state_dict."""
        return ".".join((*self.table.found_in, *filter(None, [self.prefix.rstrip(".")])))

    def bare(self, key: str) -> str:
        """The key without the prefix."""
        key = key.removeprefix(self.prefix)
        if self.inner:
            return ".".join(part for part in key.split(".") if part not in INSIDE)
        return key

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all weights by their keys without the prefix."""
        return {self.bare(key): shape for key, shape in self.table.shapes.items()}


def plain_view(table: Table) -> View:
    """The table without what parallel training and torch.compile put before all keys."""
    return View(table, _common_prefix([key for key in table.shapes if not is_bookkeeping(key)] or list(table.shapes)))


def choose(
    tables: Sequence[Table],
    default: View | None,
    expected: Mapping[str, Shape],
    renames: Mapping[str, str],
    name: str,
    selected: str = "",
) -> tuple[View, tuple[View, ...]]:
    """The candidate from which a network can load most, and others from which it could load as much.

    `default` is taken if nothing fits. Of equal candidates one that is not a moving average is taken. Raises SpecError
    (E704) if none is, or if there is no candidate of the name `selected`.
    """
    candidates = list(islice((view for table in tables for view in _views(table)), MAX_CANDIDATES))
    if selected:
        candidates = [view for view in candidates if view.label == selected] or [
            view for view in candidates if view.label.rpartition(".")[2] == selected
        ]
        if not candidates:
            raise _not_there(tables, name, selected)
        default = default if default in candidates else candidates[0]
    rules, best = Renames(renames), 0
    fitting: list[tuple[View, frozenset[str]]] = []
    work = 0
    for view in candidates:
        work += len(view.table.shapes)
        if work > MAX_WORK and fitting:
            break
        used = _used(view, expected, rules)
        if len(used) > best:
            best, fitting = len(used), []
        if best and len(used) == best and all((view.table, used) != (other.table, keys) for other, keys in fitting):
            fitting.append((view, used))
    views = [view for view, _ in fitting]
    if not views:
        if default is None:
            raise several_sets(tables, name)
        return default, ()
    chosen = _preferred(views)
    if chosen is None:
        raise several_sets([view.table for view in views], name, views)
    return chosen, tuple(view for view in views if view is not chosen)


def several_sets(tables: Sequence[Table], name: str, views: Sequence[View] = ()) -> SpecError:
    """The error for a file with several sets of weights, none of which is clearly the one."""
    views = views or [View(table) for table in tables]
    shown = [f"{view.label!r} ({_size(view):,} tensors)" for view in views[:8]]
    more = f" and {len(views) - 8:,} more" if len(views) > 8 else ""
    message = f"{name} contains several sets of weights{' that fit' if len(views) > 1 and views[0].prefix else ''}"
    return SpecError.of(
        "E704",
        f"{message}: {', '.join(shown)}{more}",
        help=f"choose one of them by its name: `{name}:{views[0].label}`",
    )


def is_bookkeeping(key: str) -> bool:
    """Whether a key is a counter that a tool stored among the weights."""
    return key.rpartition(".")[2] in BOOKKEEPING


def _not_there(tables: Sequence[Table], name: str, selected: str) -> SpecError:
    labels = list(dict.fromkeys(view.label for table in tables for view in _views(table) if view.label))[:8]
    help = f"choose one of {', '.join(labels)}" if labels else f"it has one set of weights: use `{name}`"
    return SpecError.of("E704", f"{name} has no weights under `{selected}`", help=help)


def _size(view: View) -> int:
    return sum(key.startswith(view.prefix) for key in view.table.shapes)


def _preferred(views: list[View]) -> View | None:
    """The only candidate, or the only one that is not a moving average of another."""
    if len(views) == 1:
        return views[0]
    raw = [view for view in views if not AVERAGED.search(view.label)]
    return raw[0] if len(raw) == 1 else None


def _used(view: View, expected: Mapping[str, Shape], renames: Renames) -> frozenset[str]:
    """The keys of the file that the network would load. Empty if two keys would become the same."""
    used, seen = set(), set()
    for key, shape in view.table.shapes.items():
        bare = view.bare(key)
        if bare in seen and not is_bookkeeping(key):
            return frozenset()
        seen.add(bare)
        if expected.get(renames.new(bare)) == shape:
            used.add(key)
    return frozenset(used)


def _views(table: Table) -> Iterator[View]:
    """The table with every prefix that consists of names of wrappers; the common one of all keys comes first."""
    plain = plain_view(table)
    inner = any(part in INSIDE for key in table.shapes for part in key.split("."))
    prefixes = dict.fromkeys((plain.prefix, "", *_prefixes(table.shapes)))
    for prefix in prefixes:
        yield View(table, prefix)
        if inner:
            yield View(table, prefix, inner=True)


def _prefixes(keys: Iterable[str]) -> Iterator[str]:
    """`model.` and `model.backbone.` of `model.backbone.conv.weight`, those of most keys first."""
    counts: Counter[str] = Counter()
    for key in keys:
        prefix = ""
        for part in key.split(".", MAX_PREFIX_DEPTH)[:MAX_PREFIX_DEPTH]:
            if part not in WRAPPERS:
                break
            prefix += f"{part}."
            counts[prefix] += 1
    return (prefix for prefix, _ in counts.most_common(MAX_PREFIXES))


def _common_prefix(keys: list[str]) -> str:
    """The longest common prefix of all keys that consists of prefixes added by wrappers."""
    prefix = ""
    while True:
        more = next((f"{known}." for known in PREFIXES if all(key.startswith(f"{prefix}{known}.") for key in keys)), "")
        if not more:
            return prefix
        prefix += more
