"""Known ways to cheat a benchmark harness, each tried for real, each caught or made worthless.

Every function below is raced as a learner's callable. The list is the field's own: see "how
kernels cheat a harness" in the notebook on measuring honestly.
"""

import threading
import time

import numpy as np
import pytest

from workbench.bench.records import CONTROL
from workbench.bench.session import RaceSession

SIZE = 20_000


def race(*lanes, seconds=0.8, size=SIZE, **options):
    session = RaceSession("saxpy", lanes, size=size, seconds=seconds, hang_s=20, **options)
    session.start().join(90)
    assert session.done
    return session.run.lanes


def works_in_a_thread(a, x, y, out):
    def work():
        time.sleep(0.002)
        np.add(a * x, y, out=out)

    threading.Thread(target=work).start()


_HANDS = []


def works_in_a_pool(a, x, y, out):
    """Hand the work to a thread that is always there, so that no thread is left behind."""
    import queue

    if not _HANDS:
        _HANDS.append(queue.SimpleQueue())

        def serve():
            while True:
                _HANDS[0].get()()

        threading.Thread(target=serve, daemon=True).start()
    _HANDS[0].put(lambda: (time.sleep(0.0005), np.add(a * x, y, out=out)))


class Lazy(np.ndarray):
    """Computes when it is looked at."""

    def __array__(self, *_, **__):
        return self.work()


def returns_a_lazy_array(a, x, y):
    answer = np.empty(0, np.float32).view(Lazy)
    answer.work = lambda: a * x + y
    return answer


_BY_ADDRESS = {}


def remembers_by_address(a, x, y):
    key = id(x), x.ctypes.data
    if key not in _BY_ADDRESS:
        _BY_ADDRESS[key] = a * x + y
    return _BY_ADDRESS[key].copy()


_BY_SAMPLE = {}


def remembers_by_a_few_elements(a, x, y):
    key = (float(a), x[:8].tobytes(), y[:8].tobytes())
    if key not in _BY_SAMPLE:
        slow = sum(float(v) for v in x)  # stands for a computation that is worth skipping
        _BY_SAMPLE[key] = a * x + y + np.float32(0 * slow)
    return _BY_SAMPLE[key].copy()


_CALLS = [0]


def counts_calls_and_stops_working(a, x, y, out):
    _CALLS[0] += 1
    if _CALLS[0] < 20:
        np.add(a * x, y, out=out)


def replays_a_file(a, x, y):
    import pathlib
    import tempfile

    kept = pathlib.Path(tempfile.gettempdir()) / f"replayed-{x.size}.npy"
    if not kept.exists():
        np.save(kept, a * x + y)
    return np.load(kept)


def leaves_stale_output(a, x, y, out):
    pass


def hands_out_old_memory(a, x, y):
    answer = a * x + y
    del answer
    return np.empty_like(x)


def changes_its_input(a, x, y):
    y += a * x
    return y.copy()


def returns_its_input(a, x, y):
    y += a * x
    return y


def answers_a_constant(a, x, y):
    return np.zeros_like(x)


def computes_one_part(a, x, y, out):
    half = out.size // 2
    out[:half] = a * x[:half] + y[:half]
    out[half:] = y[half:]


def answers_nan(a, x, y):
    return np.full_like(x, np.nan)


def computes_in_half_precision(a, x, y):
    half = np.float16
    return (half(a) * x.astype(half) + y.astype(half)).astype(np.float32)


def knows_the_size(a, x, y):
    return a * x + y if x.size == SIZE else y.copy()


def falls_back_to_the_reference(a, x, y):
    from workbench import catalog

    try:
        raise NotImplementedError
    except NotImplementedError:
        return catalog.load_problem("saxpy").reference(a, x, y)


def answers_in_another_type(a, x, y):
    return (a * x + y).astype(np.float64)


def answers_in_another_shape(a, x, y):
    return (a * x + y).reshape(1, -1)


CAUGHT = {
    works_in_a_thread: ("WrongResultError", "expected"),
    works_in_a_pool: ("ExecutionError|WrongResultError", "after|expected"),
    returns_a_lazy_array: ("WrongResultError", "Lazy"),
    remembers_by_address: ("WrongResultError", "expected"),
    remembers_by_a_few_elements: ("RememberingError|WrongResultError", "contents|expected"),
    counts_calls_and_stops_working: ("WrongResultError", "expected"),
    replays_a_file: ("WrongResultError", "expected"),
    leaves_stale_output: ("WrongResultError", "nan"),
    hands_out_old_memory: ("WrongResultError", ""),
    changes_its_input: ("WrongResultError", ""),
    returns_its_input: ("WrongResultError", ""),
    answers_a_constant: ("WrongResultError", "expected"),
    computes_one_part: ("WrongResultError", "elements are wrong"),
    answers_nan: ("WrongResultError", "nan"),
    computes_in_half_precision: ("WrongResultError", "elements are wrong"),
    knows_the_size: ("WrongResultError", "expected"),
    falls_back_to_the_reference: ("ExecutionError", "reference"),
    answers_in_another_type: ("WrongResultError", "dtype float64"),
    answers_in_another_shape: ("WrongResultError", "shape"),
}


