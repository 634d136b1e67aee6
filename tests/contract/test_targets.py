"""Every place where work can run is held to the same laws, or skipped showing its reason."""

import numpy as np
import pytest

from workbench import catalog, targets
from workbench.errors import InputError, UnavailableError
from workbench.measurement import Availability, Provenance
from workbench.problem import Problem

ALL = targets.everything()


@pytest.fixture(params=ALL, ids=lambda target: target.name)
def target(request):
    return request.param


@pytest.fixture
def usable(target):
    answer = target.probe()
    if not answer:
        pytest.skip(f"{target.name}: {answer.reason}; try: {answer.remedy}")
    return target


@pytest.fixture(params=["alexnet", "saxpy"])
def problem(request, usable):
    problem = catalog.load_problem(request.param)
    answer = usable.supports(problem)
    if not answer:
        pytest.skip(f"{usable.name}: {answer.reason}; try: {answer.remedy}")
    return problem


def test_says_what_it_is_and_whether_it_can_be_used(target):
    answer = target.probe()
    assert isinstance(answer, Availability)
    assert answer.reason, "usable or not, a place says what was found"
    assert target.summary
    assert "\n" not in target.summary
    if target.provenance is Provenance.MODELLED:
        assert target.model
        assert target.stated_error


def test_a_second_device_that_is_not_there_says_why_and_what_to_do(target):
    answer = targets.find(f"{target.name}:99").probe()
    assert not answer
    assert answer.remedy


def test_what_cannot_be_used_refuses_to_prepare_and_names_itself(target):
    missing = targets.find(f"{target.name}:99")
    problem = catalog.load_problem("saxpy")
    with pytest.raises(UnavailableError, match=f"{target.name}:99"):
        missing.prepare(problem, problem.inputs(3, 0))


def test_every_size_gives_the_oracles_answer(usable, problem):
    for size in problem.test_sizes:
        inputs = problem.inputs(size, 1)
        with usable.prepare(problem, inputs) as runner:
            runner.run()
            problem.check(runner.fetch(), inputs)


def test_new_inputs_give_new_answers_and_never_the_last_one(usable, problem):
    size = problem.test_sizes[-1]
    first, second = problem.inputs(size, 1), problem.inputs(size, 2)
    with usable.prepare(problem, first) as runner:
        runner.run()
        runner.load(second)
        stale = problem.compare(runner.fetch(), second)
        assert not stale.ok, "an output that nobody has computed yet must not look right"
        runner.run()
        problem.check(runner.fetch(), second)


def test_inputs_are_left_as_they_were_and_outputs_are_copies(usable, problem):
    inputs = problem.inputs(problem.test_sizes[-1], 3)
    before = [np.copy(value) for value in inputs]
    with usable.prepare(problem, inputs) as runner:
        runner.run()
        for one in runner.fetch():
            one[...] = 0
        problem.check(runner.fetch(), inputs)
    for value, kept in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(value, kept)


def test_a_clock_of_its_own_gives_nanoseconds(usable, problem):
    with usable.prepare(problem, problem.inputs(problem.test_sizes[-1], 4)) as runner:
        latency_ns = runner.run()
    assert latency_ns is None or latency_ns > 0
    if usable.provenance is Provenance.MODELLED:
        assert latency_ns is not None, "a model must say what it predicts"


def test_closing_twice_is_harmless(usable, problem):
    runner = usable.prepare(problem, problem.inputs(problem.test_sizes[0], 5))
    runner.close()
    runner.close()


def test_a_problem_that_does_not_reach_a_place_is_refused_with_a_remedy(usable):
    bare = Problem(
        name="no_such_problem",
        summary="y = x",
        inputs=lambda size, seed: (np.arange(size, dtype=np.float32),),
        reference=lambda x: x,
        outputs=lambda x: (np.empty_like(x),),
        bytes_moved=lambda size: 8 * size,
        operations=lambda size: 0,
        size=3,
    )
    answer = usable.supports(bare)
    if answer:
        inputs = bare.inputs(3, 0)
        with usable.prepare(bare, inputs) as runner:
            runner.run()
            bare.check(runner.fetch(), inputs)
    else:
        assert answer.remedy
        with pytest.raises(UnavailableError, match="no_such_problem"):
            usable.prepare(bare, bare.inputs(3, 0))


def test_a_kernel_is_run_or_refused_but_never_ignored(usable, problem):
    kernel = targets.find(f"{usable.name}/no_such_kernel")
    with pytest.raises(InputError, match="no_such_kernel"):
        kernel.prepare(problem, problem.inputs(3, 0))
