"""`to_ascend_c`: what it prints is complete, cited and marked; what it cannot say, it refuses."""

import re

import numpy as np
import pytest

from workbench import aicore, catalog
from workbench.aicore import AICoreError
from workbench.aicore.ascend_c.pages import PAGES, page
from workbench.errors import InputError

HALF = [aicore.Shape((300, 300), np.dtype(t)) for t in ("float16", "float16", "float32")]
FILES = catalog.kernel_files(dialect="ascend")


def listing(file):
    """Translate a shelf kernel for the arguments that its own launch gives it."""
    problem, module = catalog.load_problem(file.problem), file.load()
    (kernel,) = (one for one in vars(module).values() if isinstance(one, aicore.Kernel))
    if file.problem == "matmul":
        return aicore.to_ascend_c(kernel, HALF)
    seen = []

    class Spy:
        def __getitem__(self, blocks):
            return lambda *args: seen.append(args)

    inputs = problem.inputs(problem.test_sizes[-1], 0)
    name = kernel.__name__
    setattr(module, name, Spy())
    try:
        module.launch(*inputs, *problem.outputs(*inputs))
    finally:
        setattr(module, name, kernel)
    return aicore.to_ascend_c(kernel, seen[0])


def named(file):
    return f"{file.problem}-{file.name}"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_shelf_kernel_is_printed_whole_with_a_page_for_each_call(file):
    text = listing(file)
    assert text.startswith("// GENERATED")
    assert "Not compiled" in text
    code = [line for line in text.splitlines() if not line.startswith("//")]
    body = "\n".join(code)
    for open_, close in ("{}", "()", "[]"):
        assert body.count(open_) == body.count(close)
    calls = re.compile(r"AscendC::(?!LocalTensor|GlobalTensor)([A-Z]\w+)(?:<[^;=]*>)?\(|\.\w+\(")
    for line in code:
        if calls.search(line.partition("//")[0]):
            assert re.search(r"\[\d{4}\]$", line), line
    for number in re.findall(r"\[(\d{4})\]$", text, re.M):
        assert number in PAGES.values()


def test_broadcast_fills_rows_as_they_lie_in_ub_where_columns_do_not_divide():
    @aicore.kernel
    def columns_of_100(x):
        one = aicore.scratch("UB", 16, x.dtype)
        wide = aicore.scratch("UB", (16, 100), x.dtype)
        aicore.broadcast(wide, one)
        aicore.exp(wide, wide)

    text = aicore.to_ascend_c(columns_of_100, [aicore.Shape((64,), np.dtype("float32"))])
    assert "{static_cast<uint32_t>(16), static_cast<uint32_t>(104)}" in text
    assert "16 * 104" in text or "1664" in text


def test_vector_add_reads_as_one_would_write_it():
    (file,) = (f for f in FILES if named(f) == "vector_add-ascend_1_queued")
    lines = [line.partition("  //")[0].strip() for line in listing(file).splitlines()]
    for wanted in (
        "AscendC::TQue<AscendC::TPosition::VECIN, 2> left;",
        "pipe.InitBuffer(left, 2, 8192);",
        "AscendC::LocalTensor<float> x = left.AllocTensor<float>();",
        "left.EnQue(x);",
        "x = left.DeQue<float>();",
        "AscendC::Add(z, x, y, (stop - start));",
        "left.FreeTensor(x);",
    ):
        assert wanted in lines


def test_matrices_go_through_the_fractal_layouts():
    (file,) = (f for f in FILES if f.name == "ascend_4_l0_pipelined")
    text = listing(file)
    assert "AscendC::Nd2NzParams{1, static_cast<uint16_t>(" in text
    assert "mmad_params.cmatrixInitVal = ((k + near) == 0);" in text
    assert "AscendC::Fixpipe<float, float, AscendC::CFG_ROW_MAJOR>" in text
    assert "AscendC::LoadData2DParams" in text


def test_numbers_are_constants_and_pages_have_addresses():
    (file,) = (f for f in FILES if f.problem == "saxpy")
    assert re.search(r"AscendC::Axpy\(total, left, static_cast<float>\(\d\.\d+f\)", listing(file))
    assert page("Add").endswith("/ascendcopapi/atlasascendc_api_07_0035.html")


