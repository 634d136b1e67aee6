"""Run problems on targets, honestly: measure, compare, store, sweep.

`RaceSession` measures in a child process and hands out plain JSON records; `Store` keeps every run
with its raw samples; `sweep` walks problems over targets and sizes. Statistics and the judging of
answers happen in another process than the code that is judged.
"""

from workbench.bench.session import RaceSession

__all__ = ["RaceSession"]
