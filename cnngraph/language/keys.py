"""The keys of the language, each listed once: for the parser, the JSON schema, the manual and completion in editors."""

from __future__ import annotations

from collections.abc import Iterable

from cnngraph.frozen import frozen


@frozen
class Key:
    """A key of the language, its description in Markdown, and the section of the guide about it."""

    name: str
    doc: str
    section: str
    may_be_empty: bool = False  # null removes the value inherited from the base


def _keys(*keys: Key) -> dict[str, Key]:
    return {key.name: key for key in keys}


FILE_KEYS = _keys(
    Key("cnngraph", "The language version, always `1`. Required in every file.", "guide/nodes.md#the-file"),
    Key("name", "The network's name; defaults to the file's.", "guide/nodes.md#the-file"),
    Key("about", "What the network is, and what is special about it.", "guide/nodes.md#the-file"),
    Key("paper", "Where it comes from: authors, year, title.", "guide/nodes.md#where-it-comes-from"),
    Key(
        "published",
        "Published top-1 errors in percent, by data set: `{imagenet: 23.85}`.",
        "guide/nodes.md#where-it-comes-from",
    ),
    Key(
        "input",
        "`[channels, height, width]` of one image, `[features]` of a vector, or several inputs by name: "
        "`{left: [..], right: [..]}`.",
        "guide/tensors.md#several-inputs",
    ),
    Key(
        "params",
        "Named values that `--set` can override; a default may be an expression that uses earlier params.",
        "guide/blocks.md#params-and-expressions",
    ),
    Key(
        "import",
        "Files whose blocks are used here; searched for next to this file, then in the library.",
        "guide/blocks.md#blocks-from-another-file",
    ),
    Key(
        "extends",
        "The file, or the name of the bundled network, that this spec modifies.",
        "guide/blocks.md#extending-a-spec",
    ),
    Key(
        "blocks",
        "Reusable nodes with params, by name; each can be used as an op.",
        "guide/blocks.md#a-block-with-params",
    ),
    Key(
        "nodes",
        "The nodes of the network, in the order of its modules; with `extends`, nodes to add after those of the base.",
        "guide/nodes.md#what-a-node-reads",
    ),
    Key(
        "change",
        "Changes of nodes, as a list of rules: `{match: conv1, stride: 1}`. They apply in order.",
        "guide/change.md#rules",
    ),
    Key(
        "outputs",
        "What the network returns, by name: `{logits: fc}`. Defaults to its last node.",
        "guide/tensors.md#outputs",
        True,
    ),
    Key(
        "training_only",
        "Outputs that are computed only in training mode; nodes that nothing else uses are skipped in eval mode too.",
        "guide/tensors.md#outputs",
        True,
    ),
    Key(
        "init",
        "How weights are initialised; if several rules match a module, the last one applies.",
        "guide/weights.md#initial-weights",
        True,
    ),
    Key(
        "weights",
        "Names of published weights that differ, `{renames: {theirs: ours}}`, and initial weights of networks that are "
        "nodes, `{backbone: torchvision}`.",
        "guide/weights.md#published-weights",
        True,
    ),
    Key("train", "The training recipe, or the name of one.", "guide/weights.md#the-recipe", True),
    Key(
        "ignore",
        "Warnings to suppress, each with a reason: `{W401: why this is intended}`.",
        "guide/messages.md#warnings",
    ),
)

NODE_KEYS = _keys(
    Key("op", "The name of an op or block, or an expression for it.", "guide/nodes.md#ops-and-their-parameters"),
    Key(
        "from",
        "What it reads: a path or a list of paths. Defaults to the node above, or `in` for the first node.",
        "guide/nodes.md#what-a-node-reads",
    ),
    Key(
        "when",
        "An expression; if it is false, the node is absent and its first input is passed through.",
        "guide/repeats.md#when-and-else",
    ),
    Key(
        "else",
        "What replaces the node if it is absent: paths, or `[]` for nothing.",
        "guide/repeats.md#when-and-else",
    ),
    Key(
        "nodes",
        "A mapping or list of nested nodes; the value is that of the last one.",
        "guide/nodes.md#nodes-in-nodes",
    ),
    Key(
        "repeat",
        "A number of iterations, or a list with one element for each. `$i` is the index from 0, `$item` the element.",
        "guide/repeats.md#repeat",
    ),
    Key("first", "Keys of the first iteration.", "guide/repeats.md#first-and-last"),
    Key("last", "Keys of the last iteration.", "guide/repeats.md#first-and-last"),
    Key(
        "carry",
        "What the next iteration reads: `last`, the previous iteration; `concat`, the concatenation of all so far; "
        "`none`, the repeat's own input; `[1, 2]`, the outputs of one and two iterations back.",
        "guide/repeats.md#what-the-next-iteration-reads",
    ),
    Key(
        "gives",
        "What a repeat outputs: `last`, the output of the last iteration, or `all`, the list of the outputs of all. By "
        "default `carry` determines it.",
        "guide/repeats.md#what-a-repeat-outputs",
    ),
    Key(
        "name",
        "The name of the first iteration; the number at its end increases with each iteration.",
        "guide/repeats.md#names-of-iterations",
    ),
    Key("flat", "`true` leaves the node's own name out of the paths of its nodes.", "guide/repeats.md#flat"),
    Key(
        "expect",
        "The expected output shape, `[channels, height, width]`; `_` matches any size.",
        "guide/nodes.md#a-check-in-the-spec",
    ),
    Key(
        "share",
        "The path of a node whose module runs again here, with the same weights.",
        "guide/tensors.md#weights-used-twice",
    ),
    Key(
        "net",
        "A network to use as a node: the name of a bundled one, or a file. Other keys set its params.",
        "guide/change.md#a-network-as-a-node",
    ),
    Key(
        "until",
        "With `net`, the path of the node whose value is that of the network; what comes after it is left out.",
        "guide/change.md#a-network-as-a-node",
    ),
    Key(
        "unused",
        "`true` builds the node so that its weights exist, but never runs it.",
        "guide/tensors.md#weights-never-used",
    ),
    Key("ignore", "Warnings to suppress for the node, each with a reason.", "guide/messages.md#warnings"),
)