def guarded(text, unit):
    """Return the lines that stand inside of a unit's own part."""
    found, depth, begin = [], 0, None
    for line in text.splitlines():
        if line.strip() == f"if ASCEND_IS_{unit} {{":
            begin = depth
        depth += line.count("{") - line.count("}")
        if begin is not None and depth <= begin:
            begin = None
        if begin is not None:
            found.append(line.strip())
    return found


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_attention_is_printed_as_one_program_for_a_cube_and_two_vector_cores(dtype):
    module = next(f for f in FILES if f.name == "ascend_2_overlapped").load()
    spaces = ((8, 2, 128, 512), "float32"), ((8, 2, 128, 512), dtype), ((8, 2, 128, 32), "float32")
    q = aicore.Shape((2, 700, 32), np.dtype(dtype))
    args = (q, q, q, *(aicore.Shape(shape, np.dtype(t)) for shape, t in spaces), q)
    text = aicore.to_ascend_c(module.attention_overlapped, args)
    assert "KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);  // [0218]" in text
    assert "if ASCEND_IS_AIV { my_block /= 2; }" in text
    cube, vector = guarded(text, "AIC"), guarded(text, "AIV")
    assert "AscendC::CrossCoreSetFlag<0x2, PIPE_FIX>(0);  // [0273]" in cube
    assert "AscendC::CrossCoreWaitFlag<0x2, PIPE_MTE2>(0);  // [0274]" in vector
    assert any("AscendC::Mmad(" in line for line in cube)
    assert any("AscendC::Exp(" in line for line in vector)
    assert not any("Mmad(" in line or "LoadData" in line for line in vector)
    assert not any("Exp(" in line or "PIPE_MTE3" in line for line in cube)
    assert ("LoadDataWithTranspose" in text) == (dtype == "float32")
    assert ("AscendC::Cast(" in text) == (dtype == "float16")
    assert " new;" not in text
    assert "new_2" in text  # a Python name that C++ keeps for itself


def test_matmul_on_top_is_written_out_and_its_flags_are_the_kernels_own():
    text = listing(next(f for f in FILES if f.problem == "conv2d"))
    assert "KERNEL_TYPE_MIX_AIC_1_1" in text
    assert "AscendC::SyncAll<false>();  // [0204]" in text
    assert any("AscendC::Mmad(" in line for line in guarded(text, "AIC"))
    assert any("AscendC::Gather(" in line for line in guarded(text, "AIV"))
    assert "aicore" not in text.partition("#include")[2].replace("__aicore__", "")


def test_a_matrix_is_turned_in_blocks_that_one_call_turns():
    text = listing(next(f for f in FILES if f.problem == "transpose"))
    assert "AscendC::TransDataTo5HD<float>(turned_to, turned_from, turn_params);  // [0200]" in text


def test_float32_goes_through_slabs_that_the_turning_load_can_read():
    shape = aicore.Shape((100, 100), np.dtype("float32"))
    kernel = next(f for f in FILES if f.name == "ascend_2_tiled").load().matmul_tiled
    text = aicore.to_ascend_c(kernel, [shape] * 3)
    assert "AscendC::LoadDataWithTranspose(" in text
    assert "MinOf(16, " in text


def test_operations_on_a_part_of_wider_rows_go_row_by_row():
    @aicore.kernel
    def left_half(x):
        wide = aicore.scratch("UB", (4, 64), x.dtype)
        aicore.adds(wide[:, :32], wide[:, 32:], 1.0)

    text = aicore.to_ascend_c(left_half, [aicore.Shape((64,), np.dtype("float32"))])
    ends = "wide[row_i * 64], wide[32][row_i * 64]"
    assert f"AscendC::Adds({ends}, static_cast<float>(1.0f), 32);" in text


X = np.ones(64, np.float32)


def refused(body, match, *args):
    with pytest.raises(AICoreError, match=match) as caught:
        aicore.to_ascend_c(aicore.kernel(body), args or (X,))
    assert caught.value.sites[0].file == __file__
    return caught.value


def test_python_without_counterpart_is_refused_by_line():
    def looping(x):
        while aicore.block_idx() < 3:
            aicore.sync_all()

    def listing_of_tensors(x):
        tiles = [x[:8], x[8:]]
        aicore.data_copy(tiles[0], tiles[1])

    def rounding(x):
        n = -(-aicore.block_num() // 2)
        aicore.set_flag("MTE2_V", n)

    def several_atomics(x, y):
        aicore.set_atomic_add()

    def early(x):
        if x.size > 3:
            return 3
        return 4

    def helped(x):
        aicore.duplicate(aicore.scratch("UB", 8, x.dtype), early(x))

    def bytes_into_l0(x):
        a = aicore.scratch("L1", (32, 32), "int8")
        aicore.load_data(aicore.scratch("L0B", (32, 32), "int8"), a)

    def same_type(x):
        one = aicore.scratch("UB", 8, x.dtype)
        aicore.cast(one, one)

    assert "while" in refused(looping, "this While").sites[0].source
    refused(listing_of_tensors, "ListComp|List")
    refused(rounding, "may be negative")
    refused(several_atomics, "several data types", X, X.astype(np.int32))
    refused(helped, "return from the middle")
    refused(bytes_into_l0, r"load_data of int8: its page \[0239\]")
    refused(same_type, "cast from float32 to itself")


def test_arguments_must_fit_and_kernels_must_be_marked():
    def one(x):
        aicore.sync_all()

    with pytest.raises(InputError, match="2 were given"):
        aicore.to_ascend_c(aicore.kernel(one), (X, X))
    with pytest.raises(InputError, match="mark the function"):
        aicore.to_ascend_c(one, (X,))
