"""Which certificates of servers are believed: the system's and certifi's, or what the environment names."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from pathlib import Path


def usual() -> ssl.SSLContext:
    """What `SSL_CERT_FILE` and `SSL_CERT_DIR` name, else the system's certificates and certifi's.

    Raises:
        MachineError: they cannot be read.

    """
    return _shared(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def with_further(authorities: Iterable[Path], own: Iterable[tuple[Path, Path]]) -> ssl.SSLContext:
    """The usual ones and more.

    Args:
        authorities: files of certificates that are believed, too (PEM).
        own: files of a certificate to show to the server, each with its key.

    Raises:
        MachineError: one cannot be read.

    """
    import ssl  # noqa: PLC0415 - heavy

    context = _made(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    at = None
    try:
        for at in authorities:
            context.load_verify_locations(cafile=at)
        for at, key in own:
            # One with a password fails, and nobody is asked for it.
            context.load_cert_chain(at, key, password=lambda: b"")
    except OSError as error:  # ssl.SSLError is one, too
        reason = "it is not PEM, or not its key's" if isinstance(error, ssl.SSLError) else error.strerror
        raise MachineError(
            f"the certificate {at} cannot be read: {reason}",
            hint="it has to be readable and in PEM; a certificate of one's own needs its key beside it",
        ) from error
    return context


@lru_cache(maxsize=1)
def _shared(file: str | None, folder: str | None) -> ssl.SSLContext:
    return _made(file, folder)


def _made(file: str | None, folder: str | None) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415 - heavy

    import certifi  # noqa: PLC0415 - heavy

    try:
        if file or folder:
            return ssl.create_default_context(cafile=file or None, capath=folder or None)
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=certifi.where())
    except (OSError, ssl.SSLError) as error:
        raise MachineError(
            f"the certificates cannot be read: {file or folder or certifi.where()}",
            hint="look at SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error
    return context
