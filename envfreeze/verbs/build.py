"""`build`: from the lock to an image, its digest, and a record of both on the commit."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.locking import files
from envfreeze.oci import archive as oci_archive
from envfreeze.oci import docker, layout, reference
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.progress import SILENT
from envfreeze.records.included import digest_of
from envfreeze.records.model import Record, RecordedImage, RecordedLayer, Snapshot, moment
from envfreeze.records.store import open_store
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs import driving, making, pushing, recording
from envfreeze.verbs import sbom as bills
from envfreeze.verbs.built import OUTPUT
from envfreeze.verbs.driving import NATIVE, own_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.push import Pushed
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.records.trust.signing import Who
    from envfreeze.verbs.attest import AttestOutcome
    from envfreeze.verbs.making import Made


_LOADS = {"docker": "docker", "podman": "podman", "buildah": "podman"}
"""Whose store an engine's image is loaded into; Buildah's is Podman's."""


@dataclass(frozen=True, slots=True)
class BuildOutcome:
    """What `build` made.

    Attributes:
        digest: of the manifest, or of the index where there are several platforms.
        images: one per platform.
        output: the OCI layout; None where none was written.
        archive: the OCI archive; None where none was asked for.
        loaded: what the Docker or Podman engine calls the image; None where it was not loaded.
        pushed: what the push did; None where nothing was pushed.
        record: what was recorded; None where it was asked not to be.
        record_at: the git remote that a push carried the record to; None: it is on this machine alone.
        layers_built: layers that were made.
        layers_reused: layers that were in the cache.
        layers_ready: layers that were taken ready-made from a registry.
        seconds: how long it took.
        notes: what the user should know, one sentence each.
        engine: what built it: `native`, `docker`, `podman` or `buildah`.
        log: all that the engine said; None for the native one.
        attested: what was signed; None: nothing was.

    """

    digest: Digest
    images: tuple[Image, ...]
    output: Path | None
    archive: Path | None
    loaded: str | None
    pushed: Pushed | None
    record: Record | None
    record_at: str | None
    layers_built: int
    layers_reused: int
    layers_ready: int
    seconds: float
    notes: tuple[str, ...]
    engine: str = NATIVE
    log: Path | None = None
    attested: AttestOutcome | None = None


