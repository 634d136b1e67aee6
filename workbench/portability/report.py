"""The report as one HTML file that needs nothing else, and as JSON.

Every text that comes from a model (names of nodes, values, files) is escaped. It refuses to load
anything from a network and to run scripts: the page is text, tables and pictures.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1b1b1b;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ccc}
table{border-collapse:collapse;width:100%;font-size:.9rem;display:block;overflow-x:auto}
td,th{text-align:left;padding:.2rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}
.on{background:#0072B2}.off{background:repeating-linear-gradient(45deg,#D55E00 0 3px,#fff 3px 6px)}
.bar{display:flex;height:1rem;border:1px solid #666}.bar span{display:block}
code{background:#f2f2f2;padding:0 .2rem}.note{color:#555}
@media (prefers-color-scheme:dark){body{color:#eee;background:#1b1b1b}code{background:#333}
td,th{border-color:#444}.note{color:#aaa}}
"""


def write_report(report: dict[str, Any], html: str | Path, json_path: str | Path | None) -> None:
    """Write the report as HTML, and as JSON where a path is given."""
    Path(html).write_text(report_html(report), encoding="utf-8")
    if json_path is not None:
        text = json.dumps(report, indent=1, allow_nan=False)
        Path(json_path).write_text(text + "\n", encoding="utf-8")


def report_html(report: dict[str, Any]) -> str:
    """Return the page."""
    name = escape(str(report["model"]))
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>',
        f"<style>{STYLE}</style><h1>What happens to {name}</h1>",
        f'<p class="note">Made at {escape(report["made_at"])} by the Accelerator Workbench.</p>',
        "<h2>What to know and to change</h2>" + _list(report["findings"]),
    ]
    for title, key, draw in _SECTIONS:
        if key in report:
            parts.append(f"<h2>{escape(title)}</h2>{draw(report[key])}")
    return "".join(parts) + "</html>\n"


def _list(items: list[str], empty: str = "<p>Nothing stands out.</p>") -> str:
    rows = "".join(f"<li>{escape(str(item))}</li>" for item in items)
    return f"<ul>{rows}</ul>" if rows else empty


def _table(head: list[str], rows: list[list[Any]]) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><tr>{top}</tr>{body}</table>"


def _missing(section: dict[str, Any]) -> str:
    """Return the reason where a section has no result; empty where it has one."""
    what = section.get("error") or section.get("unavailable") or ""
    if not what and "reason" not in section:
        return ""
    text = " ".join(filter(None, (what, section.get("reason"), section.get("advice"))))
    return f"<p>{escape(text)}</p>"


def _summary(section: dict[str, Any]) -> str:
    rows = [[key.replace("_", " "), _words(value)] for key, value in section.items()]
    return _table(["", ""], rows)


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _export(section: dict[str, Any]) -> str:
    return _missing(section) or f"<p>It exports at opset {section['opset']}.</p>" + _list(
        section["notes"]
    )


def _parity(section: dict[str, Any]) -> str:
    if _missing(section):
        return _missing(section)
    text = f"<p>Between {escape(section['between'])}: {escape(section['sentence'])}</p>"
    first = section.get("first")
    if first:
        text += _table(["first divergence", ""], [[k, v] for k, v in first.items()])
    return text + _list(section.get("notes", []), "")


def _latency(section: dict[str, Any]) -> str:
    if _missing(section):
        return _missing(section)
    rows = [
        [key.removesuffix("_ns").replace("_", " "), f"{section[key] / 1e6:.3f} ms"]
        for key in ("median_ns", "p10_ns", "p90_ns", "first_call_ns")
    ]
    where = f"{section['where']}: {section['provenance']}, {len(section['samples_ns'])} runs"
    return f"<p>{escape(where)}</p>" + _table(["", ""], rows)


