"""Which ops say what timm calls: functions, functions of parameters alone, of large constants, and whole classes.

The value is the ops that together say it, in any number of nodes, or Missing with the reason. What is not in the table
cannot be said. A function of parameters is that of FUNCTIONS where all of its ops accept free parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cnngraph.ops.registry import BUILTIN


@dataclass(frozen=True)
class Missing:
    """Why no op says it."""

    reason: str


Entry = tuple[str, ...] | Missing

_DATA = Missing("the result depends on values: which elements are read or kept")
_THREE = Missing("a third spatial axis")

FUNCTIONS: Mapping[str, Entry] = MappingProxyType(
    {
        # layers
        "conv1d": ("conv",),
        "conv2d": ("conv",),
        "conv_transpose2d": ("conv_transpose",),
        "conv3d": _THREE,
        "conv2d (weight computed from the images)": Missing("a convolution whose kernels depend on the image"),
        "conv2d (computed weight)": Missing("a convolution with computed kernels"),
        "conv2d (constant weight)": Missing("a convolution with fixed kernels other than those of `blur_pool`"),
        "linear": ("linear",),
        "linear (constant weight)": ("matmul", "constant"),
        "linear (computed weight)": ("matmul", "add"),
        "linear (weight computed from the images)": ("matmul", "add"),
        "multi_head_attention_forward": ("parameter", "matmul", "add", "attention"),
        "scaled_dot_product_attention": ("attention",),
        "matmul": ("matmul",),
        "baddbmm": ("matmul", "add"),
        "addmm": ("matmul", "add"),
        "einsum": ("permute", "reshape", "matmul", "mul", "sum"),
        # norms
        "batch_norm": ("batch_norm",),
        "group_norm": ("group_norm",),
        "layer_norm": ("layer_norm",),
        "layer_norm[several axes]": ("mean", "var", "sub", "div", "mul", "add"),
        "instance_norm": ("instance_norm",),
        "rms_norm": ("rms_norm",),
        "normalize": ("l2_normalize",),
        "norm": ("norm",),
        "local_response_norm": ("local_response_norm",),
        # pooling and resizing
        "max_pool2d": ("max_pool",),
        "max_pool1d": ("max_pool",),
        "avg_pool2d": ("avg_pool",),
        "avg_pool1d": ("avg_pool",),
        "avg_pool3d": _THREE,
        "lp_pool2d": ("lp_pool",),
        "adaptive_avg_pool2d": ("adaptive_avg_pool",),
        "adaptive_avg_pool1d": ("mean",),  # timm pools to a single position
        "adaptive_max_pool2d": ("adaptive_max_pool",),
        "interpolate[nearest]": ("upsample",),
        "interpolate[bilinear]": ("upsample",),
        "interpolate[bicubic]": ("upsample",),
        "interpolate[bicubic antialias]": ("upsample",),
        "interpolate[bilinear antialias]": ("upsample",),
        "grid_sample": Missing("sampling at computed positions"),
        "pad[constant]": ("pad", "concat"),  # tokens are padded by concatenating a constant
        "pad[reflect]": ("pad",),
        "pad[replicate]": ("pad",),
        "pad[circular]": ("pad",),
        "pixel_shuffle": ("pixel_shuffle",),
        "pixel_unshuffle": ("pixel_unshuffle",),
        "channel_shuffle": ("channel_shuffle",),
        # activations
        **{name: (name,) for name in ("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "mish")},
        **{name: (name,) for name in ("sigmoid", "tanh", "softmax", "log_softmax", "hardswish", "hardsigmoid")},
        "softplus": ("softplus",),
        "glu": ("chunk", "sigmoid", "mul"),
        "clamp": ("maximum", "scale", "constant"),  # the minimum is −max(−x, −y)
        # dropout
        "dropout": ("dropout",),
        "dropout[p=0]": ("identity",),
        "dropout2d": ("dropout2d",),
        # arithmetic
        "add": ("add", "scale"),
        "addcmul": ("mul", "add", "scale"),
        "sub": ("sub", "scale"),
        "mul": ("mul", "scale"),
        "div": ("div", "scale"),
        "lerp": ("sub", "mul", "add"),
        "neg": ("scale",),
        "abs": ("abs",),
        "square": ("pow",),
        "pow": ("pow",),
        "reciprocal": ("pow",),
        "sqrt": ("sqrt",),
        "rsqrt": ("pow",),
        "exp": ("exp",),
        "log": ("log",),
        "sin": ("sin",),
        "cos": ("cos",),
        "maximum": ("maximum",),
        "minimum": ("scale", "maximum"),
        "max[elementwise]": ("maximum",),
        # reductions
        "mean": ("mean",),
        "sum": ("sum",),
        "amax": ("max",),
        "max": ("max",),
        "amin": ("scale", "max"),
        "min": ("scale", "max"),
        "var": ("var",),
        "std": ("var", "sqrt"),
        "var_mean": ("var", "mean"),
        # shapes
        "reshape": ("reshape",),
        "flatten": ("flatten",),
        "permute": ("permute",),
        "transpose": ("permute",),
        "unsqueeze": ("reshape",),
        "squeeze": ("reshape",),
        "expand": ("mul", "constant"),
        "repeat": ("concat",),
        "repeat_interleave": ("index",),
        "cat": ("concat",),
        "stack": ("reshape", "concat"),
        "hstack": ("concat",),
        "chunk": ("chunk",),
        "split": ("split",),
        "split_with_sizes": ("split",),
        "unbind": ("index",),
        "narrow": ("slice",),
        "select": ("index",),
        "getitem": ("slice", "index", "reshape"),
        "getitem[constant]": ("index",),
        "index_select[constant]": ("index",),
        "roll": ("roll",),
        "flip": ("index",),
        "unfold": ("unfold",),
        "fold": ("fold",),
        # what depends on values
        "getitem[computed from the images]": _DATA,
        "getitem[mask]": _DATA,
        "gather[computed from the images]": _DATA,
        "setitem": Missing("assignment to a part of a tensor"),  # see CLASSES
        "topk": _DATA,
        "argsort": _DATA,
        "where[computed]": _DATA,
        "masked_fill[computed]": _DATA,
        "where[constant]": ("mul", "add", "constant"),
        "masked_fill[constant]": ("mul", "add", "constant"),
        "constant": ("constant",),
    }
)

# Where an op of FUNCTIONS reads no free parameter.
OF_PARAMETERS: Mapping[str, Entry] = MappingProxyType(
    {
        "linear": ("matmul", "add"),
        "flatten": ("reshape",),
        "dropout[p=0]": ("identity",),
        "repeat_interleave": ("index",),
        "getitem[large constant]": ("index", "constant"),
    }
)

# Constants of more than LARGE numbers, which one does not write down: the ops that compute them from small ones.
OF_LARGE_CONSTANTS: Mapping[str, Entry] = MappingProxyType(
    {
        **dict.fromkeys(("zeros", "ones", "full", "empty", "zeros_like", "ones_like"), ("constant",)),
        **dict.fromkeys(("new_zeros", "new_ones", "new_full", "arange", "linspace", "tensor"), ("constant",)),
        **dict.fromkeys(("copy", "long", "int", "bool"), ("identity",)),
        "flatten": ("reshape",),
        "meshgrid": ("reshape", "mul", "constant"),
        "expand": ("mul", "constant"),
        "repeat_interleave": ("index",),
        "setitem": ("concat",),
        "fill": ("constant",),
        # equal or not, of integers: min(|x − y|, 1)
        "eq": ("sub", "abs", "maximum", "scale"),
        "ne": ("sub", "abs", "maximum", "scale"),
        "masked_fill": ("mul", "add"),
        "bitwise_not": ("scale",),
        "sign": ("maximum", "scale"),  # of integers
        "floor_divide": Missing("no op rounds"),
        "log2": ("log", "scale"),
        "cumsum": ("constant",),  # of ones: 1, 2, …
    }
)

# Calls that a class makes in a way that can be said, or cannot: "class: call".
OF_A_CLASS: Mapping[str, Entry] = MappingProxyType(
    {
        # weight standardisation
        **dict.fromkeys(("StdConv2d: *", "ScaledStdConv2d: *"), ("conv",)),
        **dict.fromkeys(("StdConv2dSame: *", "ScaledStdConv2dSame: *"), ("pad", "conv")),
        "BlurPool2d: conv2d (constant weight)": ("blur_pool",),
        # a bias is added to the scores of all tokens but the class token
        "MultiScaleAttention: setitem": ("slice", "add", "concat"),
        # a table of values for relative positions: `relative_position` of blocks/attention.yaml, of the absolute
        # offsets in LeViT, without the class token in BEiT, of every second query where a map is subsampled
        **{
            f"{name}: getitem[large constant] of parameters": ("index", "reshape", "permute", "unfold", "concat")
            for name in (
                *("Attention", "Attention2d", "Attention2dDownsample", "AttentionDownsample", "CascadedGroupAttention"),
                *("RelPosBias", "WindowAttention"),
            )
        },
    }
)


def judge(caller: str, call: str) -> Entry:
    """The ops that say a call of a class, or why none does."""
    for key in (f"{caller}: {call}", f"{caller}: *"):
        if key in OF_A_CLASS:
            return OF_A_CLASS[key]
    for ending, table in ((" of parameters", OF_PARAMETERS), (" for a large constant", OF_LARGE_CONSTANTS)):
        if call.endswith(ending):
            function = call.removesuffix(ending)
            return table[function] if function in table else _without_batch(FUNCTIONS.get(function, UNKNOWN))
    return FUNCTIONS.get(call, UNKNOWN)


UNKNOWN = Missing("not in the table")
READS_PARAMETERS = {op.name for op in BUILTIN if op.takes_parameters or op.inputs == (0, 0)}


def _without_batch(entry: Entry) -> Entry:
    """The same for a tensor that is computed from parameters or constants alone."""
    if isinstance(entry, Missing):
        return entry
    refusing = [name for name in entry if name not in READS_PARAMETERS]
    return Missing(f"`{refusing[0]}` reads no free parameter") if refusing else entry


def entries() -> Iterator[tuple[str, Entry]]:
    """Everything in the table."""
    for table in (FUNCTIONS, OF_PARAMETERS, OF_LARGE_CONSTANTS, OF_A_CLASS):
        yield from table.items()
