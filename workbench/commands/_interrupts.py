"""Ctrl-C that is neither lost nor shown as a traceback.

Python raises ``KeyboardInterrupt`` wherever the main thread happens to be. In the middle of an
import that may be code which swallows every error (Cython's module set-up does, Python's own
callback that drops a module's lock prints it and goes on), and then the command runs on as if
nobody had pressed anything. So the interrupt waits until the import is over. One that fell into a
finalizer, whose errors Python prints and drops, is raised again.

It refuses to wait where the user presses a second time.
"""

from __future__ import annotations

import _thread
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_WAIT_S = 0.01
_IMPORTING = "<frozen importlib."


def deliver_inside(function: Callable[..., Any]) -> None:
    """Let Ctrl-C raise ``KeyboardInterrupt`` while a function runs, and never inside an import.

    Before the function and after it the interrupt waits: for its beginning, or for the end of the
    process.

    Parameters
    ----------
    function : callable
        What the calling thread, the main one, will run; it expects ``KeyboardInterrupt``.
    """
    main = _thread.get_ident()
    waiting = again = False

    def interrupted(_signal: int, frame: FrameType | None) -> None:
        nonlocal waiting, again
        pressed_twice, again = waiting and not again, False
        if _is_inside(frame, function) and (pressed_twice or not _is_importing(frame)):
            waiting = False
            raise KeyboardInterrupt
        if not pressed_twice:
            waiting = True
            _thread.start_new_thread(press_again, ())  # takes no lock of the main thread's

    def press_again() -> None:
        nonlocal again
        time.sleep(_WAIT_S)
        if waiting:
            again = True
            if sys.platform == "win32":
                _thread.interrupt_main()
            else:  # a signal, so that it ends what the main thread waits for
                signal.pthread_kill(main, signal.SIGINT)

    def dropped(unraisable: Any) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            interrupted(signal.SIGINT, None)
        else:
            show(unraisable)

    show, sys.unraisablehook = sys.unraisablehook, dropped
    signal.signal(signal.SIGINT, interrupted)


def _is_inside(frame: FrameType | None, function: Callable[..., Any]) -> bool:
    return any(one.f_code is function.__code__ for one in _stack(frame))


def _is_importing(frame: FrameType | None) -> bool:
    return any(one.f_code.co_filename.startswith(_IMPORTING) for one in _stack(frame))


def _stack(frame: FrameType | None):
    while frame is not None:
        yield frame
        frame = frame.f_back
