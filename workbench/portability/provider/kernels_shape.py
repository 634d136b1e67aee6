"""Kernels that move elements and change none: shapes, slices, gathers.

As on the operators' pages (https://onnx.ai/onnx/operators/); where an argument was an attribute in
early opsets and an input in later ones, both are read.
"""

# NumPy has no types for index arrays built at run time.
# pyright: reportArgumentType=false, reportCallIssue=false, reportOptionalMemberAccess=false

from __future__ import annotations

import numpy as np

from workbench.portability.provider.engine import Kernel


def axes_of(node, given):
    """Return the axes from the input or the attribute, as a tuple; None where there are none."""
    axes = node.get("axes") if given is None else given
    return None if axes is None else tuple(int(axis) for axis in np.atleast_1d(axes))


def shape(node, x):
    """Return the sizes, or a range of them."""
    return np.array(x.shape[slice(node.get("start", 0), node.get("end"))], np.int64)


def reshape(node, x, sizes):
    """0 keeps a size (unless `allowzero`), -1 is what is left."""
    wanted = [
        x.shape[i] if size == 0 and not node.get("allowzero", 0) else int(size)
        for i, size in enumerate(sizes)
    ]
    return x.reshape(wanted)


def flatten(node, x):
    """To two dimensions, split at `axis`."""
    axis = node.get("axis", 1)
    axis += x.ndim if axis < 0 else 0
    return (
        x.reshape(int(np.prod(x.shape[:axis], dtype=np.int64)), -1)
        if x.size
        else x.reshape(
            int(np.prod(x.shape[:axis], dtype=np.int64)),
            int(np.prod(x.shape[axis:], dtype=np.int64)),
        )
    )


def squeeze(node, x, axes=None):
    """Drop dimensions of size 1."""
    return np.squeeze(x, axes_of(node, axes))


def unsqueeze(node, x, axes=None):
    """Insert dimensions of size 1."""
    return np.expand_dims(x, axes_of(node, axes))


def split(node, x, sizes=None):
    """Into given sizes, or equal ones with a smaller last."""
    axis, count = node.get("axis", 0), len(node.outputs)
    sizes = node.get("split") if sizes is None else sizes
    if sizes is None:
        each = -(-x.shape[axis] // count)
        cuts = [min(each * (i + 1), x.shape[axis]) for i in range(count - 1)]
    else:
        cuts = np.cumsum(sizes)[:-1]
    return tuple(np.split(x, cuts, axis))


def cut(node, x, starts=None, ends=None, axes=None, steps=None):
    """NumPy's slices have ONNX's rules, but for an end before the beginning."""
    starts = node.get("starts") if starts is None else starts
    ends = node.get("ends") if ends is None else ends
    axes = axes_of(node, axes) or tuple(range(len(starts)))
    steps = [1] * len(axes) if steps is None else steps
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        size, start, end, step = x.shape[axis], int(start), int(end), int(step)
        stop = None if step < 0 and end < -size else end
        index[axis] = slice(start, stop, step)
    return x[tuple(index)]


def expand(node, x, sizes):
    """Broadcast both ways: a 1 in `sizes` keeps the size."""
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(int(s) for s in sizes)))


def gather_nd(node, x, indices):
    """Index tuples in the last dimension, after `batch_dims` shared ones."""
    batch = node.get("batch_dims", 0)
    if not batch:
        return x[tuple(np.moveaxis(indices, -1, 0))]
    lead = x.shape[:batch]
    flat_x = x.reshape(-1, *x.shape[batch:])
    flat_i = indices.reshape(-1, *indices.shape[batch:])
    parts = [one[tuple(np.moveaxis(at, -1, 0))] for one, at in zip(flat_x, flat_i, strict=True)]
    return np.stack(parts).reshape(*lead, *parts[0].shape)


_REDUCE = {
    "add": np.add.at,
    "mul": np.multiply.at,
    "max": np.maximum.at,
    "min": np.minimum.at,
}


def scatter_elements(node, x, indices, updates):
    """One element at a time along `axis`, replacing or combining."""
    axis, result = node.get("axis", 0), x.copy()
    places = list(np.indices(indices.shape, sparse=True))
    places[axis] = np.where(indices < 0, indices + x.shape[axis], indices)
    return _put(node, result, tuple(places), updates)


def scatter_nd(node, x, indices, updates):
    """Index tuples in the last dimension."""
    return _put(node, x.copy(), tuple(np.moveaxis(indices, -1, 0)), updates)


def _put(node, result, places, updates):
    how = node.get("reduction", "none")
    if how == "none":
        result[places] = updates
    else:
        _REDUCE[how](result, places, updates)
    return result


