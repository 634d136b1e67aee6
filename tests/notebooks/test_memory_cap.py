"""The cap itself: a notebook that takes memory is counted, and one that takes too much is ended."""

import nbformat
import pytest

TAKE = "import numpy as np; a = np.ones({mega} * 2**17); import time; time.sleep(1)"
CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"


def write(path, source):
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


def test_memory_of_the_kernel_and_of_its_children_is_counted(execute, tmp_path):
    small = execute(write(tmp_path / "small.ipynb", TAKE.format(mega=1))).peak_bytes
    large = execute(write(tmp_path / "large.ipynb", TAKE.format(mega=400))).peak_bytes
    child = CHILD.format(code=TAKE.format(mega=400))
    in_child = execute(write(tmp_path / "child.ipynb", child)).peak_bytes
    assert large - small > 300 * 2**20
    assert in_child - small > 300 * 2**20


def test_a_notebook_above_the_cap_is_ended_and_the_message_says_so(execute, tmp_path):
    path = write(tmp_path / "greedy.ipynb", TAKE.format(mega=2500).replace("(1)", "(60)"))
    with pytest.raises(pytest.fail.Exception, match="more than 2 GB"):
        execute(path)
