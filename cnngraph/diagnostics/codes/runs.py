"""E64x to E66x: finished runs, and experiments."""

from __future__ import annotations

from cnngraph.diagnostics.codes.data import ANIMALS, PHOTOS, photos
from cnngraph.diagnostics.codes.entry import Example, Group, code, project, text
from cnngraph.diagnostics.codes.pictures import pictures
from cnngraph.diagnostics.codes.recipes import CLASSIFIER, RECIPE, TRAIN

INTO_RUN = f"{TRAIN} --out run"
EVALUATE = "cnngraph evaluate run"


def trained(*commands: str) -> Example:
    """A network that is trained on the bundled digits, and what is done with its run."""
    return project(INTO_RUN, *commands, network_yaml=CLASSIFIER, recipe_yaml=RECIPE)


RUNS = Group(
    "Finished runs",
    (
        code(
            "E644",
            "images that changed since a run started",
            """
            A run records a fingerprint of every image. On resuming, images are missing, have other contents, or belong
            to another class or split. Continuing would give a result that no single set of images can reproduce.

            Restore the images, or start a new run. Images that were only added are reported and left out.
            """,
            wrong=photos(
                ANIMALS, PHOTOS, "rm photos/cat/0.png", "cnngraph train --resume run --set train.epochs=2 --quiet"
            ),
            right=photos(ANIMALS, PHOTOS, "cnngraph train --resume run --set train.epochs=2 --quiet"),
        ),
        code(
            "W644",
            "evaluation on images that changed",
            """
            The images are not those of the training: some are missing, new or different, so that the metrics cannot be
            compared with those of the run. In an experiment, runs were trained on different images.

            Restore the images, or read the metrics with the listed changes in mind.
            """,
            wrong=photos(ANIMALS, PHOTOS, "rm photos/cat/0.png", f"{EVALUATE} --split all"),
            right=photos(ANIMALS, PHOTOS, f"{EVALUATE} --split all"),
        ),
        code(
            "E645",
            "damaged or foreign file in a run folder",
            """
            A document of the run, such as `metrics.json` or `data.json`, is missing, cannot be parsed, does not fit its
            schema, or belongs to another run. Run folders are written by cnngraph alone and checked against published
            schemas when they are read.

            Restore the file from a backup, or train again.
            """,
            wrong=trained("echo '{}' > run/data.json", EVALUATE),
            right=trained(EVALUATE),
        ),
        code(
            "E646",
            "file of a newer version",
            """
            The file was written by a later release of cnngraph, in a format that this one does not know.

            Upgrade cnngraph.
            """,
            wrong=trained(
                'sed \'s/"version": [0-9]*/"version": 99/\' run/data.json > new; mv new run/data.json', EVALUATE
            ),
            right=trained(EVALUATE),
        ),
        code(
            "E647",
            "weights or state that do not match their checksum",
            """
            `best.safetensors`, `last.safetensors` or `state.pt` was changed after the run wrote it: the file was
            truncated by a copy, edited, or replaced. Its values cannot be trusted.

            Copy the file again, or train again.
            """,
            wrong=trained("truncate -s -4 run/best.safetensors", EVALUATE),
            right=trained(EVALUATE),
        ),
        code(
            "W647",
            "weights without a checksum",
            """
            The run was written by an older version of cnngraph, which stored no checksum beside the weights. They are
            used, and damage to them would go unnoticed.

            Nothing needs to be done; training again gives a run with checksums.
            """,
            wrong=trained("sed '/\"version\"/d' run/data.json > old; mv old run/data.json", EVALUATE),
            right=trained(EVALUATE),
        ),
        code(
            "W648",
            "evaluation on training images",
            """
            Some of the evaluated images were training images of the run, recognised by their contents wherever they
            are now. A network recognises what it was trained on, so the accuracy says little about other images.

            Evaluate on images that the run has not seen.
            """,
            wrong=photos(
                {**ANIMALS, **pictures("more", 4, "cat", "dog", first=1000)},
                PHOTOS,
                "cp photos/cat/*.png more/cat",
                f"{EVALUATE} --data-dir more --split all",
            ),
            right=photos(
                {**ANIMALS, **pictures("more", 4, "cat", "dog", first=1000)},
                PHOTOS,
                f"{EVALUATE} --data-dir more --split all",
            ),
        ),
        code(
            "E650",
            "unusable run folder",
            """
            The folder holds no run of cnngraph, or the run lacks what the command needs: it has no finished epoch, no
            weights of the chosen kind, or weights that are not of its network.

            `cnngraph runs` lists the runs below a folder.
            """,
            wrong=trained("cnngraph evaluate runs/network-1"),
            right=trained(EVALUATE),
        ),
        code(
            "E651",
            "unknown class",
            """
            `localize` is asked for a class that the network was not trained on.

            Choose one of the classes of the run; the message lists them.
            """,
            wrong=photos(ANIMALS, PHOTOS, "cnngraph localize run photos/cat/0.png --class bird"),
            right=photos(ANIMALS, PHOTOS, "cnngraph localize run photos/cat/0.png --class cat"),
        ),
        code(
            "E652",
            "node whose output cannot be shown",
            """
            `features` shows what a node computes for an image. The network has no node of this path that runs, or it
            gives neither maps nor a vector. `localize --layer` needs a feature map with more than one position, on
            which the scores of the classes depend.

            `cnngraph show` prints all paths.
            """,
            wrong=photos(ANIMALS, PHOTOS, "cnngraph features run photos/cat/0.png --node conv1"),
            right=photos(ANIMALS, PHOTOS, "cnngraph features run photos/cat/0.png --node 0"),
        ),
        code(
            "E653",
            "data folder for a run on bundled images",
            """
            The run was trained on `digits`, which are bundled with cnngraph, so there is no other folder with its
            images.

            Leave `--data-dir` out. `cnngraph predict RUN FOLDER` classifies other images.
            """,
            wrong=trained(f"{EVALUATE} --data-dir photos"),
            right=trained(EVALUATE),
        ),
        code(
            "E654",
            "network that cannot localize",
            """
            `localize` draws where a feature map of the network sees a class, so it needs a map with more than one
            position. A network that begins with `flatten` has none.

            Train a network with convolutions.
            """,
            wrong=photos(
                ANIMALS,
                PHOTOS,
                "cnngraph localize run photos/cat/0.png",
                network="""
                cnngraph: 1
                input: [1, 8, 8]
                nodes: [flatten, {op: linear, out: 4}, relu, {op: linear, out: 2}]
                train: {data: folder, epochs: 1, batch_size: 4, optimizer: {name: adam, lr: 0.002}, validation: 0.25}
                """,
            ),
            right=photos(ANIMALS, PHOTOS, "cnngraph localize run photos/cat/0.png"),
        ),
    ),
)


