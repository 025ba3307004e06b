"""E7xx: initial weights and files of weights."""

from __future__ import annotations

from cnngraph.diagnostics.codes.entry import Group, code, project, spec

NETWORK = """
cnngraph: 1
input: [1, 28, 28]
nodes: {conv: {op: conv, out: 4, kernel: 7, stride: 3}, relu: relu, pool: global_avg_pool, fc: {op: linear, out: 10}}
"""
BUILD = "cnngraph build network.yaml --output weights.safetensors"

WEIGHTS = Group(
    "Weights",
    (
        code(
            "E702",
            "invalid init rule",
            """
            A rule sets a parameter that the modules it matches do not have, or uses a function that `torch.nn.init`
            does not have, or an argument that the function does not take.

            The parameters of most modules are `weight` and `bias`; functions are written without their final
            underscore, as `kaiming_normal` for `torch.nn.init.kaiming_normal_`.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                init: [{match: conv, weight: {kaiming: {nonlinearity: relu}}}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                init: [{match: conv, weight: {kaiming_normal: {nonlinearity: relu}}}]
                """
            ),
        ),
        code(
            "E703",
            "init function that does not suit the shape",
            """
            Some functions of `torch.nn.init` need a tensor of at least two axes: Xavier's and Kaiming's compute fan-in
            and fan-out from them. A bias or the weight of a batch norm has only one.

            Use a number, `zeros`, `ones`, `normal` or `uniform` for these.
            """,
            wrong=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                init: [{match: conv, bias: xavier_uniform}]
                """
            ),
            right=spec(
                """
                cnngraph: 1
                input: [3, 32, 32]
                nodes: [{op: conv, out: 16, kernel: 3}, relu]
                init: [{match: conv, weight: xavier_uniform, bias: 0}]
                """
            ),
        ),
        code(
            "E704",
            "unusable file of weights",
            """
            The file is neither safetensors nor a checkpoint of `torch.save`, is damaged, holds something other than
            named tensors, or needs code to be loaded. cnngraph loads pickles without running any code in them, so a
            pickled module is refused. It is also reported if `weights: renames:` gives two keys the same name, and if
            several sets of weights in a checkpoint fit: select one with `FILE:NAME`.

            Save the weights alone: `torch.save(model.state_dict(), file)`, or better `safetensors.torch.save_file`.
            """,
            wrong=project(
                "cnngraph weights network.yaml weights.pth", network_yaml=NETWORK, weights_pth="no tensors in here"
            ),
            right=project(BUILD, "cnngraph weights network.yaml weights.safetensors", network_yaml=NETWORK),
        ),
        code(
            "E705",
            "weights that torchvision does not publish",
            """
            `--weights torchvision` asks for published weights, and torchvision has no network of this name, has not
            published weights of this version, or they cannot be downloaded.

            A network is recognised by its name, or by that of the network it extends; `torchvision:resnet50` names
            another one. To use weights that you have downloaded, name the file.
            """,
            wrong=project("cnngraph weights network.yaml torchvision", network_yaml=NETWORK),
            right=project(BUILD, "cnngraph weights network.yaml weights.safetensors", network_yaml=NETWORK),
        ),
        code(
            "E706",
            "weights that do not fit the network",
            """
            Keys of the network are missing in the file, keys of the file are unknown to the network, or shapes differ.
            Loading part of them would leave layers with random weights unnoticed.

            `cnngraph weights SPEC FILE` lists every key, and suggests `renames` if only names differ. A classifier for
            a different number of classes is allowed if `--set classes=…` changes it, and so is what a spec changes in
            the network that it extends: these layers are initialised randomly. `--partial` loads what fits, `--fresh
            PATTERN` initialises weights that you name, and `--leave PATTERN` ignores weights of the file.
            """,
            wrong=project(
                BUILD,
                "sed 's/out: 4/out: 8/' network.yaml > wider.yaml",
                "cnngraph train wider.yaml --recipe digits --weights weights.safetensors --set train.epochs=1 -q",
                network_yaml=NETWORK,
            ),
            right=project(
                BUILD,
                "cnngraph train network.yaml --recipe digits --weights weights.safetensors --set train.epochs=1 -q",
                network_yaml=NETWORK,
            ),
        ),
        code(
            "E707",
            "impossible migration of weights",
            """
            `cnngraph migrate` was asked for something that the two networks do not allow: old classes that do not
            exist, another number of them than the new classifier has, or networks that cannot be compared at the
            new input size. Or a network to be built or trained with `--from` keeps none of the old weights. It is also
            reported, and nothing is written, if the networks differ where the plan says that the function is
            preserved.

            `--classes` takes one old class, counted from 0, for each output of the new classifier.
            """,
            wrong=project(
                BUILD,
                "sed 's/out: 10/out: 3/' network.yaml > fewer.yaml",
                "cnngraph migrate network.yaml fewer.yaml weights.safetensors --classes 0,3",
                network_yaml=NETWORK,
            ),
            right=project(
                BUILD,
                "sed 's/out: 10/out: 3/' network.yaml > fewer.yaml",
                "cnngraph migrate network.yaml fewer.yaml weights.safetensors --classes 0,3,7",
                network_yaml=NETWORK,
            ),
        ),
    ),
)
