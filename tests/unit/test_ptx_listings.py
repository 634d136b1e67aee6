"""Compiler listings, taken apart by source line, and what is said where there is no compiler."""

import importlib.util
import math
import pickle

import numpy as np
import pytest

from workbench import cuda
from workbench.errors import InputError, UnavailableError
from workbench.simt.errors import KernelSourceError
from workbench.simt.ptx import machine_code
from workbench.simt.ptx.machine_code import ptx_lines, sass_lines
from workbench.simt.ptx.portable import portable

PTX = """
.version 9.0
.target sm_90
.visible .entry copy(
	.param .u64 copy_param_0
)
{
	.reg .b32 	%r<4>;
	.loc	1 7 0
$L__func_begin0:
	.loc	1 8 9
	mov.u32 	%r1, %tid.x;
	@%p1 bra 	$L__BB0_2;
	.loc	2 99 1
	add.s32 	%r2, %r1, 1;
	.loc	1 9 1
	bar.sync 	0;
	ret;
}
	.file	1 "/home/learner/kernels.py"
	.file	2 "/usr/lib/other.py"
"""
SASS = """
.text.copy:
	//## File "/home/learner/kernels.py", line 8
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 BRA `(.L_x_2) ;
	//## File "/usr/lib/other.py", line 99
        /*0020*/                   VIADD R6, R0, 0x1 ;
	//## File "/home/learner/kernels.py", line 9
        /*0030*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
"""


def test_ptx_instructions_stand_with_the_line_they_come_from():
    assert ptx_lines(PTX, "/home/learner/kernels.py") == {
        8: ("mov.u32 %r1, %tid.x;", "@%p1 bra $L__BB0_2;"),
        0: ("add.s32 %r2, %r1, 1;",),
        9: ("bar.sync 0;", "ret;"),
    }


def test_sass_instructions_stand_with_the_line_they_come_from():
    assert sass_lines(SASS, "/home/learner/kernels.py") == {
        8: ("LDC R1, c[0x0][0x28]", "@!P0 BRA `(.L_x_2)"),
        0: ("VIADD R6, R0, 0x1",),
        9: ("BAR.SYNC.DEFER_BLOCKING 0x0",),
    }


SIZE = 16


@cuda.jit(device=True)
def root(x):
    return math.sqrt(x)


@cuda.jit
def kernel(a):
    t = cuda.threadIdx.x
    if t < SIZE:
        a[t] = root(a[t])


def test_a_kernel_travels_with_its_constants_and_device_functions():
    device, main = pickle.loads(pickle.dumps(portable(kernel.py_func)))
    assert device.name == "root"
    assert device.names["math"] == ("module", "math")
    assert main.names["root"] == ("function", 0)
    assert main.names["cuda"] == ("cuda", "")
    assert pickle.loads(main.names["SIZE"][1]) == 16


def test_a_kernel_with_an_object_that_cannot_travel_is_refused():
    lock = (one for one in ())

    @cuda.jit
    def strange(a):
        a[0] = lock

    with pytest.raises(KernelSourceError, match="lock is a generator"):
        portable(strange.py_func)


def test_a_chip_without_ptx_is_refused():
    with pytest.raises(InputError, match="Nvidia"):
        machine_code(kernel, np.zeros(4, np.float32), gpu="ascend_910b1")


@pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is not None, reason="the ptx extra is installed here"
)
def test_without_the_extra_an_error_says_how_to_get_it():
    with pytest.raises(UnavailableError, match=r"accelerator-workbench\[ptx\]"):
        machine_code(kernel, np.zeros(4, np.float32))
