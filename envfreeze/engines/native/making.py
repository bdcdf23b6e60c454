"""Make layers from artifacts, several at a time, and say whose fault it is where that fails."""

from __future__ import annotations

import os
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from envfreeze.engines.native import known, owners
from envfreeze.engines.native.artifacts import conda_of, debs_of, python_of, wheels_of
from envfreeze.errors import UntrustedError
from envfreeze.layers.conda import open_conda
from envfreeze.layers.deb import open_deb
from envfreeze.layers.environment import environment_entries
from envfreeze.layers.standalone import open_standalone
from envfreeze.layers.system import conflicts as deb_conflicts
from envfreeze.layers.system import system_entries
from envfreeze.layers.wheel import dist_info_name, open_wheel
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.locking.model import CONDA_PREFIX, LayerSeal
from envfreeze.oci.entry import in_order
from envfreeze.oci.layer import ContentError, write_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.layers.deb import DebPackage
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.model import CondaPackage, Deb, PlannedLayer, Target, Wheel
    from envfreeze.oci.entry import Entry
    from envfreeze.progress import Task
    from envfreeze.store.cache import Cache

SYSTEM = "the base system"
"""Who owns what no single OS package owns."""

PYTHON = "python-build-standalone"
"""Who owns a Python that is no package."""

ENVIRONMENT = "the environment"
"""Who owns what no single wheel owns."""


def write(
    cache: Cache, entries: Iterable[Entry], advance: Callable[[int], None] = lambda _: None
) -> LayerSeal:
    """Write entries as a layer into the cache.

    Raises:
        ContentError: as `write_layer`.
        MachineError: the cache has no room.
        ValueError: the entries cannot lie in one layer.

    """
    with cache.writer() as blob:
        written = write_layer(in_order(entries), blob.fileno(), advance=advance)
        blob.commit(written.digest)
    return LayerSeal(written.digest, written.diff_id, written.size)


class _Cancelled(Exception):  # noqa: N818 - not an error: another thread has one
    """Work that is given up since other work failed or the user interrupted."""


