"""E61x: whether a network, its recipe and its images suit each other."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project
from cnngraph.diagnostics.codes.recipes import CLASSIFIER, RECIPE, TRAIN

FIT = Group(
    "Networks, recipes and images that do not fit",
    (
        code(
            "E610",
            "images that do not have the shape of the network's input",
            """
            The network expects images of one shape, and the recipe's data set, after resizing and cropping, has
            another. Convolutions would run on other sizes, but not on other channels, and the network's shapes were
            inferred for this input.

            Resize the images with `--set train.data.resize=32`, give the network another input with `--input 1x28x28`,
            or choose another data set.
            """,
            wrong=project(TRAIN, network_yaml=CLASSIFIER.replace("28, 28", "32, 32"), recipe_yaml=RECIPE),
            right=project(
                TRAIN,
                network_yaml=CLASSIFIER.replace("28, 28", "32, 32"),
                recipe_yaml=RECIPE.replace("data: digits", "data: {name: digits, resize: 32}"),
            ),
        ),
        code(
            "E611",
            "output that is not a vector of class scores",
            """
            Training classifies whole images by cross-entropy, so every output of the network must be a vector with one
            number for each class. This one has a different length, is a map, or does not depend on the image.

            Set the number of classes, for networks of the library by `--set classes=10`. Turn a map into a vector by
            `global_avg_pool` or `flatten` and a `linear` layer. Segmentation, a class for each pixel, is not supported.
            """,
            wrong=project(TRAIN, network_yaml=CLASSIFIER.replace("out: 10", "out: 100"), recipe_yaml=RECIPE),
            right=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
        code(
            "E612",
            "training of a network with several inputs",
            """
            `cnngraph train` feeds a network one image at a time with its label. A network with several inputs can be
            checked, drawn and built, but needs a training loop of your own: `cnngraph.build(spec)` gives the module.

            Train a network with a single input.
            """,
            wrong=project(
                TRAIN,
                network_yaml="""
                cnngraph: 1
                input: {left: [1, 28, 28], right: [1, 28, 28]}
                nodes:
                  concat: {op: concat, from: [left, right]}
                  conv: {op: conv, out: 4, kernel: 7, stride: 3}
                  head: [global_avg_pool, {op: linear, out: 10}]
                """,
                recipe_yaml=RECIPE,
            ),
            right=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
        code(
            "E613",
            "weight for an auxiliary output that does not exist",
            """
            `loss.auxiliary` gives auxiliary outputs a weight in the loss, by name, and the network has no such output.
            The first entry of `outputs` is the main one, which always has weight 1; all others are auxiliary.

            Correct the name, or name the output in the spec.
            """,
            wrong=project(
                TRAIN,
                network_yaml="""
                cnngraph: 1
                input: [1, 28, 28]
                nodes:
                  stem: [{op: conv, out: 4, kernel: 7, stride: 3}, relu]
                  aux: {from: stem, nodes: [global_avg_pool, {op: linear, out: 10}]}
                  head: {from: stem, nodes: [flatten, {op: linear, out: 10}]}
                outputs: {logits: head, aux: aux}
                training_only: [aux]
                """,
                recipe_yaml=RECIPE + "loss: {auxiliary: {aux1: 0.3}}",
            ),
            right=project(
                TRAIN,
                network_yaml="""
                cnngraph: 1
                input: [1, 28, 28]
                nodes:
                  stem: [{op: conv, out: 4, kernel: 7, stride: 3}, relu]
                  aux: {from: stem, nodes: [global_avg_pool, {op: linear, out: 10}]}
                  head: {from: stem, nodes: [flatten, {op: linear, out: 10}]}
                outputs: {logits: head, aux: aux}
                training_only: [aux]
                """,
                recipe_yaml=RECIPE + "loss: {auxiliary: {aux: 0.3}}",
            ),
        ),
        code(
            "E614",
            "pattern in a recipe that matches nothing",
            """
            `optimizer.groups` gives some parameters a learning rate of their own, `freeze` selects those that are not
            trained, and `checkpoint` names blocks whose activations are recomputed; all select by op, parameter or
            path. A pattern that matches nothing in this network would silently have no effect. The same holds for a
            group whose parameters all belong to a later group, because the last one that matches applies.

            Check the pattern against the paths that `cnngraph show` prints. `*` is any part of one name, `**` any
            number of names. Write general patterns such as `**` first.
            """,
            wrong=project(
                TRAIN,
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE.replace("0.002}", "0.002, groups: [{match: batch_norm, weight_decay: 0}]}"),
            ),
            right=project(
                TRAIN,
                network_yaml=CLASSIFIER,
                recipe_yaml=RECIPE.replace("0.002}", "0.002, groups: [{match: bias, weight_decay: 0}]}"),
            ),
        ),
        code(
            "E616",
            "a run that would train nothing",
            """
            `freeze` contains all parameters on which the loss depends, at least in the first epochs, or the network has
            no parameters at all. There would be no gradient, and every epoch would end with the same weights.

            Exclude a layer: `freeze: {match: "**", exclude: head}` trains only the last one.
            """,
            wrong=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE + 'freeze: "**"'),
            right=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE + 'freeze: {match: "**", exclude: head}'),
        ),
        code(
            "W617",
            "frozen parameters with random values",
            """
            `freeze` keeps parameters at their initial values for the whole run, and no weights were loaded for them:
            the run has no `--weights`, or the file does not fit these layers, such as a classifier with another number
            of classes. Random features are rarely wanted.

            Load trained weights, or exclude these parameters from `freeze`.
            """,
            wrong=project(TRAIN.removesuffix(" --quiet"), network_yaml=CLASSIFIER, recipe_yaml=RECIPE + "freeze: conv"),
            right=project(TRAIN.removesuffix(" --quiet"), network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
    ),
)
