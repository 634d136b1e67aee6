"""What is refused before anything is printed, drawn or written, and the way out that is named."""

import numpy as np
import pytest

from workbench import aicore
from workbench.aicore import AICoreError, Limits, Shape
from workbench.errors import InputError, WorkbenchError
from workbench.widgets.buffer_map import BufferMap
from workbench.widgets.pipe_timeline import PipeTimeline

X = np.arange(64, dtype=np.float32)


@aicore.kernel
def scaled(x, out, factor=2.0):
    tile = aicore.scratch("UB", 64, x.dtype)
    aicore.data_copy(tile, x)
    aicore.pipe_barrier()
    aicore.muls(tile, tile, factor)
    aicore.pipe_barrier()
    aicore.data_copy(out, tile)


def unprintable(body, kind, args=(X,)):
    with pytest.raises(AICoreError) as caught:
        aicore.to_ascend_c(aicore.kernel(body), args)
    assert caught.value.kind == kind
    return caught.value


def test_a_kernel_that_cannot_run_is_not_printed():
    def exp_of_bytes(x):
        tile = aicore.scratch("UB", 64, "int8")
        aicore.exp(tile, tile)

    def a_megabyte(x):
        aicore.duplicate(aicore.scratch("UB", 262144, x.dtype), 1.0)

    def across(x):
        aicore.data_copy(aicore.scratch("UB", 6, x.dtype), x[3:9])

    def beyond(x):
        aicore.data_copy(aicore.scratch("UB", 16, x.dtype), x[56:72])

    def wrong_rows(x):
        aicore.broadcast(aicore.scratch("UB", (4, 16), x.dtype), aicore.scratch("UB", 16, x.dtype))

    for body, kind in (
        (exp_of_bytes, "dtype"), (a_megabyte, "overflow"), (across, "misaligned"),
        (beyond, "out_of_range"), (wrong_rows, "shape"),
    ):  # fmt: skip
        assert unprintable(body, kind).sites[0].line > 0


def test_a_kernel_made_for_many_blocks_is_printed_though_it_runs_on_no_single_one():
    @aicore.kernel
    def share_of_each(x):
        begin, end = aicore.share(x.size, 8)
        tile = aicore.scratch("UB", end - begin, x.dtype)
        aicore.data_copy(tile, x[begin:end])

    shape = Shape((1 << 20,), "float32")
    with pytest.raises(AICoreError, match="UB overflow"):
        aicore.predict(share_of_each, (shape,), 1)
    assert "DataCopy" in aicore.to_ascend_c(share_of_each, (shape,))


def test_the_scratch_of_printed_reductions_counts_as_ub():
    def summed(x):
        tile, total = aicore.scratch("UB", 49_100, x.dtype), aicore.scratch("UB", 8, x.dtype)
        aicore.reduce_sum(total[:1], tile)

    assert "reductions need takes 8192 bytes" in str(unprintable(summed, "overflow"))


def test_a_matmul_called_where_it_is_made_prints_as_one_that_has_a_name():
    @aicore.kernel
    def at_once(a, out):
        aicore.Matmul(a.dtype)(out, a, a)

    @aicore.kernel
    def named(a, out):
        made = aicore.Matmul(a.dtype)
        made(out, a, a)

    args = (Shape((64, 64), "float16"), Shape((64, 64), "float32"))
    texts = [aicore.to_ascend_c(one, args).replace("at_once", "named") for one in (at_once, named)]
    assert texts[0] == texts[1]
    assert "Mmad" in texts[0]


def test_a_shape_computes_nothing_and_leaves_the_outputs_alone():
    out = np.full_like(X, 3)
    shape = Shape((64,), "float32")
    for use in (lambda: scaled[1](shape, out), lambda: aicore.check(scaled, (shape, out), 1)):
        with pytest.raises(InputError, match="predict"):
            use()
    assert (out == 3).all()
    assert aicore.predict(scaled, (shape, shape), 1).elapsed_ns > 0


def test_keywords_and_defaults_of_a_launch_follow_the_signature():
    out = np.zeros_like(X)
    for use, factor in (
        (lambda: scaled[1](X, out), 2), (lambda: scaled[1](X, factor=3.0, out=out), 3),
    ):  # fmt: skip
        use()
        np.testing.assert_array_equal(out, X * factor)
    assert "static_cast<float>(2.0f)" in aicore.to_ascend_c(scaled, (X, out))
    with pytest.raises(InputError, match="unexpected keyword argument 'scale'"):
        scaled[1](X, out, scale=1)

    def keyword_only(x, *, factor=1.0):
        aicore.sync_all()

    with pytest.raises(InputError, match="by keyword only"):
        aicore.kernel(keyword_only)[1](X, factor=2.0)


