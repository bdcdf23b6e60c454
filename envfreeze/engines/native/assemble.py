"""Assemble the images of a lock.

Layers that the cache knows are taken from it; for the others the artifacts are had and the layers are
made in parallel, the largest first. Memory does not depend on the size of the image: content stays in the
mapped artifacts.
"""

from __future__ import annotations

import os
import resource
import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from envfreeze.engines.native import known, owners
from envfreeze.engines.native.artifacts import debs_of, obtain, wheels_of
from envfreeze.engines.native.config import description, image_config
from envfreeze.errors import MachineError, UntrustedError
from envfreeze.layers.deb import open_deb
from envfreeze.layers.environment import environment_entries
from envfreeze.layers.files import file_entries, included
from envfreeze.layers.system import conflicts as deb_conflicts
from envfreeze.layers.system import system_entries
from envfreeze.layers.wheel import dist_info_name, open_wheel
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.locking.model import PREFIX, LayerSeal
from envfreeze.oci import media
from envfreeze.oci.entry import Entry, in_order
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.layer import ContentError, write_layer
from envfreeze.oci.manifest import manifest_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.layers.deb import DebPackage
    from envfreeze.locking.model import Deb, Lock, PlannedLayer, Target, Wheel
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress, Task
    from envfreeze.store.cache import Cache

_DEB_INFLATION = 4
"""How much larger the content of a .deb is than the file, about: for the progress bar alone."""

_CONFLICTS = "conflicts"
_DEB_CONFLICTS = "deb-conflicts"

_SYSTEM = "the base system"
"""Who owns what no single OS package owns."""


@dataclass(frozen=True, slots=True)
class TargetImage:
    """The image of one target.

    Attributes:
        target: the target, its layers and manifest as a seal would have them.
        image: the image, project files included.

    """

    target: Target
    image: Image


@dataclass(frozen=True, slots=True)
class Assembly:
    """The images of a lock.

    Attributes:
        images: one per target, in the lock's order.
        built: layers that were made.
        reused: layers that were made before and taken from the cache.
        notes: files of one package that another overwrites.

    """

    images: tuple[TargetImage, ...]
    built: int
    reused: int
    notes: tuple[str, ...]


def assemble(
    lock: Lock,
    *,
    root: Path,
    cache: Cache,
    progress: Progress,
    reuse: bool = True,
    offline: bool = False,
    workers: int | None = None,
    authenticate: Callable[[str], str] = str,
) -> Assembly:
    """Assemble the images of a lock.

    Args:
        lock: the lock.
        root: the project's folder, for the files that the lock's `include` names.
        cache: where artifacts are taken from and layers are put.
        progress: told what happens.
        reuse: whether layers that were made before may be taken; artifacts always may, their hashes are
            checked again when they are read.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        authenticate: puts credentials into the URL of a wheel for its download.

    Raises:
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact is not what was locked, or would write where it must not.
        MachineError: the disk is full, or the cache cannot be written.

    """
    _raise_open_files()
    built = reused = 0
    notes: set[str] = set()
    images: list[TargetImage] = []
    for target in lock.targets:
        with ExitStack() as stack:
            work = _TargetAssembly(lock, target, root, cache, progress, stack.enter_context(cache.scratch()))
            try:
                seals = work.layers(reuse, offline, workers, authenticate)
            except OSError as error:
                raise MachineError(
                    f"a layer cannot be written to {cache.root}: {error.strerror}",
                    hint="make room, or set ENVFREEZE_CACHE to a folder with more",
                ) from error
            images.append(work.image(seals))
            built += work.built
            reused += work.reused
            notes.update(work.notes)
    return Assembly(tuple(images), built, reused, tuple(sorted(notes)))


