"""Which names nodes, params and blocks may have."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
NAME_RULE = "a name consists of ASCII letters, digits and `_` and does not start with a digit"
NODE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*")
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
MAX_NAME = 100  # characters
MAX_PARTS = 30  # of a dotted key
MAX_PATH = 1_000  # characters

# Attributes of torch.nn.Module (a test compares with the installed one), of a built network, and of generated source.
RESERVED_NAMES = frozenset(
    {
        "T_destination",
        "add_module",
        "apply",
        "bfloat16",
        "buffers",
        "call_super_init",
        "children",
        "compile",
        "cpu",
        "cuda",
        "double",
        "dump_patches",
        "eval",
        "extra_repr",
        "float",
        "forward",
        "get_buffer",
        "get_extra_state",
        "get_parameter",
        "get_submodule",
        "half",
        "ipu",
        "load_state_dict",
        "modules",
        "mtia",
        "named_buffers",
        "named_children",
        "named_modules",
        "named_parameters",
        "parameters",
        "register_backward_hook",
        "register_buffer",
        "register_forward_hook",
        "register_forward_pre_hook",
        "register_full_backward_hook",
        "register_full_backward_pre_hook",
        "register_load_state_dict_post_hook",
        "register_load_state_dict_pre_hook",
        "register_module",
        "register_parameter",
        "register_state_dict_post_hook",
        "register_state_dict_pre_hook",
        "requires_grad_",
        "set_extra_state",
        "set_submodule",
        "share_memory",
        "state_dict",
        "to",
        "to_empty",
        "train",
        "training",
        "type",
        "xpu",
        "zero_grad",
        "graph",
        "self",
    }
)


@lru_cache(maxsize=4096)
def name_problem(name: str) -> str | None:
    """Why this is not a valid node name; None if it is valid."""
    if NUMBER.fullmatch(name):
        return None
    if len(name) > MAX_NAME:
        return f"it has more than {MAX_NAME} characters"
    if not NODE_NAME.fullmatch(name):
        return "a name consists of ASCII letters, digits and `_` (and `-` between them) and does not start with a digit"
    if name == "in":
        return "`in` is the input of the scope"
    if keyword.iskeyword(name):
        return "it is a Python keyword, and the name becomes a module attribute"
    if name in RESERVED_NAMES or name.startswith("_"):
        return "it is an attribute of `torch.nn.Module`"
    return None


def better_name(name: str) -> str:
    """A valid node or param name close to `name`."""
    letters = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))  # é is e
    valid = re.sub(r"\W+", "_", plain, flags=re.ASCII).strip("_") or "node"
    valid = f"x{valid}" if valid[0].isdigit() else valid
    valid = valid if len(valid) <= MAX_NAME else valid[: MAX_NAME // 2] + valid[-MAX_NAME // 2 :]
    return f"{valid}_" if valid == name or name_problem(valid) else valid


def key_problem(key: str) -> tuple[str, str] | None:
    """The part of a dotted key that is not a valid node name, and why; None if all parts are valid."""
    parts = key.split(".")
    if len(parts) > MAX_PARTS:
        return key[:20] + "…", f"it has more than {MAX_PARTS} parts"
    return next(((part, reason) for part in parts if (reason := name_problem(part))), None)


def without_index(path: str) -> str:
    """A path without the index at its end: `halves` of `halves[1]`."""
    return path.partition("[")[0]


def first_name(path: str) -> str:
    """A path up to its first dot or index."""
    return without_index(path).partition(".")[0]


def tensor_path(path: str, index: int) -> str:
    """The path of one tensor of a list: `halves[1]`."""
    return f"{path}[{index}]"


def heads(path: str) -> Iterator[str]:
    """The possible first names of a path, since names may contain dots: `a`, `a.b`, `a.b.c` of `a.b.c[0]`."""
    path = without_index(path)
    end = path.find(".")
    while end >= 0:
        yield path[:end]
        end = path.find(".", end + 1)
    yield path
