"""The likely cause of a difference, from where it is and what it is. Pure; the causes are in `causes`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes, listings
from envfreeze.compare.model import UNKNOWN, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.compare.entries import Entry, Owner
    from envfreeze.compare.model import Cause

_PLACES: Final = (
    (re.compile(r"etc/ld\.so\.cache|var/cache/ldconfig(/.*)?"), causes.LDCONFIG_CACHE),
    (
        re.compile(
            r"var/lib/apt/(lists|extended_states|periodic)(/.*)?|var/cache/(apt|debconf)(/.*)?"
            r"|var/log/(apt(/.*)?|dpkg\.log.*|alternatives\.log.*|bootstrap\.log)|var/lib/dpkg/[^/]*-old"
            r"|var/lib/dpkg/(lock.*|triggers/.*)"
        ),
        causes.APT_RESIDUE,
    ),
    (re.compile(r"etc/(g?shadow|passwd|group)-?"), causes.ACCOUNT_DATE),
    (
        re.compile(
            r"etc/(machine-id|hostname|hosts|resolv\.conf|mtab|adjtime|ssh/ssh_host_.*)|var/lib/dbus/machine-id"
            r"|\.dockerenv|run/\.containerenv|var/lib/systemd/random-seed"
        ),
        causes.HOST_IDENTITY,
    ),
    (re.compile(r"(.*/)?conda-meta/(history|[^/]*\.json|state)"), causes.CONDA_METADATA),
    (re.compile(r"(.*/)?pkgs/(cache/.*|urls(\.txt)?)"), causes.CONDA_METADATA),
    (re.compile(r"var/(log|cache|tmp)/.*|tmp/.*|run/.*|(.*/)?\.cache/.*|.*\.log"), causes.LOG_OR_CACHE),
)
_INSTALLER_NOTES: Final = re.compile(
    r"(.*/)?[^/]+\.dist-info/(RECORD|INSTALLER|REQUESTED|direct_url\.json|uv_[a-z_]+\.json|provenance_url\.json)"
)
_PACKAGED: Final = re.compile(r"(.*/)?(site|dist)-packages/.*")
# What packages may own: Debian's leave /usr/local, /home and the like alone (Debian policy 9.1), wheels and
# conda packages live in a prefix, which is mostly in one of these.
_OWNABLE: Final = re.compile(r"(usr/(?!local/(?!cuda))|bin/|sbin/|lib[a-z0-9]*/|etc/|opt/|boot/).*")


def may_be_owned(path: str) -> bool:
    """Whether a package that has not been read may own a path."""
    if _by_place(path) is not None or listings.is_note(path):
        return False
    return _PACKAGED.fullmatch(path) is not None or _OWNABLE.fullmatch(path) is not None


def by_path(path: str, kind: Kind) -> Cause | None:
    """The cause that a path alone gives away; None: it does not."""
    if path.endswith((".pyc", "__pycache__")):
        return causes.BYTECODE
    if _INSTALLER_NOTES.fullmatch(path):
        return causes.INSTALLER_METADATA
    if kind in {Kind.TIME, Kind.MODE, Kind.OWNER, Kind.XATTR}:
        return None
    return _by_place(path)


def _by_place(path: str) -> Cause | None:
    return next((cause for pattern, cause in _PLACES if pattern.fullmatch(path)), None)


def of_attribute(kind: Kind, old: Entry | None, new: Entry | None) -> Cause | None:
    """The cause of a difference that is not in the content; None: `kind` is one of content."""
    if kind is Kind.TIME:
        return causes.TIMESTAMPS
    if kind is Kind.OWNER:
        return causes.OWNERSHIP
    if kind is Kind.XATTR:
        return causes.ATTRIBUTES
    if kind is Kind.MODE and old is not None and new is not None and not (old.mode ^ new.mode) & 0o7000:
        # Set-id and sticky bits are no matter of a umask: somebody set them.
        return causes.PERMISSIONS
    if kind in {Kind.HARD_LINK, Kind.OPAQUE, Kind.IDLE_WHITEOUT}:
        return causes.OTHER_FILE_SYSTEM
    if kind in {Kind.REPEATED, Kind.HIDDEN, Kind.TAR_FORMAT, Kind.TAR_ORDER, Kind.OWNER_NAME}:
        return causes.OTHER_BUILDER
    return None


def of_package_file(
    old: tuple[Entry | None, Owner | None], new: tuple[Entry | None, Owner | None]
) -> Cause | None:
    """The cause of another content in a file that a package lists.

    Args:
        old: the entry in the reference and what its package's list says there.
        new: the same of the other image.

    """
    was, now = (_as_listed(*side) for side in (old, new))
    if was is False or now is False:
        # One sound copy shows what the file should be.
        return causes.TAMPERING if was or now else causes.CHANGED_AFTER_INSTALL
    if was and now:
        return causes.REBUILT_PACKAGE
    return None


def _as_listed(entry: Entry | None, owner: Owner | None) -> bool | None:
    """Whether the content is what the list says; None: it does not say, or there is no content."""
    if entry is None or owner is None or not owner.hash.startswith("sha256:") or not entry.content:
        return None
    return entry.content.hex() == owner.hash.removeprefix("sha256:")


def by_md5(hashes: Sequence[str], stated: Sequence[str]) -> Cause | None:
    """The same as `of_package_file` for dpkg's lists, which state MD5: of the contents, and as listed."""
    known = [said.startswith("md5:") for said in stated]
    right = [
        said == f"md5:{value}" if known_ else None
        for said, value, known_ in zip(stated, hashes, known, strict=True)
    ]
    if False in right:
        return causes.TAMPERING if True in right else causes.CHANGED_AFTER_INSTALL
    return causes.REBUILT_PACKAGE if all(right) else None


def of_file(path: str) -> Cause:
    """The cause where nothing else tells: somebody's own files."""
    if _PACKAGED.fullmatch(path):
        return causes.CHANGED_AFTER_INSTALL
    return UNKNOWN if _OWNABLE.fullmatch(path) else causes.PROJECT_FILES
