"""Shell completion: names of networks, recipes, experiments, runs, nodes and parameters, or else files.

A completer receives click's context, which contains the values of the arguments before the one to complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from cnngraph.compilation import Compilation

Completer: TypeAlias = "Callable[[Any, Any, str], list[CompletionItem]]"
RUNS = "runs"  # the default folder of runs


def completer(names: Callable[[Any, str], Iterable[str]], otherwise: str = "file") -> Completer:
    """A completer for the names that start with the typed text, ignoring case.

    If there are none, the shell completes files (`file`), folders (`dir`) or nothing (`plain`).
    """

    def complete(ctx: Any, param: Any, incomplete: str) -> list[CompletionItem]:
        typed = incomplete.lower()
        try:
            found = [CompletionItem(name) for name in names(ctx, incomplete) if name.lower().startswith(typed)]
        except Exception:  # an invalid spec or a missing package; the shell cannot show an error
            found = []
        return found or [CompletionItem(incomplete, type=otherwise)] * (otherwise != "plain")

    return complete


def _networks(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.library import network_files

    return network_files()


def _recipes(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.recipe import recipe_names

    return recipe_names()


def _experiments(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.experiment_plan.reading import experiment_names

    return [*experiment_names(), *_networks(ctx, incomplete)]


def _runs(ctx: Any, incomplete: str) -> Iterable[str]:
    """The runs in the folder `runs` and its subfolders."""
    from pathlib import Path

    from cnngraph.runs.overview import find_runs

    return map(str, find_runs([Path(RUNS)]))


def _trained(ctx: Any, incomplete: str) -> Iterable[str]:
    """Runs; with `--weights torchvision`, networks."""
    return _networks(ctx, incomplete) if _is_published(ctx) else _runs(ctx, incomplete)


def _nodes(ctx: Any, incomplete: str) -> Iterable[str]:
    """The nodes and blocks of the command's network, one level at a time."""
    from cnngraph.run_files import SPEC

    network = _first(ctx) if _is_published(ctx) else f"{_first(ctx)}/{SPEC}"
    depth = incomplete.count(".") + 1
    graph = _compiled(network).graph
    return dict.fromkeys(".".join(node.path.split(".")[:depth]) for node in graph.nodes) if graph else ()


def _parameters(ctx: Any, incomplete: str) -> Iterable[str]:
    """The parameters of the spec and the keys of its recipe, as `--set` takes them: `classes=`, `train.epochs=`."""
    from cnngraph.fields import fields_of
    from cnngraph.recipe import Recipe

    keys = [f"train.{name}=" for name in fields_of(Recipe)]
    spec = _compiled(_first(ctx)).spec
    return [*(f"{name}=" for name in (spec.library.params if spec else ())), *keys]


def _schemas(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.schemas import DOCUMENTS, FILES

    return [*FILES, *DOCUMENTS]


def _ops(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.ops.registry import builtin_ops

    return builtin_ops()


def _codes(ctx: Any, incomplete: str) -> Iterable[str]:
    from cnngraph.lint.codes import all_codes

    return all_codes()


def _devices(ctx: Any, incomplete: str) -> Iterable[str]:
    return ("auto", "cpu", "cuda")


def _weights(ctx: Any, incomplete: str) -> Iterable[str]:
    """The weights that a run contains, and torchvision's."""
    from pathlib import Path

    from cnngraph.run_files import kept_weights

    kept = kept_weights(Path(_first(ctx)))
    return kept if ctx.info_name == "evaluate" else [*kept, "torchvision"]


def _first(ctx: Any) -> str:
    """The first argument. While the value of an option is completed, click has not parsed arguments yet."""
    read = (ctx.params.get(param.name) for param in ctx.command.params if param.param_type_name == "argument")
    values = [*(str(value[0] if isinstance(value, tuple) else value) for value in read if value), *ctx.args]
    return values[0] if values else ""


def _is_published(ctx: Any) -> bool:
    return str(ctx.params.get("weights") or "").startswith("torchvision")


def _compiled(spec: str) -> Compilation:
    from cnngraph.compilation import compile_spec

    return compile_spec(spec)


complete_networks = completer(_networks)
complete_recipes = completer(_recipes)
complete_experiments = completer(_experiments)
complete_runs = completer(_runs, "dir")
complete_trained = completer(_trained, "dir")
complete_nodes = completer(_nodes, "plain")
complete_parameters = completer(_parameters, "plain")
complete_devices = completer(_devices, "plain")
complete_weights = completer(_weights)
complete_codes = completer(_codes, "plain")
complete_schemas = completer(_schemas, "plain")
complete_ops = completer(_ops, "plain")
