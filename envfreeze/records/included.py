"""One digest over the project files that go into an image, so that `verify` can say whether they changed."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable


def digest_of(root: Path, paths: Iterable[str]) -> Digest | None:
    """Digest included files: their paths, their content and whether they are executable.

    It is the sha256 of one item for each path, in the order of the paths' bytes: git's mode (`100644`,
    `100755` where the owner may execute, `120000` for a symbolic link), a space, the sha256 of the content
    (of a link: of its target) in hex, a space, the path, NUL. Folders are passed over.

    Args:
        root: the project's folder.
        paths: files relative to it, POSIX.

    Returns:
        None where there is no file.

    Raises:
        UsageError: a file is not there.
        MachineError: a file cannot be read.

    """
    whole = hashlib.sha256()
    empty = True
    for path in sorted({path.encode("utf-8", "surrogateescape") for path in paths}):
        file = root / path.decode("utf-8", "surrogateescape")
        try:
            mode = file.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if stat.S_ISLNK(mode):
                kind, content = b"120000", Digest.of(bytes(Path.readlink(file)))
            else:
                kind = b"100755" if mode & stat.S_IXUSR else b"100644"
                content = Digest.of_file(file)
        except FileNotFoundError:
            raise UsageError(
                f"{file} is to be included in the image and does not exist",
                hint="put it there, or take it out of `include`",
            ) from None
        except OSError as error:
            raise MachineError(f"{file} cannot be read: {error.strerror}") from error
        whole.update(b"%s %s %s\0" % (kind, content.hex.encode(), path))
        empty = False
    return None if empty else Digest(whole.hexdigest())
