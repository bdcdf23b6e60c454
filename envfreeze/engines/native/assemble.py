"""Assemble the images of a lock.

Layers that the cache knows are taken from it; for the others the artifacts are had and the layers are
made in parallel. Memory does not depend on the size of the image: content stays in the mapped artifacts.
"""

from __future__ import annotations

import resource
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.engines.native import known, misfits
from envfreeze.engines.native.accounts import accounts_of, check_user
from envfreeze.engines.native.artifacts import conda_of, debs_of, obtain, python_of, wheels_of
from envfreeze.engines.native.base import Base
from envfreeze.engines.native.config import config_on, description, image_config
from envfreeze.engines.native.judging import Judging
from envfreeze.engines.native.making import LayerMaker, write
from envfreeze.errors import MachineError, UsageError
from envfreeze.layers.files import file_entries, included
from envfreeze.layers.plan import check_plan
from envfreeze.oci import gzip, media
from envfreeze.oci.entry import Kind, directory
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import manifest_json
from envfreeze.replacing import replace
from envfreeze.store.disk import explain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.engines.native.catalog import Room
    from envfreeze.engines.native.ready import ReadyLayer, ReadyLayers
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.model import LayerSeal, Lock, PlannedLayer, Target, Wheel
    from envfreeze.oci.entry import Entry
    from envfreeze.oci.image import Image, Layer
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_INFLATION = 4
"""How much larger the content of a .deb or a conda package is than the file, about: for the bar alone."""


@dataclass(frozen=True, slots=True)
class TargetImage:
    """The image of one target.

    Attributes:
        target: the target, its layers and manifest as a seal would have them.
        image: the image, project files included.
        keys: name of each planned layer to its key (`known.key_of`).
        verdict: what was found when the layers were held against each other; None: a seal was believed.
        workdir_free: tells whether nothing of the environment is at the working directory or below it.
        room: the project's files in it and what `owners.room_for` said of them; None: there are none.

    """

    target: Target
    image: Image
    keys: Mapping[str, str]
    verdict: tuple[str, ...] | None
    workdir_free: Callable[[], bool]
    room: Room | None = None