CHANGE_KEYS = _keys(
    Key(
        "match",
        "The name of an op or block, or a path in which `*` matches any text without a dot.",
        "guide/change.md#rules",
    ),
    Key("op", "Another op or block. Its parameters are those of the node; null removes one.", "guide/change.md#rules"),
    Key("remove", "`true` removes the node; its first input is passed through.", "guide/change.md#rules"),
    Key(
        "before",
        "Nodes to insert before the node. Their `in` is what the node reads; it reads the last one instead.",
        "guide/change.md#rules",
    ),
    Key(
        "after",
        "Nodes to insert after the node. Their `in` is the node; what reads the node reads the last one instead.",
        "guide/change.md#rules",
    ),
    Key("replace", "The node to put in its place; by default it reads the same inputs.", "guide/change.md#rules"),
)

OWN_BLOCK_KEYS = _keys(
    Key(
        "params",
        "Params of the block and their defaults; one without a default is required.",
        "guide/blocks.md#a-block-with-params",
    ),
    Key("inputs", "The names of its inputs, if it has several.", "guide/blocks.md#blocks-with-several-inputs"),
)
BLOCK_KEYS = {**NODE_KEYS, **OWN_BLOCK_KEYS}

BODIES = ("op", "nodes", "share", "net")  # a node has exactly one of them
REPEAT_KEYS = ("carry", "gives", "name", "first", "last")  # they require `repeat`
CARRIES = ("last", "concat", "none")
GIVES = ("last", "all")
VARIABLES = ("in", "from", "i", "item")  # predefined names of expressions: $in, $from, $i, $item
RESERVED_PARAMS = (*dict.fromkeys((*BLOCK_KEYS, *VARIABLES)),)  # names that a param cannot have


def keys_manual() -> str:
    """The page `docs/keys.md`, in Markdown."""
    return "\n".join(
        [
            "# Keys of a spec",
            "",
            "The keys of the language. This page is generated from the definitions "
            "(`python -m cnngraph.generate`). A node's other keys are parameters of its [op](ops.md) or params of "
            "its block; the keys of a recipe are in [recipes.md](recipes.md).",
            "",
            "## A file",
            "",
            *_rows(FILE_KEYS.values()),
            "",
            "A network needs `nodes` and `input`. A file with `blocks` and no `nodes` is a library of blocks.",
            "",
            "## A node",
            "",
            *_rows(NODE_KEYS.values()),
            "",
            f"A node has exactly one of {_listed(BODIES)}. {_listed(REPEAT_KEYS).capitalize()} need `repeat`; "
            "`else` needs `when`.",
            "",
            "## A rule of `change`",
            "",
            *_rows(CHANGE_KEYS.values()),
            "",
            "All other keys are parameters to set; null removes a parameter, so that its default applies.",
            "",
            "## A block",
            "",
            "A block has the keys of a node, and also:",
            "",
            *_rows(OWN_BLOCK_KEYS.values()),
            "",
            f"A param cannot have the same name as a key of a node or block, or be named {_listed(VARIABLES, 'or')}.",
            "",
        ]
    )


def _rows(keys: Iterable[Key]) -> list[str]:
    rows = [f"| [`{key.name}`]({key.section}) | {key.doc} |" for key in keys]
    return ["| key | meaning |", "| --- | --- |", *rows]


def _listed(names: tuple[str, ...], joint: str = "and") -> str:
    *first, last = (f"`{name}`" for name in names)
    return f"{', '.join(first)} {joint} {last}"