def _memory(section: dict[str, Any]) -> str:
    if _missing(section):
        return _missing(section)
    names = [key for key in section if key.endswith("_bytes")]
    rows = [[_MEMORY.get(name, name), f"{section[name] / 1e6:,.2f} MB"] for name in names]
    where = f"{section['where']}: {section['provenance']}"
    return f"<p>{escape(where)}</p>" + _table(["", ""], rows)


_MEMORY = {
    "peak_bytes": "peak, more than the process had before",
    "peak_opening_bytes": "peak while the session is made",
    "open_bytes": "kept once it is made",
    "peak_running_bytes": "peak while it runs",
    "weight_bytes": "weights",
    "input_bytes": "inputs",
    "output_bytes": "outputs",
    "process_bytes": "the process before, with ONNX Runtime loaded",
}


def _divergence(section: Any) -> str:
    if not isinstance(section, list):
        return _missing(section)
    text = ""
    for row in section:
        text += f"<h3>{escape(row['asked'])}</h3>{_parity(row)}"
        if "latency" in row:
            text += _latency(row["latency"])
    return text


def _placements(rows: list[dict[str, Any]]) -> str:
    return "".join(_placement(row) for row in rows)


def _placement(row: dict[str, Any]) -> str:
    title = f"<h3>{escape(row['asked'])} {escape(row.get('mode') or row['asked_mode'])}</h3>"
    if "sentence" not in row:
        return title + _missing(row)
    cells = "".join(
        f'<span class="{"on" if node["provider"] == row["provider"] else "off"}" '
        f'style="flex:1" title="{escape(node["name"], quote=True)}"></span>'
        for node in row["nodes"][:400]
    )
    refused: dict[tuple[str, str], int] = {}
    for node in row["nodes"]:
        if node["provider"] != row["provider"]:
            key = (node["operator"], node["reason"])
            refused[key] = refused.get(key, 0) + 1
    text = title + f"<p>{escape(row['sentence'])}</p><div class='bar'>{cells}</div>"
    text += "".join(f'<p class="note">{escape(note)}</p>' for note in row["notes"])
    if refused:
        text += _table(
            ["not on the device", "nodes", "why"],
            [[name, count, why] for (name, why), count in refused.items()],
        )
    if row["disagreements"]:
        text += _table(["where the sources disagree"], [[words] for words in row["disagreements"]])
    if row["copies"]:
        text += _table(
            ["copied tensor", "direction", "bytes"],
            [[c["value"], c["direction"], _size(c["bytes_moved"])] for c in row["copies"]],
        )
    text += _list([*row["sources"], *row["optimised"]], "")
    if row["runs"]:
        keys = list(dict.fromkeys(key for run in row["runs"] for key in run))
        text += _table(keys, [[run.get(key, "") for key in keys] for run in row["runs"]])
    return text


def _size(size: int | None) -> str:
    return "open" if size is None else f"{size:,}"


def _sweep(section: dict[str, Any]) -> str:
    if "steps" not in section:
        return _missing(section)
    served = f" {escape(section['serves'])}" if section.get("serves") else ""
    text = f"<p>Recommended opset: {section['recommended']} (each {escape(section['how'])})."
    text += f"{served}</p>"
    text += _list([f"Not at opset {o}: {why}" for o, why in section["not_made"].items()], "")
    text += _list([cliff["sentence"] for cliff in section["cliffs"]])
    return text + _table(
        ["provider", "mode", "opset", "on the device", "copies", "left on the CPU"],
        [
            [
                step["provider"],
                step["mode"],
                step["opset"],
                step["failed"] or f"{step['on_device']} of {step['nodes']}",
                step["copies"],
                _words(step["refused"]),
            ]
            for step in section["steps"]
        ],
    )


_SECTIONS = (
    ("The model", "summary", _summary),
    ("Export", "export", _export),
    ("Parity", "parity", _parity),
    ("Placement", "placement", _placements),
    ("Providers that compute for real here", "divergence", _divergence),
    ("Opsets", "sweep", _sweep),
    ("Latency", "latency", _latency),
    ("Memory", "memory", _memory),
)