def pad(node, x, pads=None, value=None, axes=None):
    """Constant, edge, reflect or wrap; a negative amount cuts."""
    pads = node.get("pads") if pads is None else pads
    value = node.get("value", 0) if value is None else value
    axes = axes_of(node, axes) or tuple(range(x.ndim))
    amounts = np.zeros((x.ndim, 2), int)
    for i, axis in enumerate(axes):
        amounts[axis] = int(pads[i]), int(pads[i + len(axes)])
    index = [slice(max(0, -a), x.shape[i] - max(0, -b)) for i, (a, b) in enumerate(amounts)]
    x, amounts = x[tuple(index)], np.maximum(amounts, 0)
    mode = node.get("mode", "constant")
    if mode == "constant":
        return np.pad(x, amounts, constant_values=np.asarray(value).reshape(()))
    return np.pad(x, amounts, mode=mode)


def constant_of_shape(node, sizes):
    """One value everywhere; float32 zero where none is given."""
    value = node.get("value", np.zeros(1, np.float32))
    return np.full([int(s) for s in sizes], value.reshape(-1)[0], node.dtype())


def one_hot(node, indices, depth, values):
    """Negative indices count from the end; those out of range give no hot one."""
    depth, axis = int(np.reshape(depth, -1)[0]), node.get("axis", -1)
    hot = np.expand_dims(np.mod(indices, depth), axis)
    inside = np.expand_dims((indices >= -depth) & (indices < depth), axis)
    places = np.arange(depth).reshape([-1 if i == axis % hot.ndim else 1 for i in range(hot.ndim)])
    return np.where((hot == places) & inside, values[1], values[0])


def depth_to_space(node, x):
    """Blocks of channels become blocks of pixels."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    if node.get("mode", "DCR") == "DCR":
        parts = x.reshape(n, b, b, c // (b * b), h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = x.reshape(n, c // (b * b), b, b, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // (b * b), h * b, w * b)


def space_to_depth(node, x):
    """Blocks of pixels become blocks of channels."""
    n, c, h, w = x.shape
    b = node.get("blocksize")
    parts = x.reshape(n, c, h // b, b, w // b, b).transpose(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, c * b * b, h // b, w // b)


def reverse_sequence(node, x, lengths):
    """Turn the first `lengths[i]` steps of each sequence round."""
    time, batch = node.get("time_axis", 0), node.get("batch_axis", 1)
    steps = np.arange(x.shape[time])[:, None]
    order = np.where(steps < lengths, lengths - 1 - steps, steps)
    moved = np.moveaxis(x, (time, batch), (0, 1))
    turned = moved[order, np.arange(moved.shape[1])]
    return np.moveaxis(turned, (0, 1), (time, batch))


def trilu(node, x, k=None):
    """Return the upper or lower triangle."""
    diagonal = 0 if k is None else int(np.reshape(k, -1)[0])
    return np.triu(x, diagonal) if node.get("upper", 1) else np.tril(x, diagonal)


def take_along(node, x, indices):
    """One element at a time along `axis`."""
    axis = node.get("axis", 0)
    places = list(np.indices(indices.shape, sparse=True))
    places[axis] = indices
    return x[tuple(places)]


def count(node, start, limit, step):
    """From `start`, below `limit`; each is a scalar, or an array of one element."""
    first, last, by = (np.reshape(x, -1)[0] for x in (start, limit, step))
    return np.arange(first, last, by, node.dtype())


def eye_like(node, x):
    """Ones on a diagonal."""
    return np.eye(*x.shape, k=node.get("k", 0), dtype=node.dtype())


def compress(node, x, condition):
    """Keep where the condition holds."""
    axis = node.get("axis")
    flat = x.reshape(-1) if axis is None else x
    return np.compress(condition, flat, axis=0 if axis is None else axis)


KERNELS = [
    Kernel("Shape", shape),
    Kernel("Size", lambda node, x: np.int64(x.size)),
    Kernel("Reshape", reshape, since=5),
    Kernel("Flatten", flatten),
    Kernel("Transpose", lambda node, x: np.transpose(x, node.get("perm"))),
    Kernel("Squeeze", squeeze),
    Kernel("Unsqueeze", unsqueeze),
    Kernel("Concat", lambda node, *xs: np.concatenate(xs, node.get("axis", 1)), since=4),
    Kernel("Split", split, since=2),
    Kernel("Slice", cut),
    Kernel("Expand", expand),
    Kernel("Tile", lambda node, x, repeats: np.tile(x, repeats.tolist()), since=6),
    Kernel("Gather", lambda node, x, at: np.take(x, at, axis=node.get("axis", 0))),
    Kernel("GatherElements", take_along),
    Kernel("GatherND", gather_nd, since=12),
    Kernel("ScatterElements", scatter_elements),
    Kernel("ScatterND", scatter_nd),
    Kernel("Pad", pad, since=2, accepts=lambda node: node.inputs[0].dtype.kind != "b"),
    Kernel("ConstantOfShape", constant_of_shape),
    Kernel("Range", count),
    Kernel("OneHot", one_hot),
    Kernel("DepthToSpace", depth_to_space),
    Kernel("SpaceToDepth", space_to_depth),
    Kernel("ReverseSequence", reverse_sequence),
    Kernel("Trilu", trilu),
    Kernel("EyeLike", eye_like),
    Kernel("Compress", compress),
    Kernel("NonZero", lambda node, x: np.array(np.nonzero(np.atleast_1d(x)), np.int64)),
]
