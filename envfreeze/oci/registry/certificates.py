"""Certificates of a registry's own: what Docker and Podman take from a folder `certs.d/HOST:PORT`.

`*.crt` are authorities that are believed beside the usual ones, `NAME.cert` with `NAME.key` is shown to the
registry. The first folder that is there counts: https://docs.docker.com/engine/security/certificates/, and
containers-certs.d(5).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.store import certificates

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

_SYSTEM = ("/etc/containers/certs.d", "/etc/docker/certs.d")


class Certificates:
    """What is believed of which registry.

    Args:
        environ: names the user's folders.

    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._roots = _roots(environ)
        self._known: dict[str, ssl.SSLContext | None] = {}

    def of(self, server: str) -> ssl.SSLContext | None:
        """What is believed of a server; None: the usual.

        Args:
            server: host and port, as in a reference.

        Raises:
            MachineError: a certificate cannot be read, or has no key.

        """
        if server not in self._known:
            self._known[server] = self._read(server)
        return self._known[server]

    def advice(self, server: str) -> str:
        """What to do where a server's certificate is not believed."""
        return (
            f"put the certificate of its authority into {self._roots[0] / server / 'ca.crt'}, "
            f"or into {_SYSTEM[-1]}/{server} as for Docker"
        )

    def _read(self, server: str) -> ssl.SSLContext | None:
        for root in self._roots:
            folder = root / server
            try:
                names = sorted(path.name for path in folder.iterdir())
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise MachineError(f"cannot read {folder}: {error.strerror}") from error
            own = [folder / name for name in names if name.endswith(".cert")]
            for certificate in own:
                if certificate.with_suffix(".key").name not in names:
                    raise MachineError(
                        f"{certificate} has no {certificate.with_suffix('.key').name} beside it",
                        hint="Docker calls an authority's certificate ca.crt, one's own client.cert",
                    )
            return certificates.with_further(
                [folder / name for name in names if name.endswith(".crt")],
                [(certificate, certificate.with_suffix(".key")) for certificate in own],
            )
        return None


def _roots(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where `certs.d` may be: the user's own folders first."""
    found = []
    home = environ.get("HOME")
    if folder := environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"):
        found += [Path(folder) / "containers/certs.d", Path(folder) / "docker/certs.d"]
    if folder := environ.get("DOCKER_CONFIG") or (home and f"{home}/.docker"):
        found.append(Path(folder) / "certs.d")
    return (*found, *map(Path, _SYSTEM))
