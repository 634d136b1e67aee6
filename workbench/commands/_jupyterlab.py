"""JupyterLab's own command line, without a traceback where Ctrl-C meets it while it starts."""

import sys

from workbench.commands._interrupts import deliver_inside


def _serve() -> None:
    from jupyterlab.labapp import main

    sys.exit(main())


if __name__ == "__main__":
    try:
        deliver_inside(_serve)
        _serve()
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
