"""Mutate ONNX models and load them: each must load, or be refused with a `DataFileError`.

    python tests/conformance/onnx_loader_fuzz.py --count 10000 --seed 0

The models are mutated as bytes (flips, cuts, repeats, splices) and as messages (names, shapes,
types, opsets, domains, external data, order of the nodes). A child process does the loading, so
that a crash of native code is counted and not fatal; more than ten seconds count as a hang.
"""

import argparse
import collections
import multiprocessing
import random
import signal
import sys
import time

import onnx

from workbench.errors import DataFileError
from workbench.portability.load import load_model

LIMIT_S = 10
SEEDS = (
    """<ir_version: 10, opset_import: ["": 20]> g (float[N, 4] x) => (float[N, 3] y)
    <float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[3] b = {1, 2, 3}> {
      a = MatMul(x, w)
      c = Add(a, b)
      r = Relu(c)
      y = Softmax<axis = -1>(r)
    }""",
    """<ir_version: 10, opset_import: ["": 21]> g (float[1, 3, 8, 8] x, bool p) => (float[M] y)
    <float[2, 3, 3, 3] w = {NUMBERS}> {
      c = Conv<pads = [1, 1, 1, 1]>(x, w)
      m = MaxPool<kernel_shape = [2, 2]>(c)
      q = Shape(m)
      s = ConstantOfShape<value = float[1] {2.5}>(q)
      f = Flatten(m)
      y = If (p) <
        then_branch = t () => (float[A] u) { u = Identity(f) },
        else_branch = e () => (float[B] v) { v = Neg(f) }>
    }""".replace("NUMBERS", ", ".join(map(str, range(54)))),
)
TEXTS = ("", "x", "y", "a", "\0", "<b>", "../../etc/passwd", "ai.onnx.ml", "é" * 40, "Loop", "If")
NUMBERS = (0, 1, -1, 2, 3, 7, 1 << 20, 1 << 31, (1 << 62), -(1 << 62))


def bases():
    """Return the bytes of the models that are mutated."""
    return [onnx.parser.parse_model(text).SerializeToString() for text in SEEDS]


def mutated_bytes(data, rng):
    """Return damaged bytes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at, kind = rng.randrange(max(1, len(data))), rng.randrange(6)
        end = min(len(data), at + rng.randint(1, 40))
        if kind == 0 and data:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at:end]
        elif kind == 3:
            data[at:at] = data[at:end]
        elif kind == 4:
            data[at:end] = rng.randbytes(end - at)
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 12))
    return bytes(data)


def mutated_message(data, rng):
    """Return a model with a few fields set to something else."""
    model = onnx.ModelProto()
    model.ParseFromString(data)
    for _ in range(rng.randint(1, 5)):
        _mutate(model, rng)
    return model.SerializeToString()


def _mutate(message, rng):
    """Descend at random and change one field of a message."""
    fields = list(message.DESCRIPTOR.fields)
    rng.shuffle(fields)
    for field in fields:
        repeated = getattr(field, "is_repeated", False)
        value = getattr(message, field.name)
        if field.message_type is not None:
            if repeated and len(value):
                if rng.random() < 0.2:
                    chosen = value[rng.randrange(len(value))]
                    if rng.random() < 0.5:
                        value.remove(chosen)
                    else:
                        value.add().CopyFrom(chosen)
                    return None
                return _mutate(value[rng.randrange(len(value))], rng)
            if not repeated and message.HasField(field.name):
                return _mutate(value, rng)
            continue
        if rng.random() < 0.5:
            continue
        return _set(message, field, repeated, rng)
    return None


def _set(message, field, repeated, rng):
    kinds = {
        field.TYPE_STRING: lambda: rng.choice(TEXTS),
        field.TYPE_BYTES: lambda: rng.randbytes(rng.randint(0, 20)),
        field.TYPE_FLOAT: lambda: float(rng.choice(NUMBERS)),
        field.TYPE_DOUBLE: lambda: float(rng.choice(NUMBERS)),
    }
    number = (lambda: rng.choice((0, 1, 2, 3, 16, 99))) if field.enum_type else None
    make = kinds.get(field.type, number or (lambda: rng.choice(NUMBERS)))
    try:
        if repeated:
            getattr(message, field.name).append(make())
        else:
            setattr(message, field.name, make())
    except (ValueError, TypeError):
        return  # the number does not fit the field: nothing is changed


def verdict(data):
    """Return what loading says: sound, refused, or the name of an exception that is a fault."""
    signal.alarm(LIMIT_S)
    try:
        load_model(data)
        return "sound"
    except DataFileError:
        return "refused"
    except TimeoutError:
        return "hang"
    except Exception as error:
        return f"fault: {type(error).__name__}: {error}"[:200]
    finally:
        signal.alarm(0)


def one(seed):
    """Return the model that a seed makes."""
    rng = random.Random(seed)
    data = rng.choice(bases())
    mutate = mutated_bytes if rng.random() < 0.5 else mutated_message
    return mutate(data, rng)


def _timed_out(*_):
    raise TimeoutError


def _child(seeds, connection):
    signal.signal(signal.SIGALRM, _timed_out)
    for seed in seeds:
        connection.send((seed, None))
        connection.send((seed, verdict(one(seed))))
    connection.close()


def fuzz(first, count):
    """Return how often each verdict came, and the seeds of the bad ones."""
    counts, bad, left = collections.Counter(), [], list(range(first, first + count))
    while left:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("spawn").Process(target=_child, args=(left, theirs))
        child.start()
        theirs.close()
        last = None
        try:
            while True:
                if not ours.poll(60):
                    child.kill()
                    raise EOFError
                last, said = ours.recv()
                if said is not None:
                    left.remove(last)
                    counts[said.partition(":")[0]] += 1
                    if said not in ("sound", "refused"):
                        bad.append((last, said))
        except EOFError:
            child.join()
            if left:
                bad.append((last, f"crash: exit code {child.exitcode}"))
                counts["crash"] += 1
                if last in left:
                    left.remove(last)
    return counts, bad


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    started = time.time()
    counts, bad = fuzz(args.seed, args.count)
    print(f"{sum(counts.values())} models: {dict(counts)}, {time.time() - started:.0f} s")
    for seed, what in bad[:20]:
        print(f"  seed {seed}: {what}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
