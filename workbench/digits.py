"""The handwritten digits in ``datasets/digits``: real input that is small enough for a laptop.

1,797 grey images of 8 x 8 pixels, split once into a training and a test part by
``scripts/prepare_digits``. Every read is checked, so that a truncated or doctored file is an error
here and not a mystery in a lesson. It refuses to download anything and to unpickle anything.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from workbench import catalog
from workbench.errors import DataFileError, UnknownNameError

SIDE = 8
"""Pixels along each edge of an image."""

BRIGHTEST = 16
"""The value of a white pixel in the file (the data set's own range is 0 to 16)."""

REMEDY = "`python scripts/prepare_digits` makes it again, or `git checkout -- datasets/digits`"

_PARTS = ("train", "test")
_SHAPES = {
    "train_images": (1347, SIDE, SIDE),
    "train_labels": (1347,),
    "test_images": (450, SIDE, SIDE),
    "test_labels": (450,),
}


@dataclass(frozen=True)
class Digits:
    """One part of the data set.

    Attributes
    ----------
    images : ndarray
        float32, shape (count, 1, 8, 8), 0 (black) to 1 (white).
    labels : ndarray
        int64, shape (count,), 0 to 9.
    """

    images: np.ndarray
    labels: np.ndarray


def path() -> Path:
    """Return where the data set lies."""
    return catalog.folder("datasets") / "digits" / "digits.npz"


@lru_cache(maxsize=2)
def load(part: str) -> Digits:
    """Return the ``"train"`` or the ``"test"`` part.

    Raises
    ------
    UnknownNameError
        Where there is no such part.
    DataFileError
        Where the file is missing, truncated, or not what the script wrote.
    """
    if part not in _PARTS:
        raise UnknownNameError("part of the digits", part, _PARTS)
    arrays = read(path())
    images = arrays[f"{part}_images"].astype(np.float32)[:, None] / np.float32(BRIGHTEST)
    labels = arrays[f"{part}_labels"].astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False
    return Digits(images, labels)


def read(file: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a digits file after checking names, shapes, types and ranges.

    Raises
    ------
    DataFileError
        Saying what was found.
    """
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in _SHAPES}
    except FileNotFoundError as cause:
        raise DataFileError("The digits are not there.", str(file), REMEDY) from cause
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
    ) as cause:
        raise DataFileError(
            "The digits cannot be read.", f"{file}: {type(cause).__name__}: {cause}", REMEDY
        ) from cause
    for name, array in arrays.items():
        top = BRIGHTEST if name.endswith("images") else 9
        found, right = (array.dtype, array.shape), (np.dtype(np.uint8), _SHAPES[name])
        if found != right or array.max() > top:
            up_to = f" up to {array.max()}" if found == right else ""  # the rest may have no order
            raise DataFileError(
                "The digits are not what the script wrote.",
                f"{file}: {name} is {array.dtype}{list(array.shape)}{up_to}, expected "
                f"uint8{list(_SHAPES[name])} up to {top}",
                REMEDY,
            )
    return arrays


def fingerprint(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 of the values, whatever the container around them."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + str(arrays[name].shape).encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
