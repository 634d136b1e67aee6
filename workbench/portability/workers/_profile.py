"""Reads the profile that ONNX Runtime wrote. Imported on both sides; needs nothing but Python."""

import collections
import json

BROKEN = "lines that cannot be read"


def profile_rows(path):
    """Return provider, operator, event and count of the nodes that ran.

    The runtime writes one event a line and does not escape names: a line that a name has broken is
    counted in a last row, whose provider is empty.
    """
    events, broken = [], 0
    with open(path, errors="replace") as file:
        for line in file:
            try:
                events += json.loads("[" + line.strip().strip("[],") + "]")
            except ValueError:
                broken += 1
    seen = collections.Counter(
        (event["args"]["provider"], event["args"].get("op_name", ""), event["name"])
        for event in events
        if event.get("cat") == "Node" and "provider" in event.get("args", {})
    )
    rows = [[*key, count] for key, count in seen.items()]
    return [*rows, ["", "", BROKEN, broken]] if broken else rows
