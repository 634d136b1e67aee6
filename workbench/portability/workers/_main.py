"""The program in a worker process: one build of ONNX Runtime, told what to do over a socket.

Started as ``python -I _main.py <file descriptor> <parent>`` by the interpreter of the build's
environment, which has NumPy and that build and nothing else. Requests are answered one by one;
while a model runs on the simulated Ascend device, kernels are asked of the other side.
"""

# The runtime is whichever build this environment has: there is nothing to check it against.
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false

import ctypes
import os
import signal
import sys
import time
import traceback
from multiprocessing.connection import Connection

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import _profile
import _wire


class Worker:
    """The requests, one method each."""

    def __init__(self, connection):
        self.connection = connection
        self.sessions = {}
        self.counters = None
        self.ort = None

    def ask(self, kind, body):
        """Ask the other side for a kernel, and return its answer."""
        _wire.send(self.connection, kind, body)
        answer, body = _wire.receive(self.connection)
        if answer != "answer":
            raise RuntimeError(body)
        return body

    def load(self, body):
        """Load stand-in libraries, then the runtime."""
        handles = [ctypes.CDLL(path, mode=ctypes.RTLD_GLOBAL) for path in body["libraries"]]
        if body["standin"] == "ascend":
            import _ascend

            self.counters = _ascend.connect(handles[0], self.ask)
        if body["standin"] == "nvidia":
            import _nvidia

            self.counters = _nvidia.connect(handles)
        os.chdir(body["folder"])  # some providers write where they stand
        import onnxruntime as ort

        ort.set_default_logger_severity(3)
        self.ort = ort
        return {"version": ort.__version__, "providers": ort.get_available_providers()}

    def register(self, body):
        """Load a plug-in library, and return the maker and kind of each device it offers."""
        self.ort.register_execution_provider_library(body["provider"], body["path"])
        return [[d.device.vendor, d.device.type.name] for d in self._devices(body["provider"])]

    def _devices(self, provider):
        if not hasattr(self.ort, "get_ep_devices"):  # a build from before plug-ins
            return []
        return [device for device in self.ort.get_ep_devices() if device.ep_name == provider]

    def open(self, body):
        """Open a session and say where its nodes were put."""
        ort, settings = self.ort, self.ort.SessionOptions()
        settings.log_severity_level = body.get("severity", 3)
        for key, value in body["config"].items():
            settings.add_session_config_entry(key, value)
        if body["optimised"]:
            settings.optimized_model_filepath = "optimised.onnx"
        if body["profile"]:
            settings.enable_profiling = True
            settings.profile_file_prefix = "profile"
        settings.intra_op_num_threads = body.get("threads", 0)
        if body.get("level") is not None:
            settings.graph_optimization_level = ort.GraphOptimizationLevel(body["level"])
        providers = [(body["provider"], body["options"])]
        if body["provider"] != "CPUExecutionProvider":
            providers.append("CPUExecutionProvider")
        if body["provider"] not in ort.get_available_providers():
            settings.add_provider_for_devices(self._devices(body["provider"])[:1], body["options"])
            providers = None
        # without enable_fallback=0 a run that fails is done again on the CPU, with a line printed
        session = ort.InferenceSession(
            body["model"], settings, providers=providers, enable_fallback=0
        )
        key = len(self.sessions) + 1
        self.sessions[key] = session
        graph = b""
        if body["optimised"] and os.path.exists("optimised.onnx"):
            with open("optimised.onnx", "rb") as file:
                graph = file.read()
            os.remove("optimised.onnx")
        return {
            "key": key,
            "providers": session.get_providers(),
            "inputs": [[v.name, v.type, list(v.shape)] for v in session.get_inputs()],
            "outputs": [[v.name, v.type, list(v.shape)] for v in session.get_outputs()],
            "assigned": self._assigned(session),
            "optimised": graph,
        }

    @staticmethod
    def _assigned(session):
        if not hasattr(session, "get_provider_graph_assignment_info"):
            return None
        return [
            [part.ep_name, [[n.name, n.op_type, n.domain] for n in part.get_nodes()]]
            for part in session.get_provider_graph_assignment_info()
        ]

    def run(self, body):
        """Run a session once."""
        return self.sessions[body["key"]].run(None, body["feeds"])

    def latencies(self, body):
        """Time runs in here, where no message is in between: the first, then the others, in ns."""
        session, feeds = self.sessions[body["key"]], body["feeds"]
        samples = []
        started = time.perf_counter_ns()
        while len(samples) < body["least"] + 1 or (
            len(samples) <= body["most"]
            and time.perf_counter_ns() - started < body["limit_s"] * 1e9
        ):
            before = time.perf_counter_ns()
            session.run(None, feeds)
            samples.append(float(time.perf_counter_ns() - before))
        return samples[0], samples[1:]

    def memory(self, body):
        """Return this process's resident bytes now and at the peak since the last reset."""
        if body["reset"]:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # sets the peak to what is resident now: proc(5)
        with open("/proc/self/status") as file:
            rows = dict(line.split(":", 1) for line in file)
        names = {"resident_bytes": "VmRSS", "peak_bytes": "VmHWM"}
        return {name: int(rows[row].split()[0]) * 1024 for name, row in names.items()}

    def profile(self, body):
        """End profiling and return what ran where."""
        return _profile.profile_rows(self.sessions[body["key"]].end_profiling())

    def count(self, body):
        """Return the stand-in's counters, and set them to zero on request."""
        return self.counters(body.get("reset", False)) if self.counters else {}

    def close(self, body):
        """Forget a session."""
        self.sessions.pop(body["key"], None)


def die_with(parent):
    """Ask Linux to kill this process with its parent (prctl(2), PR_SET_PDEATHSIG = 1).

    A worker that waits sees its socket close; one that is busy in native code does not.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before it could be asked for
            os._exit(1)


def main():
    """Answer requests until the other side is gone."""
    die_with(int(sys.argv[2]))
    connection = Connection(int(sys.argv[1]))
    worker = Worker(connection)
    while True:
        try:
            kind, body = _wire.receive(connection)
        except (EOFError, OSError):
            return
        try:
            answer = "done", getattr(worker, kind)(body)
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
            answer = "failed", [text, traceback.format_exc()]
        try:
            _wire.send(connection, *answer)
        except OSError:
            return


if __name__ == "__main__":
    main()
