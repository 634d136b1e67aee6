"""What can go wrong with a kernel and its launch, below `workbench.errors.KernelError`.

::

    KernelError
    ├── KernelSourceError        the kernel's source is not there, or says what no CUDA kernel may
    │   └── NoSourceError        there is none at all
    ├── KernelTypingError        the types do not fit together
    ├── OutOfBoundsError         an index beyond an array (also an IndexError)
    ├── BarrierDivergenceError   some threads wait at a barrier that others never reach
    ├── DivisionError            by zero, in a kernel with debug=True (also a ZeroDivisionError)
    ├── DeadlockError            threads wait for each other for ever
    └── OutsideKernelError       a kernel-only name was used on the host
    InputError
    └── LaunchConfigError        a grid or block that no CUDA device accepts (also a ValueError)
"""

from __future__ import annotations

from workbench.errors import InputError, KernelError


class KernelSourceError(KernelError):
    """The kernel's source cannot be read or says what no CUDA kernel may say."""


class NoSourceError(KernelSourceError):
    """The kernel has no source at all: it was made by ``exec`` or typed at a prompt."""


class KernelTypingError(KernelError, TypeError):
    """The types in the kernel do not fit together."""


class OutOfBoundsError(KernelError, IndexError):
    """A thread used an index beyond an array.

    Parameters
    ----------
    happened, saw, advice : str
        As in every `WorkbenchError`.
    """


class BarrierDivergenceError(KernelError):
    """Some threads wait at a barrier that other threads of their group never reach."""


class DivisionError(KernelError, ZeroDivisionError, FloatingPointError):
    """A thread of a kernel with ``debug=True`` divided by zero."""


class DeadlockError(KernelError):
    """Threads wait for each other for ever."""


class OutsideKernelError(KernelError):
    """A name that only means something inside a kernel was used on the host.

    Parameters
    ----------
    name : str
        The name, as written after ``cuda.``.
    """

    def __init__(self, name: str, *_):
        super().__init__(
            f"cuda.{name} was called on the host.",
            "no kernel is running here",
            "use it inside a function decorated with @cuda.jit",
        )
        self.name = name

    def __reduce__(self):
        return (type(self), (self.name,))


class LaunchConfigError(InputError):
    """A launch configuration that no CUDA device accepts."""


def in_thread(error: Exception, thread: tuple, block: tuple) -> Exception:
    """Return an exception that a kernel raised, with the thread named as CUDA's debugger does."""
    note = f"tid={list(thread)} ctaid={list(block)}"
    if isinstance(error, ZeroDivisionError):
        return DivisionError(
            "A thread divided by zero.", f"{note}: {error}", "guard the division: `if x != 0:`"
        )
    try:
        return type(error)(f"{note}: {error}")
    except TypeError:  # a class of the learner's own, whose arguments nobody knows
        error.add_note(note)
        return error
