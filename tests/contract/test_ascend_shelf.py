"""Every AI Core kernel on the shelf: right at odd sizes, on 1 to 24 cores, with nothing to find."""

import numpy as np
import pytest

from workbench import aicore, catalog

FILES = catalog.kernel_files(dialect="ascend")
BLOCKS = (1, 2, 7, 24)


def names(file):
    return f"{file.problem}-{file.name}"


@pytest.mark.parametrize("file", FILES, ids=names)
def test_kernel_agrees_with_the_oracle_at_odd_sizes_on_any_number_of_cores(file):
    problem, launch = catalog.load_problem(file.problem), file.load().launch
    for size in problem.test_sizes:
        inputs = problem.inputs(size, seed=size)
        for blocks in BLOCKS:
            outputs = problem.outputs(*inputs)
            assert launch(*inputs, *outputs, blocks=blocks) is None
            problem.check(outputs, inputs)


@pytest.mark.parametrize("file", FILES, ids=names)
def test_kernel_has_no_hazard_gives_one_answer_in_any_order_and_a_modelled_time(file):
    problem, launch = catalog.load_problem(file.problem), file.load().launch
    inputs = problem.inputs(max(problem.test_sizes), seed=3)
    with aicore.observe() as runs:
        launch(*inputs, *problem.outputs(*inputs), blocks=3)
    assert runs
    for run in runs:
        assert run.hazards(replay=False).clean
        values = run.reordered(0)
        assert values
        for seed in (1, 2):
            for name, other in run.reordered(seed).items():
                np.testing.assert_allclose(other, values[name], rtol=1e-5, atol=1e-5)
        assert run.timeline.provenance == "modelled"
        assert run.timeline.elapsed_ns > 0


def test_every_kernel_of_the_plan_is_on_the_shelf_beside_its_cuda_twin():
    wanted = {"vector_add", "saxpy", "bias_gelu", "softmax", "layer_norm", "vector_sum"}
    wanted |= {"transpose", "matmul", "conv2d", "attention"}
    assert wanted <= {file.problem for file in FILES}
    assert len([file for file in FILES if file.problem == "matmul"]) == 5
    for problem in wanted:
        assert catalog.kernel_files(problem, "cuda")


def test_the_ladder_of_matmul_gets_faster_at_every_rung_in_the_model():
    size = 512
    shapes = (aicore.Shape((size, size), np.dtype(t)) for t in ("float16", "float16", "float32"))
    args = tuple(shapes)
    times = []
    for file in catalog.kernel_files("matmul", "ascend"):
        module = file.load()
        (kernel,) = (value for value in vars(module).values() if isinstance(value, aicore.Kernel))
        blocks = 24 if "multi_core" in file.name else 1
        times.append(aicore.predict(kernel, args, blocks).elapsed_ns)
    assert times == sorted(times, reverse=True)
    assert times[0] > 5 * times[-1]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_overlapped_attention_is_right_and_ordered_where_keys_fill_whole_steps(dtype):
    (file,) = (one for one in FILES if one.name == "ascend_2_overlapped")
    rng = np.random.default_rng(5)
    q, k, v = (2 * rng.standard_normal((3, 2, 1100, 48))).astype(dtype)
    out = np.zeros_like(q)
    with aicore.observe() as runs:
        file.load().launch(q, k, v, out, blocks=3)
    scores = q.astype(np.float64) @ k.astype(np.float64).transpose(0, 2, 1) / 48**0.5
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    right = weights / weights.sum(-1, keepdims=True) @ v.astype(np.float64)
    np.testing.assert_allclose(out, right, atol=2e-5 if dtype == "float32" else 5e-3)
    assert runs[0].hazards(replay=False).clean
    cube = {bar.start_ns for bar in runs[0].timeline.bars if bar.pipe == "AIC.M"}
    vector = [bar for bar in runs[0].timeline.bars if bar.pipe.endswith(".V") and not bar.cause]
    assert any(bar.start_ns < at < bar.stop_ns for bar in vector for at in cube)
