"""The door onto the shelf: `workbench.kernels.<problem>.<kernel>` is `kernels/` at the top.

The shelf has no ``__init__.py`` and is never importable as ``kernels``: Hugging Face publishes a
package of that name, and transformers probes for it. The folder is put on this package's
``__path__`` instead, which needs the clone: an installed copy without it says so.
"""

from pathlib import Path

from workbench.errors import InstallationError

_SHELF = Path(__file__).resolve().parents[2] / "kernels"

if not _SHELF.is_dir():
    raise InstallationError(
        "The shelf of kernels is not beside the package.",
        f"no folder {_SHELF}",
        "install from a clone with `pip install --editable .`, or run `scripts/lab`",
    )

__path__ = [*__path__, str(_SHELF)]
