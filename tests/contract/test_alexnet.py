"""The small AlexNet: its checkpoint, its reference in NumPy and its torch module agree."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import catalog, digits
from workbench.errors import DataFileError
from workbench.kernels.alexnet import model


def test_the_shipped_network_reads_digits_it_was_not_trained_on():
    assert model.accuracy(model.load(), digits.load("test")) > 0.97


def test_the_reference_in_numpy_is_the_network_in_float64():
    problem = catalog.load_problem("alexnet")
    (images,) = inputs = problem.inputs(33, 1)
    with torch.inference_mode():
        want = model.load().double()(torch.tensor(images).double()).numpy()
    np.testing.assert_allclose(problem.oracle(inputs)[0], want, rtol=1e-12, atol=1e-12)


def test_the_operations_and_bytes_are_those_of_the_layers():
    problem, network = catalog.load_problem("alexnet"), model.load()
    work = []

    def count(layer, inputs, output):
        window = layer.weight[0].numel()
        work.append(2 * window * output[0].numel())

    for layer in network.modules():
        if isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network(torch.tensor(problem.inputs(1, 0)[0]))
    parameters = sum(value.numel() for value in network.parameters())
    assert problem.operations(3) == 3 * sum(work)
    assert problem.bytes_moved(3) == 4 * (3 * 74 + parameters)


def test_training_learns_and_leaves_the_callers_random_numbers_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    epochs = []
    network = model.train(epochs=4, progress=lambda steps: epochs.extend(steps) or steps)
    assert torch.equal(torch.get_rng_state(), before)
    assert epochs == [0, 1, 2, 3]
    assert model.accuracy(network, digits.load("test")) > 0.8
    assert not network.training


def test_a_saved_network_comes_back_the_same(tmp_path):
    network = model.AlexNet().eval()
    model.save(network, tmp_path / "mine.pt")
    again = model.load(tmp_path / "mine.pt")
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


def test_a_missing_checkpoint_says_how_to_make_it(tmp_path):
    with pytest.raises(DataFileError, match="prepare_digits --train"):
        model.load(tmp_path / "none.pt")


@given(keep=st.floats(0, 0.999))
@settings(max_examples=15, deadline=None)
def test_a_truncated_checkpoint_is_refused(tmp_path_factory, keep):
    whole = model.path().read_bytes()
    file = tmp_path_factory.mktemp("checkpoint") / "short.pt"
    file.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DataFileError):
        model.load(file)


@given(place=st.floats(0, 0.999), value=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path_factory, place, value):
    content = bytearray(model.path().read_bytes())
    content[int(place * len(content))] ^= value
    file = tmp_path_factory.mktemp("checkpoint") / "flipped.pt"
    file.write_bytes(content)
    try:
        found = model.load(file).state_dict()
    except DataFileError:
        return
    for name, value in model.load().state_dict().items():
        assert torch.equal(found[name], value), name


class Bomb:
    """Leaves a crater where it is unpickled."""

    def __init__(self, crater):
        self.crater = str(crater)

    def __reduce__(self):
        return (open, (self.crater, "w"))


@pytest.mark.parametrize(
    "content",
    [
        lambda bomb: bomb,
        lambda bomb: {"conv1.weight": bomb},
        lambda bomb: {"other": torch.zeros(1)},
        lambda bomb: [1, 2],
        lambda bomb: None,
        lambda bomb: {},
    ],
    ids=["code", "code inside", "another network", "a list", "None", "nothing"],
)
def test_a_checkpoint_of_anything_else_is_refused_and_runs_no_code(tmp_path, content):
    torch.save(content(Bomb(tmp_path / "crater")), tmp_path / "other.pt")
    with pytest.raises(DataFileError):
        model.load(tmp_path / "other.pt")
    assert not (tmp_path / "crater").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path):
    network = model.load()
    with torch.no_grad():
        network.fc2.bias[0] = float("nan")
    model.save(network, tmp_path / "nan.pt")
    with pytest.raises(DataFileError, match=r"fc2\.bias is not finite"):
        model.load(tmp_path / "nan.pt")
