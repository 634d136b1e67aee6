"""JupyterLab's own command line, without a traceback where Ctrl-C meets it while it starts."""

import sys

if __name__ == "__main__":
    try:
        from jupyterlab.labapp import main

        sys.exit(main())
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        sys.exit(130)
