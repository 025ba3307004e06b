"""The generated forwards: what they say, and that they compute what the graph says."""

from __future__ import annotations

import copy
import inspect
import traceback
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import nn

import cnngraph
from cnngraph.backend import lower, model_source
from tests.backend.support import as_list, built, graph_of, inputs_of, interpret
from tests.library import NETWORKS, network

SMALL = [
    path
    for path in NETWORKS
    if path.stem.startswith(("googlenet_mnist", "residual_mnist", "cifar2", "resnet_cifar_222"))
    and path.stem != "cifar2_deep_100"
]


def body(module: nn.Module) -> str:
    """The forward's statements."""
    _, *lines = inspect.getsource(type(module).forward).splitlines()
    return dedent("\n".join(lines))


def check_forward(module: nn.Module, wanted: str) -> None:
    assert body(module) == dedent(wanted).strip()


def test_a_chain_is_x() -> None:
    model = built("nodes: {conv: {op: conv, out: 8, kernel: 1}, act: relu, pool: global_avg_pool}")
    check_forward(
        model,
        """
        x = self.conv(x)
        x = self.act(x)
        return x.mean((2, 3))
        """,
    )


def test_a_name_that_python_cannot_say_goes_by_getattr() -> None:
    model = built(
        """
        nodes:
          block1:
            repeat: 2
            name: block1-0
            nodes:
              scale-to: {op: parameter, shape: [4, 1, 1], init: 2}
              conv-by: {op: conv, from: in, out: 4, kernel: 1}
              mul: {op: mul, from: [conv-by, scale-to]}
        """
    )
    check_forward(
        model.block1,
        """
        x = getattr(self, "block1-0")(x)
        return getattr(self, "block1-1")(x)
        """,
    )
    check_forward(
        model.get_submodule("block1.block1-1"),
        """
        x = getattr(self, "conv-by")(x)
        return x * getattr(self, "scale-to")
        """,
    )
    assert list(model.state_dict())[:2] == ["block1.block1-0.scale-to", "block1.block1-0.conv-by.weight"]


def test_a_residual_body_is_y() -> None:
    model = cnngraph.build(network("resnet_cifar_222"))
    with_projection = model.get_submodule("layer2.0")
    check_forward(
        with_projection,
        """
        y = self.conv1(x)
        y = self.bn1(y)
        y = self.relu1(y)
        y = self.conv2(y)
        y = self.bn2(y)
        downsample = self.downsample(x)
        x = y + downsample
        return self.relu2(x)
        """,
    )


def test_branches_have_their_names() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    check_forward(
        model.get_submodule("inception1"),
        """
        point = self.point(x)
        wide = self.wide(x)
        deep = self.deep(x)
        pool = self.pool(x)
        return torch.cat((point, wide, deep, pool), 1)
        """,
    )


def test_branches_of_several_statements_end_in_their_names() -> None:
    model = built("""
        nodes:
          a1: {op: conv, out: 4, kernel: 1}
          a2: relu
          b1: {op: conv, from: in, out: 4, kernel: 1}
          b2: relu
          c: {op: conv, from: in, out: 4, kernel: 1}
          cat: {op: concat, from: [a2, b2, c]}
        """)
    check_forward(
        model,
        """
        y = self.a1(x)
        a2 = self.a2(y)
        y = self.b1(x)
        b2 = self.b2(y)
        c = self.c(x)
        return torch.cat((a2, b2, c), 1)
        """,
    )


def test_a_dense_block() -> None:
    model = built("nodes: {dense: {repeat: 3, name: layer1, op: conv, out: 2, kernel: 1, carry: concat}, end: relu}")
    check_forward(
        model.get_submodule("dense"),
        """
        layer1 = self.layer1(x)
        y = torch.cat((x, layer1), 1)
        layer2 = self.layer2(y)
        y = torch.cat((x, layer1, layer2), 1)
        layer3 = self.layer3(y)
        return torch.cat((x, layer1, layer2, layer3), 1)
        """,
    )


def test_lists_are_tuples() -> None:
    model = built("""
        nodes:
          halves: {op: chunk, chunks: 2}
          left: {op: conv, from: halves.1, out: 2, kernel: 1}
          both: {repeat: 2, carry: none, op: conv, out: 2, kernel: 1}
          cat: {op: concat, from: [halves.0, both]}
        """)
    check_forward(
        model,
        """
        halves_0, halves_1 = torch.chunk(x, 2, 1)
        left = self.left(halves_1)
        both_0, both_1 = self.both(left)
        return torch.cat((halves_0, both_0, both_1), 1)
        """,
    )
    assert "-> tuple[Tensor, Tensor]:" in inspect.getsource(type(model.both))


