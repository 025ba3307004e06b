"""Known names: those of the language, and common ones of the field, which make a name plausible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from cnngraph.fields import Choice, Either, Kind, Optional, fields_of
from cnngraph.fixes.written import Written
from cnngraph.language.expressions.functions import FUNCTIONS
from cnngraph.language.expressions.values import SHAPE_ATTRIBUTES
from cnngraph.language.keys import BLOCK_KEYS, FILE_KEYS
from cnngraph.ops.registry import builtin_ops

COMMON = (  # parts of the names of nodes, blocks and params
    "a above absolute across act activation add after again alexnet all alone along angle another any around attend "
    "aux average averaged away b back base basic batch before behind below between blob block bn body both bottleneck "
    "bottom box branch broadcast by c center chain channels chunk class classes classifier coarse column combine "
    "concat concept connect constant context conv convolution corner correlation crop cropped cross decode decoder "
    "deep default delta dense densenet depth depthwise detail detect difference distance divide double down "
    "downsample drop dropout dropped drops each early edge efficientnet eight element embed encode encoder end "
    "entropy entry error even every excitation excite exit expand exponent extra eye factor far farther fast fc "
    "feature features few fill filter final fine first five flatten flow fold for forward four fractal fraction free "
    "from fully fuse gate gated global googlenet gradient grid group groups growth guide half halve halves hard head "
    "here hidden high highway hyper identity image in inception index initial inner input inputs inside into inverted "
    "join kernel key large last late lateral layer layers learn learnable learned least left less level levels "
    "likelihood linear little local logit logits long loss low lower main many map maps mask maximum mean merge "
    "middle minimum mix mixed mobile mobilenet mode module more most much names near neck new next no node noise none "
    "norm normal not number odd of off offset old on once one only open order other others out outer output outputs "
    "over own pair part parts patch path per piece pixel plain plus point points pointwise pool pooled pooling "
    "position power pre predict previous prior product proj project projection pyramid quarter query random rate "
    "ratio raw reduce refine region regular relu residual resized resnet rest right root round rows same scale scales "
    "score se second segment separable sequence series seven several shape share sharp short shortcut shrink shuffle "
    "side sigma simple single six size skip slice slow small smooth soft softmax some spatial split square squeeze "
    "stable stack stage start state stem step still stride strip strong sub sum super swap swish symmetric tail "
    "target temperature ten tensor than that the then there thick thin third this three through to together token top "
    "total trail transform transition transpose trunk twin two under unet unit units until up update upper upsample "
    "value variance vector vgg via view wave weak weigh weight weighted while whole wide widen width window with "
    "without x xception y zero zone"
)


@cache
def language() -> tuple[tuple[str, ...], ...]:
    """The names of the language in groups: ops, keys, and others."""
    kinds = [field.kind for op in builtin_ops().values() for field in fields_of(op).values()]
    choices = [option for kind in kinds for option in choices_of(kind)]
    keys = [*BLOCK_KEYS, *FILE_KEYS, *(name for op in builtin_ops().values() for name in fields_of(op))]
    others = [*choices, *SHAPE_ATTRIBUTES, *FUNCTIONS, "true", "false", "null", "and", "or", "not", "if", "else", "in"]
    groups = (list(builtin_ops()), keys, [*others, "from", "item", "last", "concat", "none"])
    return tuple(tuple(dict.fromkeys(group)) for group in groups)


def choices_of(kind: Kind) -> Iterator[str]:
    """The strings that a parameter of this kind may be."""
    if isinstance(kind, Choice):
        yield from kind.options
    elif isinstance(kind, Either):
        for option in kind.kinds:
            yield from choices_of(option)
    elif isinstance(kind, Optional):
        yield from choices_of(kind.kind)


@cache
def vocabulary() -> frozenset[str]:
    """All known words: the common ones and those of the language."""
    words = {word for group in language() for name in group for word in name.split("_")}
    return frozenset((*COMMON.split(), *words))


@cache
def _letter_pairs() -> frozenset[str]:
    """All pairs of adjacent letters in the vocabulary."""
    return frozenset(word[at : at + 2] for word in vocabulary() for at in range(len(word) - 1))


def plausibility(written: Written, name: str) -> float:
    """How plausible a name is, from 0 to 1: known words count fully, others by their share of common letter pairs."""
    parts = [part for part in re.split(r"[_\d]+", name.lower()) if part]
    elsewhere = {part for word in written.name_counts if word != name for part in re.split(r"[_\d]+", word.lower())}
    scores = []
    for part in parts:
        pairs = [part[at : at + 2] for at in range(len(part) - 1)]
        known = part in elsewhere or not vocabulary().isdisjoint((part, part.removesuffix("s")))
        scores.append(1.0 if known else 0.8 * sum(pair in _letter_pairs() for pair in pairs) / max(1, len(pairs)))
    return sum(scores) / len(scores) if scores else 1.0
