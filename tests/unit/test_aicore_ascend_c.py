"""`to_ascend_c`: what it prints is complete, cited and marked; what it cannot say, it refuses."""

import re

import numpy as np
import pytest

from workbench import aicore, catalog
from workbench.aicore import AICoreError
from workbench.aicore.ascend_c_pages import PAGES, page
from workbench.errors import InputError

HALF = [aicore.Shape((300, 300), np.dtype(t)) for t in ("float16", "float16", "float32")]
REFUSED = {
    "transpose-ascend_1_tiles": "aicore.transpose: it has no one counterpart",
    "conv2d-ascend_1_img2col": "cannot translate",
    "attention-ascend_1_flash": "cannot translate",
    "attention-ascend_2_overlapped": "cannot translate",
}
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


@pytest.mark.parametrize("file", [f for f in FILES if named(f) not in REFUSED], ids=named)
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


@pytest.mark.parametrize("file", [f for f in FILES if named(f) in REFUSED], ids=named)
def test_what_has_no_counterpart_is_refused_with_its_line(file):
    with pytest.raises(AICoreError, match=REFUSED[named(file)]) as caught:
        listing(file)
    site = caught.value.sites[0]
    assert site.file == str(file.path)
    assert site.source


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

    def composite(x):
        aicore.Matmul(x.dtype)

    def rounding(x):
        n = -(-aicore.block_num() // 2)
        aicore.set_flag("MTE2_V", n)

    def between_cores(x):
        aicore.cross_core_set_flag(0, "AIC.FIX")

    assert "while" in refused(looping, "this While").sites[0].source
    refused(listing_of_tensors, "ListComp|List")
    refused(composite, "aicore.Matmul")
    refused(rounding, "may be negative")
    refused(between_cores, r"cross_core_set_flag: its page \[0273\]")


def test_arguments_must_fit_and_kernels_must_be_marked():
    def one(x):
        aicore.sync_all()

    with pytest.raises(InputError, match="2 for x"):
        aicore.to_ascend_c(aicore.kernel(one), (X, X))
    with pytest.raises(InputError, match="mark the function"):
        aicore.to_ascend_c(one, (X,))
