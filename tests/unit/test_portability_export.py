import numpy as np
import pytest
import torch

from workbench.errors import InputError
from workbench.portability.exporting import ExportError, export
from workbench.portability.session import open_session


class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 4)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return self.second(hidden).softmax(-1)


class Calls(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


@pytest.fixture(scope="module")
def small():
    return export(Small(), (torch.randn(2, 8),), dynamic={"x": {0: "batch"}})


def test_an_exported_model_agrees_at_sizes_it_was_not_exported_with(small):
    session = open_session(small.model)
    for batch in (1, 2, 7):
        x = torch.randn(batch, 8)
        with torch.no_grad():
            expected = small.module.eval()(x)
        np.testing.assert_allclose(session.run(small.feeds([x]))[0], expected, atol=1e-6)


def test_every_node_knows_the_line_of_forward_that_made_it(small):
    lines = {small.sources[node.name].text for node in small.model.graph.node}
    assert lines == {
        "hidden = torch.relu(self.first(x))",
        "return self.second(hidden).softmax(-1)",
    }


def test_the_opset_is_the_one_asked_for():
    for opset in (17, 21):
        found = export(Small(), (torch.randn(2, 8),), opset=opset).model.opset_import
        assert [entry.version for entry in found if entry.domain == ""] == [opset]


def test_an_opset_out_of_reach_is_an_error_and_not_another_opset():
    with pytest.raises(ExportError, match=r"asked for at opset 7"):
        export(Calls(lambda x: torch.nn.functional.gelu(x)), (torch.randn(2, 3),), opset=7)
    with pytest.raises(InputError, match="opset"):
        export(Small(), (torch.randn(2, 8),), opset=99)


def test_a_dimension_asked_to_be_dynamic_and_fixed_by_the_code_is_an_error():
    with pytest.raises(ExportError):
        export(Calls(lambda x: x.reshape(2, 8) + 1), (torch.randn(2, 8),), dynamic=({0: "batch"},))


def test_the_module_keeps_its_mode():
    module = Small().train()
    export(module, (torch.randn(2, 8),))
    assert module.training


def test_a_branch_on_data_is_refused_with_its_line_and_the_way_round():
    def branch(x):
        return x * 2 if x.sum() > 0 else x - 1

    with pytest.raises(ExportError, match=r"torch\.cond") as error:
        export(Calls(branch), (torch.randn(2, 4),))
    assert "in branch" in error.value.saw


def test_a_run_of_rewritten_linear_algebra_agrees_with_pytorch():
    def algebra(a, b):
        square = a @ a.mT + torch.eye(a.shape[-1])
        return (
            torch.linalg.inv(square),
            torch.linalg.cholesky(square),
            torch.linalg.solve(square, b),
        )

    exported = export(Calls(algebra), (torch.randn(4, 4), torch.randn(4, 2)))
    session = open_session(exported.model)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        a, b = torch.randn(4, 4, generator=generator), torch.randn(4, 2, generator=generator)
        for got, want in zip(session.run(exported.feeds([a, b])), algebra(a, b), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