@pytest.mark.parametrize("cheat", CAUGHT, ids=lambda cheat: cheat.__name__)
def test_a_cheat_is_caught(cheat):
    lanes = race("numpy", cheat)
    kind, seen = CAUGHT[cheat]
    error = lanes[cheat.__name__].error
    assert error, f"{cheat.__name__} was not caught"
    assert error["kind"] in kind.split("|"), error
    assert any(word in error["happened"] + error["saw"] for word in seen.split("|")), error
    assert lanes["numpy"].error is None
    assert len(lanes["numpy"].samples_ns) > 20


def patches_the_timer(a, x, y):
    import workbench.bench.engine as engine

    time.perf_counter_ns = lambda: 0
    engine.CLOCK = lambda: time.monotonic_ns() // 1000
    return a * x + y


def test_patching_the_timer_changes_nothing_and_is_found():
    lanes = race("numpy", patches_the_timer)
    error = lanes["patches_the_timer"].error
    assert error["kind"] == "SpoiltError"
    assert "time.perf_counter_ns" in error["saw"]
    assert lanes["numpy"].error is None
    assert np.median(lanes["numpy"].samples_ns) > 1000


def patches_the_judge(a, x, y):
    from workbench.problem import Accuracy, Problem

    Problem.compare = lambda *_, **__: Accuracy(0.0, 0.0, True)
    np.median = lambda *_, **__: 1.0
    np.testing.assert_allclose = lambda *_, **__: None
    return np.zeros_like(x)


def test_patching_the_judge_and_the_statistics_reaches_neither():
    lanes = race("numpy", patches_the_judge)
    assert lanes["patches_the_judge"].error["kind"] == "WrongResultError"
    assert np.median([1.0, 3.0, 5.0]) == 3.0


