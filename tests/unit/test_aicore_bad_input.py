"""Bad input to AI Core kernels: a clear error with the line, nothing lost, the process alive."""

import _thread
import pickle
import re
import threading
import time

import numpy as np
import pytest

from workbench import aicore
from workbench.aicore import AICoreError, HazardError
from workbench.errors import InputError, UnavailableError, UnknownNameError

X = np.arange(64, dtype=np.float32)


def run(body, *args, blocks=1, **options):
    return aicore.launch(aicore.kernel(body), args or (X.copy(),), blocks, **options)


def fails(body, kind, match, *args, **options):
    with pytest.raises(AICoreError, match=match) as caught:
        run(body, *args, **options)
    assert caught.value.kind == kind
    assert caught.value.sites
    assert caught.value.sites[0].file == __file__
    assert caught.value.sites[0].line > 0
    return caught.value


def test_a_buffer_too_large_says_how_many_bytes_are_needed_and_there():
    def body(x):
        aicore.Queue("VECIN", 20_000, "float32", depth=3)

    error = fails(body, "overflow", "needs 3 x 80000 bytes .* has 196608")
    assert "20_000" in error.sites[0].source


@pytest.mark.parametrize(
    ("buffer", "shape", "capacity"),
    [
        ("L1", (512, 1024), 524288),
        ("L0A", (256, 256), 65536),
        ("L0B", (256, 256), 65536),
        ("L0C", (256, 256), 131072),
    ],
)
def test_every_buffer_has_its_own_capacity(buffer, shape, capacity):
    fails(lambda x: aicore.scratch(buffer, shape, "float32"), "overflow", f"has {capacity}")


def test_lengths_that_do_not_divide_point_to_the_padding_copy():
    def body(x):
        aicore.data_copy(aicore.scratch("UB", 7, x.dtype), x[:7])

    fails(body, "misaligned", "data_copy_pad")


def test_slices_at_odd_addresses_are_refused_with_the_multiple():
    def body(x):
        t = aicore.scratch("UB", 64, x.dtype)
        aicore.adds(t[3:11], t[3:11], 1.0)

    fails(body, "misaligned", "multiples of 8 elements")


def test_reading_beyond_the_end_names_range_and_length():
    fails(lambda x: x[60:70], "out_of_range", r"\[60:70\] of an axis of length 64")
    fails(lambda x: x[64], "out_of_range", r"\[64\]")
    fails(lambda x: x[5:5], "out_of_range", "empty part")


def test_a_unit_refuses_data_types_that_it_lacks():
    def add_bfloat16(x):
        t = aicore.scratch("UB", 16, "bfloat16")
        aicore.add(t, t, t)

    fails(add_bfloat16, "dtype", "no add for bfloat16.*\n.*\n.*cast to one of")
    fails(lambda x: aicore.scratch("UB", 16, "float64"), "dtype", "no such data type")
    with pytest.raises(AICoreError, match="float64"):
        run(lambda x: None, np.zeros(4))


def test_shapes_that_differ_do_not_broadcast_silently():
    def body(x):
        aicore.add(
            aicore.scratch("UB", 8, x.dtype),
            aicore.scratch("UB", 8, x.dtype),
            aicore.scratch("UB", 16, x.dtype),
        )

    fails(body, "shape", "do not fit for add")


def test_data_in_the_wrong_buffer_is_told_the_way():
    fails(
        lambda x: aicore.data_copy(x, aicore.scratch("L1", (8, 8), x.dtype)),
        "position",
        "no way from L1 to GM",
    )
    fails(
        lambda x: aicore.abs(aicore.scratch("L1", 8, x.dtype), x),
        "position",
        "works on tensors in UB",
    )


def test_a_kernel_that_raises_half_way_leaves_the_outputs_as_they_were():
    out = X.copy()

    def body(x):
        t = aicore.scratch("UB", 8, x.dtype)
        aicore.duplicate(t, 9.0)
        aicore.pipe_barrier("ALL")
        aicore.data_copy(x[:8], t)
        raise RuntimeError("no more")

    error = fails(body, "kernel", "RuntimeError on core 0.*\n.*no more", out)
    assert 'raise RuntimeError("no more")' in error.sites[0].source
    np.testing.assert_array_equal(out, X)


def test_endless_loops_are_stopped_with_their_line_whether_they_issue_or_not():
    def issuing(x):
        t = aicore.scratch("UB", 8, x.dtype)
        while True:
            aicore.adds(t, t, 1.0)

    def silent(x):
        while True:
            pass

    fails(issuing, "endless", "more instructions", limits=aicore.Limits(instructions=1000))
    error = fails(silent, "endless", "after 0.3 seconds", limits=aicore.Limits(seconds=0.3))
    assert error.sites[0].instruction == "silent"
    idle = aicore.Limits(idle_seconds=0.3)
    error = fails(silent, "endless", "issued nothing for 0.3 seconds", limits=idle)
    assert error.sites[0].source in ("while True:", "pass")
    assert run(lambda x: None).recording.size == 0


