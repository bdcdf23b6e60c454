"""The certificate authorities, as ca-certificates' postinst and `update-ca-certificates` leave them.

Every certificate that a package ships below `/usr/share/ca-certificates` is enabled, which is the answer to
the question that nobody is asked. The bundle serves OpenSSL's default file (`/usr/lib/ssl/cert.pem` links to
it) and all that read it by name; the hashed links serve OpenSSL's default folder.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from envfreeze.layers.system.subject import certificate_der, subject_hash
from envfreeze.oci.entry import directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_SOURCE = "usr/share/ca-certificates"
_CERTS = "etc/ssl/certs"
_HEADER = """\
# The certificates that update-ca-certificates(8) puts into /etc/ssl/certs, by their
# names below /usr/share/ca-certificates. A name behind a ! is not used.
"""
_SPACES = re.compile(r"[ ,]")
_BRACKETS = re.compile(r"[()]")


def entries(tree: Tree) -> Iterator[Entry]:
    """Make the configuration, the bundle and the links where ca-certificates is among the packages.

    A base that has a bundle keeps it: authorities of its owner's own may be in it.
    """
    if tree.package("ca-certificates") is None or tree.is_beneath(f"{_CERTS}/ca-certificates.crt"):
        return
    found = {path: tree.read(path) for path in tree.below(_SOURCE) if path.endswith(".crt")}
    contents = {path: content for path, content in found.items() if content is not None}
    names = [path.removeprefix(f"{_SOURCE}/") for path in contents]
    yield file("etc/ca-certificates.conf", (_HEADER + "".join(f"{name}\n" for name in names)).encode())
    yield file(
        f"{_CERTS}/ca-certificates.crt",
        b"".join(content if content.endswith(b"\n") else content + b"\n" for content in contents.values()),
    )
    links = {_link_name(path): path for path in contents}
    for name, path in links.items():
        yield symlink(f"{_CERTS}/{name}", f"/{path}")
    yield from _hashed({name: contents[path] for name, path in links.items()})
    yield directory("usr/local/share/ca-certificates")


def _link_name(path: str) -> str:
    stem = posixpath.basename(path).removesuffix(".crt")
    return _BRACKETS.sub("=", _SPACES.sub("_", stem)) + ".pem"


def _hashed(certificates: dict[str, bytes]) -> Iterator[Entry]:
    """Link `HASH.N` to each certificate as `openssl rehash` does: by file name, equal ones once."""
    seen: set[bytes] = set()
    counts: dict[str, int] = {}
    for name in sorted(certificates, key=str.encode):
        der = certificate_der(certificates[name])
        if der is None or der in seen:
            continue
        value = subject_hash(der)
        if value is None:
            continue
        seen.add(der)
        number = counts.get(value, 0)
        counts[value] = number + 1
        yield symlink(f"{_CERTS}/{value}.{number}", name)
