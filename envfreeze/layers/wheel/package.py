"""One wheel, as the entries that an installer would have written."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from email.policy import compat32
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import UntrustedError
from envfreeze.layers.wheel.archive import Member, read_archive
from envfreeze.layers.wheel.record import Row, read_record, row_of, write_record
from envfreeze.layers.wheel.scripts import (
    SHEBANG,
    read_entry_points,
    rewrite_shebang,
    script,
    wants_interpreter,
)
from envfreeze.oci.entry import Entry, Kind, file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envfreeze.layers.wheel.scheme import Scheme
    from envfreeze.locking.model import Wheel

INSTALLER = b"envfreeze\n"

_NOT_RECORDED = ("RECORD", "RECORD.jws", "RECORD.p7s")
_LEFT_TO_THE_INSTALLER = ("INSTALLER", "REQUESTED", "direct_url.json")


@dataclass(frozen=True, slots=True)
class WheelPackage:
    """An opened wheel.

    Attributes:
        wheel: the locked wheel.
        dist_info: the name of its `.dist-info` folder.
        entries: what it puts into the image, in no particular order, without parent folders.
        requires_python: which Pythons its metadata say it is for, `>=3.9,<3.13`; empty: they do not say.

    """

    wheel: Wheel
    dist_info: str
    entries: list[Entry]
    requires_python: str


@contextmanager
def open_wheel(path: Path, wheel: Wheel, scheme: Scheme, *, checked: bool = False) -> Iterator[WheelPackage]:
    """Open a wheel and say what it puts where; its content stays in the mapped file.

    Args:
        path: the wheel.
        wheel: what the lock says of it.
        scheme: where its files go.
        checked: whether its sha256 is known to be the locked one, so that it need not be computed.

    Raises:
        UntrustedError: the wheel is not the locked one, is damaged, or would write where it must not. The
            message names the wheel and the member.

    """
    with _named(wheel):
        members = read_archive(path, wheel.digest, checked=checked)
        dist_info = _dist_info(members, wheel)
        entries = list(_Installation(wheel, scheme, dist_info).entries(members))
        requires = _requires_python(members, dist_info)
    yield WheelPackage(wheel, dist_info, entries, requires)


def dist_info_name(path: Path, wheel: Wheel) -> str:
    """The name of a wheel's `.dist-info` folder.

    Raises:
        UntrustedError: as `open_wheel`.

    """
    with _named(wheel):
        return _dist_info(read_archive(path, wheel.digest), wheel)


@contextmanager
def _named(wheel: Wheel) -> Iterator[None]:
    try:
        yield
    except UntrustedError as error:
        raise UntrustedError(
            f"{wheel.filename}: {error.message}",
            hint=error.hint or "the file is not fit to be installed; lock another version or report it",
        ) from error


def _dist_info(members: list[Member], wheel: Wheel) -> str:
    found = {member.name.split("/")[0] for member in members if "/" in member.name}
    folders = sorted(name for name in found if name.endswith(".dist-info"))
    if len(folders) != 1:
        raise UntrustedError(f"it has {len(folders)} .dist-info folders, not one")
    name = folders[0].removesuffix(".dist-info").rsplit("-", 1)[0]
    version = folders[0].removesuffix(".dist-info").rpartition("-")[2]
    if canonicalize_name(name) != canonicalize_name(wheel.name) or not _same_version(version, wheel.version):
        raise UntrustedError(f"its metadata is that of {name} {version}, not of {wheel.name} {wheel.version}")
    return folders[0]


def _requires_python(members: list[Member], dist_info: str) -> str:
    """Read it from the core metadata: https://packaging.python.org/en/latest/specifications/core-metadata/."""
    (member,) = (member for member in members if member.name == f"{dist_info}/METADATA")
    headers = BytesHeaderParser(policy=compat32).parsebytes(member.read())
    return str(headers.get("Requires-Python", "")).strip()


def _same_version(folder: str, locked: str) -> bool:
    try:
        return Version(folder.replace("_", "-")) == Version(locked)
    except InvalidVersion:
        return folder == locked


