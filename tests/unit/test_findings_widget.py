"""The Findings widget's state and its static picture, with no browser."""

import numba
import numpy as np
import pytest

from workbench import cuda, sanitize
from workbench.simt.sanitizer import FoundError
from workbench.widgets.findings import Findings

float32 = numba.float32


@cuda.jit
def reversed_too_early(a, out):
    s = cuda.shared.array(64, float32)
    t = cuda.threadIdx.x
    s[t] = a[t]
    out[t] = s[63 - t] if "<b>" != "" else 0
    out[t + 1] = 0


@pytest.fixture(scope="module")
def record():
    a = np.arange(64, dtype=np.float32)
    return sanitize(reversed_too_early[1, 64], a, np.zeros_like(a))


def test_the_state_names_both_threads_and_marks_both_lines(record):
    view = Findings(record).view
    first = record[0].first.line
    assert view["parties"][0]["name"] == "A"
    assert {row["line"] for row in view["code"] if row["marks"]} == set(record[0].lines)
    assert view["code"][0]["text"].startswith("@cuda.jit")
    assert first in {row["line"] for row in view["code"]}
    assert record[0].message in view["sentence"]


def test_choosing_goes_through_the_findings_and_stops_at_the_ends(record):
    widget = Findings(record)
    assert widget.choose(10**6).view["chosen"] == len(record) - 1
    assert widget.choose(-5).view["chosen"] == 0


def test_the_static_picture_escapes_the_source(record):
    picture = Findings(record).picture()
    assert "<b>" not in picture
    assert "&lt;b&gt;" in picture


def test_no_findings_are_said_to_be_none():
    a = np.zeros(3, np.float32)

    @cuda.jit
    def nothing(a):
        a[cuda.threadIdx.x] = 1

    widget = Findings(sanitize(nothing[1, 3], a))
    assert widget.sentence() == "The sanitizer found nothing wrong with nothing."
    assert widget.picture().startswith("<svg")


def test_findings_raise_where_they_are_asked_to(record):
    with pytest.raises(FoundError, match="race"):
        record.check()
    assert record.kinds[0] == "race"
    assert "<b>" not in record._repr_html_()
    assert record.as_json()[0]["first"]["thread"] == record[0].first.thread
