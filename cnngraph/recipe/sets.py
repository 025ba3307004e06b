"""Facts about the named data sets that are known before they are read."""

from __future__ import annotations

import string

from cnngraph.frozen import Frozen


class ImageSet(Frozen):
    """The classes of a data set in label order, its image shape C×H×W, and its mean and standard deviation per channel.

    `mean` and `std` are None if there are no commonly used values; they are then measured.
    """

    title: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


DIGITS = tuple(map(str, range(10)))
FASHION = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# fmt: off
CIFAR100 = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)
# fmt: on

KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
STL10 = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")
MERGED = "abdefghnqrt"  # the lower-case letters that differ from their capitals
EMNIST = {  # the splits defined by Cohen et al. 2017 and their classes
    "balanced": (*DIGITS, *string.ascii_uppercase, *MERGED),
    "byclass": (*DIGITS, *string.ascii_uppercase, *string.ascii_lowercase),
    "bymerge": (*DIGITS, *string.ascii_uppercase, *MERGED),
    "digits": DIGITS,
    "letters": tuple(string.ascii_lowercase),
    "mnist": DIGITS,
}

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

SETS = {
    "digits": ImageSet("embedded digits", DIGITS, (1, 28, 28), (0.1307,), (0.3081,)),
    "mnist": ImageSet("MNIST", DIGITS, (1, 28, 28), (0.1307,), (0.3081,)),
    "fashion_mnist": ImageSet("Fashion-MNIST", FASHION, (1, 28, 28), (0.2860,), (0.3530,)),
    "kmnist": ImageSet("KMNIST", KUZUSHIJI, (1, 28, 28)),
    "qmnist": ImageSet("QMNIST", DIGITS, (1, 28, 28)),
    **{f"emnist_{split}": ImageSet(f"EMNIST {split}", classes, (1, 28, 28)) for split, classes in EMNIST.items()},
    "svhn": ImageSet("SVHN", DIGITS, (3, 32, 32), (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
    "cifar10": ImageSet("CIFAR-10", CIFAR10, (3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "cifar100": ImageSet("CIFAR-100", CIFAR100, (3, 32, 32), (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    "stl10": ImageSet("STL-10", STL10, (3, 96, 96), (0.4467, 0.4398, 0.4066), (0.2603, 0.2566, 0.2713)),
}
MEAN_AND_STD = {name: (known.mean, known.std) for name, known in SETS.items() if known.mean and known.std} | {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD)
}
