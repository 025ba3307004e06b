"""The report of an experiment, as Markdown and as a self-contained HTML page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from cnngraph import atomic_files, text
from cnngraph.experiment.results import Variant, mean_and_std
from cnngraph.experiment_plan.plan import Plan
from cnngraph.numbers import show_count
from cnngraph.train.record.progress import duration

CURVES = "curves.svg"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1e293b; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse; margin: 1.5rem 0 }}
th, td {{ padding: .3rem .9rem; text-align: right; border-bottom: 1px solid #e2e8f0; white-space: nowrap }}
th {{ font-weight: 600; color: #64748b }}
th:first-child, td:first-child {{ text-align: left; padding-left: 0 }}
td {{ font-variant-numeric: tabular-nums }}
svg {{ max-width: 100%; height: auto }}
</style>
<h1>{title}</h1>
{about}
<p>{facts}</p>
{table}
{notes}
{curves}
</html>
"""


def write_report(plan: Plan, variants: Sequence[Variant], root: Path) -> Path:
    """Write report.md, report.html and curves.svg; returns the path of report.html."""
    from cnngraph.experiment.curves import curves_svg

    curves = curves_svg(variants)
    if curves:
        atomic_files.write_text(root / CURVES, curves)
    atomic_files.write_text(root / "report.md", markdown(plan, variants, bool(curves)))
    atomic_files.write_text(root / "report.html", page(plan, variants, curves))
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
    return (
        f"{what} Values are mean ± sample standard deviation over the seeds; bands in the plot show their range. "
        "Time includes training and evaluation."
    )


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


def markdown(plan: Plan, variants: Sequence[Variant], curves: bool) -> str:
    """The report as Markdown."""
    titles = header(variants)
    rows = [titles, *cells(variants)]
    lines = [f"| {' | '.join(map(text.markdown, row))} |\n" for row in rows]
    lines.insert(1, f"| ---{' | ---:' * (len(titles) - 1)} |\n")
    sections = [f"# {text.markdown(plan.name)}\n", f"{text.markdown(_unwrapped(plan.about))}\n" if plan.about else ""]
    sections += [f"{text.markdown(facts(plan, variants))}\n", "".join(lines)]
    sections += [
        f"{notes(variants)}\n",
        _warning_list(plan),
        f"![Learning curves of all variants]({CURVES})\n" if curves else "",
    ]
    return "\n".join(section for section in sections if section)


def _warnings(plan: Plan) -> list[str]:
    """A line for each warning about the networks."""
    return [f"{warning.code} {warning.message} ({warning.span})" for warning in plan.warnings]


def _warning_list(plan: Plan) -> str:
    lines = [f"- {text.markdown(line)}\n" for line in _warnings(plan)]
    return f"Warnings:\n\n{''.join(lines)}" if lines else ""


def page(plan: Plan, variants: Sequence[Variant], curves: str) -> str:
    """The report as an HTML page."""
    head = "".join(f"<th>{_html(title)}</th>" for title in header(variants))
    body = "\n".join(f"<tr>{''.join(f'<td>{_html(cell)}</td>' for cell in row)}</tr>" for row in cells(variants))
    warnings = "".join(f"<li>{_html(line)}</li>" for line in _warnings(plan))
    return PAGE.format(
        title=_html(plan.name),
        about=f"<p>{_html(_unwrapped(plan.about))}</p>" if plan.about else "",
        facts=_html(facts(plan, variants)),
        table=f"<table>\n<tr>{head}</tr>\n{body}\n</table>",
        notes=f"<p>{_html(notes(variants))}</p>" + (f"<p>Warnings:</p><ul>{warnings}</ul>" if warnings else ""),
        curves=re.sub(r"^.*?(?=<svg)", "", curves, flags=re.DOTALL),
    )


def _html(content: str) -> str:
    return escape(text.one_line(content))


def _unwrapped(about: str) -> str:
    return " ".join(about.split())


def _chooses_epoch(variants: Sequence[Variant]) -> bool:
    """Whether any of the runs chooses its best epoch on validation images."""
    return any(run.split == "validation" for variant in variants for run in variant.runs)
