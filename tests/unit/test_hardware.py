"""The data sheets: complete, sourced, and honest where sources disagree."""

import pytest

from workbench import hardware
from workbench.errors import DataFileError, InputError, UnavailableError, UnknownNameError

GPUS = [
    n for n in hardware.device_names() if hardware.data_sheet(n).kind == "gpu" and "amd" not in n
]


@pytest.mark.parametrize("name", hardware.device_names())
def test_every_value_of_every_sheet_has_source_date_and_confidence(name):
    for fact in hardware.data_sheet(name).facts:
        assert fact.source
        assert fact.as_of[:2] == "20"
        assert fact.value > 0 or fact.quantity == "shared_reserved_per_block_bytes"
        assert fact.density if fact.quantity.startswith("compute") else not fact.density


def test_the_devices_of_both_stacks_and_their_rivals_are_all_there():
    wanted = {"nvidia_t4", "nvidia_a100_40gb", "nvidia_a100_80gb", "nvidia_h100", "nvidia_h200"}
    wanted |= {"nvidia_h20", "nvidia_b200", "amd_mi300x", "google_tpu_v5e", "google_tpu_v5p"}
    wanted |= {
        f"ascend_{x}" for x in ["910b1", "910b2", "910b2c", "910b3", "910b4", "910c", "310p", "950"]
    }
    assert wanted <= set(hardware.device_names())


def test_conflicting_sources_give_a_band_and_refuse_to_be_one_number():
    sheet = hardware.data_sheet("ascend_910c")
    band = sheet.band("compute_tflop_per_s", "float16", "dense")
    assert (band.low, band.high) == (707, 800)
    assert {fact.value for fact in band.facts} == {707, 752, 780, 800}
    with pytest.raises(InputError, match="disagree"):
        sheet.value("compute_tflop_per_s", "float16", "dense")


def test_disputed_values_are_carried_beside_the_band_and_never_inside_it():
    band = hardware.data_sheet("amd_mi300x").band("compute_tflop_per_s", "float16", "dense")
    assert band.agreed
    assert band.low == 1307.4
    assert [fact.value for fact in band.disputed] == [2615]


def test_dense_and_sparse_peaks_are_never_mixed():
    sheet = hardware.data_sheet("nvidia_h100")
    assert sheet.value("compute_tflop_per_s", "float16", "dense") == 989.5
    assert sheet.value("compute_tflop_per_s", "float16", "sparse") == 1979


def test_the_910b2_peak_follows_from_cubes_and_clock():
    sheet = hardware.data_sheet("ascend_910b2")
    derived = sheet.value("aic_count") * 2 * 16**3 * 1.8e9 / 1e12
    assert sheet.value("compute_tflop_per_s", "float16", "dense") == pytest.approx(
        derived, rel=1e-3
    )


@pytest.mark.parametrize("name", GPUS)
def test_every_gpu_has_what_an_occupancy_calculation_needs(name):
    sheet = hardware.data_sheet(name)
    wanted = [
        q for q in hardware.QUANTITIES if "_per_sm" in q or q.startswith(("shared", "register"))
    ]
    for quantity in [*wanted, "threads_per_block", "warp_size_threads"]:
        sheet.value(quantity)
    assert sheet.value("shared_per_block_bytes") <= sheet.value("shared_per_sm_bytes")


def test_a_roofline_is_slanted_below_its_ridge_and_flat_above():
    roof = hardware.roofline("ascend_910b2")
    low, high = roof.ridge
    assert low == high == pytest.approx(353.9 / 1.6)
    assert roof.attainable_gflop_per_s(low / 2)[1] == pytest.approx(353_900 / 2)
    assert roof.attainable_gflop_per_s(low * 9) == pytest.approx((353_900, 353_900))


def test_the_time_floor_takes_the_highest_claims_of_the_sources():
    roof = hardware.roofline("ascend_910c")
    assert roof.floor_ns(0, 800e12) == pytest.approx(1e9)
    assert roof.floor_ns(3.2e12, 1) == pytest.approx(1e9)


def test_what_no_source_gives_is_an_error_that_says_what_there_is():
    with pytest.raises(UnavailableError, match=r"no dense float16 compute.*\n.*ub_bytes"):
        hardware.roofline("ascend_310p")
    with pytest.raises(UnknownNameError, match="nvidia_h100"):
        hardware.data_sheet("nvidia_h10")
    with pytest.raises(InputError, match="above zero"):
        hardware.roofline("nvidia_h100").attainable_gflop_per_s(0)


ROW = '[[fact]]\nquantity="memory_gb"\nvalue=1\nsource="s"\nas_of="2025"\nconfidence="read"\n'
HEAD = 'schema=1\ntitle="t"\nvendor="v"\nkind="gpu"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema = [", "cannot be read"),
        (HEAD.replace("1", "2") + ROW, "another layout"),
        (ROW, "another layout"),
        ("schema=1\n" + ROW, "lacks an entry"),
        (HEAD + ROW.replace('"s"', '""'), "no source"),
        (HEAD + ROW.replace("read", "sure"), "cannot be used"),
        (HEAD + ROW.replace("value=1", "value=true"), "no number"),
        (HEAD + ROW.replace("memory_gb", "compute_tflop_per_s"), "dense or sparse"),
        (HEAD + ROW.replace("read", "disputed"), "no note"),
        (HEAD + ROW.replace("memory_gb", "weight"), "unknown quantity"),
        (HEAD + "fact = 3\n", "no list of tables"),
        (HEAD.replace("gpu", "toaster") + ROW, "kind = 'toaster'"),
    ],
)
def test_a_damaged_sheet_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "chip.toml"
    path.write_text(text)
    with pytest.raises(DataFileError, match=message) as caught:
        hardware.read_data_sheet(path)
    assert "chip.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("product", "sheet"),
    [
        ("NVIDIA A100-SXM4-80GB", "nvidia_a100_80gb"),
        ("Tesla T4", "nvidia_t4"),
        ("Ascend910B2", "ascend_910b2"),
        ("NVIDIA H200", "nvidia_h200"),
        ("NVIDIA H20", "nvidia_h20"),
        ("NVIDIA GeForce RTX 4090", None),
        ("", None),
    ],
)
def test_a_drivers_name_finds_its_data_sheet_or_none(product, sheet):
    assert hardware.sheet_of(product) == sheet
