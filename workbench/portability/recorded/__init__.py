"""Recordings of what vendors' providers did, for where they cannot be had.

No wheel for this Python, no network, or no C++ compiler: then the notebooks explain that, and play
a recording. What the native code asked and decided is read from ``datasets/recordings/providers``;
what the learner wrote still runs. Reading order: `book` (the files, and how a model is found in
them), `previews`, `ascend` and `provider` (one player each), `reach` (live where possible, a
recording where not, and said which); then `record_ascend` and `record_own`, which
``scripts/record_providers`` uses.
"""
