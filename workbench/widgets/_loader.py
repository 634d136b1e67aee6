"""The base of every widget: one script with nothing from a network, and a picture that stays.

A widget is a class here and an ES module beside it. `load_js` puts ``_look.json`` and
``_common.js`` in front of the module, so that a widget's script starts with the shared axes, table
and labels in the object ``wb``. `Widget` adds the picture and the words that remain in a saved
notebook, on GitHub and in nbconvert, where no kernel runs.

It refuses to load anything from a CDN and to store widget state in a notebook (nbconvert would
fetch the html-manager for it, and show nothing offline).

Writing a widget::

    class Roofline(Widget):
        _esm = load_js("roofline")
        points = traitlets.List().tag(sync=True)      # plain JSON only

        def sentence(self) -> str: ...                # what the picture says now, in words
        def picture(self) -> str: ...                 # the static SVG, see `_static.Picture`

and ``self.settle()`` whenever what it shows has become worth keeping in the notebook's file.
"""

from __future__ import annotations

import uuid
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import ipywidgets

HERE = Path(__file__).parent


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")


@cache
def load_js(name: str) -> str:
    """Return the script of the widget `name`, with everything it needs in front of it.

    Parameters
    ----------
    name : str
        The file ``<name>.js`` beside this one; it ends in ``export default { render }``.
    """
    return (
        f"const WB_LOOK = {_read('_look.json').strip()};\n{_read('_common.js')}\n"
        f"{_read(f'{name}.js')}"
    )


@cache
def load_css(*names: str) -> str:
    """Return the shared style sheet, followed by the named ones."""
    return "\n".join(_read(f"{name}.css") for name in ("_common", *names))


class Widget(anywidget.AnyWidget):
    """A widget whose picture and sentence stay when the kernel is gone."""

    _css = load_css()
    controls: Any = None
    """An ipywidget to be shown above the picture, where a widget has such controls."""

    def sentence(self) -> str:
        """Return what the picture shows now, in one sentence."""
        raise NotImplementedError

    def picture(self) -> str:
        """Return the static SVG."""
        raise NotImplementedError

    def still(self) -> dict[str, str]:
        """Return the picture and the sentence as they are now, by MIME type."""
        return {"text/plain": self.sentence(), "image/svg+xml": self.picture()}

    def settle(self) -> None:
        """Bring the picture in the notebook's file up to date; from any thread.

        Call it when what the widget shows is worth keeping: at the end of a race, not in it.
        """
        if getattr(self, "_still_id", None):
            from IPython.display import update_display

            update_display(self.still(), display_id=self._still_id, raw=True)

    def _ipython_display_(self) -> None:
        """Show the picture, and the live widget under it.

        JupyterLab never falls back to a picture in the same output when a notebook is opened
        without its kernel, so the picture has an output of its own; ``_common.css`` hides it for
        as long as a live widget follows it.
        """
        from IPython.display import display

        self._still_id = getattr(self, "_still_id", None) or uuid.uuid4().hex
        display(self.still(), display_id=self._still_id, raw=True)
        live = dict(self._repr_mimebundle_()[0])
        live.pop("image/svg+xml")
        if self.controls is not None:
            together = ipywidgets.VBox([self.controls, self])
            live = {**live, **(together._repr_mimebundle_() or {}), "text/plain": self.sentence()}
        display(live, raw=True)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict]:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, **self.still()}, metadata
