"""The command line under bad input: three parts and an exit code, no traceback, no orphans."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from workbench import catalog, cli, targets

HOSTILE = [
    "<script>alert(1)</script>",
    "[red]x[/red]",
    "\x1b[2J",
    "\u202egnp.exe",
    "../../etc",
    "a\nb",
]


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    """Keep runs apart from those of the person who runs the tests."""
    file = tmp_path / "runs.sqlite"
    monkeypatch.setenv("WORKBENCH_STORE", str(file))
    return file


UP = """
import sys
from workbench import cli

def says_that_it_is_up(arguments, run=cli._run):
    print("up", file=sys.stderr, flush=True)
    return run(arguments)

cli._run = says_that_it_is_up
sys.exit(cli.main())
"""


def run(*words, timeout=120, **environment):
    return subprocess.run(
        [sys.executable, "-P", "-m", "workbench", *words],
        env={**os.environ, "COLUMNS": "100", **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def assert_refused(ran, *words):
    """Bad input: exit code 2 and a message in parts, on standard error alone."""
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("Error: ")
    assert "  Try: " in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "\x1b" not in ran.stderr
    assert ran.stdout == ""
    for word in words:
        assert word in ran.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tragets"], "did you mean targets"),
        (["race", "saxpyy"], "did you mean saxpy?"),
        (["race", "saxpy", "--targets", "numpyy"], "did you mean numpy?"),
        (["race", "saxpy", "--targets", "numpy,,simt"], "address of a target"),
        (["race", "saxpy", "--targets", "simt/cuda_1_gaurded"], "cuda_1_guarded"),
        (["race", "saxpy", "--targets", "numpy/cuda_1_guarded"], "leave out /cuda_1_guarded"),
        (["race", "saxpy", "--targets", "numpy,numpy"], "two lanes"),
        (["race", "saxpy", "--size", "0"], "at least 1"),
        (["race", "saxpy", "--seconds", "-1"], "above zero"),
        (["race", "saxpy", "--seconds", "nan"], "above zero"),
        (["race", "saxpy", "--threads", "0"], "above zero"),
        (["lab", "--port", "70000", "--no-browser"], "no port number"),
        (["lab", "98_nothing", "--no-browser"], "notebook"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_refused_in_words(words, said):
    assert_refused(run(*words), said)


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_quoted_wherever_it_is_given(name):
    for words in ([name], ["race", name], ["race", "saxpy", "--targets", name]):
        assert_refused(run(*words))


@pytest.mark.parametrize(
    "words", [["race"], ["targets", "--nope"], ["race", "saxpy", "--size", "x"]]
)
def test_wrong_usage_shows_the_usage(words):
    ran = run(*words)
    assert ran.returncode == 2
    assert "Usage: workbench" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_target_that_is_not_here_says_why_and_what_to_do():
    ran = run("race", "saxpy", "--targets", "numpy,numpy:7")
    assert ran.returncode == 1
    assert "saxpy cannot run on numpy:7" in ran.stderr
    assert "Seen: there is no device number 7" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_refused(run("lab", "--no-browser", "--port", port), port, "leave --port out")


def test_targets_are_listed_with_reasons_and_as_json():
    rows = [json.loads(line) for line in run("targets", "--json").stdout.splitlines()]
    assert [row["name"] for row in rows] == catalog.target_names()
    assert all(row["reason"] for row in rows)
    assert all(row["remedy"] for row in rows if not row["usable"])
    shown = run("targets", "--explain").stdout
    for row in rows:
        assert row["name"] in shown
        if row["remedy"]:
            assert row["remedy"].split()[0] in shown


def test_a_reader_that_stops_reading_is_no_error():
    ran = subprocess.run(
        f"{sys.executable} -m workbench targets --json | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0
    assert ran.stderr == ""


def test_the_version_is_told():
    assert re.fullmatch(r"workbench \d+\.\d+\.\d+\n", run("--version").stdout)


def test_every_command_has_help():
    listed = run("--help").stdout
    for name in cli.command_names():
        assert name in listed
        ran = run(name, "--help")
        assert ran.returncode == 0, ran.stderr
        assert f"Usage: workbench {name}" in ran.stdout


def test_a_race_shows_latency_accuracy_and_provenance_beside_each_other():
    ran = run("race", "saxpy", "--size", "1000", "--targets", "numpy,torch_cpu", "--seconds", "1")
    assert ran.returncode == 0, ran.stderr
    for word in ("numpy", "torch_cpu", "A/A control", "measured", "p50", "p95", "max error"):
        assert word in ran.stdout


def test_a_race_is_kept_unless_told_not_to(store):
    words = ("race", "saxpy", "--size", "1000", "--targets", "numpy", "--seconds", "0.5")
    run(*words, "--no-save")
    assert not store.exists()
    run(*words)
    assert store.exists()


def test_a_store_that_cannot_be_written_is_named_and_the_race_goes_on():
    words = ("race", "saxpy", "--size", "1000", "--targets", "numpy", "--seconds", "0.5")
    ran = run(*words, WORKBENCH_STORE="/proc/no/such/folder/runs.sqlite")
    assert ran.returncode == 0, ran.stderr
    assert "This run is not kept." in ran.stdout
    assert "/proc/no" in ran.stdout
    assert "A/A control" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_a_race_as_json_keeps_the_reasons_of_those_left_out():
    ran = run("race", "saxpy", "--size", "1000", "--seconds", "1", "--json")
    assert ran.returncode == 0, ran.stderr
    state = json.loads(ran.stdout)
    raced = {lane["label"] for lane in state["lanes"]}
    assert {"numpy", "simt"} <= raced
    for lane in state["lanes"]:
        if lane["label"] in raced - {"A/A control"}:
            assert lane["provenance"] == targets.find(lane["label"]).provenance
    for name in set(catalog.target_names()) - raced:
        assert state["left_out"][name]["reason"], name


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """Return a copy of the tree in which targets can be added and files spoilt."""
    top = tmp_path_factory.mktemp("clone")
    for name in ("workbench", "kernels", "datasets"):
        shutil.copytree(
            catalog.ROOT / name, top / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return top


VANISHING = '''
"""A target that goes away while it is used."""
import os
from workbench.measurement import Availability
from workbench.targets.numpy import _NumpyRunner

SUMMARY = "goes away"

def probe(index):
    return Availability(index == 0, "present, for now", "look behind you")

def supports(problem):
    return Availability(True, "until it does not")

def prepare(problem, inputs, *, index=0, kernel=None):
    return Vanishing(problem, inputs)

class Vanishing(_NumpyRunner):
    calls = 0
    def run(self):
        self.calls += 1
        if self.calls > 20:
            LEAVE
        super().run()
'''


@pytest.mark.parametrize(
    ("leave", "said"),
    [
        ("raise OSError('the device is gone')", "the device is gone"),
        ("os._exit(7)", "exit code 7"),
        ("os.abort()", "SIGABRT"),
    ],
    ids=["raises", "exits", "aborts"],
)
def test_a_target_that_vanishes_mid_race_is_named_and_the_others_go_on(clone, leave, said):
    file = clone / "workbench" / "targets" / "vanishing.py"
    file.write_text(VANISHING.replace("LEAVE", leave))
    try:
        ran = run(
            *("race", "saxpy", "--size", "1000", "--seconds", "2"),
            *("--targets", "numpy,vanishing"),
            PYTHONPATH=str(clone),
        )
    finally:
        file.unlink()
    assert ran.returncode == 1
    assert "vanishing left the race" in ran.stdout
    assert said in ran.stdout
    assert "A/A control" in ran.stdout
    assert "Traceback" not in ran.stdout + ran.stderr


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
@pytest.mark.parametrize("name", ["digits.npz", "alexnet.pt"])
def test_a_damaged_data_file_is_named_with_the_way_to_make_it_again(clone, name, damage):
    file = clone / "datasets" / "digits" / name
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(whole[:1000] if damage == "truncated" else b"<html>404</html>")
    try:
        ran = run(
            *("race", "alexnet", "--size", "2", "--seconds", "1", "--targets", "numpy,torch_cpu"),
            PYTHONPATH=str(clone),
        )
    finally:
        file.write_bytes(whole)
    said = ran.stdout + ran.stderr
    assert ran.returncode in (1, 2)
    assert name in said
    assert "prepare_digits" in said
    assert "Traceback" not in said


def descendants_that_linger(process, seconds=6):
    """Return processes of this session's group that are still there after a while."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive = [one for one in process if one.is_running() and one.status() != "zombie"]
        if not alive:
            return []
        time.sleep(0.1)
    return alive


