"""``python -m workbench``: the command line, where the ``workbench`` script is not on the path."""

import sys

from workbench.cli import main

sys.exit(main())