def test_a_tap_is_returned_beside_the_value() -> None:
    graph = graph_of("""
        nodes:
          stage: {nodes: {left: [{op: conv, out: 2, kernel: 1}, relu, batch_norm], last: relu}}
          tap: {op: conv, from: stage.left.1, out: 2, kernel: 1}
          end: {op: add, from: [stage, tap]}
        """)
    model = lower(graph)
    check_forward(
        model,
        """
        x, stage_left_1 = self.stage(x)
        tap = self.tap(stage_left_1)
        return x + tap
        """,
    )
    check_forward(
        model.get_submodule("stage"),
        """
        x, left_1 = self.left(x)
        x = self.last(x)
        return x, left_1
        """,
    )
    check_forward(
        model.get_submodule("stage.left"),
        """
        x = self[0](x)
        x = self[1](x)
        y2 = self[2](x)
        return y2, x
        """,
    )


AUXILIARY = """
    nodes:
      stem: {op: conv, out: 4, kernel: 1}
      pool1: global_avg_pool
      aux: {op: linear, out: 3}
      body: {op: conv, from: stem, out: 4, kernel: 1}
      pool2: global_avg_pool
      fc: {op: linear, out: 3}
    outputs: {logits: fc, aux: aux}
    training_only: [aux]
    """


def test_what_only_training_needs_runs_in_training_mode_only() -> None:
    model = built(AUXILIARY)
    check_forward(
        model,
        """
        x = self.stem(x)
        if self.training:
            y = x.mean((2, 3))
            y = self.aux(y)
        x = self.body(x)
        x = x.mean((2, 3))
        x = self.fc(x)
        if self.training:
            return Outputs(x, y)
        return x
        """,
    )
    x = torch.randn(2, 4, 6, 6)
    assert model(x)._fields == ("logits", "aux")
    assert isinstance(model.eval()(x), torch.Tensor)


def test_a_head_for_training_runs_where_its_tensor_is_made() -> None:
    model = built("""
        nodes:
          stem: {op: conv, out: 4, kernel: 1}
          body: {op: conv, out: 4, kernel: 1}
          end: {op: conv, out: 4, kernel: 1}
          aux2: {op: conv, from: body, out: 1, kernel: 1}
          aux1: {op: conv, from: stem, out: 1, kernel: 1}
          last: {op: conv, out: 1, kernel: 1}
        outputs: {logits: end, aux1: aux1, last: last, aux2: aux2}
        training_only: [aux1, aux2, last]
        """)
    check_forward(
        model,
        """
        x = self.stem(x)
        if self.training:
            aux1 = self.aux1(x)
            last = self.last(aux1)
        body = self.body(x)
        if self.training:
            aux2 = self.aux2(body)
        end = self.end(body)
        if self.training:
            return Outputs(end, aux1, last, aux2)
        return end
        """,
    )
    assert [name for name, _ in model.named_children()] == ["stem", "body", "end", "aux2", "aux1", "last"]


def test_the_value_of_a_round_goes_by_the_rounds_name() -> None:
    check_forward(
        built("""
        nodes:
          down: {repeat: 2, nodes: {pool: {op: max_pool, kernel: 2, stride: 1}, body: [relu, tanh]}}
          up: {op: conv_transpose, from: down, out: 2, kernel: 2}
          cat: {op: concat, from: [down.0, up]}
        """),
        """
        x, down_0 = self.down(x)
        x = self.up(x)
        return torch.cat((down_0, x), 1)
        """,
    )


def test_a_tap_for_training_is_none_in_eval_mode() -> None:
    model = built("""
        nodes:
          stage: {nodes: {a: {op: conv, out: 4, kernel: 1}, side: relu, b: {op: conv, from: a, out: 4, kernel: 1}}}
          aux: {op: conv, from: stage.side, out: 1, kernel: 1}
          end: {op: relu, from: stage}
        outputs: {logits: end, features: stage, aux: aux}
        training_only: [aux]
        """)
    check_forward(
        model.get_submodule("stage"),
        """
        x = self.a(x)
        if self.training:
            side = self.side(x)
        else:
            side = None
        b = self.b(x)
        return b, side
        """,
    )
    x = torch.randn(2, 4, 6, 6)
    assert model(x).aux is not None
    assert model.eval()(x)._fields == ("logits", "features", "aux")
    assert model(x).aux is None


