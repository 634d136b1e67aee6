"""What a `forward` may take and do, and the module that is still the learner's own afterwards."""

import numpy as np
import pytest
import torch

from workbench.cli import main
from workbench.errors import InputError
from workbench.portability.comparing import compare
from workbench.portability.exporting import export
from workbench.portability.port import port_model
from workbench.portability.sections import section


class Calls(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *arguments):
        return self.function(*arguments)


class OfDict(torch.nn.Module):
    def forward(self, batch):
        return batch["b"] + 2 * batch["a"]


class OfKeywords(torch.nn.Module):
    def forward(self, x, *, mask):
        return x * mask


class Counts(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x):
        self.calls += 1
        return x.add_(1) * self.calls


X = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (Calls(lambda x, k: x * k), (X, 2)),
        (Calls(lambda xs, mask: xs[0] - xs[1] if mask is None else xs[0]), ([X, 3 * X], None)),
        (OfDict(), ({"b": X, "a": 3 * X},)),
        (OfKeywords(), (X, {"mask": 3 * X})),
    ],
    ids=["number", "list and None", "dict", "keywords"],
)
def test_arguments_that_are_no_tensors_are_compared_like_the_others(module, inputs):
    compare(export(module, inputs)).check()


def test_a_dict_in_another_order_is_the_same_input():
    exported = export(OfDict(), ({"b": X, "a": 3 * X},))
    feeds = exported.feeds(({"a": 5 * X, "b": X},))
    assert [float(value[0, 0]) for value in feeds.values()] == [1, 5]


def test_a_report_on_a_module_with_a_number_among_its_inputs_is_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "scaling.py").write_text(
        "import torch\nclass Net(torch.nn.Module):\n    def forward(self, x, k):\n"
        "        return x * k\ndef make(): return Net(), (torch.ones(2, 3), 2)\n"
    )
    report = port_model("scaling:make")
    assert report["parity"]["outputs_agree"]
    assert report["latency"]["provenance"] == "measured"


def test_a_fault_in_one_section_is_a_sentence_in_the_report():
    def broken():
        return [][0]

    assert "IndexError" in section(broken)["reason"]


def test_what_forward_writes_in_place_is_no_divergence_and_changes_nothing():
    module, x = Counts().train(), X.clone()
    compare(export(module, (x,))).check()
    assert module.calls == 0
    assert module.training
    assert torch.equal(x, X)


def test_each_part_of_a_module_keeps_its_own_mode():
    module = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3)).train()
    module[1].eval()
    export(module, (X,))
    assert [part.training for part in module.modules()] == [True, True, False]


def test_bfloat16_that_the_cpu_has_no_kernel_for_is_noted_with_the_way_round():
    notes = export(torch.nn.Linear(3, 3).bfloat16(), (X.bfloat16(),)).notes
    assert any("no Gemm" in note and ".float()" in note for note in notes)
    assert not any("bfloat16" in note for note in export(torch.nn.Linear(3, 3), (X,)).notes)


def test_what_cannot_be_exported_compared_or_saved_is_said(tmp_path):
    exported = export(torch.nn.Linear(3, 3), (X,))
    for inputs in (None, X, {"input": X}):
        with pytest.raises(InputError, match="not a sequence"):
            export(torch.nn.Linear(3, 3), inputs)
    for feeds in ({}, {"nothing": X.numpy()}, [X.numpy()], {"input": X.numpy(), "k": 1}):
        with pytest.raises(InputError, match="not the model's inputs"):
            compare(exported, inputs=feeds)
    with pytest.raises(InputError, match="takes 1 tensors"):
        exported.feeds((X, X))
    with pytest.raises(InputError, match="no model"):
        compare(3, inputs={})
    with pytest.raises(InputError, match="cannot be written"):
        exported.save(tmp_path / "nowhere" / "m.onnx")
    path = exported.save(tmp_path / "m.onnx")
    feeds = {"input": np.ones((2, 3), np.float32)}
    compare(path, "onnx_reference", inputs=feeds).check()


def test_pytorch_in_the_second_place_runs_no_single_nodes():
    import workbench.portability.places as places

    def wrong(model, feeds):
        values = places.reference_place().run(model, feeds)
        return {name: value + 1 for name, value in values.items()}

    found = compare(export(torch.nn.Linear(3, 3), (X,)), places.Place("wrong", wrong), "torch")
    assert found.first is not None
    assert found.own_error is None


def test_the_command_overwrites_no_model_and_refuses_what_it_cannot_write(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    path = export(torch.nn.Linear(3, 3), (X,)).save(tmp_path / "m.onnx")
    before = path.read_bytes()
    (tmp_path / "folder").mkdir()
    (tmp_path / "tired.py").write_text("def make(): raise ValueError('too tired')\n")
    for arguments, words in (
        ("m.onnx --output m.onnx", "overwrite the model"),
        ("m.onnx --json ./m.onnx", "overwrite the model"),
        ("m.onnx --output a.html --json a.html", "overwrite --output"),
        ("m.onnx --output folder", "--output cannot be written"),
        ("m.onnx --json nowhere/r.json", "--json cannot be written"),
        ("tired:make", "too tired"),
    ):
        assert main(["port", *arguments.split()]) == 2
        assert words in capsys.readouterr().err
    assert path.read_bytes() == before
    assert not list(tmp_path.glob("*.html"))


class Scaled(torch.nn.Module):
    def forward(self, x, n: int, more: dict):
        return torch.relu(x)[:n] * n + more["y"]


def test_a_number_that_is_exported_as_dynamic_is_an_input_and_others_are_constants():
    arguments = (torch.randn(6, 3), 4, {"y": torch.ones(1), "unused": 2})
    dynamic = (None, torch.export.Dim.DYNAMIC, {"y": None, "unused": None})
    made = export(Scaled(), arguments, dynamic=dynamic)
    feeds = made.feeds()
    assert sorted((value.shape, value.dtype.name) for value in feeds.values()) == [
        ((), "int64"),
        ((1,), "float32"),
        ((6, 3), "float32"),
    ]
    assert compare(made).outputs_agree
    other = made.feeds((torch.randn(6, 3), 2, {"y": torch.ones(1), "unused": 2}))
    found = compare(made, inputs=other)
    assert found.outputs_agree
    assert found.first is None
