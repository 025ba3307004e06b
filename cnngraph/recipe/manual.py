"""The manual of recipes, `docs/recipes.md`, generated from their definitions by `python -m cnngraph.generate`."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from cnngraph.fields import Field, Kind, ListOf, fields_of, show_value
from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.data import Normalize
from cnngraph.recipe.finding import recipe_names
from cnngraph.recipe.freezing import Freeze
from cnngraph.recipe.kinds import Named, OrNone, Record, names_of
from cnngraph.recipe.model import Loss, Recipe
from cnngraph.recipe.reading import load_recipe, tables_in
from cnngraph.recipe.schedules import Warmup

INTRODUCTION = """\
# Recipes

A recipe describes how a network is trained. This page is generated from its definitions
(`python -m cnngraph.generate`).

The `train:` key of a spec is a recipe, or the name of a bundled one (`specs/recipes/`). `cnngraph train SPEC --recipe
NAME_OR_FILE` uses another recipe, and `--set train.epochs=3` overrides one value:

```yaml
train:
  data: cifar10
  epochs: 80
  batch_size: 100
  optimizer: {name: adam, lr: 0.001}
  schedule: {name: step, every: 20, divide: 3}
  augment: {pad: 4, crop: 32, flip: true}
```

A recipe can extend another one: in a spec with the key `recipe`, in a recipe file with the key `extends`. Both take the
name of a bundled recipe, or a path relative to the file that names it. Its own keys take precedence, and mappings are
merged key by key, unless they have different names: another optimizer does not inherit the learning rate.

```yaml
train: {recipe: digits, epochs: 3, optimizer: {lr: 0.001}}
```

If a mapping has the key `name`, the bare name is short for a mapping without other keys: `schedule: cosine`.

By default, 10 % of the training images are held out (`validation`): the best epoch is chosen on this validation split,
and the test images are evaluated once, at the end, with the weights of that epoch. With `validation: none` the test
images are evaluated after every epoch, no epoch is chosen, and the last weights are kept.
"""

FOLDER = """\
## The folder of a run

A run writes to `runs/<network>-<n>`, or to the folder given by `--out`; it never writes to a folder that is not empty.
Ctrl-C finishes the current step, writes a checkpoint and stops. `--resume` continues from there and produces the same
weights as an uninterrupted run. The same holds after any other interruption: a killed process, a power failure, a full
disk. Files are always complete, and everything since the last checkpoint (`save_every`) is repeated.

| file | |
| --- | --- |
| `spec.yaml`, `recipe.yaml` | the spec and recipe of the run, with all params and default values |
| `data.json` | class names, image size, mean and standard deviation, size and digest of each split |
| `images.csv` | for image files: split, class, file, size and digest of each |
| `skipped.txt` | the files that are not images and were skipped, if any (`broken: skip`) |
| `environment.json` | versions, machine, command, initial weights |
| `metrics.csv`, `metrics.json` | metrics per epoch; in JSON also of initial weights and on the test images |
| `curves.png` | a plot of the metrics |
| `classes_test.csv`, `confusion_test.png` | final metrics per class; `…_validation` if there are no test images |
| `best.safetensors` | the weights of the best epoch, if one is chosen |
| `last.safetensors` | the latest weights |
| `epoch-0010.safetensors` … | the weights of every n-th epoch (`keep_every`) |
| `tensorboard/` | the metrics as TensorBoard event files, with `--log tensorboard` |
| `state.pt` | what is needed to resume: weights, optimizer, position, random state; read without executing code |

**A run records its images.** Its splits do not change when images are added to the folder later. When a run is resumed,
its images are compared with the record: classes and their order, files, sizes and contents (the beginning and end of
each file; with more than 50,000 files, those of an evenly spread sample of 50,000 and the sizes of the others), or the
labels and pixels of a named set. Images that are missing, renamed, moved or changed, and different classes, are an
error (`E644`) that names them. Added images are reported and not used, so the run produces the same bits without them.
`cnngraph evaluate` reports the same differences as a warning (`W644`) and evaluates the images that are there. For
another folder, it reports which of the evaluated images the run was trained on (`W648`).

