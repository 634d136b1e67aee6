"""A sample of the models that nobody here wrote: they train on wb with the CPU's losses.

All of them, with what they need: ``python tests/conformance/torch_device_models.py``; its last
output is in ``torch_device_models.json``.
"""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["gpt2 (decoder)", "t5 (encoder-decoder)", "resnet (convolutional)"]
)
def test_a_model_from_a_library_trains_as_on_the_cpu(name):
    pytest.importorskip("transformers", reason="transformers is not installed")
    spec = importlib.util.spec_from_file_location("models", HERE / "torch_device_models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    found = models.compared(name)
    assert found["worst_relative_difference"] < 1e-5
    assert found["fallbacks"] == {}


def test_the_recorded_models_agree_with_the_cpu_and_are_at_least_ten():
    recorded = json.loads((HERE / "torch_device_models.json").read_text())
    assert len(recorded) >= 10
    assert all(found["worst_relative_difference"] < 1e-5 for found in recorded.values())
