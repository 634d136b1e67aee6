"""Samples of two scoreboards: mutated models through the loader, and constructs through export."""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def script(name):
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_three_hundred_mutated_models_load_or_are_refused():
    fuzz = script("onnx_loader_fuzz")
    sound = refused = 0
    for seed in range(300):
        said = fuzz.verdict(fuzz.one(seed))
        assert said in ("sound", "refused"), f"seed {seed}: {said}"
        sound, refused = sound + (said == "sound"), refused + (said == "refused")
    assert sound > 20
    assert refused > 100


def test_at_least_34_of_the_38_constructs_are_recorded_as_agreeing():
    record = json.loads((HERE / "onnx_constructs.json").read_text())
    assert len(record) == 38
    assert sum(said == "pass" for said in record.values()) >= 34


@pytest.mark.parametrize("name", ["cumprod", "linalg.inv", "histc"])
def test_a_construct_that_pytorch_alone_does_not_export_agrees_at_three_sizes(name):
    assert script("onnx_constructs").verdict(name) == "pass"