def test_a_data_type_that_the_core_lacks_names_the_argument_and_the_way_out():
    with pytest.raises(AICoreError) as caught:
        scaled[1](X.astype(np.float64), X.copy())
    assert "Seen: x is float64\nTry: x.astype(numpy.float32)" in str(caught.value)
    with pytest.raises(AICoreError, match="out is float64"):
        aicore.to_ascend_c(scaled, (X, X.astype(np.float64)))


@pytest.mark.parametrize("sample", [[], (), (1.5,), 3, "0", (True,), (None,), X])
def test_a_sample_that_names_no_cores_is_refused(sample):
    with pytest.raises(InputError, match="names one or more cores"):
        aicore.predict(scaled, (X, X.copy()), 2, sample=sample)


@pytest.mark.parametrize("shape", [(-3,), "abc", ("a", 3), (2.5,), None, (True,)])
def test_shapes_are_whole_numbers_from_zero(shape):
    for make in (Shape, aicore.workspace):
        with pytest.raises(InputError, match="not the shape of an array"):
            make(shape, "float32")


def test_what_cannot_be_translated_says_so_in_words():
    namespace = {"aicore": aicore}
    exec("def nowhere(x):\n    aicore.sync_all()\n", namespace)
    with pytest.raises(InputError, match="The source of nowhere cannot be had"):
        aicore.to_ascend_c(aicore.kernel(namespace["nowhere"]), (X,))
    for args in (None, "ab", X):
        with pytest.raises(InputError, match="come as a tuple"):
            aicore.to_ascend_c(scaled, args)
    for args in ((None, None), ("a", "b"), (X, "b"), (X, X.copy(), "two"), (X, X.copy(), None)):
        with pytest.raises((InputError, AICoreError)):
            aicore.to_ascend_c(scaled, args)


def test_a_trace_is_saved_by_name_and_a_share_is_cut_by_whole_steps():
    run = scaled[1](X, X.copy())
    with pytest.raises(InputError, match="name of a file"):
        run.timeline.save_chrome_trace(5)
    for length, step in ((10, 0), (-1, 1), (10, 1.5), ("ten", 1), (X, 1)):
        with pytest.raises(AICoreError, match="A share is cut") as caught:
            aicore.kernel(lambda x, a=length, b=step: aicore.share(a, b))[1](X)
        assert len(str(caught.value)) < 600


def test_widgets_take_a_run_and_name_the_type_of_anything_else():
    run = scaled[1](X, X.copy())
    assert PipeTimeline(run).sentence() == PipeTimeline(run.timeline).sentence()
    assert "a: " in PipeTimeline({"a": run, "b": run.timeline}).sentence()
    for wrong in (5, X, None, {"a": X}, {"a": "b"}):
        with pytest.raises(InputError, match=r"int|ndarray|NoneType|str"):
            PipeTimeline(wrong)
    with pytest.raises(InputError, match="Timeline"):
        BufferMap(run.timeline)
    for at in (float("nan"), float("inf")):
        with pytest.raises(InputError, match="share of the whole"):
            PipeTimeline(run).choose(at=at)


def test_all_cores_together_keep_no_more_than_their_limit_and_predict_is_named():
    def eight(x):
        for _ in range(4):
            aicore.set_flag("MTE2_V")
            aicore.wait_flag("MTE2_V")

    kernel, limits = aicore.kernel(eight), Limits(kept=20)
    aicore.launch(kernel, (X,), 2, limits=limits)
    with pytest.raises(AICoreError, match=r"20 up to core 2 of 4(.|\n)*aicore.predict") as caught:
        aicore.launch(kernel, (X,), 4, limits=limits)
    assert "set_flag" in caught.value.sites[0].source
    assert aicore.predict(kernel, (X,), 4, limits=limits).instructions == 32


def test_messages_stay_short_whatever_is_handed_in():
    many = np.arange(5000)
    for body, match in (
        (lambda x: aicore.Queue("VECIN", 64, x.dtype, many), "whole number of buffers"),
        (lambda x: aicore.scratch("UB", many, x.dtype), "a vector or a matrix"),
        (lambda x: aicore.Queue(many, 64, x.dtype), "no queue position"),
        (lambda x: aicore.scratch(many, 64, x.dtype), "no buffer"),
        (lambda x: [aicore.scratch("UB", 8, x.dtype) for _ in range(9999)], "6144 x scratch 32"),
    ):
        with pytest.raises(WorkbenchError, match=match) as caught:
            aicore.kernel(body)[1](X)
        assert len(str(caught.value)) < 700
