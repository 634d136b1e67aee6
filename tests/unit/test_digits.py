import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import digits
from workbench.errors import DataFileError, UnknownNameError


def test_the_file_holds_scikit_learns_digits_each_once():
    from sklearn.datasets import load_digits

    arrays = digits.read(digits.path())
    images = np.concatenate([arrays["train_images"], arrays["test_images"]]).reshape(-1, 64)
    labels = np.concatenate([arrays["train_labels"], arrays["test_labels"]])
    theirs = load_digits()
    ours = sorted(map(tuple, np.column_stack([images, labels]).tolist()))
    original = np.column_stack([theirs.data, theirs.target]).astype(int).tolist()
    assert ours == sorted(map(tuple, original))


def test_every_class_is_in_the_test_part_in_proportion():
    labels = digits.load("test").labels
    counts = np.bincount(labels, minlength=10)
    assert counts.min() >= 43
    assert counts.sum() == 450


def test_images_are_between_black_and_white_and_cannot_be_written():
    images = digits.load("train").images
    assert images.dtype == np.float32
    assert images.shape == (1347, 1, 8, 8)
    assert images.min() == 0
    assert images.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_a_missing_file_says_how_to_make_it(tmp_path):
    with pytest.raises(DataFileError, match="prepare_digits"):
        digits.read(tmp_path / "none.npz")


@given(keep=st.floats(0, 0.999))
@settings(max_examples=25, deadline=None)
def test_a_truncated_file_is_refused(tmp_path_factory, keep):
    whole = digits.path().read_bytes()
    file = tmp_path_factory.mktemp("digits") / "short.npz"
    file.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(DataFileError):
        digits.read(file)


@given(place=st.floats(0, 0.999), value=st.integers(1, 255))
@settings(max_examples=40, deadline=None)
def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path_factory, place, value):
    content = bytearray(digits.path().read_bytes())
    content[int(place * len(content))] ^= value
    file = tmp_path_factory.mktemp("digits") / "flipped.npz"
    file.write_bytes(content)
    try:
        found = digits.fingerprint(digits.read(file))
    except DataFileError:
        return
    assert found == digits.fingerprint(digits.read(digits.path()))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("train_images", lambda a: a.astype(np.float32)),
        ("train_images", lambda a: a[:-1]),
        ("test_images", lambda a: a + 17),
        ("test_labels", lambda a: a + 1),
        ("test_labels", lambda a: np.array([{"a": 1}], dtype=object)),
    ],
)
def test_other_contents_are_refused_by_name(tmp_path, name, change):
    arrays = digits.read(digits.path())
    file = tmp_path / "other.npz"
    np.savez(file, **{**arrays, name: change(arrays[name])})
    with pytest.raises(DataFileError):
        digits.read(file)


def test_a_folder_in_the_files_place_is_refused(tmp_path):
    shutil.copytree(digits.path().parent, tmp_path / "digits.npz")
    with pytest.raises(DataFileError):
        digits.read(tmp_path / "digits.npz")


def test_an_unknown_part_names_those_that_exist():
    with pytest.raises(UnknownNameError, match="test"):
        digits.load("tset")


def test_an_empty_array_in_the_file_is_refused_like_any_other(tmp_path):
    arrays = {**digits.read(digits.path()), "test_labels": np.empty(0, np.uint8)}
    np.savez(tmp_path / "digits.npz", **arrays)
    with pytest.raises(DataFileError, match=r"test_labels is uint8\[0\], expected"):
        digits.read(tmp_path / "digits.npz")