def test_a_shared_module_is_called_again() -> None:
    model = built("""
        nodes:
          tower: {nodes: {conv: {op: conv, out: 4, kernel: 3}, act: relu, last: {op: conv, out: 4, kernel: 1}}}
          again: {share: tower}
          side: {op: conv, from: again.act, out: 4, kernel: 1}
          loop: {repeat: 2, share: side, from: [again]}
          end: {op: add, from: [loop, again, side]}
        """)
    check_forward(
        model,
        """
        x, _ = self.tower(x)
        x, again_act = self.tower(x)
        side = self.side(again_act)
        y = self.side(x)
        loop_1 = self.side(y)
        return loop_1 + x + side
        """,
    )
    assert [name for name, _ in model.named_children()] == ["tower", "side"]


def test_a_free_parameter_is_an_attribute() -> None:
    model = built("nodes: {act: relu, gamma: {op: parameter, shape: [4, 1, 1]}, mul: {op: mul, from: [act, gamma]}}")
    check_forward(
        model,
        """
        x = self.act(x)
        return x * self.gamma
        """,
    )
    assert list(model.state_dict()) == ["gamma"]


def test_dotted_keys_make_containers() -> None:
    model = built("""
        nodes:
          convs.0: {op: conv, out: 4, kernel: 1}
          bns.a: batch_norm
          convs.1: {op: conv, out: 4, kernel: 1}
        """)
    check_forward(
        model,
        """
        x = self.convs[0](x)
        x = self.bns.a(x)
        return self.convs[1](x)
        """,
    )
    assert isinstance(model.convs, nn.ModuleList)
    assert list(model.state_dict())[:2] == ["convs.0.weight", "convs.0.bias"]


def test_an_unused_node_is_built_and_never_run() -> None:
    model = built(
        "nodes: {dead: {unused: true, nodes: [{op: conv, out: 9, kernel: 1}, relu]}, act: {op: relu, from: in}}"
    )
    check_forward(model, "return self.act(x)")
    assert list(model.state_dict()) == ["dead.0.weight", "dead.0.bias"]


def test_several_inputs_keep_their_names() -> None:
    model = built("""
        input: {left: [4, 6, 6], right: [4, 6, 6]}
        nodes:
          a: {op: conv, from: right, out: 4, kernel: 1}
          end: {op: add, from: [left, a]}
        """)
    check_forward(
        model,
        """
        right = self.a(right)
        return left + right
        """,
    )
    left, right = torch.randn(2, 2, 4, 6, 6)
    assert torch.equal(model(left=left, right=right), model(left, right))


def test_names_shadow_nothing() -> None:
    graph = graph_of("""
        nodes:
          torch: {op: conv, out: 4, kernel: 1}
          F: {op: conv, from: in, out: 4, kernel: 1}
          x: {op: conv, from: in, out: 4, kernel: 1}
          max: {op: conv, from: in, out: 4, kernel: 1}
          Tensor: {op: pad, from: in, padding: 0}
          cat: {op: concat, from: [torch, F, x, max, Tensor, in]}
        """)
    model = lower(graph)
    (image,) = inputs_of(graph)
    assert torch.equal(model(image), interpret(graph, model, [image])["output"])


def test_tensors_that_nobody_needs_are_let_go() -> None:
    rounds = "\n".join(f"          c{number}: {{op: conv, out: 4, kernel: 1}}" for number in range(15))
    text = f"""
        nodes:
          left: {{op: conv, from: in, out: 4, kernel: 1}}
          right: {{op: conv, from: in, out: 4, kernel: 1}}
          cat: {{op: add, from: [left, right]}}
{rounds}
        """
    assert "del left, right" in body(built(text))


def test_a_pure_chain_of_numbers_is_sequential() -> None:
    model: Any = cnngraph.build(network("googlenet_mnist"))
    assert type(model.classifier) is nn.Sequential
    assert [type(each).__name__ for each in model.classifier] == ["Flatten", "Linear"]


def test_other_numbered_scopes_go_by_number_too() -> None:
    model = built("nodes: {s: [{op: conv, out: 4, kernel: 1}, global_avg_pool, {op: linear, out: 3}]}")
    assert type(model.s) is not nn.Sequential
    assert model.s[2] is model.get_submodule("s.2")
    with pytest.raises(IndexError):
        model.s[1]


def test_identical_blocks_share_a_class() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    assert type(model.inception1) is type(model.inception2)
    assert type(model.inception1).__name__ == "Inception"
    assert type(model).__name__ == "GooglenetMnist"


def test_a_traceback_shows_the_line() -> None:
    model = cnngraph.build(network("googlenet_mnist"))
    with pytest.raises(RuntimeError) as caught:
        model(torch.randn(2, 7, 28, 28))
    assert "x = self.conv1(x)" in "".join(traceback.format_tb(caught.value.__traceback__))


