"""What `build` does with registries: where layers are taken from ready-made, and where the image goes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from envfreeze.errors import EnvfreezeError, UsageError
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.engines.native import Assembly
    from envfreeze.engines.native.ready import ReadyLayers
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image, ImageIndex
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.push import Pushed
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record
    from envfreeze.records.trust.signing import Who
    from envfreeze.store.cache import Cache
    from envfreeze.verbs.attest import AttestOutcome
    from envfreeze.verbs.making import Surroundings


def reference(text: str, option: str, *, offline: bool) -> Reference:
    """Read a reference of the command line, before anything is built.

    Args:
        text: as it was written.
        option: where it was written.
        offline: nothing may be sent or fetched.

    Raises:
        UsageError: it is no reference, or registries are not to be asked.

    """
    from envfreeze.oci.registry.push import parse  # noqa: PLC0415 - heavy

    if offline:
        raise UsageError(f"{option} asks a registry, and --offline asks nobody", hint="leave one of them out")
    return parse(text)


def signer(
    key: str | Who | None, where: Reference | None, *, record: bool, progress: Progress = SILENT
) -> Who | None:
    """Read the key that a build is to be signed with, or look for the identity, before anything is built.

    Args:
        key: as `keys.read_private` reads it, or whoever signs without one; None: nothing is signed.
        where: what the image is pushed to.
        record: a record is written.
        progress: is warned of a key that others can read.

    Raises:
        UsageError: there is no such key or identity, or nothing to sign.
        UntrustedError: the key's password is another.
        NetworkError: the CI does not give its identity.

    """
    from envfreeze.records.trust.keyless import Keyless  # noqa: PLC0415 - heavy
    from envfreeze.records.trust.keys import read_private  # noqa: PLC0415 - heavy

    if key is None:
        return None
    option = "--keyless" if isinstance(key, Keyless) else "--sign-key"
    if where is None:
        raise UsageError(f"{option} signs what is pushed", hint="say where to: --push REF")
    if not record:
        raise UsageError(
            f"{option} signs the record, and --no-record leaves none", hint="leave one of them out"
        )
    if isinstance(key, Keyless):
        key.check()
        return key
    return read_private(key, progress=progress) if isinstance(key, str) else key


class Side:
    """The registries of one build; to be used in a `with`.

    Args:
        where: what the image is pushed to; None: nowhere.
        named: images whose layers are taken ready-made.
        lock: what is built.
        cache: has and gets layers.
        progress: told what happens.

    Attributes:
        ready: the layers that may be taken; None: none may.

    """

    def __init__(
        self,
        where: Reference | None,
        named: tuple[Reference, ...],
        lock: Lock,
        cache: Cache,
        progress: Progress,
    ) -> None:
        self._where = where
        self._named = named
        self._lock = lock
        self._cache = cache
        self._progress = progress
        self._stack = ExitStack()
        self._registries: Registries | None = None
        self.ready: ReadyLayers | None = None

    def __enter__(self) -> Self:
        from envfreeze.engines.native.ready import ReadyLayers  # noqa: PLC0415 - heavy
        from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy

        self._registries = self._stack.enter_context(Registries(progress=self._progress))
        sealed = (self._where.name,) if self._where is not None else ()
        if self._named or (sealed and self._lock.sealed):
            self.ready = ReadyLayers(
                self._named, sealed, registries=self._registries, cache=self._cache, progress=self._progress
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def push(self, image: Image | ImageIndex, assembly: Assembly | None) -> Pushed | None:
        """Push the image, and beside it the catalogue of its layers; None: it goes nowhere.

        Args:
            image: what.
            assembly: how the native engine made it; None: another did, and there is no catalogue.

        Raises:
            NetworkError: the registry does not take the image.
            UntrustedError: what the registry has in the end is not what was pushed.

        """
        from envfreeze.oci.registry.push import push  # noqa: PLC0415 - heavy

        if self._where is None or self._registries is None:
            return None
        bases = (target.image.places for target in self._lock.targets if target.image is not None)
        origins = [*(place for places in bases for place in places), *(one.name for one in self._named)]
        pushed = push(
            image,
            self._where,
            registries=self._registries,
            cache=self._cache,
            origins=tuple(dict.fromkeys(origins)),
            progress=self._progress,
        )
        if assembly is None:
            return pushed
        try:
            self._leave_catalog(self._where.at(pushed.digest), assembly, self._registries)
        except EnvfreezeError as error:
            self._progress.warn(
                f"the image is pushed, and no catalogue of its layers for --cache-from: {error.message}"
            )
        return pushed

    def _leave_catalog(self, at: Reference, assembly: Assembly, registries: Registries) -> None:
        from envfreeze.engines.native import catalog  # noqa: PLC0415 - heavy
        from envfreeze.oci.registry.referrers import attach, listed  # noqa: PLC0415 - heavy

        if listed(at, registries=registries, artifact_type=catalog.TYPE):
            return
        parts = catalog.write(
            self._cache,
            [catalog.Made(made.target, made.keys, made.verdict, made.room) for made in assembly.images],
            (lambda _: None) if self.ready is None else self.ready.beside,
            {} if self.ready is None else self.ready.dist_info(),
            (lambda _: None) if self.ready is None else self.ready.contents_beside,
        )
        attach(at, parts, artifact_type=catalog.TYPE, registries=registries, cache=self._cache)


def beside(
    pushed: Pushed | None,
    images: Sequence[Image],
    record: Record | None,
    at: Surroundings,
    *,
    sbom: str | None,
    who: Who | None,
) -> AttestOutcome | None:
    """Leave bills of materials beside what was pushed; sign them and the record where it was asked for.

    Args:
        pushed: what was pushed; None: nothing was, and nothing is done.
        images: of what was pushed.
        record: of the build.
        at: what it was built in.
        sbom: format of the bills; None: none are left.
        who: signs; None: nobody does.

    Raises:
        EnvfreezeError: as `sbom.leave` and `attest` do; then it is told what is done already.

    """
    from envfreeze.records.trust.keyless import Keyless  # noqa: PLC0415 - heavy
    from envfreeze.verbs import sbom as bills  # noqa: PLC0415 - heavy
    from envfreeze.verbs.attest import attest  # noqa: PLC0415 - heavy

    if pushed is None:
        return None
    name = f"{pushed.reference.name}@{pushed.digest}"
    try:
        bills.leave(sbom, images, at.root, pushed.reference, who=who, cache=at.cache, progress=at.progress)
        if who is None:
            return None
        return attest(name, key=who, root=at.root, record=record, cache=at.cache, progress=at.progress)
    except EnvfreezeError:
        if who is not None:  # a build need not be repeated for it
            how = "--keyless" if isinstance(who, Keyless) else "--key KEY"
            at.progress.warn(f"{name} is pushed and recorded, and not signed: envfreeze attest {name} {how}")
        raise
