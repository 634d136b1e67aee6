"""The device's core: memory that faults, an allocator that can explain itself, honest fallbacks."""

import copy
import io
import os
import pickle
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
wb = pytest.importorskip("workbench.torch_device")
from workbench.torch_device.core import allocator, memory, streams  # noqa: E402


def child(code: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "import torch\n" + code],
        capture_output=True, text=True, timeout=120, env={**os.environ, **environment},
    )  # fmt: skip


@pytest.mark.skipif(not memory.FAULTS, reason=memory.WHY_NOT)
def test_the_host_faults_when_it_reads_device_memory():
    done = child(
        "import ctypes, workbench.torch_device\n"
        "x = torch.ones(3, device='wb')\n"
        "print(ctypes.c_float.from_address(x.data_ptr()).value)"
    )
    assert done.returncode == -11
    assert done.stdout == ""


def test_a_freed_block_is_reused_and_counted():
    x = torch.ones(1000, device="wb")
    before, address = torch.wb.memory_stats(), x.data_ptr()
    del x
    y = torch.empty(1000, device="wb")
    after = torch.wb.memory_stats()
    assert y.data_ptr() == address
    cache_hits = "allocation.all.cache_hits"
    assert after[cache_hits] == before[cache_hits] + 1
    assert after["allocated_bytes.all.current"] == before["allocated_bytes.all.current"]


def test_running_out_of_memory_says_what_holds_it():
    held = torch.nn.Parameter(torch.ones(1 << 20, device="wb"))
    with pytest.raises(torch.OutOfMemoryError, match=r"parameter float32\[1048576\]: 4.0 MiB"):
        torch.empty(1 << 34, device="wb")
    assert held.device.type == "wb"


def test_extents_join_when_neighbours_come_back():
    extents = allocator.Extents([4096], [1 << 20])
    taken = [extents.carve(n) for n in (512, 1024, 2048)]
    for address, size in zip(taken, (512, 1024, 2048), strict=True):
        extents.give_back(address, size)
    assert (extents.starts, extents.sizes) == ([4096], [1 << 20])


def test_views_share_memory_and_in_place_writes_are_seen():
    x = torch.zeros(4, 4, device="wb")
    x[1:3, ::2].t().add_(5)
    want = torch.zeros(4, 4)
    want[1:3, ::2].t().add_(5)
    assert torch.equal(x.cpu(), want)


def test_two_devices_do_not_mix():
    a, b = torch.ones(2, device="wb:0"), torch.ones(2, device="wb:1")
    with pytest.raises(RuntimeError, match="wb:0 and wb:1"):
        a + b
    assert torch.equal((a + b.to("wb:0")).cpu(), torch.full((2,), 2.0))


def test_copies_survive_deepcopy_pickle_and_torch_save():
    x = torch.arange(5.0, device="wb:1")
    for y in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert y.device == x.device
        assert torch.equal(y.cpu(), x.cpu())
    file = io.BytesIO()
    torch.save({"x": x}, file)
    file.seek(0)
    assert torch.load(file, map_location="cpu")["x"].device.type == "cpu"


def test_a_fallback_is_logged_with_its_bytes_and_its_line():
    x = torch.randn(8, 8, device="wb")
    wb.LOG.clear()
    torch.linalg.eigvals(x)
    assert wb.LOG["aten::_linalg_eigvals"] + wb.LOG["aten::linalg_eigvals"] >= 1
    assert wb.FALLBACKS[-1].bytes_moved >= 8 * 8 * 4
    assert "test_torch_device_core.py" in wb.FALLBACKS[-1].line


def test_a_fallback_in_a_notebook_is_logged_with_the_cell_and_its_line():
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.run_cell("import torch", store_history=True)
    call = "def airy(x):\n    return torch.special.airy_ai(x)\nairy(torch.ones(2, device='wb'))"
    shell.run_cell(call, store_history=True).raise_error()
    assert wb.FALLBACKS[-1].line == "Cell In[2], line 2"


def test_a_fallback_from_a_folder_called_torch_has_a_line(tmp_path):
    program = tmp_path / "torch" / "train.py"
    program.parent.mkdir()
    program.write_text("def airy(torch, x):\n    return torch.special.airy_ai(x)\n")
    names = {}
    exec(compile(program.read_text(), str(program), "exec"), names)
    names["airy"](torch, torch.ones(2, device="wb"))
    assert wb.FALLBACKS[-1].line == f"{program}:2"


def test_an_importer_who_comes_second_is_told_the_holder():
    done = child("torch.utils.rename_privateuse1_backend('npu')\nimport workbench.torch_device")
    assert "DeviceTakenError" in done.stderr
    assert "'npu'" in done.stderr


def test_another_torch_version_is_refused_with_the_command_that_cures_it():
    done = child("torch.__version__ = '2.9.1'\nimport workbench.torch_device")
    assert 'pip install "torch==2.13.*"' in done.stderr


def test_a_forked_child_is_refused():
    done = child(
        "import os, workbench.torch_device\n"
        "x = torch.ones(3, device='wb')\n"
        "if os.fork() == 0:\n"
        "    try:\n"
        "        x.cpu()\n"
        "    except RuntimeError as error:\n"
        "        print(error, flush=True)\n"
        "    os._exit(0)\n"
        "os.wait()"
    )
    assert "'spawn'" in done.stdout


def test_a_stream_runs_beside_the_host_and_in_order():
    stream, log = torch.wb.Stream(), []
    gate = __import__("threading").Event()
    stream.put("wait", gate.wait)
    stream.put("first", lambda: log.append(1))
    stream.put("second", lambda: log.append(2))
    assert not stream.query()
    assert log == []
    gate.set()
    stream.synchronize()
    assert log == [1, 2]


def test_an_error_on_a_stream_surfaces_at_the_next_synchronisation_with_name_and_line():
    stream = torch.wb.Stream()
    stream.put("aten::broken", lambda: 1 / 0)
    with pytest.raises(streams.StreamError, match=r"aten::broken.*(\n.*)*test_torch_device_core"):
        torch.wb.synchronize()
    stream.synchronize()


def test_exit_while_work_is_queued_is_clean():
    done = child(
        "import time, workbench.torch_device\n"
        "stream = torch.wb.Stream()\n"
        "stream.put('nap', lambda: time.sleep(0.2))\n"
        "x = torch.ones(3, device='wb')\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_tied_weights_stay_tied_on_the_device():
    net = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 5, bias=False))
    net[1].weight = net[0].weight
    assert net.to("wb")[1].weight is net[0].weight
    assert len(list(net.parameters())) == 1


def test_a_storage_that_dies_under_an_exception_is_freed_and_the_exception_survives():
    before = torch.wb.memory_allocated()

    def fail():
        held = torch.ones(100, device="wb")
        raise KeyError(held.shape)

    for _ in range(3):
        with pytest.raises(KeyError):
            list(map(lambda _: fail(), range(2)))
    import gc

    gc.collect()
    assert torch.wb.memory_allocated() == before