def compare_with_interpreter(graph: cnngraph.Graph) -> None:
    model = lower(graph)
    assert list(graph.state.items()) == [(key, tuple(each.shape)) for key, each in model.state_dict().items()]
    for training in (True, False):
        model.train(training)
        inputs = inputs_of(graph)
        torch.manual_seed(1)
        wanted = interpret(graph, copy.deepcopy(model), [each.clone() for each in inputs])
        torch.manual_seed(1)
        found = [each for each in as_list(copy.deepcopy(model)(*inputs)) if each is not None]
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted.values(), strict=True):
            assert torch.equal(one, other)
    loss = sum(
        each.sum() for each in as_list(model(*[each.requires_grad_() * 1 for each in inputs])) if each is not None
    )
    loss.backward()  # fails where an activation overwrote what the backward pass needs


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_library_computes_what_its_graphs_say(path: object) -> None:
    compare_with_interpreter(cnngraph.load(str(path)))


def test_large_networks_compute_what_their_graphs_say() -> None:
    compare_with_interpreter(cnngraph.load(network("resnet_cifar"), depth=26, bn="before", relu="before"))


def test_a_long_dense_block_goes_on_from_the_concatenation_before() -> None:
    graph = graph_of("nodes: {dense: {repeat: 300, op: conv, out: 1, kernel: 1, carry: concat}, pool: global_avg_pool}")
    model, images = lower(graph).eval(), inputs_of(graph)
    wanted = interpret(graph, model, images)["output"]
    assert torch.equal(model(*images), wanted)
    last = model_source(graph).rpartition("torch.cat((")[2].partition(")")[0]
    assert last.count(",") == 1, "it names the concatenation before and one tensor more"


def test_taps_are_handed_out_once_each() -> None:
    graph = graph_of("""
    nodes:
      a: {repeat: 40, nodes: {c: {op: conv, out: 1, kernel: 1}, r: relu}}
      t: {repeat: 40, from: a.$i.c, op: relu, carry: none}
      u: {repeat: 40, from: a.$i.c, op: tanh, carry: none}
      cat: {op: concat, from: [a, t, u]}
    """)
    model, images = lower(graph).eval(), inputs_of(graph)
    assert torch.equal(model(*images), interpret(graph, model, images)["output"])


def test_an_input_that_a_block_does_not_read_may_come_from_inside_another_scope() -> None:
    model = built(
        """
        blocks:
          first: {inputs: [x, skip], nodes: {conv: {op: conv, from: x, out: 4, kernel: 1}, act: relu}}
        nodes:
          dense: {repeat: 2, op: conv, out: 4, kernel: 1, carry: concat}
          one: {op: first, from: [dense, dense.0]}
          other: {share: one, from: [dense, dense.1]}
          sum: {op: add, from: [one, other]}
        """
    )
    x = torch.randn(2, 4, 6, 6)
    dense, first, _ = model.dense(x)
    assert torch.equal(model(x), 2 * model.one(dense, first))


@pytest.mark.parametrize(
    "nodes",
    [
        "[{nodes: {n: batch_norm}, unused: true}, {op: mean, when: false, from: in}]",
        "[{op: batch_norm, unused: true}, {op: relu, when: false, from: in}]",
    ],
)
def test_a_network_in_which_nothing_runs_runs_nothing(nodes: str) -> None:
    """What is built for its keys alone is not run, also where no other node is left."""
    model = built(f"nodes: {nodes}")
    images = torch.rand(1, 3, 1, 1)
    assert torch.equal(model.train()(images), images)  # batch norm would refuse a single value
    assert all(not each for key, each in model.state_dict().items() if key.endswith("num_batches_tracked"))


def test_a_tensor_that_only_a_list_holds_is_handed_out() -> None:
    """An `else` that reaches inside two levels: of the list only the second tensor is read outside."""
    model = built(
        """
        blocks:
          unit:
            inputs: [x]
            nodes:
              inner: {nodes: {first: relu, second: tanh}}
              last: {op: sigmoid, when: false, else: [inner.first, inner.second]}
        nodes:
          units: {repeat: 2, op: unit, carry: none, first: {when: false}}
          out: {op: maximum, from: units.2}
        """
    )
    images = torch.rand(2, 3, 4, 4)
    assert torch.equal(model(images), images.relu().tanh())


def test_the_maximum_of_hundreds_of_tensors() -> None:
    """As a tree of calls: Python's parser refuses 200 parentheses within each other."""
    model = built("nodes: [{op: conv, out: 600, kernel: 1}, {op: chunk, chunks: 600}, maximum]")
    images = torch.rand(2, *model.graph.input_shapes["in"])
    assert torch.equal(model(images), model[0](images).amax(1, keepdim=True))
