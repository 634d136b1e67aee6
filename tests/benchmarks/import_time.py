"""How long `import workbench` and `workbench --help` take, beside an empty interpreter.

The house rule is 0.2 s for the import. Prints medians over fresh processes; asserts nothing.
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import workbench'": [sys.executable, "-c", "import workbench"],
    "workbench --help": [sys.executable, "-m", "workbench", "--help"],
    "python -c 'import numpy'": [sys.executable, "-c", "import numpy"],
}
ROUNDS = 15

if __name__ == "__main__":
    taken = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, words in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            taken[name].append(time.perf_counter() - start)
    empty = statistics.median(taken["python -c pass"])
    for name, seconds in taken.items():
        middle = statistics.median(seconds)
        low, high = min(seconds), max(seconds)
        print(
            f"{name:32} median {1e3 * middle:6.0f} ms ({1e3 * low:.0f} to {1e3 * high:.0f}), "
            f"{1e3 * (middle - empty):+6.0f} ms over an empty interpreter"
        )