class LayerMaker:
    """Makes the layers of one target; what it learns on the way is remembered in the cache.

    Args:
        target: the target.
        keys: name of a layer to its key (`known.key_of`).
        files: digest of an artifact to its file.
        cache: where layers are put.
        scratch: a folder for inflated packages.
        trusting: whether facts about artifacts that the cache remembers may be used; else every hash is
            computed again.
        beneath: what the base holds, where that is an image.
        hearsay: whether somebody else said so, so that what is made of it may not be remembered.
        dist_info: digests of wheels to what somebody else says of the names of their `.dist-info` folders.

    """

    def __init__(
        self,
        target: Target,
        keys: Mapping[str, str],
        files: Mapping[Digest, Path],
        *,
        cache: Cache,
        scratch: Path,
        trusting: bool,
        beneath: Inventory | None = None,
        hearsay: bool = False,
        dist_info: Mapping[Digest, str] | None = None,
    ) -> None:
        self._target = target
        self._keys = keys
        self._files = files
        self._cache = cache
        self._scratch = scratch
        self._trusting = trusting
        self._beneath = beneath
        self._hearsay = {*(["environment"] if dist_info else []), *(["system"] if hearsay else [])}
        self._told = dict(dist_info or {})
        self._stop = threading.Event()
        self.paths: dict[str, list[owners.Path]] = {}
        """Key of a layer that was made to its paths."""

    def make(
        self, layers: Sequence[PlannedLayer], task: Task, *, workers: int | None = None
    ) -> dict[str, LayerSeal]:
        """Make layers in parallel, the largest first: name to digests.

        The first failure, and an interrupt, ends the work on all of them.

        Raises:
            UntrustedError: an artifact is not what was locked, or would write where it must not.
            MachineError: the disk is full, or the cache cannot be written.

        """
        debs = {deb.name: deb for layer in layers for deb in debs_of(self._target, layer)}
        largest_first = sorted(layers, key=lambda layer: -self._size(layer))
        with ExitStack() as stack, ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            try:
                opened = {name: pool.submit(self._open_deb, deb, stack) for name, deb in debs.items()}
                made = {layer.name: pool.submit(self._make, layer, opened, task) for layer in largest_first}
                everything: list[Future[Any]] = [*opened.values(), *made.values()]
                done, _ = wait(everything, return_when=FIRST_EXCEPTION)
                _raise_first(done)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            return {name: future.result() for name, future in made.items()}

    def _size(self, layer: PlannedLayer) -> int:
        artifacts: Sequence[Deb | CondaPackage | Wheel] = ()
        match layer.kind:
            case "debs":
                artifacts = debs_of(self._target, layer)
            case "conda":
                artifacts = conda_of(self._target, layer)
            case "python":
                found = python_of(self._target, layer)
                return 0 if found is None else found.size
            case "wheels":
                artifacts = wheels_of(self._target, layer)
        return sum(artifact.size or 0 for artifact in artifacts)

    def _open_deb(self, deb: Deb, stack: ExitStack) -> DebPackage:
        self._check_stop()
        package = open_deb(self._files[deb.digest], deb, self._scratch)
        opened = package.__enter__()
        stack.push(package.__exit__)
        return opened

    def _make(self, layer: PlannedLayer, opened: Mapping[str, Future[DebPackage]], task: Task) -> LayerSeal:
        self._check_stop()

        def advance(amount: int) -> None:
            self._check_stop()
            task.advance(amount)

        with ExitStack() as stack:
            packages = self._packages(layer, opened, stack)
            paths = [path for owner, entries in packages for path in owners.listing(owner, entries)]
            self.paths[self._keys[layer.name]] = paths
            ours = layer.kind not in self._hearsay
            if ours:  # what somebody else said is no fact of this cache, nor what was made of it
                known.remember_paths(self._cache, self._keys[layer.name], paths)
            try:
                seal = write(self._cache, owners.merge(packages).values(), advance)
            except ContentError as error:
                raise self._blame(error, packages) from error
            except ValueError as error:
                owners.conflicts([paths])  # says which two packages cannot lie in one layer
                raise UntrustedError(str(error)) from error
        if ours:
            known.remember_layer(self._cache, self._keys[layer.name], seal)
        return seal

    def _packages(
        self, layer: PlannedLayer, opened: Mapping[str, Future[DebPackage]], stack: ExitStack
    ) -> list[tuple[str, Sequence[Entry]]]:
        """What goes into a layer: each owner with its entries, in the fixed order."""
        target = self._target
        match layer.kind:
            case "debs":
                return [(name, opened[name].result().entries) for name in layer.packages]
            case "system":
                debs = [opened[deb.name].result() for deb in target.base.packages]
                known.remember_clashes(self._cache, self._keys[layer.name], deb_conflicts(debs))
                return [(SYSTEM, system_entries(debs, target, self._beneath))]
            case "python":
                return [(PYTHON, self._python(layer, stack))]
            case "conda":
                return [
                    (owners.conda_owner(package.name), self._conda(package, stack))
                    for package in conda_of(target, layer)
                ]
            case "wheels":
                return [(wheel.name, self._wheel(wheel, stack)) for wheel in wheels_of(target, layer)]
            case "environment":
                names = {wheel.name: self._dist_info(wheel) for wheel in wheels_of(target, layer)}
                return [(ENVIRONMENT, environment_entries(target, names))]
        msg = f"no layer is of kind {layer.kind!r}"
        raise UntrustedError(msg)

    def _python(self, layer: PlannedLayer, stack: ExitStack) -> Sequence[Entry]:
        self._check_stop()
        python = python_of(self._target, layer)
        if python is None:
            raise UntrustedError("the lock plans a layer for a Python that it does not have")
        checked = self._trusting and self._cache.checked(python.digest)
        opened = open_standalone(self._files[python.digest], python, self._scratch, checked=checked)
        content = stack.enter_context(opened)
        if not checked:
            self._cache.note_checked(python.digest)
        return content

    def _conda(self, package: CondaPackage, stack: ExitStack) -> Sequence[Entry]:
        self._check_stop()
        provided = any(other.name == "python" for other in self._target.conda)
        checked = self._trusting and self._cache.checked(package.digest)
        content = stack.enter_context(
            open_conda(
                self._files[package.digest],
                package,
                self._scratch,
                prefix=CONDA_PREFIX,
                python=self._target.python_minor if provided else None,
                checked=checked,
            )
        )
        if not checked:
            self._cache.note_checked(package.digest)
        return content.entries

    def _wheel(self, wheel: Wheel, stack: ExitStack) -> Sequence[Entry]:
        self._check_stop()
        scheme = Scheme(self._target.prefix, self._target.python_minor)
        checked = self._trusting and self._cache.checked(wheel.digest)
        opened = open_wheel(self._files[wheel.digest], wheel, scheme, checked=checked)
        package = stack.enter_context(opened)
        if not checked:
            self._cache.note_checked(wheel.digest)
        known.remember_dist_info(self._cache, wheel, package.dist_info, package.requires_python)
        return package.entries

    def _dist_info(self, wheel: Wheel) -> str:
        name = known.recall_dist_info(self._cache, wheel) if self._trusting else None
        return name or self._told.get(wheel.digest) or dist_info_name(self._files[wheel.digest], wheel)

    def _blame(self, error: ContentError, packages: Sequence[tuple[str, Sequence[Entry]]]) -> UntrustedError:
        """The error with the name of the file that the bad content is in."""
        files = {wheel.name: wheel.filename for wheel in self._target.wheels}
        owner = next(
            owner
            for owner, entries in reversed(packages)
            if any(entry.path == error.path for entry in entries)
        )
        return UntrustedError(
            f"{files.get(owner, owner)}: {error.message}",
            hint="the file is not fit to be installed; lock another version or report it",
        )

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Cancelled


def _raise_first(done: Iterable[Future[Any]]) -> None:
    errors = [error for future in done if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, _Cancelled):
            raise error