def test_an_endless_loop_that_issues_nothing_ends_by_default_in_seconds_and_stop_at_once():
    assert aicore.Limits().idle_seconds <= 10

    def silent(x):
        while True:
            aicore.block_idx()

    begin = time.monotonic()
    timer = threading.Timer(0.3, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        aicore.kernel(silent)[1](X)
    assert time.monotonic() - begin < 1.3


def test_a_list_of_numbers_is_named_as_the_argument_that_it_is():
    def copying(x, out):
        aicore.data_copy(aicore.scratch("UB", 8, "float32"), x)

    with pytest.raises(InputError, match=r"x is a list of 8.*\n.*numpy\.asarray\(x\)"):
        aicore.kernel(copying)[1]([1.0] * 8, X)
    run(lambda x, steps: None, X, [("in", 1)])  # other lists are the kernel's own business


LOOKS = (
    lambda t: t[0] == 1,
    lambda t: t[0] != 1,
    lambda t: t[0] > 0,
    lambda t: bool(t),
    lambda t: 3 in t,
    lambda t: t[0] in (1, 2),
    lambda t: max(t[0], 3),
    lambda t: int(t[0]),
    lambda t: len(t),
)


@pytest.mark.parametrize("test", LOOKS)
def test_a_kernel_cannot_branch_on_data(test):
    def branching(x):
        if test(x):
            aicore.sync_all()

    fails(branching, "values", "nor branch on them")


def test_values_cannot_be_looked_at_while_recording():
    fails(lambda x: float(x[0]), "values", "cannot look at the values")
    fails(lambda x: x[:8] + x[:8], "values", "used like an array")

    def branch(x):
        if x[0]:
            aicore.sync_all()

    fails(branch, "values", "cannot look")


def test_operations_outside_of_a_kernel_and_kernels_without_blocks_are_refused():
    with pytest.raises(InputError, match="outside of a kernel"):
        aicore.block_idx()
    with pytest.raises(InputError, match=r"empty\[blocks\]"):
        aicore.kernel(empty)(X)
    with pytest.raises(InputError, match="number of blocks"):
        run(empty, blocks=0)
    with pytest.raises(InputError, match="not a kernel"):
        aicore.launch(empty, (X,), 1)


def empty(x):
    pass


def test_arguments_that_do_not_fit_are_refused_before_anything_runs():
    with pytest.raises(InputError, match=r"missing a required argument: 'y'.*1 were given"):
        run(lambda x, y: None)
    both = np.zeros(20, np.float32)
    with pytest.raises(InputError, match="x and y"):
        run(lambda x, y: None, both[:12], both[8:])
    run(lambda x, y: None, both[:10], both[10:])


def test_arrays_of_another_library_are_refused_with_the_way_to_numpy():
    class Foreign:
        def __array__(self, dtype=None, copy=None):
            return np.zeros(64, np.float32)

    @aicore.kernel
    def reads(x):
        aicore.scratch("UB", 64, x.dtype)

    with pytest.raises(InputError, match=r"x is a .*Foreign"):
        reads[1](Foreign())


def test_the_same_array_twice_is_one_piece_of_memory():
    def body(x, out):
        t = aicore.scratch("UB", 8, x.dtype)
        aicore.data_copy(t, x[:8])
        aicore.set_flag("MTE2_V")
        aicore.wait_flag("MTE2_V")
        aicore.adds(t, t, 1.0)
        aicore.set_flag("V_MTE3")
        aicore.wait_flag("V_MTE3")
        aicore.data_copy(out[:8], t)

    same = X.copy()
    run(body, same, same)
    np.testing.assert_array_equal(same[:8], X[:8] + 1)
    np.testing.assert_array_equal(same[8:], X[8:])


def test_arrays_of_the_other_byte_order_are_understood():
    swapped = X.astype(X.dtype.newbyteorder())
    from workbench.kernels.vector_add.ascend_1_queued import vector_add_queued

    out = np.zeros_like(swapped)
    vector_add_queued[2](swapped, X, out)
    np.testing.assert_array_equal(out, 2 * X)
    assert out.dtype == swapped.dtype


def test_only_plain_functions_are_kernels_and_none_launches_another():
    def generator(x):
        yield aicore.sync_all()

    for thing in (int, generator, "text"):
        with pytest.raises(InputError, match="plain function"):
            aicore.kernel(thing)
    inner = aicore.kernel(empty)
    with pytest.raises(InputError, match="cannot launch another"):
        run(lambda x: inner[1](X))
    with pytest.raises(InputError, match="not launched"):
        aicore.predict(inner, (X,), 2, sample=(2,))


def test_more_blocks_than_cores_are_refused():
    def cube(x):
        aicore.scratch("L0A", (16, 16), "float16")

    def vector(x):
        aicore.scratch("UB", 16, "float16")

    with pytest.raises(InputError, match="24 Cube cores"):
        run(cube, blocks=25)
    assert run(vector, blocks=48).recording.cores == 48
    with pytest.raises(InputError, match="40 Vector cores"):
        run(vector, blocks=41, chip_name="ascend_910b3")


def test_chips_say_what_nobody_knows_about_them():
    with pytest.raises(UnavailableError, match="L0A on Huawei Ascend 310P"):
        run(lambda x: aicore.scratch("L0A", (16, 16), "float16"), chip_name="ascend_310p")
    with pytest.raises(UnknownNameError, match="ascend_910b2"):
        aicore.chip("ascend_910b22")
    with pytest.raises(InputError, match="no AI Core"):
        aicore.chip("nvidia_h100")
    assert aicore.chip("ascend_310p").capacity("UB") == 256 * 1024


def test_a_chip_without_costs_gives_values_and_hazards_but_no_times():
    from workbench.kernels.vector_add.ascend_1_queued import vector_add_queued

    out = np.zeros_like(X)
    run = aicore.launch(vector_add_queued, (X, X, out), 3, chip_name="ascend_310p")
    np.testing.assert_array_equal(out, 2 * X)
    assert run.hazards().clean
    with pytest.raises(InputError, match=r"cannot be modelled.*\n.*arch2002"):
        run.timeline  # noqa: B018
    with aicore.on_chip("ascend_950"), pytest.raises(InputError, match="dav-c310"):
        aicore.predict(vector_add_queued, (X, X, out), 3)


def test_a_kernel_that_swallows_everything_is_stopped_all_the_same():
    def stubborn(x):
        for _ in range(3):
            try:
                while True:
                    pass
            except BaseException:
                continue

    fails(stubborn, "endless", "still running", limits=aicore.Limits(seconds=0.2))


def test_events_that_no_hardware_has_are_refused():
    for event, match in (("MTE2_X", "no such event"), ("V_M", "belong to two"), ("V_V", "no such")):
        with pytest.raises(InputError, match=match):
            run(lambda x, e=event: aicore.set_flag(e))
    fails(lambda x: aicore.set_flag("MTE2_V", 8), "index", "0 to 7")
    with pytest.raises(UnknownNameError, match=r"AIC\.FIX"):
        run(lambda x: aicore.cross_core_set_flag(0, "AIC.FIXX"))


def test_errors_and_reports_survive_pickling():
    error = fails(lambda x: x[99], "out_of_range", "99")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)

    def leaking(x):
        aicore.Queue("VECIN", 8, x.dtype).allocate()

    with pytest.raises(HazardError, match="leak") as caught:
        run(leaking)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_time_only_mode_refuses_flags_between_units():
    def joined(x):
        aicore.sync_all()

    with pytest.raises(InputError, match="one after the other"):
        aicore.predict(aicore.kernel(joined), (X,), 2)


