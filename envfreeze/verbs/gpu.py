"""`gpu update`, `gpu show`, `gpu reset`: the tables that GPU questions are answered from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from envfreeze.gpu.update import Chosen
    from envfreeze.progress import Progress

_WEB = re.compile(r"(?:https?|file)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update came to.

    Attributes:
        before: the tables that were in use.
        after: those that are now.
        file: `sha256:` of the file that was given; None where it was a folder.

    """

    before: Chosen | None
    after: Chosen
    file: str | None

    @property
    def changed(self) -> bool:
        """Whether the tables say something else now."""
        return self.before is None or self.before.tables.digest != self.after.tables.digest


def update(source: str, *, sha256: str | None = None, progress: Progress = SILENT) -> Updated:
    """Use another set of tables from now on.

    Args:
        source: a folder, an archive (.tar.gz, .zip), a single table, or the URL of one of the latter.
        sha256: what the file, or the tables in it, must have: 64 hexadecimal characters, with or without
            `sha256:`; None: whatever comes.
        progress: is told what is going on.

    Raises:
        UsageError: there is nothing there that holds tables.
        NetworkError: the URL did not give it.
        UntrustedError: the hash is another, or a table is malformed; the tables in use stay.
        MachineError: the data folder cannot be written.

    """
    from envfreeze.gpu import published, update  # noqa: PLC0415 - not needed by `--help`
    from envfreeze.store.address import shown  # noqa: PLC0415 - likewise

    wanted = None if sha256 is None else _digest(sha256)
    before = _before()
    path = Path(source).expanduser()
    if _WEB.match(source):
        name = shown(source)
        if source.lower().startswith("http:") and wanted is None:
            progress.warn(f"{name} is not https: name what has to come with --sha256")
        content = _fetched(source, progress)
        files, file = published.of_bytes(content, name.partition("?")[0].rpartition("/")[2]), _hash(content)
    elif path.is_dir():
        name = str(path.absolute())
        files, file = published.of_folder(path), None
    else:
        name = str(path.absolute())
        content = _read(path)
        files, file = published.of_bytes(content, path.name), _hash(content)

    def check(digest: str) -> None:
        if wanted is not None and wanted not in {digest, file}:
            raise UntrustedError(
                f"{name} is not what --sha256 names: "
                + (f"the file has {file}, " if file else "")
                + f"its tables have {digest}",
                hint="compare with where the hash was published; the tables in use stay",
            )

    return Updated(before, update.install(files, name, check=check), file)


def show() -> Chosen:
    """Tell which tables are in use.

    Raises:
        UntrustedError: an installed set is damaged.
        MachineError: it cannot be read.

    """
    from envfreeze.gpu.update import chosen  # noqa: PLC0415 - not needed by `--help`

    return chosen()


def reset() -> bool:
    """Go back to the tables of envfreeze itself; whether there were others.

    Raises:
        MachineError: the data folder cannot be written.

    """
    from envfreeze.gpu.update import reset as drop  # noqa: PLC0415 - not needed by `--help`

    return drop()


def _before() -> Chosen | None:
    """The tables in use; None where those are damaged, which an update mends."""
    from envfreeze.gpu.update import chosen  # noqa: PLC0415 - as above

    try:
        return chosen()
    except UntrustedError:
        return None


def _digest(text: str) -> str:
    from envfreeze.digest import Digest  # noqa: PLC0415 - as above

    try:
        return str(Digest.parse(text))
    except ValueError as error:
        raise UsageError(f"--sha256: {error}") from None


def _hash(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _fetched(url: str, progress: Progress) -> bytes:
    from envfreeze.gpu.published import LARGEST  # noqa: PLC0415 - as above
    from envfreeze.store.download import get  # noqa: PLC0415 - as above

    return get(url, progress=progress, limit=LARGEST)


def _read(path: Path) -> bytes:
    from envfreeze.gpu.published import LARGEST  # noqa: PLC0415 - as above

    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}") from error
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise UntrustedError(f"{path}: more than {LARGEST >> 20} MiB of tables are refused")
    return content
