import os

import numpy as np
import onnx
import pytest

from workbench.errors import InputError, UnknownNameError
from workbench.portability.session import (
    ProviderError,
    SessionError,
    open_session,
    provider_availability,
)


def relu_model():
    return onnx.parser.parse_model(
        '<ir_version: 10, opset_import: ["": 20]> g (float[N] x) => (float[N] y) { y = Relu(x) }'
    )


def test_a_cpu_session_runs_with_inputs_by_name_and_in_order():
    session = open_session(relu_model())
    x = np.array([-1, 2], np.float32)
    assert session.run([x])[0].tolist() == [0, 2]
    assert session.run({"x": x})[0].tolist() == [0, 2]
    assert session.nodes_by_provider()["CPUExecutionProvider"]


def test_telemetry_is_off_once_the_runtime_is_imported():
    open_session(relu_model())
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_provider_that_is_not_here_is_an_error_naming_both():
    with pytest.raises(ProviderError, match=r"CANNExec.*CPUExec") as error:
        open_session(relu_model(), "CANNExecutionProvider")
    assert "workbench providers add cann" in error.value.advice


def test_an_unusable_provider_says_why_and_what_to_do():
    availability = provider_availability("CUDAExecutionProvider")
    if not availability:
        assert availability.reason
        assert "cuda" in availability.remedy


def test_an_unknown_option_name_is_refused_before_a_session_is_made():
    with pytest.raises(UnknownNameError, match="enable_cann_graph"):
        open_session(relu_model(), "CANNExecutionProvider", options={"enable_can_graph": 1})


def test_an_option_value_outside_its_list_is_refused():
    with pytest.raises(InputError, match="EXHAUSTIVE"):
        open_session(
            relu_model(), "CUDAExecutionProvider", options={"cudnn_conv_algo_search": "FAST"}
        )


def test_options_of_a_provider_without_a_table_are_refused_rather_than_passed_on():
    with pytest.raises(InputError, match="cannot be checked"):
        open_session(relu_model(), "SomeExecutionProvider", options={"a": 1})


def test_a_model_the_runtime_refuses_is_a_session_error():
    with pytest.raises(SessionError, match="refused"):
        open_session(b"not a model")


def test_the_wrong_number_of_inputs_names_the_inputs():
    with pytest.raises(InputError, match="x"):
        open_session(relu_model()).run([])


def test_a_run_that_fails_says_so_with_the_runtimes_words():
    with pytest.raises(SessionError, match="float"):
        open_session(relu_model()).run([np.zeros(2, np.int64)])