class _Installation:
    def __init__(self, wheel: Wheel, scheme: Scheme, dist_info: str) -> None:
        self._wheel = wheel
        self._scheme = scheme
        self._dist_info = dist_info
        self._stem = dist_info.removesuffix(".dist-info")
        self._folder = f"{scheme.site_packages}/{dist_info}"
        self._rows: dict[str, Row] = {}
        self._paths: set[str] = set()

    def entries(self, members: list[Member]) -> Iterator[Entry]:
        metadata = {
            member.name.removeprefix(self._dist_info + "/"): member
            for member in members
            if member.name.startswith(self._dist_info + "/")
        }
        self._check_format(metadata)
        recorded = read_record(metadata["RECORD"].read())
        ours = {f"{self._dist_info}/{name}" for name in (*_NOT_RECORDED, *_LEFT_TO_THE_INSTALLER)}
        entry_points = []
        if "entry_points.txt" in metadata:
            entry_points = read_entry_points(metadata["entry_points.txt"].read())
        # Old build tools put a wrapper of their own beside the entry point: the entry point is what counts.
        data_folder = f"{self._stem}.data"
        ours.update(f"{data_folder}/scripts/{entry_point.name}" for entry_point in entry_points)
        for member in members:
            if member.name not in ours:
                yield self._member(member, data_folder, recorded.get(member.name))
        for entry_point in entry_points:
            path = f"{self._scheme.scripts}/{entry_point.name}"
            self._scheme.check(path, entry_point.name)
            yield self._made(path, script(entry_point, self._scheme.interpreter), mode=0o755)
        yield self._made(f"{self._folder}/INSTALLER", INSTALLER)
        self._own(f"{self._folder}/RECORD", ("", ""))
        self._check_folders()
        record = write_record(self._rows, self._scheme.site_packages)
        yield file(f"{self._folder}/RECORD", record)

    @staticmethod
    def _check_format(metadata: dict[str, Member]) -> None:
        for name in ("WHEEL", "METADATA", "RECORD"):
            if name not in metadata:
                raise UntrustedError(f"it has no {name} file")
        for line in metadata["WHEEL"].read().decode(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key == "Wheel-Version" and value.strip().split(".")[0] != "1":
                raise UntrustedError(f"it is a wheel of format {value.strip()}; known is 1")

    def _member(self, member: Member, data_folder: str, row: Row | None) -> Entry:
        distribution = self._stem.rsplit("-", 1)[0]
        path, is_script = self._scheme.place(member.name, data_folder=data_folder, distribution=distribution)
        self._check_metadata(path, member)
        mode = 0o755 if member.executable or is_script else 0o644
        if is_script and wants_interpreter(member.start(len(SHEBANG))):
            return self._made(path, rewrite_shebang(member.read(), self._scheme.interpreter), mode=mode)
        # A row that is missing or states another size is made anew, so that RECORD tells the truth.
        if row is None or row[1] != str(member.content.size):
            row = row_of(member.pieces())
        self._own(path, row)
        return Entry(path, Kind.FILE, mode, content=member.content)

    def _check_metadata(self, path: str, member: Member) -> None:
        """Refuse metadata of another distribution, or a second copy of its own (`X.data/purelib/...`)."""
        below = path.removeprefix(self._scheme.site_packages + "/")
        folder = below.partition("/")[0]
        if (
            below != path
            and folder.endswith(".dist-info")
            and not member.name.startswith(f"{self._dist_info}/")
        ):
            raise UntrustedError(f"{member.name!r} would be metadata that is not its own")

    def _made(self, path: str, content: bytes, *, mode: int = 0o644) -> Entry:
        self._own(path, row_of([content]))
        return file(path, content, mode=mode)

    def _own(self, path: str, row: Row) -> None:
        if path in self._paths:
            raise UntrustedError(f"two of its members would become /{path}")
        self._paths.add(path)
        self._rows[path] = row

    def _check_folders(self) -> None:
        folders: set[str] = set()
        for path in self._paths:
            folder = path.rpartition("/")[0]
            while folder and folder not in folders:
                folders.add(folder)
                folder = folder.rpartition("/")[0]
        for path in sorted(folders & self._paths):
            raise UntrustedError(f"/{path} would be both a file and a folder")
