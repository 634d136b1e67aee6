"""Occupancy and the modelled time against values derived by hand."""

import pytest

from workbench.errors import InputError, UnavailableError
from workbench.measurement import Provenance
from workbench.simt.inspector.occupancy import occupancy
from workbench.simt.inspector.timing import Work, modelled_time


@pytest.mark.parametrize(
    ("gpu", "threads", "shared", "registers", "blocks", "limiter"),
    [
        ("nvidia_h100", 256, 0, None, 8, "warps"),  # 64 warps / 8
        ("nvidia_h100", 1024, 0, None, 2, "warps"),
        ("nvidia_h100", 32, 0, None, 32, "blocks"),  # 64 would fit by warps
        ("nvidia_t4", 32, 0, None, 16, "blocks"),
        ("nvidia_t4", 1024, 0, None, 1, "warps"),  # an SM of a T4 has 32 warps
        # 227 KiB and 1 KiB of the system's are all there is
        ("nvidia_h100", 128, 227 * 1024, None, 1, "shared memory"),
        # 48 KiB + 1 KiB is 49 KiB, 228 / 49 = 4.65
        ("nvidia_h100", 128, 48 * 1024, None, 4, "shared memory"),
        # 65536 / (64 * 32) = 32 warps, 8 for each block
        ("nvidia_h100", 256, 0, 64, 4, "registers"),
        # 33 registers are 1056 a warp, rounded up to 1280: 51 warps, 48 in fours, / 8
        ("nvidia_h100", 256, 0, 33, 6, "registers"),
        ("nvidia_h100", 256, 0, 32, 8, "warps"),
    ],
)
def test_blocks_that_fit_and_what_limits_them(gpu, threads, shared, registers, blocks, limiter):
    found = occupancy(gpu, threads, shared, registers)
    assert (found.blocks_per_sm, found.limiter) == (blocks, limiter)


def test_a_partial_warp_takes_the_place_of_a_whole_one():
    assert occupancy("nvidia_h100", 33).warps_per_sm == 64
    assert occupancy("nvidia_h100", 33).blocks_per_sm == 32


def test_unknown_registers_are_said_to_be_unknown():
    assert "not known" in str(occupancy("nvidia_h100", 256))
    assert "not known" not in str(occupancy("nvidia_h100", 256, registers=32))


def test_a_block_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="too many shared memory"):
        occupancy("nvidia_t4", 128, 65 * 1024)
    with pytest.raises(InputError, match="too many registers"):
        occupancy("nvidia_h100", 1024, 0, 128)


def test_a_chip_that_is_no_gpu_has_no_occupancy():
    with pytest.raises(UnavailableError, match="warp_size_threads"):
        occupancy("ascend_910b1", 256)


def test_the_modelled_time_of_a_copy_is_its_bytes_over_the_bandwidth():
    work = Work(blocks=132 * 8 * 100, operations=0, dram_bytes=3.35e9, sectors=0, shared_turns=0)
    found = modelled_time(work, occupancy("nvidia_h100", 256))
    assert found.time_ns == pytest.approx(1e6)
    assert found.bound == "main memory"
    assert found.provenance == Provenance.MODELLED


def test_the_modelled_time_of_arithmetic_is_its_operations_over_the_peak():
    work = Work(blocks=132 * 8 * 10, operations=67e9, dram_bytes=0, sectors=0, shared_turns=0)
    assert modelled_time(work, occupancy("nvidia_h100", 256)).time_ns == pytest.approx(1e6)


def test_a_last_wave_that_is_half_empty_costs_a_whole_one():
    full, half = (
        modelled_time(
            Work(blocks=blocks, operations=1e9, dram_bytes=0, sectors=0, shared_turns=0),
            occupancy("nvidia_h100", 256),
        ).time_ns
        for blocks in (132 * 8 * 2, 132 * 8 + 132 * 4)
    )
    assert half == pytest.approx(full * 4 / 3)


def test_a_small_launch_leaves_multiprocessors_idle():
    work = Work(blocks=33, operations=67e9, dram_bytes=0, sectors=0, shared_turns=0)
    assert modelled_time(work, occupancy("nvidia_h100", 256)).time_ns == pytest.approx(4e6)


def test_a_gpu_without_a_float32_peak_has_no_modelled_time():
    with pytest.raises(UnavailableError, match="float32"):
        modelled_time(Work(1, 1, 1, 1, 1), occupancy("nvidia_b200", 256))