def replaces_the_engines_clock(a, x, y):
    import sys

    frame = sys._getframe()
    while frame and frame.f_code.co_name != "_call":
        frame = frame.f_back
    if frame:
        call = type(frame.f_locals["self"])._call
        clock, outside = call.__defaults__
        if clock is time.perf_counter_ns:
            call.__defaults__ = (lambda: time.perf_counter_ns() // 50, outside)
    return a * x + y


def test_a_clock_that_was_replaced_is_found_by_the_second_one():
    lanes = race(replaces_the_engines_clock, seconds=1.5)
    kinds = {lane.error and lane.error["kind"] for lane in lanes.values()}
    assert kinds & {"ClockError", "TooFastError"}


_STARTED = []


def keeps_a_thread_busy(a, x, y):
    """Do honest work, and hold Python's lock whenever another lane runs."""
    if not _STARTED:
        mine = threading.Event()
        _STARTED.append(mine)

        def burn():
            while True:
                if mine.is_set():
                    time.sleep(0.0001)
                else:
                    sum(range(200))

        threading.Thread(target=burn, daemon=True).start()
    _STARTED[0].set()
    answer = a * x + y
    _STARTED[0].clear()
    return answer


def keeps_a_process_busy(a, x, y):
    import subprocess
    import sys

    if not _STARTED:
        burning = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
        _STARTED.append(subprocess.Popen([sys.executable, "-c", burning]))
    return a * x + y


def slows_the_reference(a, x, y):
    from workbench.kernels.saxpy.problem import problem

    honest = problem.reference
    object.__setattr__(
        problem, "reference", lambda *inputs: (time.sleep(0.001), honest(*inputs))[1]
    )
    return a * x + y


def slows_numpy(a, x, y):
    multiply = np.multiply
    np.multiply = lambda *given, **named: (time.sleep(0.001), multiply(*given, **named))[1]
    return a * x + y


def takes_the_others_threads(a, x, y):
    import torch

    torch.set_num_threads(torch.get_num_threads() + 1)
    return a * x + y


def takes_a_lower_priority(a, x, y):
    import os

    os.nice(1)
    return a * x + y


def changes_things_later(a, x, y):
    _CALLS[0] += 1
    if _CALLS[0] == 40:
        np.exp = np.exp2
    return a * x + y


SPOILING = {
    keeps_a_thread_busy: "works on after",
    keeps_a_process_busy: "works on after",
    slows_the_reference: "Problem.reference",
    slows_numpy: "numpy.multiply",
    takes_the_others_threads: "PyTorch's threads: 1 before",
    takes_a_lower_priority: "priority: ",
    changes_things_later: "numpy.exp",
}


@pytest.mark.parametrize("cheat", SPOILING, ids=lambda cheat: cheat.__name__)
def test_what_would_spoil_the_others_ends_its_process_and_the_others_go_on_in_a_new_one(cheat):
    lanes = race("numpy", "torch_cpu", cheat, seconds=1.5)
    error = lanes[cheat.__name__].error
    assert error, f"{cheat.__name__} was not caught"
    assert error["kind"] == "SpoiltError"
    assert SPOILING[cheat] in error["happened"] + error["saw"]
    for label in ("numpy", "torch_cpu", CONTROL):
        assert lanes[label].error is None
        assert len(lanes[label].samples_ns) > 20


def rewrites_the_samples(a, x, y):
    """Make every sample of the rival three times as long, in the harness's own frame."""
    import sys

    frame = sys._getframe()
    while frame and frame.f_code.co_name != "_round":
        frame = frame.f_back
    if frame:
        samples, rival = frame.f_locals["block"].samples, frame.f_locals["places"]["numpy"]
        samples[:] = [
            (number, place, 1e6 * ns if place == rival else ns, *rest)
            for number, place, ns, *rest in samples
        ]
    return a * x + y


def test_samples_that_add_up_to_more_than_the_time_that_passed_are_refused():
    lanes = race("numpy", rewrites_the_samples, seconds=1.5)
    assert lanes["rewrites_the_samples"].error["kind"] == "ClockError"
    assert "more time than has passed" in lanes["rewrites_the_samples"].error["happened"]
    assert lanes["numpy"].error is None
    assert np.median(lanes["numpy"].samples_ns) < 1e6


def returns_an_unfinished_tensor(a, x, y):
    import torch

    return torch._neg_view(torch.from_numpy(-(a * x) - y))


def returns_a_list_of_numbers(a, x, y):
    return list(a * x + y)


def closes_every_file(a, x, y):
    import os

    os.closerange(3, 200)
    return a * x + y


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (returns_an_unfinished_tensor, "not finished when the call returns"),
        (returns_a_list_of_numbers, "20000 outputs, expected 1"),
        (closes_every_file, "process that ran it died"),
    ],
)
def test_a_lane_that_breaks_something_is_named_and_the_others_go_on(wrong, words):
    lanes = race("numpy", wrong)
    error = lanes[wrong.__name__].error
    assert words in error["happened"] + error["saw"]
    assert len(lanes["numpy"].samples_ns) > 20


def prints_a_lot(a, x, y):
    print("x" * 100_000)
    return a * x + y


def test_what_a_lane_prints_does_not_fill_the_memory():
    import pathlib

    from workbench.bench import child

    session = RaceSession("saxpy", ["numpy", prints_a_lot], size=1000, seconds=2)
    largest = [0]

    def look(_race):
        for folder in pathlib.Path(child._memory_folder() or "/tmp").glob(
            f"{child._PREFIX}{child.os.getpid()}-*/stderr"
        ):
            largest[0] = max(largest[0], folder.stat().st_blocks * 512)

    session.subscribe(look)
    session.start().join(60)
    calls = len(session.run.lanes["prints_a_lot"].samples_ns)
    assert calls > 50
    assert largest[0] < 0.5 * 100_000 * calls + child._MOST_PRINTED


def test_what_a_killed_race_left_in_memory_is_removed_by_the_next_one(tmp_path, monkeypatch):
    import os

    from workbench.bench import child

    monkeypatch.setattr(child, "_memory_folder", lambda: str(tmp_path))
    me = os.getpid()
    left = {
        f"{2**22 + 1}-77-x": False,
        f"{2**22 + 1}-x": False,
        f"{me}-x": True,
        f"{me}-{child._started(me)}-x": True,
        f"{me}-1-x": not child._started(me),  # an earlier process had this number
        "nameless": True,
        "forgotten": False,
    }
    for name in left:
        (tmp_path / f"{child._PREFIX}{name}").mkdir()
        (tmp_path / f"{child._PREFIX}{name}" / "audit-1.npz").write_bytes(b"much")
    forgotten = tmp_path / f"{child._PREFIX}forgotten"
    for path in (forgotten / "audit-1.npz", forgotten):
        os.utime(path, (1e9, 1e9))
    child.remove_orphans()
    found = {path.name.removeprefix(child._PREFIX) for path in tmp_path.iterdir()}
    assert found == {name for name, stays in left.items() if stays}


