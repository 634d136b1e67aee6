"""``python -m workbench``, and what the ``workbench`` script runs.

Until the command line is loaded, Ctrl-C ends the process as it ends any other program: without a
traceback. `workbench.cli.main` answers it in words.
"""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from workbench.cli import main

if __name__ == "__main__":
    sys.exit(main())
