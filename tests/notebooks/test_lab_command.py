"""`workbench lab` as a user starts it: the address, the token, no orphans."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest

from workbench.commands.lab import choose_port, find_notebook
from workbench.errors import InputError, UnknownNameError


@pytest.fixture
def started(start):
    """JupyterLab, started through the command line: the process and its first address."""
    process = start(
        [sys.executable, "-m", "workbench", "lab", "01", "--no-browser"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    address, end = None, time.monotonic() + 60
    while address is None and time.monotonic() < end:
        address = re.search(r"http://localhost:\d+/lab\S*", process.stdout.readline())
    assert address is not None
    return process, address.group()


def get(url, end_s=30):
    end = time.monotonic() + end_s
    while True:
        try:
            return urllib.request.urlopen(url)
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def test_the_printed_address_leads_to_the_notebook_and_needs_its_token(started):
    _, address = started
    assert "/lab/tree/notebooks/01_write_your_first_kernel.ipynb?token=" in address
    with get(address) as page:
        assert page.status == 200
    api = address.split("/lab")[0] + "/api/kernels"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        get(api)


def test_it_leaves_no_process_behind_when_it_is_stopped(started):
    process, address = started
    with get(address):
        pass
    family = [process.pid, *(p.pid for p in psutil.Process(process.pid).children(recursive=True))]
    os.kill(process.pid, signal.SIGTERM)
    process.wait(20)
    assert not any(psutil.pid_exists(pid) for pid in family)


def test_a_port_in_use_is_named():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"Port {port} cannot be used"):
            choose_port(port)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_number_is_refused(port):
    with pytest.raises(InputError, match="no port number"):
        choose_port(port)


def test_a_notebook_is_chosen_by_number_and_near_misses_are_named():
    assert find_notebook("01").stem == "01_write_your_first_kernel"
    with pytest.raises(UnknownNameError, match="01_write_your_first_kernel"):
        find_notebook("01_write_my_first_kernel")
