"""The manual of experiments, `docs/experiments.md`, generated from the definitions by `python -m cnngraph.generate`."""

from __future__ import annotations

from cnngraph.experiment_plan.model import Experiment, NetworkEntry
from cnngraph.experiment_plan.reading import experiment_names, load_experiment
from cnngraph.recipe.manual import keys_table

INTRODUCTION = """\
# Experiments

An experiment is a file that lists runs to compare. This page is generated from the definitions (`python -m
cnngraph.generate`).

```yaml
about: Does a projected shortcut help, and does it need a smaller learning rate?
specs:
  - residual_mnist_original
  - {spec: residual_mnist_original, params: {join: conv_shortcut}, label: projected}
  - mine.yaml
recipes: [digits]
seeds: 3
settings:
  train.optimizer.lr: [0.002, 0.0005]
```

`cnngraph experiment FILE` trains every combination, here 3 networks × 2 learning rates × 3 seeds. It checks all of them
before the first run, and trains them seed by seed, so that all combinations have a result for the first seed early.
Each run has a folder in `runs/<experiment>/`, as written by `cnngraph train`. Running the same command again keeps
finished runs and continues the others: after Ctrl-C, after a crash, or with more seeds. If the folder contains a run of
another network or recipe than the file, this is an error. An experiment has at most 1,000 combinations of networks,
recipes and settings, and 10,000 runs.

At the end, `report.md` and `report.html` (a single self-contained page) list for each combination the mean and standard
deviation of the accuracy over the seeds, parameters, multiply-accumulates and time, then the accuracies seed by seed
with the paired differences to the first combination and their 95 % confidence intervals (Student's t over the seeds),
and a picture: the mean curves with those of each seed, and the accuracy of each run. The page also has drawings of up
to 12 networks. It fits the screen of a phone, and has a dark mode.

With `weights`, every run starts from these weights instead of random ones, and with `from` they are adapted to each
network as by `cnngraph migrate` ([guide](guide/migration.md)). The keys have the names and meanings of the options of
`cnngraph train`; those of a network in `specs` override them for this network, and `weights: none` makes it start from
random weights. Files are relative to the experiment's folder. This fine-tunes three variants of a trained network, and
trains one from scratch:

```yaml
weights: runs/plain-1/best.safetensors
from: plain.yaml
specs:
  - plain.yaml
  - with_gates.yaml
  - wider.yaml
  - {spec: wider.yaml, weights: none, label: from scratch}
recipes: [mine.yaml]
```

All weights are checked before the first run, and a network that could keep none of them is an error. A run that was
started from other weights than the file says is an error as well; a run that was interrupted resumes from its own
checkpoint.

`cnngraph experiment SPEC SPEC... --recipe RECIPE --seeds 3` does the same without a file.

`cnngraph check FILE` compiles every combination and checks whether networks and recipes fit, without PyTorch; an error
that does not occur in all of them lists those in which it occurs. `--data-dir FOLDER` also reads the data. `cnngraph
experiment FILE --dry-run` does everything but train: it also checks the device and the folder, and prints for each
combination the number of steps per epoch and of remaining runs.
"""


def experiment_manual() -> str:
    """The whole page."""
    library = ["| experiment | description |", "| --- | --- |"]
    library += [f"| `{name}` | {load_experiment(name).experiment.about} |" for name in experiment_names()]
    parts = [INTRODUCTION, "## An experiment\n", keys_table(Experiment)]
    parts += ["## A network in `specs`\n", f"{NetworkEntry.__doc__}\n", keys_table(NetworkEntry)]
    parts += ["## Bundled experiments\n", "They are referred to by name: `cnngraph experiment shortcuts_digits`.\n"]
    return "\n".join([*parts, "\n".join(library) + "\n"])
