"""ONNX's own tests grade a provider from the recording as they do live."""

import numpy as np
import pytest

from workbench.portability.provider.grade import grade
from workbench.portability.recorded.book import NotRecordedError, read_book
from workbench.portability.recorded.provider import RecordedProvider


def test_a_test_that_was_not_recorded_is_no_failing_grade():
    with pytest.raises(NotRecordedError, match="Tanh"):
        grade(RecordedProvider(read_book("own")), "test_tanh")


def test_a_wrong_kernel_fails_onnxs_tests_from_the_recording_too():
    provider = RecordedProvider(read_book("own"), {})

    @provider.kernel("Softmax")
    def softmax(node, value):
        powers = np.exp(value - value.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True)

    assert "test_softmax_axis_0" in grade(provider, "test_softmax_axis").wrong