def _raise_open_files() -> None:
    """Let this process open as many files as it may: every OS package is open while the base is made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Cancelled(Exception):  # noqa: N818 - not an error: another thread has one
    """Work that is given up since other work failed or the user interrupted."""


class _TargetAssembly:
    def __init__(
        self, lock: Lock, target: Target, root: Path, cache: Cache, progress: Progress, scratch: Path
    ) -> None:
        self._lock = lock
        self._target = target
        self._root = root
        self._cache = cache
        self._progress = progress
        self._scratch = scratch
        self._stop = threading.Event()
        self.built = 0
        self.reused = 0
        self.notes: tuple[str, ...] = ()

    def layers(
        self, reuse: bool, offline: bool, workers: int | None, authenticate: Callable[[str], str]
    ) -> dict[str, LayerSeal]:
        """Have every planned layer in the cache: name to digests."""
        target, cache = self._target, self._cache
        keys = {layer.name: known.key_of(target, layer, self._lock.writer) for layer in target.layers}
        judged = self._judged(keys)
        seals = {
            name: seal
            for name, key in keys.items()
            if reuse and (seal := known.recall_layer(cache, key))
            # Without its paths a layer could not be held against the others.
            if judged is not None or known.recall_paths(cache, key) is not None
        }
        missing = [layer for layer in target.layers if layer.name not in seals]
        self.reused, self.built = len(seals), len(missing)
        if missing:
            debs = {deb.name: deb for layer in missing for deb in debs_of(target, layer)}
            wheels = {wheel.name: wheel for layer in missing for wheel in wheels_of(target, layer)}
            files = obtain(
                target,
                debs.values(),
                wheels.values(),
                cache=cache,
                offline=offline,
                progress=self._progress,
                authenticate=authenticate,
            )
            total = sum(wheel.size or 0 for layer in missing for wheel in wheels_of(target, layer))
            total += _DEB_INFLATION * sum(deb.size for deb in debs.values())
            task = self._progress.task(f"assembling {len(missing)} layers for {target.platform}", total)
            try:
                made = self._make(missing, debs, files, task, workers)
            finally:
                task.finish()
            for name, seal in made.items():
                known.remember_layer(cache, keys[name], seal)
            seals |= made
        self.notes = self._judge(keys) if judged is None else judged
        return seals

    def _make(
        self,
        missing: Sequence[PlannedLayer],
        debs: Mapping[str, Deb],
        files: Mapping[Digest, Path],
        task: Task,
        workers: int | None,
    ) -> dict[str, LayerSeal]:
        sizes = {deb.name: deb.size for deb in debs.values()}
        sizes |= {wheel.name: wheel.size or 0 for wheel in self._target.wheels}
        largest_first = sorted(missing, key=lambda layer: -sum(sizes.get(name, 0) for name in layer.packages))
        with ExitStack() as stack, ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            opened = {
                name: pool.submit(self._open_deb, deb, files[deb.digest], stack) for name, deb in debs.items()
            }
            futures = {
                layer.name: pool.submit(self._layer, layer, opened, files, task) for layer in largest_first
            }
            try:
                everything: list[Future[Any]] = [*opened.values(), *futures.values()]
                done, _ = wait(everything, return_when=FIRST_EXCEPTION)
                self._raise_first(done)
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
            return {name: future.result() for name, future in futures.items()}

    @staticmethod
    def _raise_first(done: Iterable[Future[Any]]) -> None:
        errors = [error for future in done if (error := future.exception()) is not None]
        for error in errors:
            if not isinstance(error, _Cancelled):
                raise error

    def _open_deb(self, deb: Deb, path: Path, stack: ExitStack) -> DebPackage:
        self._check_stop()
        package = open_deb(path, deb, self._scratch)
        opened = package.__enter__()
        stack.push(package.__exit__)
        return opened

    def _layer(
        self,
        layer: PlannedLayer,
        opened: Mapping[str, Future[DebPackage]],
        files: Mapping[Digest, Path],
        task: Task,
    ) -> LayerSeal:
        self._check_stop()
        target = self._target
        packages: list[tuple[str, Sequence[Entry]]] = []
        with ExitStack() as stack:
            match layer.kind:
                case "debs":
                    packages = [(name, opened[name].result().entries) for name in layer.packages]
                case "system":
                    all_debs = [opened[deb.name].result() for deb in target.base.packages]
                    packages = [(_SYSTEM, system_entries(all_debs, target))]
                    clashes = {"notes": deb_conflicts(all_debs)}
                    self._cache.remember(_DEB_CONFLICTS, str(debs_of(target, layer)), clashes)
                case "wheels":
                    scheme = Scheme(PREFIX, target.python_minor)
                    for wheel in wheels_of(target, layer):
                        self._check_stop()
                        package = stack.enter_context(open_wheel(files[wheel.digest], wheel, scheme))
                        self._cache.remember("dist-info", str(wheel.digest), {"name": package.dist_info})
                        packages.append((wheel.name, package.entries))
                case _:
                    names = {wheel.name: self._dist_info(wheel, files) for wheel in wheels_of(target, layer)}
                    packages = [("the environment", environment_entries(target, names))]
            key = known.key_of(target, layer, self._lock.writer)
            paths = [path for owner, entries in packages for path in owners.listing(owner, entries)]
            known.remember_paths(self._cache, key, paths)
            try:
                return self._write(owners.merge(packages).values(), self._advance(task))
            except ContentError as error:
                raise self._blame(error, packages) from error
            except ValueError as error:
                owners.conflicts([paths])  # says which two packages cannot lie in one layer
                raise UntrustedError(str(error)) from error

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

    def _dist_info(self, wheel: Wheel, files: Mapping[Digest, Path]) -> str:
        fact = self._cache.recall("dist-info", str(wheel.digest))
        if fact is not None and isinstance(fact.get("name"), str):
            return str(fact["name"])
        return dist_info_name(files[wheel.digest], wheel)

    def _advance(self, task: Task) -> Callable[[int], None]:
        def advance(amount: int) -> None:
            self._check_stop()
            task.advance(amount)

        return advance

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Cancelled

    def _write(self, entries: Iterable[Entry], advance: Callable[[int], None] = lambda _: None) -> LayerSeal:
        with self._cache.writer() as blob:
            written = write_layer(in_order(entries), blob.fileno(), advance=advance)
            blob.commit(written.digest)
        return LayerSeal(written.digest, written.diff_id, written.size)

    def _judged(self, keys: Mapping[str, str]) -> tuple[str, ...] | None:
        """What was found when these layers were held against each other before; None: they were not."""
        fact = self._cache.recall(_CONFLICTS, "\n".join(keys.values()))
        if fact is None or not isinstance(fact.get("notes"), list):
            return None
        return tuple(fact["notes"])

    def _judge(self, keys: Mapping[str, str]) -> tuple[str, ...]:
        """Hold all layers against each other."""
        layers = [known.recall_paths(self._cache, key) for key in keys.values()]
        if None in layers:
            raise MachineError(
                f"facts vanished from the cache {self._cache.root} while it was in use",
                hint="build again; do not prune the cache by hand during a build",
            )
        debs = {_SYSTEM, *(deb.name for deb in self._target.base.packages)}
        notes = owners.conflicts([paths for paths in layers if paths is not None], settled=debs)
        clashes = self._cache.recall(_DEB_CONFLICTS, str(self._target.base.packages)) or {}
        notes = (*notes, *clashes.get("notes", ()))
        self._cache.remember(_CONFLICTS, "\n".join(keys.values()), {"notes": list(notes)})
        return notes

    def image(self, seals: Mapping[str, LayerSeal]) -> TargetImage:
        """Put the layers together, the project's files on top."""
        target, runtime = self._target, self._lock.runtime
        planned = tuple(replace(layer, seal=seals[layer.name]) for layer in target.layers)
        layers = [(seals[layer.name], description(target, layer)) for layer in target.layers]
        environment = self._image(layers)
        target = replace(target, layers=planned, manifest=environment.digest)
        if not runtime.include:
            return TargetImage(target, environment)
        names = included(self._root, runtime.include)
        entries = file_entries(self._root, names, runtime.workdir)
        project = self._write(entries), f"project: {len(names)} files"
        return TargetImage(target, self._image([*layers, project]))

    def _image(self, layers: Sequence[tuple[LayerSeal, str]]) -> ImageValue:
        described = [(seal.diff_id, text) for seal, text in layers]
        config = image_config(self._target, self._lock.runtime, described)
        blobs = tuple(self._file_layer(seal) for seal, _ in layers)
        return ImageValue(manifest=manifest_json(config, blobs), config=config, layers=blobs)

    def _file_layer(self, seal: LayerSeal) -> FileLayer:
        path = self._cache.find(seal.digest)
        if path is None:
            raise MachineError(
                f"layer {seal.digest} vanished from the cache while it was in use",
                hint="build again; do not prune the cache by hand during a build",
            )
        return FileLayer(seal.digest, seal.diff_id, seal.size, media.LAYER_GZIP, path)
