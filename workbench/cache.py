"""Where we keep what can be made again: compiled kernels and libraries, installed providers.

One folder per user, never the clone, so that thirty students on one machine do not meet. The rule,
the only one in the house: ``WORKBENCH_CACHE`` where it is set (a course may share a prepared one),
else ``accelerator-workbench`` below ``XDG_CACHE_HOME``, else below ``~/.cache``. It refuses to keep
anything that a learner made (`bench.store` does), and it never falls back without a word: what
cannot go on without its folder gets an error, what can says once what that costs.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from pathlib import Path

from workbench.errors import InputError, UnavailableError

NAME = "accelerator-workbench"
ADVICE = "set WORKBENCH_CACHE to a folder that you may write to"

_scratch: dict[tuple[str, ...], tempfile.TemporaryDirectory] = {}
_said: set[tuple[str, str]] = set()


class CacheRefusedWarning(UserWarning):
    """The cache cannot be used: the work goes on, at a cost that the message names."""


def place(*parts: str) -> Path:
    """Return where something lies in the user's cache, or would; nothing is made.

    Raises
    ------
    InputError
        Where ``WORKBENCH_CACHE`` is no absolute path: every process would take it from where it
        stands.
    UnavailableError
        Where no variable is set and the user has no home.
    """
    own = os.environ.get("WORKBENCH_CACHE")
    if own:
        root = Path(own).expanduser()
        if not root.is_absolute():
            raise InputError(
                "WORKBENCH_CACHE must be an absolute path.", repr(own), f"{root.absolute()}"
            )
        return root.joinpath(*parts)
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # unset, or to be ignored: XDG Base Directory Specification 0.8
        try:
            base = Path.home() / ".cache"
        except RuntimeError as error:
            raise UnavailableError("There is no place for a cache.", str(error), ADVICE) from error
    return base.joinpath(NAME, *parts)


def folder(*parts: str, holds: str) -> Path:
    """Return a folder of the user's cache that can be written to, made if it is not there.

    Parameters
    ----------
    *parts : str
        Its name below the cache's root.
    holds : str
        What it is for, for the error's first sentence: ``"to keep compiled kernels"``.

    Raises
    ------
    UnavailableError
        Where it cannot be made or written to.
    """
    path = place(*parts)
    try:
        path.mkdir(parents=True, exist_ok=True)
        reason = "" if os.access(path, os.W_OK | os.X_OK) else "it cannot be written to"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise UnavailableError(f"There is no place {holds}.", f"{path}: {reason}", ADVICE)
    return path


def folder_or_scratch(*parts: str, holds: str, costs: str) -> Path:
    """Return a folder of the user's cache, or one that ends with this process, saying so once.

    Parameters
    ----------
    *parts, holds
        See `folder`.
    costs : str
        What the want of a cache costs: ``"kernels are compiled again in each process"``.

    Warns
    -----
    CacheRefusedWarning
        Where the cache cannot be used, with the reason and the cost.
    """
    try:
        return folder(*parts, holds=holds)
    except UnavailableError as error:
        if parts not in _scratch:
            _scratch[parts] = tempfile.TemporaryDirectory(
                prefix="workbench-", ignore_cleanup_errors=True
            )
        say_refused(error, costs)
        return Path(_scratch[parts].name)


def say_refused(error: UnavailableError | OSError, costs: str) -> None:
    """Warn, once in a process for each reason and cost, that the cache is not used.

    Parameters
    ----------
    error : UnavailableError or OSError
        Why it cannot be used: from `folder`, or from writing into what it returned.
    costs : str
        A clause: ``"kernels are compiled again in each process"``.
    """
    saw = error.saw if isinstance(error, UnavailableError) else str(error)
    if (saw, costs) in _said:
        return
    _said.add((saw, costs))
    message = f"The cache is not used ({saw}), so {costs}. Try: {ADVICE}."
    warnings.warn(message, CacheRefusedWarning, stacklevel=3)