def test_errors_that_are_not_of_the_ai_core_name_the_kernels_line_too():
    def wrong_pipe(x):
        aicore.cross_core_set_flag(1, "AIV1.MTE3")

    def wrong_event(x):
        aicore.set_flag(3)

    for body, text in ((wrong_pipe, "AIV1.MTE3"), (wrong_event, "no such event")):
        with pytest.raises(InputError, match=text) as caught:
            run(body)
        assert re.search(r"test_aicore_bad_input\.py:\d+  aicore\.", str(caught.value))


def test_what_is_no_number_and_what_overflows_is_named_with_its_line():
    def fill(value, dtype="float32"):
        return lambda x: aicore.duplicate(aicore.scratch("UB", 8, dtype), value)

    fails(fill("a"), "shape", "takes one number")
    fails(fill(1e9, "int16"), "kernel", "cannot be carried out on NumPy")
    fails(
        lambda x: aicore.adds(
            aicore.scratch("UB", 8, "float32"), aicore.scratch("UB", 8, "float32"), "1"
        ),
        "shape",
        "takes one number",
    )
    fails(lambda x: aicore.Queue("VECIN", 8, "float32", depth=2.5), "queue", "whole number")


def test_limits_are_numbers_above_zero():
    for wrong in (0, -1, "3", True, float("nan")):
        with pytest.raises(InputError, match="above zero"):
            aicore.Limits(seconds=wrong)
    with pytest.raises(InputError, match="not limits"):
        run(lambda x: None, limits=3)
