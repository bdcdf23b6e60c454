"""Many objects of a repository at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.records.git import Git


def read(git: Git, ids: Sequence[str]) -> Iterator[bytes | None]:
    """Read objects in the order of their ids; None for one that is not there.

    Raises:
        GitError: the repository is damaged.

    """
    if not ids:
        return
    answer = memoryview(git.run("cat-file", "--batch", stdin="".join(f"{id_}\n" for id_ in ids).encode()))
    start = 0
    for _ in ids:
        end = start + bytes(answer[start : start + 256]).index(b"\n")
        facts = bytes(answer[start:end]).split()
        if len(facts) != 3:  # noqa: PLR2004 - id, type and size; else the id and `missing`
            yield None
            start = end + 1
            continue
        size = int(facts[2])
        yield bytes(answer[end + 1 : end + 1 + size])
        start = end + 1 + size + 1
