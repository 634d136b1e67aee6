"""The ring of a stream: whoever is at its head, every piece is done once, in order."""

import _thread
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import workbench.torch_device
from workbench.torch_device.codegen import elementwise
from workbench.torch_device.codegen.launch import NOW
from workbench.torch_device.core.streams import StreamError
from workbench.torch_device.driver.draining import KERNEL
from workbench.torch_device.driver.queue import BOARD, Gate, Piece, Queue

STEPS = st.sampled_from(["grow", "join", "python", "wait", "tell"])
LARGE = NOW + 17  # elements: too many for an idle device's caller to do at once


def held_queue():
    """Return a queue whose own thread waits for an event before its first piece, and the event."""
    go = threading.Event()
    return Queue("held", False, go.wait), go


def divide_piece(count, divisor):
    """Return a host tensor to be filled, and a piece that fills it: its address and words."""
    pair = (("self", torch.int64), ("other", torch.int64))
    kernel = elementwise.loop("floor_divide_out", "self // other", "i8", torch.int64, pair)
    above, below = torch.full((count,), 7), torch.full((count,), divisor)
    out = torch.zeros(count, dtype=torch.int64)
    words = [word for t in (out, above, below) for word in (t.data_ptr(), 1)]
    piece = Piece("divide", "here", explain=lambda status: ZeroDivisionError(status), keeps=below)
    return out, above, (piece, KERNEL, kernel.address, (0, count, *words))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), STEPS), min_size=1, max_size=40))
def test_any_program_of_three_streams_gives_what_one_step_at_a_time_gives(program):
    everyone = [torch.wb.Stream() for _ in range(3)]
    tensors = [torch.full((LARGE,), i, device="wb") for i in range(3)]
    torch.wb.synchronize()
    expected = [0, 1, 2]
    for at, what in program:
        mine, stream = tensors[at], everyone[at]
        with stream:
            if what == "grow":
                mine.mul_(3).add_(at + 1)
                expected[at] = expected[at] * 3 + at + 1
            elif what == "join":
                stream.wait_stream(everyone[at - 1])
                mine.add_(tensors[at - 1])
                everyone[at - 1].wait_stream(stream)
                expected[at] += expected[at - 1]
            elif what == "python":
                stream.put("python", lambda mine=mine: mine.add_(1))
                expected[at] += 1
            elif what == "wait":
                stream.synchronize()
                assert stream.query()
            else:
                stream.record_event().synchronize()
    torch.wb.synchronize()
    for tensor, value in zip(tensors, expected, strict=True):
        wrapped = (value + 2**63) % 2**64 - 2**63
        assert tensor[0].item() == tensor[-1].item() == wrapped
        assert (tensor == wrapped).all().item()
    assert BOARD[0] == 0


def test_threads_that_wait_for_one_stream_at_once_do_each_piece_once():
    x = torch.zeros(LARGE, dtype=torch.int64, device="wb")

    def work():
        for _ in range(20):
            x.add_(1)
            torch.wb.synchronize()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (x == 80).all().item()


def test_who_waits_does_compiled_pieces_that_the_streams_thread_has_not_come_to():
    queue, go = held_queue()
    out, kept, piece = divide_piece(1000, 2)
    queue.push(*piece)
    gate = Gate()
    queue.open_when_reached(gate)
    gate.wait()  # the queue's own thread is still held
    assert out.unique().tolist() == [3]
    assert len(kept) == 1000
    assert queue.is_done()
    go.set()
    queue.stop(5)


def test_a_piece_of_python_waits_for_the_streams_own_thread():
    queue, go = held_queue()
    ran_in = []
    queue.push(Piece("python", "here", lambda: ran_in.append(threading.current_thread().name)))
    gate = Gate()
    queue.open_when_reached(gate)
    threading.Timer(0.05, go.set).start()
    gate.wait()
    assert ran_in == ["held"]
    queue.stop(5)


def test_an_error_met_by_who_waits_is_kept_and_drops_what_is_behind_it():
    queue, go = held_queue()
    broken, *_, piece = divide_piece(1000, 0)
    behind, kept, later = divide_piece(1000, 2)
    queue.push(*piece)
    queue.push(*later)
    gate = Gate()
    queue.open_when_reached(gate)
    threading.Timer(0.05, go.set).start()
    gate.wait()
    error, piece = queue.forgive()
    assert isinstance(error, ZeroDivisionError)
    assert piece.name == "divide"
    assert behind.unique().tolist() == [0]
    assert len(kept) == len(broken)
    queue.stop(5)


def test_ctrl_c_comes_through_between_two_pieces_and_loses_none():
    queue, go = held_queue()
    pieces = [divide_piece(3_000_000, 2) for _ in range(8)]
    for _ in range(6):
        for *_, piece in pieces:
            queue.push(*piece)
    gate = Gate()
    queue.open_when_reached(gate)
    threading.Timer(0.02, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        gate.wait()
    assert not gate.is_open()
    go.set()
    gate.wait()
    assert all(out.unique().tolist() == [3] for out, *_ in pieces)
    assert queue.forgive() is None
    queue.stop(5)


def test_an_index_out_of_range_behind_large_work_is_told_by_name_whoever_met_it():
    x = torch.zeros(LARGE, device="wb")
    for _ in range(10):
        bad = torch.full((LARGE,), LARGE, device="wb")
        x.add_(1)
        x.index_select(0, bad)
        with pytest.raises(StreamError, match=r"index.*out of (bounds|range)"):
            torch.wb.synchronize()
    assert (x == 10).all().item()


def test_a_recording_inside_another_leaves_the_outer_one_its_spans():
    x = torch.ones(8, device="wb")
    with workbench.torch_device.recording() as outer:
        with workbench.torch_device.recording() as inner:
            x + 1
        x * 2
    assert len(inner) == 1
    assert len(outer) == 2
