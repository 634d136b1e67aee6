"""What the commands share on the screen: words that are safe to print, and one console."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text


def plain(text: object) -> str:
    """Return `text` with control characters spelled out, safe to print in any terminal.

    Names of files and models are other people's input, and an escape sequence in one would move
    the cursor or change the window's title.
    """
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in str(text))


def words(text: object, style: str = "") -> Text:
    """Return `text` for a rich table, its brackets and control characters meaning nothing."""
    from rich.text import Text

    return Text(plain(text), style=style)


def console() -> Console:
    """Return the console that every command prints on."""
    from rich.console import Console

    return Console(highlight=False)
