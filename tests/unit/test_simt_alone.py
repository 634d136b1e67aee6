"""The engine needs no GPU, no numba-cuda, and never Numba's own CUDA package."""

import subprocess
import sys

RUN = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("numba.cuda", "numba_cuda", "cuda.bindings")):
            raise ImportError("refused by the test: " + name)
sys.meta_path.insert(0, Refuse())
{body}
loaded = [name for name in sys.modules if name.startswith(("numba.cuda.simulator", "numba_cuda"))]
assert not loaded, loaded
"""


def _run(tmp_path, body):
    script = tmp_path / "script.py"
    script.write_text(RUN.format(body=body))
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_kernels_run_where_numbas_cuda_cannot_be_imported(tmp_path):
    _run(
        tmp_path,
        """
import numpy as np
from workbench import cuda
@cuda.jit
def fill(a):
    i = cuda.grid(1)
    if i < a.size:
        a[i] = i
a = np.zeros(100)
fill[1, 128](a)
assert a[99] == 99 and "numba.cuda" not in sys.modules
""",
    )


def test_third_party_code_runs_on_the_engine_after_install(tmp_path):
    _run(
        tmp_path,
        """
import workbench.simt
workbench.simt.install()
import numpy as np
from numba import cuda
from numba.cuda.random import create_xoroshiro128p_states, xoroshiro128p_uniform_float32
@cuda.jit
def draw(states, a):
    i = cuda.grid(1)
    if i < a.size:
        a[i] = xoroshiro128p_uniform_float32(states, i)
a = np.full(64, -1, np.float32)
draw[1, 64](create_xoroshiro128p_states(64, seed=7), a)
assert 0 <= a.min() and a.max() < 1 and len(set(a)) > 60
assert cuda.__name__ == "workbench.simt.cuda"
""",
    )