def compared(experiment: str, *commands: str) -> Example:
    """An experiment with a network and a recipe."""
    files = {"experiment.yaml": experiment, "network.yaml": CLASSIFIER, "recipe.yaml": RECIPE}
    return Example(
        {name: text(content) for name, content in files.items()},
        commands or ("cnngraph experiment experiment.yaml --quiet",),
    )


EXPERIMENTS = Group(
    "Experiments",
    (
        code(
            "E505",
            "experiment over a limit",
            """
            Every combination of specs, recipes and settings is a variant, and every variant is trained once for each
            seed: the product grows quickly. The limits are 1,000 variants, 10,000 runs and 100 settings.

            Vary fewer things at once, or split the experiment.
            """,
            wrong=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                settings: {train.optimizer.lr: [0.1, 0.03, 0.01, 0.003, 0.001], train.batch_size: [16, 32, 64, 128]}
                seeds: 1000
                """
            ),
            right=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                settings: {train.optimizer.lr: [0.01, 0.001]}
                seeds: 1
                """
            ),
        ),
        code(
            "E660",
            "unknown experiment",
            """
            There is no experiment of this name in the library, and no such file. A file's name ends in `.yaml`.

            Correct the name or path. To compare specs without a file, name them all:
            `cnngraph experiment net.yaml resnet_cifar_222 --recipe cifar`.
            """,
            wrong=compared(
                "{specs: [network.yaml], recipes: [recipe.yaml], seeds: 1}", "cnngraph experiment shortcut_digits"
            ),
            right=compared("{specs: [network.yaml], recipes: [recipe.yaml], seeds: 1}"),
        ),
        code(
            "E661",
            "two runs with the same folder",
            """
            Two combinations of an experiment have the same name, and so the same folder: a network or a seed is listed
            twice.

            Remove one of them, or distinguish networks by a `label`.
            """,
            wrong=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                seeds: [0, 0]
                """
            ),
            right=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                seeds: [0, 1]
                """
            ),
        ),
        code(
            "E662",
            "folder of an experiment with another run",
            """
            A folder of the experiment holds a run of a different network or recipe than the experiment now specifies,
            because a spec, a recipe or a setting was changed after that run. Mixing them would compare things that
            differ in more than the report says.

            Delete the folder, or choose another folder for the changed experiment with `--out`.
            """,
            wrong=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                seeds: 1
                """,
                "cnngraph experiment experiment.yaml --quiet",
                "sed 's/64/32/' recipe.yaml > new; mv new recipe.yaml",
                "cnngraph experiment experiment.yaml --quiet",
            ),
            right=compared(
                """
                specs: [network.yaml]
                recipes: [recipe.yaml]
                seeds: 1
                """,
                "cnngraph experiment experiment.yaml --quiet",
                "cnngraph experiment experiment.yaml --quiet",
            ),
        ),
    ),
)
