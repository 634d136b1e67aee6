"""Live where it can be had, recorded where it cannot, and never without saying which.

`reach` is what the notebooks open with: it installs what is needed, or says why that is not
possible here and opens the recording. Both have the same face. It refuses to mix: what comes from
a recording carries its caption.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import UnavailableError, UnknownNameError
from workbench.portability._compile import compiler_availability
from workbench.portability.ascend.device import AscendDevice
from workbench.portability.previewing import Preview
from workbench.portability.provider.engine import Provider
from workbench.portability.recorded.ascend import RecordedAscendDevice
from workbench.portability.recorded.book import Book, NotRecordedError, read_book
from workbench.portability.recorded.previews import RecordedPreview
from workbench.portability.recorded.provider import RecordedProvider
from workbench.portability.workers import environments, installing

# what can be reached -> what it is, in words
KINDS = {
    "cann": "Huawei's own provider over a stand-in for the card",
    "cuda": "NVIDIA's own provider over stand-ins for its libraries",
    "own": "a provider of your own, compiled here",
}


@dataclass(frozen=True)
class Reach:
    """How one of `KINDS` is reached.

    Attributes
    ----------
    name : str
    live : bool
        Whether the real code runs here; otherwise a recording of it is played.
    caption : str
        Says which, and for a recording where and when it was made and why it is played.
    book : Book or None
        The recording, where it is one.
    """

    name: str
    live: bool
    caption: str
    book: Book | None = None

    def preview(self) -> Preview | RecordedPreview:
        """Return what answers "will it run there?"."""
        return RecordedPreview(self.book) if self.book else Preview()

    def device(self, kernels: Mapping[str, Any] | None = None) -> Any:
        """Return an Ascend device to fill in: all kernels by default, ``{}`` for none."""
        self._only("cann")
        return RecordedAscendDevice(self.book, kernels) if self.book else AscendDevice(kernels)

    def provider(self, kernels: Mapping[str, Any] | None = None) -> Provider:
        """Return a provider to write: all kernels by default, ``{}`` for none."""
        self._only("own")
        return RecordedProvider(self.book, kernels) if self.book else Provider(kernels)

    def _only(self, name: str) -> None:
        if self.name != name:
            raise NotRecordedError(
                f"{self.name!r} has no such thing.", KINDS[self.name], f"reach({name!r})"
            )


def reach(name: str, say: Callable[[str], None] = print, *, install: bool = True) -> Reach:
    """Return the way to a vendor's provider, or to one of your own: live, or a recording.

    Parameters
    ----------
    name : str
        ``"cann"``, ``"cuda"`` or ``"own"``.
    say : callable
        Given the progress of an installation, and the caption.
    install : bool
        Whether the build may be downloaded; otherwise it is used only where it is installed.

    Raises
    ------
    UnknownNameError
        Where there is no such thing to reach.
    DataFileError
        Where it is not here and its recording cannot be read.
    """
    if name not in KINDS:
        raise UnknownNameError("provider to reach", name, KINDS)
    reason = _missing(name, say, install)
    if not reason:
        found = Reach(name, True, f"Live: {KINDS[name]}.")
    else:
        book = read_book(name)
        caption = f"Not here: {KINDS[name]}. {reason} What follows was {book.caption}."
        found = Reach(name, False, caption, book)
    say(found.caption)
    return found


def _missing(name: str, say: Callable[[str], None], install: bool) -> str:
    """Return why the real thing cannot be used here, as a sentence; empty where it can."""
    compiler = compiler_availability()
    if not compiler:
        return f"Reason: {compiler.reason} ({compiler.remedy})."
    if name == "own" or environments.build_availability(name):
        return ""
    if not install:
        state = environments.build_availability(name)
        return f"Reason: {state.reason} ({state.remedy})."
    try:
        installing.add_build(name, say)
    except UnavailableError as error:
        return f"Reason: {error.happened} {error.saw}"
    return ""
