"""E60x: recipes and experiments as they are written."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project

CLASSIFIER = """
cnngraph: 1
input: [1, 28, 28]
nodes: [{op: conv, out: 4, kernel: 7, stride: 3}, relu, global_avg_pool, {op: linear, out: 10}]
"""
RECIPE = """
data: digits
epochs: 1
batch_size: 64
optimizer: {name: adam, lr: 0.002}
"""
TRAIN = "cnngraph train network.yaml --recipe recipe.yaml --quiet"

RECIPES = Group(
    "Recipes and experiments: structure",
    (
        code(
            "E601",
            "not a recipe or experiment",
            """
            A recipe is a mapping with `data`, `epochs` and `optimizer`, an experiment one with `specs`. The file is
            something else: a spec, a list, or a recipe below a key `train`, as it is written inside a spec.

            In a file of its own a recipe has no `train:`; move its contents to the top level.
            """,
            wrong=project(
                TRAIN,
                network_yaml=CLASSIFIER,
                recipe_yaml="""
                train:
                  data: digits
                  epochs: 1
                  optimizer: {name: adam, lr: 0.002}
                """,
            ),
            right=project(
                TRAIN,
                network_yaml=CLASSIFIER,
                recipe_yaml="""
                data: digits
                epochs: 1
                optimizer: {name: adam, lr: 0.002}
                """,
            ),
        ),
        code(
            "E602",
            "unknown key of a recipe or experiment",
            """
            The recipe, or one of its sections, has no key of this name. It is never ignored: a misspelt `weight_decay`
            would silently change the result.

            Check the spelling and the section. The learning rate, momentum and weight decay belong to the optimizer:
            `optimizer: {name: sgd, lr: 0.1, momentum: 0.9}`. `docs/recipes.md` has all keys.
            """,
            wrong=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                learning_rate: 0.1
                optimizer: {name: sgd, lr: 0.1}
                """,
            ),
            right=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: {name: sgd, lr: 0.1}
                """,
            ),
        ),
        code(
            "E603",
            "invalid value in a recipe or experiment",
            """
            A value has the wrong type or is out of range, or a name is not one of the allowed ones. The message says
            what the key takes.

            There are no expressions in a recipe; values are plain numbers, strings, lists and mappings.
            """,
            wrong=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: ten
                optimizer: {name: sgd, lr: 0.1}
                """,
            ),
            right=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: {name: sgd, lr: 0.1}
                """,
            ),
        ),
        code(
            "E604",
            "missing key of a recipe or experiment",
            """
            A key without a default is missing. A recipe needs `data`, `epochs` and `optimizer`, an optimizer such as
            SGD its learning rate `lr`: no default would suit most networks.

            Add the key.
            """,
            wrong=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: sgd
                """,
            ),
            right=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: {name: sgd, lr: 0.1, momentum: 0.9}
                """,
            ),
        ),
        code(
            "E605",
            "contradiction in a recipe",
            """
            Two keys of a recipe, each valid by itself, contradict each other: Nesterov's momentum without momentum, a
            warmup longer than the training, a crop larger than the image. Keys that contradict the network or the
            images are reported by `train` with this code as well: batch norm, for example, cannot estimate a variance
            from a single value for each channel.

            The message names both sides; change one of them.
            """,
            wrong=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: {name: sgd, lr: 0.1, nesterov: true}
                """,
            ),
            right=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                data: cifar10
                epochs: 10
                optimizer: {name: sgd, lr: 0.1, momentum: 0.9, nesterov: true}
                """,
            ),
        ),
        code(
            "E606",
            "unknown or missing recipe",
            """
            There is no recipe of this name in the library and no such file, or the spec has no `train:` and the command
            no `--recipe`.

            A file's name ends in `.yaml`. Recipes of the library, such as `digits`, `mnist`, `cifar` and `imagenet`,
            are used by name.
            """,
            wrong=project(
                "cnngraph train network.yaml --recipe digit --set train.epochs=1 -q", network_yaml=CLASSIFIER
            ),
            right=project(
                "cnngraph train network.yaml --recipe digits --set train.epochs=1 -q", network_yaml=CLASSIFIER
            ),
        ),
        code(
            "E615",
            "recipes that extend each other",
            """
            A recipe extends itself, directly or through others, or more than twenty recipes extend each other.

            Let one of them state its keys instead: `data`, `epochs` and `optimizer` are enough.
            """,
            wrong=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                extends: longer.yaml
                batch_size: 32
                """,
                longer_yaml="""
                extends: recipe.yaml
                epochs: 20
                """,
            ),
            right=project(
                "cnngraph check recipe.yaml",
                recipe_yaml="""
                extends: longer.yaml
                batch_size: 32
                """,
                longer_yaml="""
                extends: digits
                epochs: 20
                """,
            ),
        ),
    ),
)
