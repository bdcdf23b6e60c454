"""What the postinst scripts of base-files, libc-bin, netbase and their like put into a fresh system.

Each rule is one row: where a package ships the source, the destination is made, unless a package has it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.oci.entry import Entry, Kind, directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree

_MAIL, _UTMP = 8, 43

_COPIES = {
    "usr/share/base-files/dot.profile": "root/.profile",
    "usr/share/base-files/dot.bashrc": "root/.bashrc",
    "usr/share/base-files/profile": "etc/profile",
    "usr/share/base-files/motd": "etc/motd",
    "usr/share/base-files/info.dir": "usr/share/info/dir",
    "usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf",
    "usr/share/readline/inputrc": "etc/inputrc",
}
"""install_from_default of base-files, libc-bin and readline-common: a copy with the source's mode."""

_DIRECTORIES = [
    directory("mnt"),
    directory("srv"),
    directory("opt"),
    directory("etc/opt"),
    directory("var/opt"),
    directory("media"),
    directory("var/mail", mode=0o2775, gid=_MAIL),
    directory("run/lock", mode=0o1777),
    *(
        directory(f"usr/local{part}")
        for part in (
            "",
            "/share",
            "/share/man",
            "/bin",
            "/games",
            "/lib",
            "/libexec",
            "/include",
            "/sbin",
            "/src",
            "/etc",
        )
    ),
]
_LINKS = [
    symlink("var/spool/mail", "../mail"),
    symlink("var/run", "/run"),
    symlink("var/lock", "/run/lock"),
    symlink("usr/local/man", "share/man"),
]
_LOGS = [
    file("var/log/wtmp", b"", mode=0o664, gid=_UTMP),
    file("var/log/btmp", b"", mode=0o660, gid=_UTMP),
    file("var/log/lastlog", b"", mode=0o664, gid=_UTMP),
]
_HOSTS = b"""\
127.0.0.1\tlocalhost
::1\t\tlocalhost ip6-localhost ip6-loopback
ff02::1\t\tip6-allnodes
ff02::2\t\tip6-allrouters

"""
_NETWORKS = b"""\
default\t\t0.0.0.0
loopback\t127.0.0.0
link-local\t169.254.0.0

"""


def entries(tree: Tree) -> Iterator[Entry]:
    """Make what is not in any package."""
    for entry in _wanted(tree):
        if tree.find(entry.path) is None and not tree.is_beneath(entry.path):
            yield entry


def _wanted(tree: Tree) -> Iterator[Entry]:
    for source, destination in _COPIES.items():
        found = tree.find(source)
        if found is not None and found.kind is Kind.FILE:
            yield Entry(destination, Kind.FILE, found.mode, found.uid, found.gid, content=found.content)
    if tree.package("base-files"):
        if tree.exists("etc/dpkg/origins/debian"):
            yield symlink("etc/dpkg/origins/default", "debian")
        yield from _DIRECTORIES
        yield from _LINKS
        yield from _LOGS
    if tree.package("netbase"):
        yield file("etc/hosts", _HOSTS)
        yield file("etc/networks", _NETWORKS)
    if tree.package("libpam-modules"):
        yield file("etc/security/opasswd", b"", mode=0o600)
        yield file("etc/environment", b"")
    login = tree.package("login")
    if login and b"/var/log/faillog" in login.control.get("postinst", b""):
        yield file("var/log/faillog", b"")
