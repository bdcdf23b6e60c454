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

import sys
from pathlib import Path

MARK = "envfreeze-guard: "

_GUARD = f"""import os, sys
if not sys.flags.isolated:
    sys.stderr.write({MARK!r} + os.getcwd() + "\\n")
    sys.stderr.flush()
    os._exit(86)
"""


def make(folder: Path) -> Path:
    """Make the environment in a folder that does not exist yet; its interpreter.

    Raises:
        OSError: the disk refuses.

    """
    interpreter = Path(getattr(sys, "_base_executable", sys.executable) or sys.executable)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / f"python{version}" / "site-packages"
    packages.mkdir(parents=True)
    (folder / "bin").mkdir()
    # A .pth file and not sitecustomize, of which distributions have one that comes first.
    (packages / "envfreeze_guard.py").write_text(_GUARD, encoding="utf-8")
    (packages / "envfreeze_guard.pth").write_text("import envfreeze_guard\n", encoding="utf-8")
    (folder / "pyvenv.cfg").write_text(
        f"home = {interpreter.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )
    python = folder / "bin" / "python"
    python.symlink_to(interpreter)
    return python
