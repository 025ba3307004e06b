"""The manual of recipes, `docs/recipes.md`, made of the definitions; `python -m cnngraph.generate` writes it."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from cnngraph.fields import Field, Kind, ListOf, fields_of, show_value
from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.recipe.data import Normalize
from cnngraph.recipe.finding import load_recipe, recipe_names
from cnngraph.recipe.kinds import Named, OrNone, Record, names_of
from cnngraph.recipe.learning import Clip
from cnngraph.recipe.model import Loss, Recipe
from cnngraph.recipe.reading import tables_in
from cnngraph.recipe.schedules import Warmup

INTRODUCTION = """\
# Recipes

How a network is trained, as data. This page is generated from the definitions (`python -m cnngraph.generate`).

A spec's `train:` holds a recipe, or the name of one of the library's (`specs/recipes/`). `cnngraph train SPEC --recipe
NAME_OR_FILE` takes another one instead, `--set train.epochs=3` changes one word:

```yaml
train:
  data: cifar10
  epochs: 80
  batch_size: 100
  optimizer: {name: adam, lr: 0.001}
  schedule: {name: step, every: 20, divide: 3}
  augment: {pad: 4, crop: 32, flip: true}
```

Where a table has a `name`, the bare name is short for a table with nothing else in it: `schedule: cosine`.

A tenth of the training images is put aside unless the recipe says otherwise (`validation`): the best epoch is chosen
on it, and the test images are looked at once, at the end, with the weights of that epoch. With `validation: none` the
test images are reported after every epoch, nothing is chosen, and the last weights are kept.
"""

FOLDER = """\
## A run's folder

`runs/<network>-<n>`, or what `--out` names; a folder that has something in it is never written to. Ctrl-C finishes the
step at work, writes a checkpoint and ends; `--resume` goes on from there, to the same weights as if nothing had been.
So it does after any other end: a process that is killed, a machine that loses its power, a disk that is full. Every
file is whole at any time, and what has happened since the last checkpoint (`save_every`) is done again.

| file | |
| --- | --- |
| `spec.yaml`, `recipe.yaml` | what was run, every param and default filled in |
| `data.json` | the images: names of the classes, size, mean and deviation, how many in each split, digests of them |
| `images.csv` | for image files: split, class, file, size and digest of each |
| `skipped.txt` | the files that are no images and were skipped, where there are any (`broken: skip`) |
| `environment.json` | versions, machine, command, the weights it began with |
| `metrics.csv`, `metrics.json` | loss and accuracy by epoch; in JSON the best epoch and the test figures too |
| `curves.png` | the same as a picture |
| `classes_test.csv`, `confusion_test.png` | how each class fares in the end; `validation` without test images |
| `best.safetensors` | the weights of the best epoch, where one is chosen |
| `last.safetensors` | the latest weights |
| `epoch-0010.safetensors` … | the weights of every so many epochs (`keep_every`) |
| `tensorboard/` | the metrics as TensorBoard reads them, with `--log tensorboard` |
| `state.pt` | all that is needed to go on: weights, optimizer, position, random state; reading it runs no code |

**A run knows its images.** Its splits are those that it recorded, whatever is added to the folder later. When a run is
resumed, its images are compared with the record: classes and their order, files, sizes and contents (both ends of each
file; of more than 50,000 files those of 50,000, spread evenly, and the sizes of the others), or labels and pixels of a
named set. Images that are missing, renamed, moved or changed, and other classes, are an error (`E644`) that names them.
Images that were added are reported and not used, and the run ends with the same bits as without them. `cnngraph
evaluate` reports the same changes as a warning (`W644`) and measures what is there. Of another folder it says which of
the measured images the run was trained on (`W648`).

**Nothing in a run's folder is trusted.** The JSON documents are validated by the schemas that `cnngraph schema data`,
`environment`, `metrics` and `state` print ([json.md](json.md)); an error (`E645`) has the file and the path in it.
`state.pt` and the weights have a SHA-256 in the file, which is verified before anything in them is used (`E647`). Files
of a newer version are refused (`E646`). A run of a version that wrote no checksums cannot be resumed; its weights are
used with a warning (`W647`).

Accuracies are parts of 1. Those of training are counted while the network learns, in training mode; all others
afterwards, in eval mode.
"""

TABLES: dict[str, type[Any]] = {
    "warmup": Warmup,
    "clip": Clip,
    "normalize": Normalize,
    "augment": Augment,
    "evaluation": Evaluation,
    "loss": Loss,
}


def recipe_manual() -> str:
    """The whole page."""
    parts = [INTRODUCTION, "## A recipe\n", words_table(Recipe), "## The library\n", _library()]
    for name, each in fields_of(Recipe).items():
        if isinstance(each.kind, Named):
            parts.append(f"## {name}\n")
            for variant in each.kind.variants:
                parts += [f"### {', '.join(names_of(variant))}\n", f"{inspect.getdoc(variant)}\n", words_table(variant)]
            for word, table in _tables_in(*each.kind.variants).items():
                parts += [f"### {name}.{word}\n", f"{inspect.getdoc(table)}\n", words_table(table)]
        elif name in TABLES:
            parts += [f"## {name}\n", f"{inspect.getdoc(TABLES[name])}\n", words_table(TABLES[name])]
            for word, table in _tables_in(TABLES[name]).items():
                parts += [f"### {name}.{word}\n", f"{inspect.getdoc(table)}\n", words_table(table)]
    return "\n".join([*parts, FOLDER])


def _tables_in(*owners: type[Any]) -> dict[str, type[Any]]:
    """The tables that are words of any of some tables; those of several names by word and name."""
    found: dict[str, type[Any]] = {}
    for word, each in ((word, each) for owner in owners for word, each in fields_of(owner).items()):
        match each.kind.item if isinstance(each.kind, ListOf) else tables_in(each.kind):
            case Record(cls=table):
                found[word] = table
            case Named(variants=variants):
                found |= {f"{word}: {name}": variant for variant in variants for name in names_of(variant)}
    return found


def _library() -> str:
    """The library's recipes, and what they are for."""
    lines = ["| recipe | |", "| --- | --- |"]
    lines += [f"| `{name}` | {load_recipe(name).about} |" for name in recipe_names()]
    return "\n".join(lines) + "\n"


def words_table(cls: type[Any]) -> str:
    """The words of one table."""
    lines = ["| word | takes | default | |", "| --- | --- | --- | --- |"]
    for name, each in fields_of(cls).items():
        if name != "name" or each.required:  # a table of one name is headed by it
            lines.append(f"| `{name}` | {_takes(each.kind)} | {_default(each)} | {each.doc} |")
    if len(lines) == 2:
        return "It has no other words.\n"
    return "\n".join(lines) + "\n"


def _takes(kind: Kind) -> str:
    """What a word takes; tables have a chapter of their own."""
    if isinstance(kind, Record):
        return "a table, see below"
    inner = kind.item if isinstance(kind, ListOf) else tables_in(kind)
    below = isinstance(inner, Named | Record)
    return kind.describe() + (", see below" if below else "")


def _default(each: Field) -> str:
    if each.required:
        return "must be given"
    if dataclasses.is_dataclass(each.default):
        name = getattr(each.default, "name", "")
        return f"`{name}`" if name else ""
    if each.default is None:
        return "`none`" if isinstance(each.kind, OrNone) else ""
    return f"`{show_value(each.default)}`" if each.default != "" else ""
