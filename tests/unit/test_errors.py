import inspect
import pickle
import re

import pytest

from workbench import errors
from workbench.errors import InputError, UnknownNameError, WorkbenchError

TREE = [
    value
    for value in vars(errors).values()
    if inspect.isclass(value) and issubclass(value, WorkbenchError)
]


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    drawn, path = {}, {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"(?P<indent>[ │├└─]*)(?P<name>\w+Error)\b", line)
        if match:
            depth = len(match["indent"])
            path = {other: name for other, name in path.items() if other < depth}
            drawn[match["name"]] = path[max(path)] if path else None
            path[depth] = match["name"]
    for cls in TREE:
        parent = cls.__bases__[0].__name__ if cls is not WorkbenchError else None
        assert drawn.get(cls.__name__, "not drawn") == parent, cls


def test_a_message_says_what_happened_what_we_saw_and_what_to_try():
    error = WorkbenchError("It broke.", "a crack", "glue")
    assert str(error) == "It broke.\nSeen: a crack\nTry: glue"
    assert str(WorkbenchError("It broke.")) == "It broke."


@pytest.mark.parametrize("cls", TREE)
def test_an_error_survives_the_way_out_of_a_child_process(cls):
    if cls is UnknownNameError:
        error = cls("target", "simtt", ["simt", "numpy"])
    else:
        error = cls("It broke.", "a crack", "glue")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is cls
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_an_unknown_name_suggests_the_near_ones_or_lists_all():
    near = UnknownNameError("target", "torch_cpuu", ["torch_cpu", "torch_cuda", "numpy"])
    assert near.near[0] == "torch_cpu"
    assert "numpy" not in near.advice
    far = UnknownNameError("target", "zzz", ["b", "a"])
    assert far.near == ()
    assert far.advice == "one of: a, b"


@pytest.mark.parametrize("name", ["", "\x1b[31m", "<script>alert(1)</script>", None, 3, "a\nb"])
def test_a_hostile_name_is_quoted_and_breaks_nothing(name):
    error = UnknownNameError("problem", name, ["saxpy"])
    assert repr(name) in error.happened
    assert "\x1b" not in str(error)


def test_input_errors_are_value_errors_for_those_who_do_not_know_us():
    with pytest.raises(ValueError, match="refused"):
        raise InputError("It was refused.")
