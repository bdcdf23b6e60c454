"""Opens conda packages that the tests make, and lays layers out in a folder."""

from __future__ import annotations

import contextlib
import gc

import pytest

from envfreeze.errors import UntrustedError
from envfreeze.layers.conda import open_conda
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci.entry import Kind


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def place(tmp_path):
    """Write a package file; its path."""

    def write(built):
        path = tmp_path / built.filename
        path.write_bytes(built.content)
        return path

    return write


@pytest.fixture
def opened(place, scratch):
    """Open a package that a test made: path below the prefix to its entry, contents read."""

    def read(built, *, python="3.13", checked=False, **changes):
        package = built.locked(**changes)
        opening = open_conda(
            place(built), package, scratch, prefix=CONDA_PREFIX, python=python, checked=checked
        )
        with opening as content:
            found = {
                entry.path.removeprefix(f"{CONDA_PREFIX}/"): (
                    entry,
                    bytes(entry.content.data) if entry.content is not None else b"",
                )
                for entry in content.entries
            }
        assert len(found) == len(content.entries)
        assert list(scratch.iterdir()) == []
        return found

    return read


@pytest.fixture
def refusal(place, scratch):
    """Open a package that is refused with exit code 6; what is said, which names the file."""

    def read(built, *, python="3.13", **changes):
        package = built.locked(**changes)
        opening = open_conda(place(built), package, scratch, prefix=CONDA_PREFIX, python=python)
        with pytest.raises(UntrustedError) as caught, opening:
            pass
        assert caught.value.exit_code == 6
        assert caught.value.message.startswith(built.filename)
        assert caught.value.hint
        assert list(scratch.iterdir()) == []
        return caught.value.message

    return read


@pytest.fixture
def lay_out(place, scratch, tmp_path):
    """Lay packages out in a folder, as an image would have them below the prefix; the folder."""

    def write(packages, *, python="3.13"):
        root = tmp_path / "laid-out"
        for built in packages:
            opening = open_conda(place(built), built.locked(), scratch, prefix=CONDA_PREFIX, python=python)
            with opening as content:
                # Hard links last, since their files come in any order.
                for entry in sorted(content.entries, key=lambda entry: entry.kind is Kind.HARDLINK):
                    _write(root, entry)
        gc.collect()
        return root / CONDA_PREFIX

    return write


def _write(root, entry):
    path = root / entry.path
    path.parent.mkdir(parents=True, exist_ok=True)
    match entry.kind:
        case Kind.DIRECTORY:
            with contextlib.suppress(FileExistsError):
                path.mkdir()
        case Kind.SYMLINK:
            path.symlink_to(entry.link)
        case Kind.HARDLINK:
            path.hardlink_to(root / entry.link)
        case Kind.FILE:
            path.write_bytes(b"" if entry.content is None else entry.content.data)
            path.chmod(entry.mode)
