"""A wire that is watched: a proxy on loopback before a registry, which counts bytes and can cut connections.

Not a test. `tests/conftest.py` hands it out as the fixture `wires`, the module itself; `tests/bench/run.py`
takes it from its file:

    def test_something(wires, registry):
        with wires.before(registry.host) as wire:
            push(image, f"{wire.host}/team/train:v1")
            assert wire.moved < 200_000
"""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Wire:
    """A proxy before a registry: what goes through it, and after how many bytes it cuts a connection.

    Attributes:
        host: where it listens.
        moved: bytes in both directions.
        cuts: for the next connections, after how many bytes from the client they end.
        hold: before which PATCH of the client nothing goes through any more; 0: all does.
        besides: bytes of that PATCH's body that go through all the same.
        held: set when nothing goes through any more.
        patches: how many the client has begun.

    """

    host: str
    moved: int = 0
    cuts: list[int] = field(default_factory=list)
    hold: int = 0
    besides: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    patches: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, server: socket.socket, registry: tuple[str, int]) -> None:
        """Take connections until the server is shut."""
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                with self.guard:
                    cut = self.cuts.pop(0) if self.cuts else None
                threading.Thread(target=self.connect, args=(near, registry, cut), daemon=True).start()

    def connect(self, near: socket.socket, registry: tuple[str, int], cut: int | None) -> None:
        """Carry one connection to its end."""
        with near, socket.create_connection(registry) as far:
            back = threading.Thread(target=self.carry, args=(far, near, None), daemon=True)
            back.start()
            self.carry(near, far, cut, from_client=True)
            back.join()

    def carry(
        self, source: socket.socket, target: socket.socket, cut: int | None, *, from_client: bool = False
    ) -> None:
        """Carry one direction of a connection to its end."""
        gone = 0
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                gone += len(piece)
                with self.guard:
                    self.moved += len(piece)
                    # A request comes after the answer to the one before it, so never in one piece with it.
                    self.patches += from_client and piece.startswith(b"PATCH ")
                    held = from_client and self.hold and self.patches >= self.hold
                if cut is not None and gone > cut:
                    break
                if held:
                    self.stop(source, target, piece)
                    break
                target.sendall(piece)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stop(self, source: socket.socket, target: socket.socket, begun: bytes) -> None:
        """Let no more through than `besides` bytes of a body, and wait until the client is gone."""
        if self.besides:
            head, _, body = begun.partition(b"\r\n\r\n")
            target.sendall(head + b"\r\n\r\n" + body[: self.besides])
            left = max(0, self.besides - len(body))
            while left and (piece := source.recv(min(left, 1 << 16))):
                target.sendall(piece)
                left -= len(piece)
        self.held.set()
        while source.recv(1 << 16):
            pass


@contextmanager
def before(registry: str) -> Iterator[Wire]:
    """Put a wire before a registry, `127.0.0.1:port`, for as long as the block lasts."""
    host, _, port = registry.rpartition(":")
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        wire = Wire(f"127.0.0.1:{server.getsockname()[1]}")
        thread = threading.Thread(target=wire.serve, args=(server, (host, int(port))), daemon=True)
        thread.start()
        try:
            yield wire
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