def build(
    project: Project,
    *,
    output: Path | None = None,
    archive: Path | None = None,
    load: bool = False,
    push: str | None = None,
    sign_key: str | Who | None = None,
    cache_from: Sequence[str] = (),
    engine: str | None = None,
    options: driving.Options = driving.Options(),  # noqa: B008 - frozen
    sbom: str | None = None,
    tag: str | None = None,
    platform: Platform | None = None,
    record: bool = True,
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> BuildOutcome:
    """Build the images of a project's lock.

    Args:
        project: the project; the lock in its folder is what is built.
        output: folder for the OCI layout; None: `OUTPUT`, or nowhere where `archive` or `push` is given.
        archive: file for an OCI archive.
        load: load the image into Docker or Podman.
        push: reference to push the image to, of several platforms their index; the record then goes to the
            git remote.
        sign_key: sign the record of what is pushed, and its bill of materials, with this key or as whoever
            signs without one, as `attest` does.
        cache_from: for the native engine references of images whose layers are taken ready-made, on their
            pushers' word; for others what `driving.Options` says of it.
        engine: `native`, `docker`, `podman` or `buildah`; None: what `[docker] engine` says.
        options: what is said to an engine that builds a Dockerfile.
        sbom: format of a bill of materials that is attached to each image that is pushed; None: none is.
        tag: the image's name in the layout, the archive and the engine.
        platform: build this one alone.
        record: write a record of the build.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        progress: told what happens.

    Raises:
        UsageError: there is no lock, or not for the platform.
        UntrustedError: the lock or an artifact is not what it should be.
        AnswerIsNoError: the lock is sealed to another image.
        NetworkError: an artifact cannot be had.
        MachineError: the disk is full, there is no engine to load into, and the like.

    """
    started = time.monotonic()
    engine = driving.chosen(engine, project)
    driving.check(engine, options)
    bills.check(sbom, push)
    where = None if push is None else pushing.reference(push, "--push", offline=offline)
    who = pushing.signer(sign_key, where, record=record, progress=progress)
    options, named = _cache_from(engine, cache_from, options, offline=offline)
    if tag is not None and reference.with_tag(tag) is None:
        raise UsageError(f"{tag!r} is no name of an image", hint="a name looks like train or team/train:v1")
    cache = cache or Cache.open()
    root = project.root
    lock_files = files.read_bytes(root)
    lock = files.parse(lock_files, root)
    notes = [*_stale(project, lock), *driving.unheard(engine, project)]
    for note in notes:
        progress.warn(note)
    lock = _for_platform(lock, platform)
    store = open_store(root, stores=project.record.stores, progress=progress) if record else None
    names = driving.files_of(engine, lock, project, root)
    snapshot = None if store is None else store.snapshot(lock_files, names)
    by_default = output is None and archive is None and where is None
    with ExitStack() as stack:
        registry = None
        if where is not None or named:
            registry = stack.enter_context(pushing.Side(where, named, lock, cache, progress))
        at = making.Surroundings(
            root,
            project,
            cache,
            stack.enter_context(cache.scratch()),
            progress,
            offline=offline,
            workers=workers,
        )
        lean = where is not None and output is None and archive is None and not load
        ready = None if registry is None else registry.ready
        made = making.make(engine, lock, at, options=options, ready=ready, lean=lean)
        if snapshot is not None and snapshot.included != digest_of(root, names):
            raise MachineError("files that go into the image changed during the build", hint="build again")
        for note in made.notes:
            progress.warn(note)
        images = made.images
        whole = one_image(images)
        if by_default:
            output = own_folder(root) / OUTPUT.name
        if output is not None:
            layout.write(whole, output, name=tag)
        if archive is not None:
            oci_archive.write(whole, archive, name=tag)
        recorded = None
        if store is not None and snapshot is not None:
            recorded = _record(whole.digest, engine, made, lock, snapshot)
            store.add(recorded)
        loaded = docker.load(_loadable(images), tag=tag, only=_LOADS.get(engine)) if load else None
        pushed = None if registry is None else registry.push(whole, made.assembly)
        place = None if pushed is None else pushed.reference
        carried = recording.publish(store, recorded, lock_files, place, cache=cache)
        attested = pushing.beside(pushed, images, recorded, at, sbom=sbom, who=who)
    return BuildOutcome(
        digest=whole.digest,
        images=images,
        output=output,
        archive=archive,
        loaded=loaded,
        pushed=pushed,
        record=recorded,
        record_at=carried,
        attested=attested,
        layers_built=made.built,
        layers_reused=made.reused,
        layers_ready=len(made.ready),
        seconds=time.monotonic() - started,
        notes=(*notes, *made.notes),
        engine=engine,
        log=made.log,
    )


def _cache_from(
    engine: str, said: Sequence[str], options: driving.Options, *, offline: bool
) -> tuple[driving.Options, tuple[Reference, ...]]:
    """What `--cache-from` means to the engine: layers that are ready, or steps that are built."""
    if engine != NATIVE:
        return replace(options, cache_from=tuple(said)), ()
    return options, tuple(pushing.reference(one, "--cache-from", offline=offline) for one in said)


def one_image(images: Sequence[Image]) -> Image | ImageIndex:
    """The image itself where there is one platform, else an index of all."""
    if len(images) == 1:
        return images[0]
    return ImageIndex(raw=index_json(images), images=tuple(images))


def _stale(project: Project, lock: Lock) -> list[str]:
    now = {name: Digest.of(content) for name, content in project.inputs.items()}
    moved = sorted(name for name in now.keys() | lock.inputs.keys() if now.get(name) != lock.inputs.get(name))
    if not moved:
        return []
    return [
        f"{', '.join(moved)} changed since the lock was made; the lock is built as it is (envfreeze lock)"
    ]


def _for_platform(lock: Lock, platform: Platform | None) -> Lock:
    if platform is None:
        return lock
    targets = tuple(target for target in lock.targets if target.platform == platform)
    if not targets:
        locked = ", ".join(str(target.platform) for target in lock.targets)
        raise UsageError(
            f"the lock has no {platform}, only {locked}",
            hint=f'add it to [image] platform = [..., "{platform}"] and run: envfreeze lock',
        )
    return replace(lock, targets=targets)


def _loadable(images: Sequence[Image]) -> Image:
    from envfreeze.oci.platform import Platform  # noqa: PLC0415 - only where asked

    here = Platform.host()
    for image in images:
        if image.platform == here:
            return image
    return images[0]


def _record(digest: Digest, engine: str, made: Made, lock: Lock, snapshot: Snapshot) -> Record:
    return Record(
        at=moment(),
        engine=engine,
        engine_version=__version__,
        writer=lock.writer,
        digest=digest,
        manifests=tuple(
            RecordedImage(
                platform=image.platform,
                manifest=image.digest,
                config=Digest.of(image.config),
                layers=tuple(RecordedLayer(layer.digest, layer.diff_id) for layer in image.layers),
            )
            for image in made.images
        ),
        source=snapshot,
        reused=made.ready,
        tools=made.tools,
    )
