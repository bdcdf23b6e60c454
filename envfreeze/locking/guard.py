"""An interpreter that answers uv's questions and builds nothing.

To learn what an sdist depends on, uv may run its build, with the network open. `--only-binary` would forbid
it, and then uv passes over every version without a wheel in silence: it takes an older one and nobody knows
why. So uv is left to want the build, and what it would run it with refuses: builds without isolation
(`--no-build-isolation`) run in the environment that uv is given, and this environment ends every Python that
is started in it but the isolated one (`python -I`) by which uv asks for its version and tags.

uv then fails and names the package, which is what is wanted: packages that may be built are built by
`sources`, without network, and uv is told their metadata.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.store.cache import Cache

MARK = "envfreeze-guard: "

_PYTHON = "bin/python"
_GUARD = f"""import os, sys
if not sys.flags.isolated:
    sys.stderr.write({MARK!r} + os.getcwd() + "\\n")
    sys.stderr.flush()
    os._exit(86)
"""


def kept(cache: Cache) -> Path:
    """Give the interpreter of an environment that stays in the cache.

    uv remembers by an interpreter's path what it answered; to ask a new one takes it 60 ms, at every lock.

    Raises:
        MachineError: the disk refuses.
        OSError: likewise.

    """
    content = {Path(name): text for name, text in _content()}
    named = hashlib.sha256(repr((_interpreter(), sorted(content.items()))).encode()).hexdigest()
    folder = cache.layout.guards / named[:16]
    if not _is_whole(folder, content):
        with cache.exclusive("guard"), cache.scratch() as scratch:
            if not _is_whole(folder, content):
                make(scratch / "guard")
                cache.layout.guards.mkdir(exist_ok=True)
                if folder.exists():
                    shutil.move(folder, scratch / "damaged")
                (scratch / "guard").rename(folder)
    return folder / _PYTHON


def make(folder: Path) -> Path:
    """Make the environment in a folder that does not exist yet; its interpreter.

    Raises:
        OSError: the disk refuses.

    """
    for name, text in _content():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    python = folder / _PYTHON
    python.parent.mkdir()
    python.symlink_to(_interpreter())
    return python


def _interpreter() -> Path:
    return Path(getattr(sys, "_base_executable", sys.executable) or sys.executable)


def _content() -> Iterator[tuple[str, str]]:
    packages = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    # A .pth file and not sitecustomize, of which distributions have one that comes first.
    yield f"{packages}/envfreeze_guard.py", _GUARD
    yield f"{packages}/envfreeze_guard.pth", "import envfreeze_guard\n"
    yield "pyvenv.cfg", f"home = {_interpreter().parent}\ninclude-system-site-packages = false\n"


def _is_whole(folder: Path, content: dict[Path, str]) -> bool:
    try:
        return (folder / _PYTHON).readlink() == _interpreter() and all(
            (folder / name).read_text(encoding="utf-8") == text for name, text in content.items()
        )
    except (OSError, UnicodeError):
        return False
