"""The records of a project as its `[record]` says, with the registry that has a part in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError
from envfreeze.progress import SILENT
from envfreeze.project.model import RecordSettings
from envfreeze.records.store import open_store
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.oci.reference import Reference
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record
    from envfreeze.records.store import RecordStore
    from envfreeze.store.cache import Cache

_DEFAULT = RecordSettings(("notes",))


def settings_of(root: Path) -> RecordSettings:
    """What a project's configuration says of records; the defaults where there is none that can be read."""
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy

    try:
        return load(root).record
    except EnvfreezeError:
        return _DEFAULT


@contextmanager
def opened(
    root: Path,
    settings: RecordSettings | None = None,
    *,
    repository: str | None = None,
    offline: bool = False,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Iterator[RecordStore]:
    """Open the records of a project.

    Args:
        root: the project's folder.
        settings: `[record]`; None: what the project's configuration says.
        repository: registry and repository that the image is in; None: the one that is configured, if any.
        offline: ask no registry.
        cache: keeps others on this machine from changing a registry's list at the same moment.
        progress: is warned of damaged records and of what cannot be recorded.

    Raises:
        MachineError: the project is in a git repository that cannot be opened, or there is no git.

    """
    settings = settings or settings_of(root)
    asked = None if offline else repository or settings.repository
    if asked is None:
        yield open_store(root, stores=settings.stores, progress=progress)
        return
    from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy
    from envfreeze.records.registry_shelf import RegistryShelf  # noqa: PLC0415 - heavy

    with Registries(progress=progress) as registries:
        shelf = RegistryShelf(asked, registries, cache, progress)
        yield open_store(root, stores=settings.stores, registry=shelf, progress=progress)


@contextmanager
def opened_to_list(root: Path, *, progress: Progress = SILENT) -> Iterator[RecordStore]:
    """Open the records of a project for a list, which asks a registry only where they are nowhere else.

    The configuration is read only where it can say so: most lists are wanted at once.

    Raises:
        MachineError: the project is in a git repository that cannot be opened, or there is no git.

    """
    if not any(_names_registry(root / name) for name in ("envfreeze.toml", "pyproject.toml")):
        yield open_store(root, progress=progress)
        return
    settings = settings_of(root)
    if set(settings.stores) != {"registry"}:
        yield open_store(root, stores=settings.stores, progress=progress)
        return
    with opened(root, settings, progress=progress) as store:
        yield store


def _names_registry(path: Path) -> bool:
    try:
        return b"registry" in path.read_bytes()
    except OSError:
        return False


def publish(
    store: RecordStore | None,
    record: Record | None,
    lock_files: Mapping[str, bytes],
    where: Reference | None,
    *,
    cache: Cache | None = None,
) -> str | None:
    """Carry the record of a pushed image to where others find it: to the git remote, and beside the image.

    What keeps it from getting there is a warning.

    Args:
        store: of the project; None: nothing is recorded.
        record: of the build; None: likewise.
        lock_files: what it was built from, by name.
        where: the image was pushed to; None: nowhere.
        cache: keeps others on this machine from changing a registry's list at the same moment.

    Returns:
        The name of the git remote that has it now; None: none has.

    """
    if store is None or record is None:
        return None
    if where is None:
        if not store.written:
            store.progress.warn(
                "the build is recorded nowhere: [record] store names the registry alone, and the image was "
                "not pushed (--push)"
            )
        return None
    if store.attaches:
        from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy
        from envfreeze.records.registry_shelf import RegistryShelf  # noqa: PLC0415 - heavy

        with Registries(progress=store.progress) as registries:
            shelf = RegistryShelf(where.name, registries, cache, store.progress)
            replace(store, registry=shelf).attach(record, lock_files)
    return store.publish(record)
