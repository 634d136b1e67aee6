"""Downloads wheels in pieces that are kept, from wherever pip is set up to look.

pip keeps nothing of a file that was cut in the middle. Here what has come stays on the disk as
``NAME.part``, whatever ended the process, and the next attempt asks the server for the rest (an
HTTP range); the whole is held against the index's SHA-256 before it is used. Which index, mirror,
certificate and folder of files to look in is pip's own configuration, read from pip. It refuses
source distributions: they would have to be built.
"""

from __future__ import annotations

import ast
import hashlib
import re
import ssl
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import InstallationError

ATTEMPTS = 5
"""How often a connection that breaks is taken up again, before whoever asked is told."""
_LISTS = ("extra-index-url", "find-links", "trusted-host")


@dataclass(frozen=True)
class Wheel:
    """A file to download.

    Attributes
    ----------
    name : str
        Its file name.
    url : str
    sha256 : str
        As the index promises it; empty where it promises none.
    size : int or None
        In bytes; None where the server does not say.
    """

    name: str
    url: str
    sha256: str
    size: int | None


class Downloads:
    """Finds wheels for this Python and fetches them into a folder, going on where it stopped.

    Use it as a context: it holds connections.

    Parameters
    ----------
    folder : Path
        Where files are kept, whole ones and pieces.
    """

    def __init__(self, folder: Path):
        from unearth import PackageFinder
        from unearth.fetchers import PyPIClient

        self.folder = folder
        settings = pip_settings()
        trusted = settings["trusted-host"]
        self._client: Any = PyPIClient(
            trusted_hosts=trusted,
            verify=ssl.create_default_context(cafile=settings["cert"] or None),
            timeout=float(settings["timeout"] or 30),
            follow_redirects=True,
            **({"proxy": settings["proxy"]} if settings["proxy"] else {}),
        )
        self._finder = PackageFinder(
            self._client,
            index_urls=settings["indexes"],
            find_links=settings["find-links"],
            trusted_hosts=trusted,
            only_binary=[":all:"],
        )

    def __enter__(self) -> Downloads:
        return self

    def __exit__(self, *_: Any) -> None:
        self._client.close()

    def find(self, requirement: str) -> Wheel:
        """Return the best wheel for a requirement and this Python.

        Raises
        ------
        InstallationError
            Where there is none, or no index answers.
        """
        try:
            best = self._finder.find_best_match(requirement).best
            if best is None:
                raise LookupError("no index or folder that pip knows has a wheel for this Python")
            link = best.link
            promised = (link.hashes or link.hash_option or {}).get("sha256", "")
            sha256 = promised if isinstance(promised, str) else promised[0]
            with self._client.get_stream(link.url_without_fragment, headers=_AS_IT_IS) as answer:
                answer.raise_for_status()
                size = int(answer.headers.get("Content-Length", 0)) or None
        except Exception as cause:  # the network's, the index's, the library's
            raise _failed(requirement, cause) from cause
        return Wheel(link.filename, link.url_without_fragment, sha256, size)

    def here(self, wheel: Wheel) -> int:
        """Return how many bytes of a wheel have come so far."""
        paths = (self.folder / wheel.name, self._part(wheel))
        return next((path.stat().st_size for path in paths if path.exists()), 0)

    def fetch(self, wheel: Wheel, came: Callable[[int], None] = lambda size: None) -> Path:
        """Return the whole file of a wheel, fetching what is missing of it.

        Parameters
        ----------
        wheel : Wheel
        came : callable
            Told the bytes there are, again and again.

        Raises
        ------
        InstallationError
            Where the connection keeps breaking (what came is kept), or the file is another than
            the index promises.
        """
        whole, part = self.folder / wheel.name, self._part(wheel)
        if whole.exists():
            return whole
        resumed = part.exists()
        self._fetch_rest(wheel, part, came)
        found = _sha256(part)
        if wheel.sha256 and found != wheel.sha256:
            part.unlink()
            if resumed:  # what lay here may have been of another file: once more, from nothing
                return self.fetch(wheel, came)
            raise InstallationError(
                f"{wheel.name} is not the file that the index promises.",
                f"its SHA-256 is {found}, promised is {wheel.sha256}",
                "ask again; if it stays so, do not trust the mirror",
            )
        return part.rename(whole)

    def _fetch_rest(self, wheel: Wheel, part: Path, came: Callable[[int], None]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._stream(wheel, part, came)
                size = part.stat().st_size
                if wheel.size is None or size >= wheel.size:
                    return
                raise ConnectionError(f"the connection ended after {size} of {wheel.size} bytes")
            except Exception as cause:
                if attempt == ATTEMPTS or (isinstance(cause, OSError) and cause.errno):
                    raise _failed(wheel.name, cause) from cause

    def _stream(self, wheel: Wheel, part: Path, came: Callable[[int], None]) -> None:
        begun = part.stat().st_size if part.exists() else 0
        if wheel.size is not None and begun >= wheel.size:
            return
        headers = {**_AS_IT_IS, **({"Range": f"bytes={begun}-"} if begun else {})}
        with self._client.get_stream(wheel.url, headers=headers) as answer:
            answer.raise_for_status()
            goes_on = answer.status_code == 206  # a server may ignore the range: 200, all of it
            size = begun if goes_on else 0
            with part.open("ab" if goes_on else "wb") as file:
                for piece in answer.iter_raw():
                    file.write(piece)
                    file.flush()  # what is written survives this process
                    size += len(piece)
                    came(size)

    def _part(self, wheel: Wheel) -> Path:
        return self.folder / f"{wheel.name}.part"


_AS_IT_IS = {"Accept-Encoding": "identity"}


def pip_settings() -> dict[str, Any]:
    """Return where pip looks for packages: its configuration files and ``PIP_*``, read from pip.

    ``indexes`` are addresses in pip's order; ``find-links`` and ``trusted-host`` lists; ``cert``,
    ``proxy`` and ``timeout`` text, empty where they are not set.
    """
    found: dict[str, str] = {}
    rows = _pip("-m", "pip", "config", "list").splitlines()
    for section in ("global.", "install.", ":env:."):  # the later ones win, as they do for pip
        for row in rows:
            name, equals, value = row.partition("=")
            if equals and name.startswith(section):
                found[name.removeprefix(section)] = str(ast.literal_eval(value))
    lists = {name: re.split(r"[\s]+", found.get(name, "").strip()) for name in _LISTS}
    settings: dict[str, Any] = {name: [x for x in rows if x] for name, rows in lists.items()}
    for name in ("cert", "proxy"):
        settings[name] = found.get(name, "")
    settings["timeout"] = found.get("timeout") or found.get("default-timeout", "")
    own = found.get("index-url") or _default_index()
    off = found.get("no-index", "").lower() in ("1", "true", "yes", "on")
    settings["indexes"] = [] if off else [own, *settings["extra-index-url"]]
    return settings


def _default_index() -> str:
    """Return the index that pip itself asks where nothing is configured."""
    code = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    return _pip("-c", code).strip()


def _pip(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallationError(
            "pip does not say where it looks for packages.",
            done.stderr.strip()[-600:],
            "`python -m pip --version` must work in this environment",
        )
    return done.stdout


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _failed(what: str, cause: Exception) -> InstallationError:
    return InstallationError(
        f"{what} could not be downloaded.",
        f"{type(cause).__name__}: {cause}".strip()[:600],
        "look at the network and at `pip config list`, then ask again: what came is kept",
    )
