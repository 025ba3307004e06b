"""The report of an experiment, as Markdown and as a page of HTML that needs no other file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from cnngraph import files, text
from cnngraph.experiment.results import Variant, spread
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
    """Write report.md, report.html and the picture of the curves; the page."""
    from cnngraph.experiment.curves import curves_svg

    curves = curves_svg(variants)
    if curves:
        files.write_text(root / CURVES, curves)
    files.write_text(root / "report.md", markdown(plan, variants, bool(curves)))
    files.write_text(root / "report.html", page(plan, variants, curves))
    return root / "report.html"


def header(variants: Sequence[Variant]) -> list[str]:
    """The titles of the table's columns."""
    highest = ["highest epoch"] if not _chosen(variants) else []
    return ["network", "accuracy", *highest, "parameters", "MACs", "time a run", "runs"]


def cells(variants: Sequence[Variant]) -> list[list[str]]:
    """The table's rows."""
    chosen = _chosen(variants)
    return [
        [
            each.name,
            spread(each.accuracies) or "none finished",
            *([] if chosen else [spread(each.highest)]),
            f"{each.parameters:,}",
            show_count(each.macs),
            duration(each.seconds) if each.runs else "",
            str(each.planned) if len(each.runs) == each.planned else f"{len(each.runs)} of {each.planned}",
        ]
        for each in variants
    ]


def notes(variants: Sequence[Variant]) -> str:
    """What the figures mean."""
    test = any(each.test for variant in variants for each in variant.runs)
    if not _chosen(variants):
        what = (
            "Accuracy is that on the test images after the last epoch: nothing is chosen. The highest of all epochs "
            "is chosen on the test images themselves, as papers often report it."
        )
    elif test:
        what = (
            "Accuracy is that on the test images, which are looked at once, with the weights of the epoch that was the "
            "best one on the validation images."
        )
    else:
        what = "Accuracy is that of the best epoch on the validation images; there are no test images."
    return (
        f"{what} Mean ± sample deviation over the seeds; in the picture the bands reach from the least to the most. "
        "Time is that of training and evaluation together."
    )


def facts(plan: Plan, variants: Sequence[Variant]) -> str:
    """What is the same for all: seeds, recipes, data and machine."""
    seeds = list(dict.fromkeys(each.seed for each in plan.trials))
    recipes = list(dict.fromkeys(each.recipe.name for each in plan.trials))
    data = list(dict.fromkeys(each.data for variant in variants for each in variant.runs))
    epochs = sorted({each.recipe.epochs for each in plan.trials})
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
    parts = [f"# {text.markdown(plan.name)}\n", f"{text.markdown(_unwrapped(plan.about))}\n" if plan.about else ""]
    parts += [f"{text.markdown(facts(plan, variants))}\n", "".join(lines)]
    parts += [f"{notes(variants)}\n", _listed(plan), f"![The curves of all runs]({CURVES})\n" if curves else ""]
    return "\n".join(each for each in parts if each)


def _warnings(plan: Plan) -> list[str]:
    """A line for each warning about the networks."""
    return [f"{each.code} {each.message} ({each.span})" for each in plan.warnings]


def _listed(plan: Plan) -> str:
    lines = [f"- {text.markdown(each)}\n" for each in _warnings(plan)]
    return f"Warnings:\n\n{''.join(lines)}" if lines else ""


def page(plan: Plan, variants: Sequence[Variant], curves: str) -> str:
    """The report as one page of HTML."""
    head = "".join(f"<th>{_html(each)}</th>" for each in header(variants))
    body = "\n".join(f"<tr>{''.join(f'<td>{_html(each)}</td>' for each in row)}</tr>" for row in cells(variants))
    warnings = "".join(f"<li>{_html(each)}</li>" for each in _warnings(plan))
    return PAGE.format(
        title=_html(plan.name),
        about=f"<p>{_html(_unwrapped(plan.about))}</p>" if plan.about else "",
        facts=_html(facts(plan, variants)),
        table=f"<table>\n<tr>{head}</tr>\n{body}\n</table>",
        notes=f"<p>{_html(notes(variants))}</p>" + (f"<p>Warnings:</p><ul>{warnings}</ul>" if warnings else ""),
        curves=re.sub(r"^.*?(?=<svg)", "", curves, flags=re.DOTALL),
    )


def _html(name: str) -> str:
    return escape(text.one_line(name))


def _unwrapped(about: str) -> str:
    return " ".join(about.split())


def _chosen(variants: Sequence[Variant]) -> bool:
    """Whether the best epoch is chosen on images put aside, in any of the runs."""
    return any(each.split == "validation" for variant in variants for each in variant.runs)
