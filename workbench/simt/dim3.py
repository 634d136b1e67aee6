"""Extents and indices in three dimensions, as launches and threads have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Dim3(NamedTuple):
    """Three extents or three indices."""

    x: int = 1
    y: int = 1
    z: int = 1

    @property
    def count(self) -> int:
        """How many threads or blocks there are."""
        return self.x * self.y * self.z

    def indices(self) -> Iterator[Dim3]:
        """Every index inside, x fastest, as the hardware numbers them."""
        for z in range(self.z):
            for y in range(self.y):
                for x in range(self.x):
                    yield Dim3(x, y, z)
