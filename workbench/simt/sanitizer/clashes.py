"""Which accesses of a region must be compared before it runs bare."""

from __future__ import annotations

from workbench.simt.codegen.footprint import Touch


def same_area(one: Touch, other: Touch) -> bool:
    """Return whether two touches are of the same elements by the same threads."""
    same = one.array == other.array and one.element == other.element
    return same and one.box == other.box


def meetings(number: int, touches: list[Touch], block: tuple[int, ...]) -> list[str]:
    """Return the tests under which no two threads meet at what a store writes.

    Parameters
    ----------
    number : int
        Of the store among the touches.
    touches : list of Touch
        All of the region.
    block : tuple of int
    """
    store = touches[number]
    alone = _surely_injective(store, block)
    tests = [] if alone else [f"injective(_q{number})"]
    for k, other in enumerate(touches):
        is_seen = k == number or other.array != store.array
        if is_seen or (other.site.kind == "store" and k < number) or same_area(store, other):
            continue
        if alone and other.element == store.element:
            continue
        tests.append(f"apart(_q{number}, _q{k})")
    return tests


def _surely_injective(touch: Touch, block: tuple[int, ...]) -> bool:
    """Return whether all threads of a block want different elements, whatever the guards say."""
    if any(touch.element.step(axis).terms for axis in touch.loops):
        return False
    steps = [touch.element.step(axis).constant for axis in ("_tx", "_ty")]
    if None in steps:
        return False
    axes = [(abs(step or 0), count) for step, count in zip(steps, block, strict=False) if count > 1]
    below = 0
    for step, count in sorted(axes):
        if step <= below:
            return False
        below += (count - 1) * step
    return True
