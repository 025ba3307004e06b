"""E62x: images, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping

from cnngraph.diagnostics.codes.entry import Example, Group, code, project, text
from cnngraph.diagnostics.codes.pictures import pictures
from cnngraph.diagnostics.codes.recipes import CLASSIFIER, RECIPE, TRAIN

NETWORK = """
cnngraph: 1
input: [1, 8, 8]
nodes: [{op: conv, out: 4, kernel: 3}, relu, global_avg_pool, {op: linear, out: 2}]
train: {data: folder, epochs: 1, batch_size: 4, optimizer: {name: adam, lr: 0.002}, validation: 0.25}
"""
PHOTOS = "cnngraph train network.yaml --data-dir photos --out run --quiet"
TALKING = "cnngraph train network.yaml --data-dir photos --out run"
ANIMALS = pictures("photos", 4, "cat", "dog")


def photos(images: Mapping[str, str | bytes], *commands: str, network: str = NETWORK) -> Example:
    """A network that is trained on a folder of images."""
    return Example({"network.yaml": text(network), **images}, commands or (PHOTOS,))


DATA = Group(
    "Images",
    (
        code(
            "E620",
            "data set that cannot be downloaded or read",
            """
            The files of a named data set, such as MNIST or CIFAR-10, are missing and cannot be downloaded, or are
            damaged: truncated, in another format, or different from their checksum.

            Delete the damaged files and run again with a network connection, or copy the set to the folder that
            `--data-dir` names. The data set `digits` is bundled and needs no download.
            """,
            wrong=project(
                "mkdir -p data/cifar-10-batches-py",
                "for n in 1 2 3 4 5; do echo broken > data/cifar-10-batches-py/data_batch_$n; done",
                "for name in test_batch batches.meta; do echo broken > data/cifar-10-batches-py/$name; done",
                "cnngraph train network.yaml --data-dir data --quiet",
                network_yaml="""
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 4, kernel: 7, stride: 3}, relu, global_avg_pool, {op: linear, out: 10}]
                train: {data: cifar10, epochs: 1, optimizer: {name: adam, lr: 0.002}}
                """,
            ),
            right=project(TRAIN, network_yaml=CLASSIFIER, recipe_yaml=RECIPE),
        ),
        code(
            "W620",
            "suspicious training images",
            """
            Before a run a few training images are examined: they have a single value at every pixel, are all equal,
            are nearly black, or images of 16 bits are not scaled alike. A network cannot learn from them, though
            training would run without an error.

            Open some of the files. Often masks or thumbnails were taken for the images, or 16-bit images were saved
            with small values.
            """,
            wrong=photos(pictures("masks", 4, "cat", "dog", flat=True), TALKING.replace("photos", "masks")),
            right=photos(ANIMALS, TALKING),
        ),
        code(
            "E621",
            "unusable folder of images, or unreadable image",
            """
            The data folder needs one folder of images for each class, with these folders in `train`, `val` and `test`
            if the splits are separate. A class has no image, a split has a class that the training images lack, or
            Pillow cannot decode a file.

            Repair or delete the file, or set `data: {name: folder, broken: skip}` to train without such files; a run
            lists them in `skipped.txt`.
            """,
            wrong=photos({**ANIMALS, "photos/cat/4.png": "no image\n"}),
            right=photos(ANIMALS),
        ),
        code(
            "E622",
            "too few images for a split",
            """
            A split has no images: `validation` keeps a fraction of each class's training images for choosing the best
            epoch, and a class of one image has none to spare; or the recipe has `validation: none` and the folder no
            test images, so that nothing would be evaluated; or `evaluate` is asked for a split that does not exist.

            Add images, choose another fraction, or evaluate another split.
            """,
            wrong=photos(pictures("photos", 1, "cat", "dog")),
            right=photos(ANIMALS),
        ),
        code(
            "E623",
            "image-loading worker that died",
            """
            Images that do not fit into memory are decoded by worker processes, and the system ended one of them. Nearly
            always memory was short: every worker holds several decoded batches. In a container, its limit on shared
            memory may be too small.

            Use fewer workers, `--set train.workers=1`, or none with 0, and continue the run with `--resume`.
            """,
            without_example="The system has to end a process.",
            test="tests/train/test_streaming.py::test_a_crashed_worker_is_an_error",
        ),
        code(
            "E624",
            "ambiguous folder of images",
            """
            The folders could be read in more than one way: two of them could be the training images, `train` and `test`
            could be splits or classes, or it is not clear which level of folders are the classes. A wrong guess would
            train on the wrong labels.

            Rename the folders, point `--data-dir` at the right one, or list the classes in the recipe:
            `data: {name: folder, classes: [cat, dog]}`.
            """,
            wrong=photos({**pictures("photos/train", 4, "cat", "dog"), **pictures("photos/training", 4, "cat", "dog")}),
            right=photos({**pictures("photos/train", 4, "cat", "dog"), **pictures("photos/test", 4, "cat", "dog")}),
        ),
        code(
            "E625",
            "place that holds no images",
            """
            The folder is the root of the file system or a folder of the system, is nested more than 32 deep, or has
            tens of thousands of files few of which are images. Searching it would take very long and find nothing
            useful.

            Name the folder that holds the images.
            """,
            wrong=photos(ANIMALS, "cnngraph train network.yaml --data-dir / --out run --quiet"),
            right=photos(ANIMALS),
        ),
    ),
)