LONG_RACE = ("race", "saxpy", "--size", "1000", "--seconds", "60")
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


@pytest.fixture
def begin(start):
    """Return what starts a command and gives its process once the command line has taken over."""

    def command(*words, **options):
        line = [sys.executable, "-P", "-c", UP, *words]
        process = start(line, start_new_session=True, **PIPES, **options)
        assert process.stderr.readline() == "up\n"
        return process

    return command


@pytest.mark.parametrize("after", [0.0, 0.1, 0.5, 1.5, 3.0])
@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "SIGKILL"])
def test_ending_a_race_at_any_moment_leaves_nothing_behind(after, how, begin):
    process = begin(*LONG_RACE, "--targets", "numpy,torch_cpu")
    time.sleep(after * random.uniform(0.8, 1.2))
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(getattr(signal, how))
    output, errors = process.communicate(timeout=30)
    assert not descendants_that_linger(family)
    assert "Traceback" not in output + errors
    if how == "SIGINT":
        assert process.returncode == 130
        assert "Stopped." in errors


def a_kernel_runs(process):
    return process.children(recursive=True)


def jupyterlab_has_taken_over(process):
    return any("_jupyterlab" in word for word in process.cmdline())


@pytest.mark.parametrize("after", [0.5, 4])
@pytest.mark.parametrize(
    ("words", "ready"),
    [(["tour"], a_kernel_runs), (["lab", "--no-browser"], jupyterlab_has_taken_over)],
    ids=["tour", "lab"],
)
def test_ctrl_c_ends_the_long_commands_and_their_children(words, ready, after, tmp_path, begin):
    process = begin(*words, cwd=tmp_path)
    seen = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while not ready(seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(after)
    family = seen.children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole foreground group
    output, errors = process.communicate(timeout=60)
    assert not descendants_that_linger(family)
    assert "Traceback" not in output + errors
    if "Interrupted..." in errors:  # JupyterLab was serving already, and ended in its own way
        assert process.returncode == 0, errors
    else:
        assert process.returncode == 130, errors
        assert "Stopped." in errors


@pytest.mark.parametrize("after_s", [0.05, 0.1, 0.2])
def test_ctrl_c_while_the_command_line_is_being_loaded_shows_no_traceback(after_s, start):
    # the interpreter's own first milliseconds are Python's
    process = start([sys.executable, "-P", "-m", "workbench", "targets"], **PIPES)
    time.sleep(after_s)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    ours = [line for line in errors.splitlines() if str(catalog.ROOT / "workbench") in line]
    assert not ours, errors


PRESS = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(0.2)"
AN_IMPORT_THAT_SWALLOWS_IT = f"""
import pathlib, tempfile, sys
def command():
    with tempfile.TemporaryDirectory() as folder:
        text = "try:\\n    {PRESS}\\nexcept BaseException:\\n    pass"
        pathlib.Path(folder, "swallows.py").write_text(text)
        sys.path.insert(0, folder)
        import swallows
        import time; time.sleep(60)
"""
A_FINALIZER = f"""
class Pressed:
    def __del__(self):
        {PRESS}
def command():
    Pressed()
    import time; time.sleep(60)
"""


@pytest.mark.parametrize("text", [AN_IMPORT_THAT_SWALLOWS_IT, A_FINALIZER], ids=["import", "del"])
def test_ctrl_c_is_not_lost_where_python_drops_errors(clone, text):
    file = clone / "workbench" / "commands" / "drops.py"
    file.write_text(text)
    try:
        ran = run("drops", PYTHONPATH=str(clone), timeout=30)
    finally:
        file.unlink()
    assert ran.returncode == 130, ran.stderr
    assert ran.stderr == "\nStopped.\n"


def test_what_was_measured_before_ctrl_c_is_shown_and_kept(store, begin):
    process = begin(*LONG_RACE, "--targets", "numpy")
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    row = next(line for line in output.splitlines() if line.startswith("numpy"))
    assert " ns" in row or " µs" in row
    assert store.exists()
    assert "saxpy" in run("results").stdout


def test_a_fault_of_ours_is_called_one_and_shows_its_traceback_on_request(clone):
    file = clone / "workbench" / "commands" / "broken.py"
    file.write_text('def command():\n    """Break."""\n    raise ZeroDivisionError("ours")\n')
    try:
        ran = run("broken", PYTHONPATH=str(clone))
        traced = run("broken", PYTHONPATH=str(clone), WORKBENCH_TRACEBACK="1")
    finally:
        file.unlink()
    assert ran.returncode == 1
    assert "fault in it, not in your input" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "Traceback" in traced.stderr


def test_what_the_operating_system_refuses_is_said_without_a_traceback(clone):
    file = clone / "workbench" / "commands" / "writes.py"
    file.write_text('def command():\n    """Write."""\n    open("/proc/no/such/file", "w")\n')
    try:
        ran = run("writes", PYTHONPATH=str(clone))
    finally:
        file.unlink()
    assert ran.returncode == 1
    assert "The operating system refused" in ran.stderr
    assert "/proc/no/such/file" in ran.stderr
    assert "Traceback" not in ran.stderr
