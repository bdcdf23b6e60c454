"""The canonical archive of a commit's or a folder's files: one sha256 for the same files everywhere.

A plain tar: an entry for every file and link, sorted by the bytes of its path, headers as in a layer
(docs/formats/writer-1.md, mode 0644 or 0755), and two blocks of zeros. No folders: they have no content.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.oci.tar import END, header, padding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.oci.entry import Entry
    from envfreeze.store.cache import Cache


def archive(entries: Iterable[Entry], cache: Cache) -> Digest:
    """Write the archive of some files into the cache; its sha256.

    Args:
        entries: files and links, in any order.
        cache: where the archive goes.

    Raises:
        MachineError: the disk is full, or a file cannot be read.

    """
    whole = hashlib.sha256()
    with cache.writer() as blob:
        for entry in sorted(entries, key=lambda entry: entry.path.encode()):
            content = b"" if entry.content is None else bytes(entry.content.data)
            # The content's own length: a file may have grown since it was listed.
            for piece in (header(entry), content, padding(len(content))):
                whole.update(piece)
                blob.write(piece)
        whole.update(END)
        blob.write(END)
        digest = Digest(whole.hexdigest())
        blob.commit(digest)
    return digest
