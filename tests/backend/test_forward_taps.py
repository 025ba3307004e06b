"""Generated forwards that return inner tensors, skip training-only nodes and call shared modules again."""

from __future__ import annotations

import torch

from cnngraph.backend import lower
from tests.backend.support import built, check_forward, graph_of, inputs_of, interpret


def test_a_tap_is_an_additional_return_value() -> None:
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


def test_auxiliary_heads_run_in_training_mode_only() -> None:
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


def test_an_auxiliary_head_runs_right_after_its_input() -> None:
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


def test_the_value_of_an_iteration_has_its_name() -> None:
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


def test_a_training_only_tap_is_none_in_eval_mode() -> None:
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


def test_taps_of_iterations_are_returned_once_each() -> None:
    graph = graph_of("""
    nodes:
      a: {repeat: 40, nodes: {c: {op: conv, out: 1, kernel: 1}, r: relu}}
      t: {repeat: 40, from: a.$i.c, op: relu, carry: none}
      u: {repeat: 40, from: a.$i.c, op: tanh, carry: none}
      cat: {op: concat, from: [a, t, u]}
    """)
    model, images = lower(graph).eval(), inputs_of(graph)
    assert torch.equal(model(*images), interpret(graph, model, images)["output"])


def test_an_unread_block_input_may_be_a_tap() -> None:
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


def test_a_tensor_that_is_only_in_a_list_is_returned() -> None:
    """An `else` with a path two levels deep: only the second tensor of its list is read outside."""
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
          out: {op: maximum, from: "units[2]"}
        """
    )
    images = torch.rand(2, 4, 4, 4)
    assert torch.equal(model(images), images.relu().tanh())