**Nothing in the folder of a run is trusted.** JSON files are validated against the schemas printed by `cnngraph schema
data`, `environment`, `metrics` and `state` ([json.md](json.md)); an error (`E645`) names the file and the path in it.
`state.pt` and the weights contain a SHA-256, which is verified before anything else is used (`E647`). Files written by
a newer version are rejected (`E646`). A run written by a version without checksums cannot be resumed; its weights can
be used, with a warning (`W647`).

Accuracies are fractions from 0 to 1. Training accuracy is measured during the epoch, in training mode; all others
are measured after it, in eval mode. The learning rate is that of the epoch's last step, for the parameters that have
the optimizer's `lr`; if all have rates of their own (`groups`, `layer_decay`), it is the highest one.
"""

TABLES: dict[str, type[Any]] = {
    "freeze": Freeze,
    "warmup": Warmup,
    "clip": Clip,
    "normalize": Normalize,
    "augment": Augment,
    "evaluation": Evaluation,
    "loss": Loss,
}


def recipe_manual() -> str:
    """The page as Markdown."""
    parts = [INTRODUCTION, "## Keys of a recipe\n", keys_table(Recipe), "## Bundled recipes\n", _library()]
    for name, field in fields_of(Recipe).items():
        if isinstance(field.kind, Named):
            parts.append(f"## {name}\n")
            for variant in field.kind.variants:
                parts += [f"### {', '.join(names_of(variant))}\n", f"{inspect.getdoc(variant)}\n", keys_table(variant)]
            for key, table in _tables_in(*field.kind.variants).items():
                parts += [f"### {name}.{key}\n", f"{inspect.getdoc(table)}\n", keys_table(table)]
        elif name in TABLES:
            parts += [f"## {name}\n", f"{inspect.getdoc(TABLES[name])}\n", keys_table(TABLES[name])]
            for key, table in _tables_in(TABLES[name]).items():
                parts += [f"### {name}.{key}\n", f"{inspect.getdoc(table)}\n", keys_table(table)]
    return "\n".join([*parts, FOLDER])


def _tables_in(*owners: type[Any]) -> dict[str, type[Any]]:
    """The mappings nested in some mappings, by key; alternatives by key and name."""
    found: dict[str, type[Any]] = {}
    for key, field in ((key, field) for owner in owners for key, field in fields_of(owner).items()):
        match field.kind.item if isinstance(field.kind, ListOf) else tables_in(field.kind):
            case Record(cls=table):
                found[key] = table
            case Named(variants=variants):
                found |= {f"{key}: {name}": variant for variant in variants for name in names_of(variant)}
    return found


def _library() -> str:
    """A table of the bundled recipes."""
    lines = ["| recipe | description |", "| --- | --- |"]
    lines += [f"| `{name}` | {load_recipe(name).about} |" for name in recipe_names()]
    return "\n".join(lines) + "\n"


def keys_table(cls: type[Any]) -> str:
    """A table of the keys of one mapping."""
    lines = ["| key | type | default | description |", "| --- | --- | --- | --- |"]
    for name, field in fields_of(cls).items():
        if name != "name" or field.required:  # the heading has the name of a variant with one name
            lines.append(f"| `{name}` | {_takes(field.kind)} | {_default(field)} | {field.doc} |")
    if len(lines) == 2:
        return "It has no other keys.\n"
    return "\n".join(lines) + "\n"


def _takes(kind: Kind) -> str:
    """The type of a key; nested mappings have their own sections."""
    if isinstance(kind, Record):
        return "a mapping, see below"
    inner = kind.item if isinstance(kind, ListOf) else tables_in(kind)
    below = isinstance(inner, Named | Record)
    return kind.describe() + (", see below" if below else "")


def _default(field: Field) -> str:
    if field.required:
        return "required"
    if dataclasses.is_dataclass(field.default):
        name = getattr(field.default, "name", "")
        return f"`{name}`" if name else ""
    if field.default is None:
        return "`none`" if isinstance(field.kind, OrNone) else ""
    return f"`{show_value(field.default)}`" if field.default != "" else ""
