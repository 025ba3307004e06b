"""The report of an experiment, as Markdown and as a self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cnngraph import atomic_files, text
from cnngraph.experiment import page as html
from cnngraph.experiment.curves import Curves, all_curves
from cnngraph.experiment.differences import difference, seeds_of
from cnngraph.experiment.drawings import NetworkDrawing, drawings
from cnngraph.experiment.results import Variant, mean_and_std
from cnngraph.experiment_plan.plan import Plan
from cnngraph.numbers import show_count
from cnngraph.run_files import EXPERIMENT_CURVES as CURVES
from cnngraph.train.record.progress import duration


def write_report(plan: Plan, variants: Sequence[Variant], root: Path) -> Path:
    """Write report.md, report.html and curves.svg; returns the path of report.html."""
    curves = all_curves(variants)
    if curves.wide:
        atomic_files.write_text(root / CURVES, curves.wide)
    atomic_files.write_text(root / "report.md", markdown(plan, variants, bool(curves.wide)))
    atomic_files.write_text(root / "report.html", page(plan, variants, curves, drawings(plan)))
    return root / "report.html"


def header(variants: Sequence[Variant]) -> list[str]:
    """The column titles of the table."""
    highest = ["highest epoch"] if not _chooses_epoch(variants) else []
    return ["network", "accuracy", *highest, "parameters", "MACs", "time per run", "runs"]


def cells(variants: Sequence[Variant]) -> list[list[str]]:
    """The rows of the table."""
    chosen = _chooses_epoch(variants)
    return [
        [
            variant.name,
            mean_and_std(variant.accuracies) or "none finished",
            *([] if chosen else [mean_and_std(variant.highest)]),
            f"{variant.parameters:,}",
            show_count(variant.macs),
            duration(variant.seconds) if variant.runs else "",
            f"{len(variant.runs)} of {variant.planned}"
            if len(variant.runs) < variant.planned
            else str(variant.planned),
        ]
        for variant in variants
    ]


def notes(variants: Sequence[Variant]) -> str:
    """A paragraph that explains the metrics."""
    test = any(run.test for variant in variants for run in variant.runs)
    if not _chooses_epoch(variants):
        what = (
            "Accuracy is measured on the test images after the last epoch; no epoch is chosen. The highest epoch is "
            "the one with the highest accuracy on these test images, which papers often report."
        )
    elif test:
        what = (
            "Accuracy is measured on the test images, which are evaluated once, with the weights of the best epoch on "
            "the validation images."
        )
    else:
        what = "Accuracy is that of the best epoch on the validation images, since there are no test images."
    return f"{what} Values are mean ± sample standard deviation over the seeds. Time includes training and evaluation."


def facts(plan: Plan, variants: Sequence[Variant]) -> str:
    """A line with the seeds, recipes, epochs and data of the experiment."""
    seeds = list(dict.fromkeys(trial.seed for trial in plan.trials))
    recipes = list(dict.fromkeys(trial.recipe.name for trial in plan.trials))
    data = list(dict.fromkeys(run.data for variant in variants for run in variant.runs))
    epochs = sorted({trial.recipe.epochs for trial in plan.trials})
    return " · ".join(
        [
            f"{'seeds' if len(seeds) > 1 else 'seed'} {', '.join(map(str, seeds))}",
            f"{'recipes' if len(recipes) > 1 else 'recipe'} {', '.join(recipes)}",
            f"{' or '.join(map(str, epochs))} epoch{'' if epochs == [1] else 's'}",
            *data,
        ]
    )


def seed_rows(variants: Sequence[Variant]) -> list[list[str]]:
    """A table with the accuracy of each run, seed by seed, and the differences to the first variant; its header first.

    Empty if there is only one variant, or no seed.
    """
    seeds = seeds_of(variants)
    if len(variants) < 2 or not seeds:
        return []
    first, *others = variants
    rows = [["network", *(f"seed {seed}" for seed in seeds), f"difference to {first.name}"]]
    for variant in variants:
        accuracies = [_percent(variant.by_seed.get(seed)) for seed in seeds]
        found = difference(variant, first) if variant in others else None
        rows.append([variant.name, *accuracies, str(found) if found else ""])
    return rows


def seed_notes(variants: Sequence[Variant]) -> str:
    """A sentence that explains the differences."""
    several = len(seeds_of(variants)) > 1
    interval = ", with the 95 % confidence interval of Student's t" if several else "; one seed proves little"
    return f"Accuracy in percent. Differences are means over the pairs of runs with the same seed, in points{interval}."


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f}"


def markdown(plan: Plan, variants: Sequence[Variant], curves: bool) -> str:
    """The report as Markdown."""
    by_seed = seed_rows(variants)
    sections = [
        f"# {text.markdown(plan.name)}\n",
        f"{text.markdown(_unwrapped(plan.about))}\n" if plan.about else "",
        f"{text.markdown(facts(plan, variants))}\n",
        _markdown_table([header(variants), *cells(variants)]),
        f"{notes(variants)}\n",
        f"## Seed by seed\n\n{_markdown_table(by_seed)}\n{seed_notes(variants)}\n" if by_seed else "",
        _warning_list(plan),
        f"![Learning curves of all variants]({CURVES})\n" if curves else "",
    ]
    return "\n".join(section for section in sections if section)


def _markdown_table(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(text.markdown, row))} |\n" for row in rows]
    lines.insert(1, f"| ---{' | ---:' * (len(rows[0]) - 1)} |\n")
    return "".join(lines)


def _warnings(plan: Plan) -> list[str]:
    """A line for each warning about the networks."""
    return [f"{warning.code} {warning.message} ({warning.span})" for warning in plan.warnings]


def _warning_list(plan: Plan) -> str:
    lines = [f"- {text.markdown(line)}\n" for line in _warnings(plan)]
    return f"Warnings:\n\n{''.join(lines)}" if lines else ""


def page(plan: Plan, variants: Sequence[Variant], curves: Curves, drawn: Sequence[NetworkDrawing] = ()) -> str:
    """The report as an HTML page."""
    by_seed, warnings = seed_rows(variants), _warnings(plan)
    sections = [
        html.paragraph(_unwrapped(plan.about)),
        html.paragraph(facts(plan, variants)),
        html.table([header(variants), *cells(variants)]),
        html.paragraph(notes(variants)),
        "<p>Warnings:</p>" + html.bullets(warnings) if warnings else "",
        "<h2>Seed by seed</h2>" + html.table(by_seed) + html.paragraph(seed_notes(variants)) if by_seed else "",
        "<h2>Learning curves</h2>" + html.curves_image(curves) if curves.wide else "",
        html.networks(drawn),
    ]
    return html.html_page(plan.name, sections)


def _unwrapped(about: str) -> str:
    return " ".join(about.split())


def _chooses_epoch(variants: Sequence[Variant]) -> bool:
    """Whether any of the runs chooses its best epoch on validation images."""
    return any(run.split == "validation" for variant in variants for run in variant.runs)
