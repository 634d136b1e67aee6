"""Collectives for ``wb`` tensors: the process group ``"wbccl"``, over gloo and the host's memory.

NCCL and HCCL move bytes between devices; here each collective hands gloo the kernels' mapping of
device memory, so nothing is staged. `torch.distributed` picks it for ``wb`` tensors after
`register`, which importing `workbench.torch_device` does. It refuses collectives that gloo lacks,
by PyTorch's own error.
"""

# PyTorch's private parts and the pictures' keyword tables are untyped.
# pyright: reportAttributeAccessIssue=false, reportCallIssue=false

from __future__ import annotations

import torch.distributed as dist
from torch._C._distributed_c10d import _create_work_from_future
from torch.futures import Future

from workbench.torch_device.core import streams
from workbench.torch_device.core.tensors import NAME, host, is_device

BACKEND = "wbccl"


def _down(value):
    if isinstance(value, (list, tuple)):
        return [_down(item) for item in value]
    return host(value) if is_device(value) else value


class WbProcessGroup(dist.ProcessGroup):
    """A process group whose tensors lie in device memory."""

    def __init__(self, store, rank: int, size: int, timeout):
        super().__init__(rank, size)
        self._gloo = dist.ProcessGroupGloo(store, rank, size, timeout)
        self._size = size

    def _run(self, name: str, result, *args):
        streams.wait_for_current()
        getattr(self._gloo, name)(*args).wait()
        done = Future()
        done.set_result(result)
        return _create_work_from_future(done)

    def allreduce(self, tensors, opts=None):
        """Sum (or otherwise reduce) tensors over all ranks, in place."""
        return self._run("allreduce", tensors, _down(tensors), opts or dist.AllreduceOptions())

    def allreduce_coalesced(self, tensors, opts=None):
        """Reduce several tensors over all ranks."""
        for tensor in tensors:
            work = self.allreduce([tensor])
        return work

    def broadcast(self, tensors, opts=None):
        """Copy the root's tensors to all ranks."""
        return self._run("broadcast", tensors, _down(tensors), opts or dist.BroadcastOptions())

    def allgather(self, outputs, inputs, opts=None):
        """Collect every rank's tensor on all ranks."""
        opts = opts or dist.AllgatherOptions()
        return self._run("allgather", outputs, _down(outputs), _down(inputs), opts)

    def _allgather_base(self, output, given, opts=None):
        parts = list(host(output).chunk(self._size))
        options = dist.AllgatherOptions()
        return self._run("allgather", [output], [parts], [host(given)], options)

    def gather(self, outputs, inputs, opts=None):
        """Collect every rank's tensor on the root."""
        opts = opts or dist.GatherOptions()
        return self._run("gather", outputs, _down(outputs), _down(inputs), opts)

    def scatter(self, outputs, inputs, opts=None):
        """Hand out the root's tensors, one to each rank."""
        opts = opts or dist.ScatterOptions()
        return self._run("scatter", outputs, _down(outputs), _down(inputs), opts)

    def reduce(self, tensors, opts=None):
        """Reduce tensors onto the root."""
        return self._run("reduce", tensors, _down(tensors), opts or dist.ReduceOptions())

    def send(self, tensors, rank, tag):
        """Send tensors to a rank."""
        return self._run("send", tensors, _down(tensors), rank, tag)

    def recv(self, tensors, rank, tag):
        """Receive tensors from a rank."""
        return self._run("recv", tensors, _down(tensors), rank, tag)

    def barrier(self, opts=None):
        """Wait for all ranks."""
        return self._run("barrier", [], opts or dist.BarrierOptions())

    def getBackendName(self) -> str:
        """Return the backend's name."""
        return BACKEND


def _create(store, rank: int, size: int, timeout):
    return WbProcessGroup(store, rank, size, timeout)


def register() -> None:
    """Make ``"wbccl"`` known to `torch.distributed`, for ``wb`` tensors."""
    if dist.is_available() and BACKEND not in dist.Backend.backend_list:
        dist.Backend.register_backend(BACKEND, _create, devices=[NAME])
