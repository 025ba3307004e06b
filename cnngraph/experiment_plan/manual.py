"""The manual of experiments, `docs/experiments.md`, made of the definitions; `cnngraph.generate` writes it."""

from __future__ import annotations

from cnngraph.experiment_plan.model import Experiment, NetworkEntry
from cnngraph.experiment_plan.reading import experiment_names, load_experiment
from cnngraph.recipe.manual import keys_table

INTRODUCTION = """\
# Experiments

Many runs that are compared, as data. This page is generated from the definitions (`python -m cnngraph.generate`).

```yaml
about: Does depth help, and does it need a smaller rate?
specs:
  - residual_mnist_original
  - {spec: residual_mnist_original, params: {join: conv_shortcut}, label: projected}
  - mine.yaml
recipes: [digits]
seeds: 3
settings:
  train.optimizer.lr: [0.002, 0.0005]
```

`cnngraph experiment FILE` trains every combination, here 3 networks × 2 rates × 3 seeds. It checks all of them before
the first run, and trains them seed by seed, so that all are seen with one before the next. Each run is a folder of its
own in `runs/<experiment>/`, as `cnngraph train` writes it. The same command again keeps what is finished and goes on
with what is not: after Ctrl-C, after a crash, with more seeds. A folder whose run is of another network or recipe than
the file now says is an error. An experiment has at most 1,000 combinations of networks, recipes and settings, and
10,000 runs.

In the end `report.md` and `report.html` (one page that needs no other file) say for each combination the mean and
deviation over the seeds of the accuracy, its parameters, multiply-accumulates and time, with all curves in one picture.

`cnngraph experiment SPEC SPEC... --recipe RECIPE --seeds 3` does the same without a file.

`cnngraph check FILE` compiles every combination and checks whether networks and recipes fit, without PyTorch; an error
that does not hold for all of them lists those for which it does. `--data-dir FOLDER` reads the data, too. `cnngraph
experiment FILE --dry-run` does everything but train: it also looks at the device and the folder, and prints for each
combination how many steps an epoch has and how many of its runs are left.
"""


def experiment_manual() -> str:
    """The whole page."""
    library = ["| experiment | |", "| --- | --- |"]
    library += [f"| `{name}` | {load_experiment(name).experiment.about} |" for name in experiment_names()]
    parts = [INTRODUCTION, "## An experiment\n", keys_table(Experiment)]
    parts += ["## A network in `specs`\n", f"{NetworkEntry.__doc__}\n", keys_table(NetworkEntry)]
    parts += ["## The library\n", "These go by their names: `cnngraph experiment shortcuts_digits`.\n"]
    return "\n".join([*parts, "\n".join(library) + "\n"])
