"""Whether a server on loopback speaks TLS: elsewhere every registry has to.

A TLS hello is sent, with an empty line after it. A TLS server answers the hello; to an HTTP server it is a
request that cannot be read, which it refuses.
"""

from __future__ import annotations

import socket
from contextlib import suppress

_PATIENCE_SECONDS = 2.0
_HANDSHAKE, _ALERT = 22, 21
"""Types of TLS records (RFC 8446, section 5.1)."""


def speaks_tls(server: str) -> bool:
    """Ask a server on this machine; one that does not answer is taken for plain HTTP.

    Args:
        server: host and port.

    """
    host, _, port = server.rpartition(":")
    if not port.isdigit():
        host, port = server, "80"
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS) as connection:
            connection.sendall(_hello() + b"\r\n\r\n")
            return connection.recv(1)[:1] in {bytes([_HANDSHAKE]), bytes([_ALERT])}
    except OSError:
        return False


def _hello() -> bytes:
    import ssl  # noqa: PLC0415 - heavy

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()
