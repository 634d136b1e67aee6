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
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import anywidget

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

    def sentence(self) -> str:
        """Return what the picture shows now, in one sentence."""
        raise NotImplementedError

    def picture(self) -> str:
        """Return the static SVG."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict, dict] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        still = {"text/plain": self.sentence(), "image/svg+xml": self.picture()}
        # read aloud in place of the picture, in nbconvert's pages as in Jupyter
        alternative = {"image/svg+xml": {"alt": self.sentence()}}
        return {**data, **still}, {**metadata, **alternative}