@dataclass(frozen=True, slots=True)
class Assembly:
    """The images of a lock.

    Attributes:
        images: one per target, in the lock's order.
        built: layers that were made.
        reused: layers that were made before and taken from the cache.
        ready: digests of layers that were taken ready-made from a registry, sorted.
        notes: files of one package that another overwrites, what nobody does when the image starts, and
            wheels that are not for the image's Python.

    """

    images: tuple[TargetImage, ...]
    built: int
    reused: int
    ready: tuple[Digest, ...]
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
    ready: ReadyLayers | None = None,
    lean: bool = False,
    compiled: Callable[[Wheel, Target], Path] | None = None,
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
        authenticate: puts credentials into the URL of a wheel or conda package for its download.
        ready: what registries have ready-made, which is then taken; None: nothing is.
        lean: layers of a base that is an image, and those that are ready-made, are fetched only when
            somebody opens them.
        compiled: has a wheel that needs a compiler in the cache; None: it is there, or missing.

    Raises:
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact is not what was locked, or would write where it must not.
        MachineError: the disk is full, or the cache cannot be written.

    """
    gzip.check_compressor()
    for target in lock.targets:
        check_plan(target)
    _raise_open_files()
    work = [
        _TargetAssembly(
            lock,
            target,
            root=root,
            cache=cache,
            progress=progress,
            reuse=reuse,
            offline=offline,
            ready=ready,
            lean=lean,
        )
        for target in lock.targets
    ]
    try:
        images = [
            one.image(one.layers(workers=workers, authenticate=authenticate, compiled=compiled))
            for one in work
        ]
    except OSError as error:
        raise explain(error, cache.root) from error
    return Assembly(
        images=tuple(images),
        built=sum(one.built for one in work),
        reused=sum(one.reused for one in work),
        ready=tuple(sorted({layer.seal.digest for one in work for layer in one.taken.values()})),
        notes=tuple(sorted({note for one in work for note in one.notes})),
    )


def _raise_open_files() -> None:
    """Let this process open as many files as it may: every OS package is open while the base is made."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _TargetAssembly:
    def __init__(
        self,
        lock: Lock,
        target: Target,
        *,
        root: Path,
        cache: Cache,
        progress: Progress,
        reuse: bool,
        offline: bool,
        ready: ReadyLayers | None,
        lean: bool,
    ) -> None:
        self._lock = lock
        self._ready = ready
        self._lean = lean
        self._target = target
        self._root = root
        self._cache = cache
        self._progress = progress
        self._reuse = reuse
        self._offline = offline
        self._base = (
            None
            if target.image is None
            else Base(
                target.image,
                cache=cache,
                offline=offline,
                progress=progress,
                trusting=reuse,
                told=(lambda _: None) if ready is None else ready.contents,
            )
        )
        self._keys = {layer.name: known.key_of(target, layer, lock.writer) for layer in target.layers}
        self._judging = Judging(target, self._keys, self._base, ready, cache=cache, reuse=reuse)
        self.taken: dict[str, ReadyLayer] = {}
        self._verdict: tuple[str, ...] | None = None
        self.built = 0
        self.reused = 0
        self.notes: tuple[str, ...] = ()

    def layers(
        self,
        *,
        workers: int | None,
        authenticate: Callable[[str], str],
        compiled: Callable[[Wheel, Target], Path] | None = None,
    ) -> dict[str, LayerSeal]:
        """Have every planned layer in the cache: name to digests."""
        target, cache = self._target, self._cache
        judged = known.recall_verdict(cache, self._keys) if self._reuse else None
        seals = {
            name: seal
            for name, key in self._keys.items()
            if self._reuse and (seal := known.recall_layer(cache, key))
            # Without its paths a layer could not be held against the others.
            if judged is not None or known.recall_paths(cache, key) is not None
        }
        self.reused = len(seals)
        if self._ready is not None:
            judged = judged if judged is not None else self._ready.verdict(self._keys.values())
            self.taken = self._offered(self._ready, seals, judged is not None)
            self._judging.taken = {self._keys[name] for name in self.taken}
            seals |= {name: layer.seal for name, layer in self.taken.items()}
        missing = [layer for layer in target.layers if layer.name not in seals]
        self.built = len(missing)
        if missing:
            debs = {deb.name: deb for layer in missing for deb in debs_of(target, layer)}
            names = {} if self._ready is None else self._ready.dist_info()
            wheels = {
                wheel.name: wheel
                for layer in missing
                for wheel in wheels_of(target, layer)
                # The environment wants no more of a wheel than the name of one folder in it.
                if layer.kind != "environment" or wheel.digest not in names
            }
            conda = {package.name: package for layer in missing for package in conda_of(target, layer)}
            python = next((one for layer in missing if (one := python_of(target, layer)) is not None), None)
            files = obtain(
                target,
                debs.values(),
                wheels.values(),
                conda.values(),
                python,
                cache=cache,
                root=self._root,
                offline=self._offline,
                progress=self._progress,
                authenticate=authenticate,
                compiled=compiled,
            )
            total = sum(wheel.size or 0 for layer in missing for wheel in wheels_of(target, layer))
            total += _INFLATION * sum(deb.size for deb in debs.values())
            total += _INFLATION * sum(package.size or 0 for package in conda.values())
            total += 0 if python is None else _INFLATION * python.size
            task = self._progress.task(f"assembling {len(missing)} layers for {target.platform}", total)
            try:
                with cache.scratch() as scratch:
                    maker = LayerMaker(
                        target,
                        self._keys,
                        files,
                        cache=cache,
                        scratch=scratch,
                        trusting=self._reuse,
                        beneath=self._beneath(missing),
                        hearsay=self._base is not None and self._base.hearsay,
                        dist_info=names,
                    )
                    seals |= maker.make(missing, task, workers=workers)
                    self._judging.made = maker.paths
            finally:
                task.finish()
        if judged is None and self.taken and target.manifest is not None and not self._knows_all():
            return seals  # who sealed has held them against each other
        self._verdict = self._judging.judge() if judged is None else judged
        self.notes = (*self._verdict, *misfits.notes(cache, target))
        return seals

    def _offered(
        self, ready: ReadyLayers, seals: Mapping[str, LayerSeal], judged: bool
    ) -> dict[str, ReadyLayer]:
        """The missing layers that are ready-made somewhere, by name."""
        roomy = (
            not self._lock.runtime.include or self._judging.recalled_room(self._project_files()) is not None
        )
        wanted = {
            self._keys[layer.name]: layer
            for layer in self._target.layers
            if layer.name not in seals
            # Where its paths are needed, one that they are not known of is made.
            and ((roomy and (judged or layer.seal is not None)) or ready.knows(self._keys[layer.name]))
        }
        return {wanted[key].name: found for key, found in ready.offer(wanted).items()} if wanted else {}

    def _knows_all(self) -> bool:
        ready = self._ready
        return ready is not None and all(ready.knows(self._keys[name]) for name in self.taken)

    def _beneath(self, missing: Sequence[PlannedLayer]) -> Inventory | None:
        """What is in the base, where a layer is made of that, too."""
        if self._base is None or all(layer.kind != "system" for layer in missing):
            return None
        return self._base.inventory

    def image(self, seals: Mapping[str, LayerSeal]) -> TargetImage:
        """Put the layers together, the project's files on top."""
        target, runtime = self._target, self._lock.runtime
        planned = tuple(replace(layer, seal=seals[layer.name]) for layer in target.layers)
        layers = [(self._layer(layer.name, seals), description(target, layer)) for layer in target.layers]
        check_user(self._lock.runtime.user, lambda: self._accounts(seals))
        environment = self._image(layers)
        target = replace(target, layers=planned, manifest=environment.digest)
        free = partial(self._judging.is_free, runtime.workdir)
        if not runtime.include:
            return TargetImage(target, environment, self._keys, self._verdict, free)
        seal, room = self._project_layer()
        project = self._file_layer(seal), f"project: {len(room[0])} files"
        return TargetImage(target, self._image([*layers, project]), self._keys, self._verdict, free, room)

    def _accounts(self, seals: Mapping[str, LayerSeal]) -> bytes:
        if self._base is not None:
            return self._base.accounts()
        return accounts_of(self._layer("system", seals).open())

    def _project_entries(self) -> list[Entry]:
        runtime = self._lock.runtime
        return file_entries(self._root, included(self._root, runtime.include), runtime.workdir)

    def _project_files(self) -> list[str]:
        return [entry.path for entry in self._project_entries() if entry.kind is not Kind.DIRECTORY]

    def _project_layer(self) -> tuple[LayerSeal, Room]:
        entries = self._project_entries()
        files = [entry.path for entry in entries if entry.kind is not Kind.DIRECTORY]
        special = self._judging.room(files)
        placed = {entry.path: entry for entry in entries}
        for path, (mode, uid, gid) in special.items():
            placed[path] = directory(path, mode=mode, uid=uid, gid=gid)
        try:
            return write(self._cache, placed.values()), (files, special)
        except ValueError as error:
            raise UsageError(f"include: {error}") from error

    def _layer(self, name: str, seals: Mapping[str, LayerSeal]) -> Layer:
        taken = self.taken.get(name)
        return self._file_layer(seals[name]) if taken is None else taken.layer

    def _image(self, layers: Sequence[tuple[Layer, str]]) -> ImageValue:
        described = [(layer.diff_id, text) for layer, text in layers]
        blobs = tuple(layer for layer, _ in layers)
        if self._base is None:
            config = image_config(self._target, self._lock.runtime, described)
        else:
            beneath, below = self._base.obtain(lean=self._lean)
            config = config_on(below, self._target, self._lock.runtime, described)
            blobs = (*beneath, *blobs)
        return ImageValue(manifest=manifest_json(config, blobs), config=config, layers=blobs)

    def _file_layer(self, seal: LayerSeal) -> FileLayer:
        path = self._cache.find(seal.digest)
        if path is None:
            raise MachineError(
                f"layer {seal.digest} vanished from the cache while it was in use",
                hint="build again; do not prune the cache by hand during a build",
            )
        return FileLayer(seal.digest, seal.diff_id, seal.size, media.LAYER_GZIP, path)
