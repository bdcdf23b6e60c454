"""Projects made of a few files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from envfreeze.errors import UsageError
from envfreeze.project.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.project.model import Project


class Folder:
    """A project's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, content: str | bytes = "") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def load(self) -> Project:
        return load(self.root)

    def refused(self) -> UsageError:
        """What `load` says against the folder."""
        with pytest.raises(UsageError) as caught:
            load(self.root)
        return caught.value


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty project's folder."""
    root = tmp_path / "demo"
    root.mkdir()
    return Folder(root)


@pytest.fixture
def configured(folder: Folder):
    """`configured(text)`: a folder with a requirements.txt and this envfreeze.toml."""

    def make(text: str) -> Folder:
        folder.write("requirements.txt", "numpy\n")
        folder.write("envfreeze.toml", text)
        return folder

    return make
