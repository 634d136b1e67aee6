import numpy as np
import pytest
import torch
from onnxscript import opset18 as op

from workbench.errors import InputError
from workbench.portability.comparing import compare, difference, tapped
from workbench.portability.exporting import export
from workbench.portability.places import Place, provider_place


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)

    def forward(self, x):
        hidden = torch.nn.functional.silu(self.first(x))
        return self.second(hidden).softmax(-1)


def wrong_silu(x):
    return op.Mul(x, op.Sigmoid(op.Mul(x, op.Constant(value_float=1.702))))


@pytest.fixture(scope="module")
def exported():
    return export(Net(), (torch.randn(3, 8),))


def test_pytorch_and_the_cpu_agree_on_every_value(exported):
    found = compare(exported)
    assert found.first is None
    assert found.outputs_agree
    assert len(found.steps) >= 4


def test_an_operator_that_exports_as_something_else_is_found_at_its_source_line():
    wrong = export(Net(), (torch.randn(3, 8),), custom={torch.ops.aten.silu.default: wrong_silu})
    found = compare(wrong)
    assert found.first.source.text == "hidden = torch.nn.functional.silu(self.first(x))"
    assert found.first.value == "silu"
    assert "silu" in found.sentence
    assert not found.outputs_agree


def test_a_place_that_errs_in_one_node_is_told_from_one_that_passes_an_error_on(exported):
    cpu = provider_place("CPUExecutionProvider")
    hidden = next(n.output[0] for n in exported.model.graph.node if n.op_type == "Mul")

    def disturbed(model, feeds):
        values = cpu.run(model, feeds)
        return {k: v + 0.1 if k == hidden else v for k, v in values.items()}

    found = compare(exported, cpu, Place("disturbed", disturbed))
    assert found.first.value == hidden
    assert found.own_error == pytest.approx(0.1, rel=1e-3)
    assert "made there" in found.notes[0]


def test_onnxs_own_reference_is_a_place_too(exported):
    assert compare(exported, "onnx_reference", "CPUExecutionProvider").first is None


def test_a_plain_model_needs_inputs(exported):
    with pytest.raises(InputError, match="inputs"):
        compare(exported.model, "onnx_reference", "CPUExecutionProvider")


def test_tapping_makes_every_value_an_output(exported):
    made = {name for node in exported.model.graph.node for name in node.output}
    assert {value.name for value in tapped(exported.model).graph.output} == made


def test_nan_against_a_number_and_another_shape_are_divergences():
    assert not difference(np.array([np.nan]), np.array([1.0]))[2]
    assert difference(np.array([np.nan]), np.array([np.nan]))[2]
    assert not difference(np.zeros((2, 1)), np.zeros((1, 2)))[2]
    assert not difference(np.array([1, 2]), np.array([1, 3]))[2]


def test_the_scale_of_cancelling_terms_is_allowed_for():
    want = np.array([1000.0, 1e-7], np.float32)
    assert difference(want + np.float32(1e-3), want)[2]
    assert not difference(want + np.float32(1.0), want)[2]
