"""Uploads that broke with their process: where each can be gone on with, kept on disk for the next one.

A registry gives an upload an address of its own (distribution-spec, "Pushing a blob in chunks"), which some
change with every part. The last one is kept while the blob is on its way, readable for its user alone, since
some hold a signature; never one at another server, where the signature is all that is asked for. Whether the
registry still knows the upload, and how far it has come, only it can say. One process at a time goes on with
an upload; others that push the same blob begin one of their own.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envfreeze.store import disk, locks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.digest import Digest
    from envfreeze.oci.registry.places import Place
    from envfreeze.store.cache import Cache

_LONGEST_SECONDS = 24 * 3600
"""How old an address may be; registries throw unfinished uploads away after an hour to a week."""


class Unfinished:
    """Where the upload of one blob can be gone on with.

    Args:
        path: the file that says so; None: nothing is kept.
        place: the repository.

    """

    def __init__(self, path: Path | None, place: Place) -> None:
        self._path = path
        self._origin = urlsplit(place.url)[:2]

    def location(self) -> str:
        """The address that an earlier process left; empty: none."""
        if self._path is None:
            return ""
        try:
            if time.time() - self._path.stat().st_mtime > _LONGEST_SECONDS:
                return ""
            location = json.loads(self._path.read_bytes())["location"]
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return ""
        return location if isinstance(location, str) and self._is_ours(location) else ""

    def keep(self, location: str) -> None:
        """Note where to go on.

        Raises:
            MachineError: the disk refuses.

        """
        if self._path is None or not self._is_ours(location):
            return
        with disk.in_words(self._path.parent):
            descriptor, name = tempfile.mkstemp(dir=self._path.parent)  # which makes it its user's alone
            try:
                with os.fdopen(descriptor, "w") as file:
                    json.dump({"location": location}, file)
                Path(name).replace(self._path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise

    def forget(self) -> None:
        """Nothing is to be gone on with."""
        if self._path is not None:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _is_ours(self, location: str) -> bool:
        return urlsplit(location)[:2] == self._origin


@contextmanager
def unfinished(cache: Cache | None, place: Place, digest: Digest) -> Iterator[Unfinished]:
    """Take charge of the upload of a blob into a repository.

    Args:
        cache: where it is kept; None: nowhere.
        place: the repository.
        digest: of the blob.

    Raises:
        MachineError: the disk refuses.

    """
    if cache is None:
        yield Unfinished(None, place)
        return
    with disk.in_words(cache.root):
        cache.layout.uploads.mkdir(mode=0o700, exist_ok=True)
    lock = cache.layout.lock(f"upload {place.server}/{place.repository}@{digest}")
    with locks.attempt(lock) as alone:
        yield Unfinished(
            cache.layout.upload(f"{place.server}/{place.repository}", digest) if alone else None, place
        )
