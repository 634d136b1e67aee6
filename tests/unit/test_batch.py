"""A batch holds independent instances: every target must answer each of them."""

import dataclasses

import numpy as np
import pytest

from workbench import catalog, targets
from workbench.batch import batched
from workbench.bench.callables import CallableRunner
from workbench.bench.session import RaceSession
from workbench.errors import InputError


@pytest.mark.parametrize("address", ["numpy", "torch_cpu", "ort_cpu", "simt"])
@pytest.mark.parametrize("name", ["saxpy", "softmax"])
def test_every_instance_of_a_batch_is_answered(address, name):
    problem = batched(catalog.load_problem(name), 3)
    inputs = problem.inputs(7, 5)
    with targets.find(address).prepare(problem, inputs) as runner:
        runner.run()
        problem.check(runner.fetch(), inputs)


def test_instances_differ_and_scalars_are_shared():
    one, three = (batched(catalog.load_problem("saxpy"), count) for count in (1, 3))
    a, x, y = three.inputs(10, 5)
    assert x.shape == y.shape == (3, 10)
    assert not np.array_equal(x[0], x[1])
    assert np.array_equal(x[1], one.inputs(10, 6)[1])
    assert np.ndim(a) == 0
    assert three.bytes_moved(10) == 3 * one.bytes_moved(10)


@pytest.mark.parametrize("style", ["returns", "writes"])
def test_a_learners_function_is_called_for_each_instance(style):
    problem, calls = batched(catalog.load_problem("saxpy"), 4), []

    def returns(a, x, y):
        calls.append(x.shape)
        return a * x + y

    def writes(a, x, y, out):
        calls.append(x.shape)
        out[:] = a * x + y

    inputs = problem.inputs(9, 1)
    runner = CallableRunner(problem, {"returns": returns, "writes": writes}[style], inputs)
    runner.load(inputs)
    runner.run()
    problem.check(runner.fetch(), inputs)
    assert calls == [(9,)] * 4


def test_a_race_of_batches_says_so_and_finds_the_lane_that_answers_only_the_first():
    def only_the_first(a, x, y, out, seen=[]):  # noqa: B006 - it counts its calls
        seen.append(1)
        if len(seen) % 4 == 1:
            out[:] = a * x + y

    race = RaceSession("saxpy", ["numpy", only_the_first], size=100, batch=4, seconds=0.3)
    race.start().join(60)
    assert race.summary()["batch"] == 4
    assert race.run.lanes["only_the_first"].error["kind"] == "WrongResultError"
    assert not race.run.lanes["numpy"].error


@pytest.mark.parametrize("batch", [0, -1, 1.5, True])
def test_what_is_no_batch_is_refused(batch):
    with pytest.raises(InputError):
        RaceSession("saxpy", ["numpy"], batch=batch)


def test_instances_of_different_shapes_are_refused_by_name():
    problem = catalog.load_problem("saxpy")
    uneven = dataclasses.replace(
        problem, inputs=lambda size, seed: (np.float32(1), np.ones(size + seed % 2), np.ones(size))
    )
    with pytest.raises(InputError, match="cannot be stacked"):
        batched(uneven, 2).inputs(4, 1)
