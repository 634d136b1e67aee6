import datetime
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import IncomparableMeasurementsError, InputError
from workbench.measurement import Availability, Measurement, Provenance, comparable, now


def measured(target="numpy", **changes):
    values = {
        "problem": "saxpy",
        "target": target,
        "size": 10,
        "samples_ns": (3.0, 1.0, 2.0),
        "provenance": Provenance.MEASURED,
    }
    return Measurement(**values | changes)


@pytest.mark.parametrize(
    ("provenance", "given", "missing"),
    [
        ("recorded", {}, "machine and no taken_at"),
        ("recorded", {"machine": "a"}, "taken_at"),
        ("modelled", {"model": "m"}, "stated_error"),
        ("modelled", {"stated_error": "10 %"}, "model"),
        ("datasheet", {}, "source"),
    ],
)
def test_a_number_without_its_origin_is_refused(provenance, given, missing):
    with pytest.raises(InputError, match=missing):
        measured(provenance=Provenance(provenance), **given)


def test_a_provenance_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="guessed"):
        measured(provenance="guessed")


@given(
    st.lists(st.floats(0, 1e12), min_size=1, max_size=50),
    st.floats(0, 1),
)
def test_quantiles_are_numpys_and_the_samples_keep_their_order(samples, q):
    row = measured(samples_ns=tuple(samples))
    assert row.quantile_ns(q) == pytest.approx(np.quantile(samples, q), rel=1e-12, abs=1e-9)
    assert row.median_ns == pytest.approx(np.median(samples), rel=1e-12, abs=1e-9)
    assert list(row.samples_ns) == samples


def test_no_samples_have_no_median():
    with pytest.raises(InputError, match="no samples"):
        _ = measured(samples_ns=()).median_ns


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"provenance": Provenance.MODELLED, "model": "m", "stated_error": "e"}, "provenance"),
        ({"problem": "matmul"}, "problem"),
        ({"size": 11}, "size"),
        ({"machine": "elsewhere"}, "machine"),
    ],
)
def test_numbers_that_differ_in_origin_are_never_ranked_together(change, words):
    with pytest.raises(IncomparableMeasurementsError, match=f"differ in {words}"):
        comparable([measured(), measured("torch_cpu", **change)])


def test_numbers_of_one_kind_may_be_ranked():
    rows = [measured(), measured("torch_cpu")]
    assert comparable(iter(rows)) == rows
    assert comparable([]) == []


def test_a_place_that_cannot_be_used_must_say_why_and_what_to_do():
    assert Availability(True)
    assert not Availability(False, "no driver", "install it")
    for reason, remedy in [("", ""), ("no driver", ""), ("", "install it")]:
        with pytest.raises(InputError, match="why and what to do"):
            Availability(False, reason, remedy)


def test_a_measurement_survives_pickling_and_cannot_be_changed():
    row = measured()
    assert pickle.loads(pickle.dumps(row)) == row
    with pytest.raises(AttributeError):
        row.size = 11


def test_the_time_carries_its_offset():
    assert datetime.datetime.fromisoformat(now()).utcoffset() is not None
