"""The LaunchView widget's record, state and static picture, with no browser."""

import numba
import numpy as np
import pytest

from workbench import cuda, watch
from workbench.errors import InputError
from workbench.widgets.launch_view import LaunchView

float32 = numba.float32


@cuda.jit
def halves(a, out):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    i = cuda.grid(1)
    if i >= a.size:
        return
    s[t] = a[i]
    cuda.syncthreads()
    mine = s[t] + s[63 - t]
    cuda.syncthreads()
    out[i] = mine


@pytest.fixture(scope="module")
def history():
    a = np.arange(128, dtype=np.float32)
    return watch(halves[3, 64], a, np.zeros_like(a))


def test_the_record_has_every_barrier_and_the_end(history):
    assert [one.name for one in history.epochs[0]] == ["syncthreads", "syncthreads", "end"]
    assert [one.name for one in history.epochs[2]] == ["end"]
    first, second, end = history.epochs[1]
    assert (first.shared["s"] == np.arange(64, 128)).all()
    assert "mine" not in first.threads[5].values
    assert second.threads[5].values["mine"] == 191
    assert end.threads[5].values["i"] == 69
    assert not second.threads[5].done
    assert end.threads[5].done


def test_threads_that_returned_early_say_where(history):
    line = history.epochs[2][0].threads[0].line
    assert line > 0
    view = LaunchView(history).choose(block=2).view
    assert f"has returned on line {line}" in view["sentence"]
    assert set(view["threads"]) == {"left"}


def test_scrubbing_changes_locals_and_stops_at_the_ends(history):
    widget = LaunchView(history)
    assert widget.view["chosen"] == {"block": 0, "thread": 0, "epoch": 0, "row": 0}
    names = {row["name"]: row["value"] for row in widget.choose(epoch=1, thread=3).view["locals"]}
    assert names == {"t": "3", "i": "3", "mine": "63.0"}
    assert widget.choose(epoch=99).view["chosen"]["epoch"] == 2
    assert widget.choose(thread=10**6).view["chosen"]["thread"] == 63
    assert widget.choose(block=-4).view["chosen"]["block"] == 0


def test_the_shared_array_is_shown_with_what_was_never_written(history):
    (table,) = LaunchView(history).view["shared"]
    assert table["shape"] == [64]
    assert table["rows"][0][:3] == ["0", "1", "2"]
    assert table["shades"][1][31] == 1.0


@cuda.jit
def long_sums(a, out):
    s = cuda.shared.array(1500, float32)
    mine = cuda.local.array(3, float32)
    t = cuda.threadIdx.x
    for k in range(3):
        mine[k] = a[t] + k
        s[500 * k + t] = mine[k]
    cuda.syncthreads()
    s[1436 + t] = mine[2] * 2
    cuda.syncthreads()
    out[t] = s[1436 + t]


def test_local_arrays_and_what_is_new_in_a_long_shared_array_are_shown():
    a = np.arange(64, dtype=np.float32)
    widget = LaunchView(watch(long_sums[1, 64], a, np.zeros_like(a)))
    names = {row["name"]: row["value"] for row in widget.choose(thread=5).view["locals"]}
    assert names["mine"] == "5, 6, 7"
    (table,) = widget.view["shared"]
    assert len(table["rows"]) == 32
    assert table["cut"]
    assert table["changed"][0] == list(range(32)), "all that was written is new at first"
    (table,) = widget.choose(row=10**6, epoch=1).view["shared"]
    assert table["first"] == 47 - 32
    assert table["labels"][0] == str(15 * 32)
    assert len(table["rows"][-1]) == 1500 - 46 * 32
    new = {(table["first"] + y) * 32 + x for y, row in enumerate(table["changed"]) for x in row}
    assert new == set(range(1436, 1500))


def test_the_static_picture_is_an_svg_with_the_sentence(history):
    widget = LaunchView(history)
    assert widget.picture().startswith("<svg")
    assert widget.sentence() in widget.picture()


def test_a_launch_too_large_to_keep_is_refused():
    with pytest.raises(InputError, match="too large"):
        watch(halves[100, 64], np.zeros(10, np.float32), np.zeros(10, np.float32))
    with pytest.raises(InputError, match="configured"):
        watch(halves)