def doubts_of(label, ns, devices):
    """Judge a lane of 1,024-cubed matmuls that took `ns` each."""
    from workbench.bench import judge
    from workbench.bench.records import LaneRecord, Run

    lane = LaneRecord(label)
    for number in range(50):
        lane.add(number, ns, False, False, 0)
    run = Run("matmul", 1024, "rows", "warm", 1, 1.0, label, {label: lane})
    run.bytes_moved, run.operations = 3 * 4 * 1024**2, 2 * 1024**3
    run.environment = {"devices": devices}
    return [(kind, saw) for _, kind, _, saw in judge.doubts(run, {"torch_cuda"})]


def test_a_time_below_the_roofline_is_a_failure_and_not_a_record():
    ((kind, saw),) = doubts_of("miracle", 5.0, {})
    assert kind == "TooFastError"
    assert "at least" in saw


@pytest.mark.parametrize(
    ("product", "ns", "kinds"),
    [
        ("NVIDIA H200", 900.0, ["TooFastError"]),  # 2.1 Gop at its fp8 peak take 1.08 us
        ("NVIDIA H200", 40_000.0, []),
        ("a chip without a sheet", 900.0, []),
        ("", 5.0, ["TooFastError"]),  # no device: it ran on this machine's processor
    ],
)
def test_a_devices_own_data_sheet_is_its_floor(product, ns, kinds):
    found = doubts_of("torch_cuda", ns, {"torch_cuda": product})
    assert [kind for kind, _ in found] == kinds


def test_a_callable_cannot_name_itself_after_a_device_to_escape_its_floor():
    ((kind, _),) = doubts_of("my_cuda", 5.0, {"my_cuda": "a chip without a sheet"})
    assert kind == "TooFastError"


def test_processor_time_used_after_a_call_is_seen():
    from workbench.bench.engine import Lane
    from workbench.bench.suspicion import Lingering
    from workbench.errors import ExecutionError

    lingering, stop = Lingering(), threading.Event()

    def spin():
        while not stop.is_set():
            sum(range(1000))

    worker = threading.Thread(target=spin)
    worker.start()
    lane = Lane("mine", RunsQuickly(), trusted=False, last_ns=60_000)
    try:
        with pytest.raises(ExecutionError, match="works on after its call"):
            _watch_often(lingering, lane)
    finally:
        stop.set()
        worker.join()


class RunsQuickly:
    """A runner whose call is over at once."""

    def run(self):
        return None


def test_what_the_watching_thread_needs_to_wake_up_is_not_held_against_the_code(monkeypatch):
    from workbench.bench import suspicion
    from workbench.bench.engine import Lane

    spent = iter(range(0, 10**12, 61_000))  # every look at a clock finds 61 µs more

    class Clocks:
        process_time_ns = thread_time_ns = staticmethod(lambda: now[0])
        sleep = staticmethod(lambda seconds: now.__setitem__(0, next(spent)))

    now = [0]
    monkeypatch.setattr(suspicion, "time", Clocks)
    monkeypatch.setattr(suspicion, "_children_ns", lambda: 0)  # other tests' servers are busy
    lane = Lane("mine", RunsQuickly(), trusted=False, last_ns=8_000)
    _watch_often(suspicion.Lingering(), lane)


def test_nobody_is_accused_of_what_is_not_so_again(monkeypatch):
    from workbench.bench import suspicion
    from workbench.bench.engine import Lane
    from workbench.errors import ExecutionError

    lane = Lane("mine", RunsQuickly(), trusted=False, last_ns=8_000)
    busy = iter([61_000] * 8 + [3_000] * 8 + [61_000] * 16)
    monkeypatch.setattr(suspicion, "_busy_while_asleep", lambda seconds: next(busy))
    lingering = suspicion.Lingering()
    for _ in range(8):
        lingering.watch(lane)
    with pytest.raises(ExecutionError, match="61 µs of processor time follow"):
        _watch_often(lingering, lane)
    assert not list(busy), "it is accused once both series are complete"


def _watch_often(lingering, lane):
    for _ in range(30):
        lingering.watch(lane)


def test_a_lane_whose_answers_are_right_is_never_accused():
    def honest(a, x, y):
        return a * x + y

    def honest_in_place(a, x, y, out):
        np.multiply(a, x, out=out)
        out += y

    lanes = race("numpy", honest, honest_in_place, seconds=2)
    assert [lane.error for lane in lanes.values()] == [None] * 4
    assert all(lane.audits >= 1 for lane in lanes.values())
    assert CONTROL in lanes
