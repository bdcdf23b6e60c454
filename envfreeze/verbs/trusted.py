"""What a policy lets `verify` believe of an image: signed records, and the lock of one."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError, MachineError, UsageError
from envfreeze.locking import files, lockfile
from envfreeze.oci import canonical
from envfreeze.oci.reference import Reference
from envfreeze.progress import SILENT
from envfreeze.records.trust import attached, bills, counted, judgement
from envfreeze.records.trust.attached import Found
from envfreeze.store.cache import Cache
from envfreeze.verbs import images, recorded, recording

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.records.store import RecordStore
    from envfreeze.records.trust.judgement import Signed
    from envfreeze.records.trust.policy import Policy


@dataclass(frozen=True, slots=True)
class Trusted:
    """What was signed about an image, and allowed by the policy as far as the records say.

    Attributes:
        digest: that was asked for.
        policy: that was asked.
        signed: the builds, newest first; at least one.
        locks: lock files that were attached beside them, by their digests.

    """

    digest: Digest
    policy: Policy
    signed: tuple[Signed, ...]
    locks: Mapping[Digest, bytes] = field(default_factory=dict, repr=False)

    def of(self, record: object) -> Signed:
        """The signed build of a record that came from here."""
        return next(one for one in self.signed if one.record == record)

    def hold(self, record: object, lock: Lock) -> None:
        """Hold the lock of one of the records against the policy.

        Raises:
            AnswerIsNoError: it does not allow a base.

        """
        judgement.hold_bases(self.of(record), lock, self.policy)


def gather(
    text: str,
    policy: Policy,
    *,
    root: Path,
    attestations: Iterable[Path] = (),
    offline: bool = False,
    cache: Cache,
    progress: Progress = SILENT,
) -> Trusted:
    """Find what is signed about an image, in files and beside it in its registry.

    Args:
        text: an image as `images.parse` reads it.
        policy: whose signatures count, and what is allowed.
        root: the project's folder.
        attestations: files with signed statements, as `attest --output` writes them.
        offline: ask no registry.
        cache: where what registries and engines give is put.
        progress: told what happens.

    Raises:
        UsageError: there is no such file, or nowhere to look.
        UntrustedError: nothing that is signed counts, or a bill of materials is not signed that has to be.
        AnswerIsNoError: the policy allows none of it.
        NetworkError: the registry does not answer.

    """
    digest = recorded.asked(text, root, cache, offline=offline, progress=progress)
    claims = [_of_file(path) for path in attestations]
    repository = images.repository_of(text) or recording.settings_of(root).repository
    with ExitStack() as stack:
        locks: Mapping[Digest, bytes] = {}
        if repository is None or offline:
            if not claims:
                if repository is not None:
                    raise UsageError(
                        f"what is signed about {text} is in {repository}, and --offline asks nobody",
                        hint="leave --offline out, or give the signed file: --attestation FILE",
                    )
                raise UsageError(
                    f"nothing says where to look for what is signed about {text}",
                    hint="name the image in its registry, or give the signed file: --attestation FILE",
                )
            signed = judgement.verified(claims, digest, policy, offline=offline, progress=progress)
            fine = judgement.allowed(signed, policy)
            _hold_bills(fine[0], digest, policy, lambda _: claims, offline=offline, progress=progress)
        else:
            from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy

            registries = stack.enter_context(Registries(progress=progress))
            at = Reference.parse(f"{repository}@{digest}")
            files_given = tuple(claims)
            claims += attached.found(at, registries=registries)
            signed = judgement.verified(claims, digest, policy, offline=offline, progress=progress)
            fine = judgement.allowed(signed, policy)

            def of_image(manifest: Digest) -> Sequence[Found]:
                if manifest == digest:
                    return claims
                return (*files_given, *attached.found(at.at(manifest), registries=registries))

            _hold_bills(fine[0], digest, policy, of_image, offline=offline, progress=progress)
            wanted = [kept.digest for one in signed for kept in one.record.source.lock.values()]
            locks = attached.locks(at, wanted, registries=registries)
    return Trusted(digest, policy, fine, locks)


def _hold_bills(
    signed: Signed,
    digest: Digest,
    policy: Policy,
    found: Callable[[Digest], Sequence[Found]],
    *,
    offline: bool,
    progress: Progress,
) -> None:
    """Hold that the images that were asked for have signed bills of materials, where the policy says so."""
    if policy.sbom is None:
        return
    record = signed.record
    lock = record.source.lock.get(lockfile.NAME)
    asked = [one for one in record.manifests if digest in {one.manifest, one.config}] or record.manifests
    for image in asked:
        statements, refused = counted.those_of(
            found(image.manifest), policy, offline=offline, progress=progress
        )
        bills.required(
            statements, refused, image.manifest, None if lock is None else lock.digest, policy.sbom
        )


@dataclass(frozen=True, slots=True)
class TrustOutcome:
    """What `check` found.

    Attributes:
        digest: of the image.
        signed: the build that the policy allows.

    """

    digest: Digest
    signed: Signed


def check(
    text: str,
    policy: Policy,
    *,
    root: Path,
    attestations: Sequence[Path] = (),
    offline: bool = False,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> TrustOutcome:
    """Hold an image against a policy without building anything; as `gather`, and the lock's bases as well.

    Raises:
        UsageError: the lock is needed and nowhere to be had.

    """
    cache = cache or Cache.open()
    trusted = gather(
        text,
        policy,
        root=root,
        attestations=attestations,
        offline=offline,
        cache=cache,
        progress=progress,
    )
    newest = trusted.signed[0]
    if policy.bases is not None:
        trusted.hold(newest.record, _lock(newest, trusted, root, cache, progress))
    return TrustOutcome(trusted.digest, newest)


def unsigned(store: RecordStore, trusted: Trusted) -> Iterator[str]:
    """Tell, a sentence each, of records on this machine that claim to be of the image and are not signed."""
    try:
        found = store.find(trusted.digest)
    except EnvfreezeError as error:
        yield f"a record here was not used: {error.message}"
        return
    for record in found:
        if all(record != one.record for one in trusted.signed):
            origin = record.commit or "no commit"
            yield f"a record of {trusted.digest}, made {record.at} from {origin}, is not signed: not used"


def _lock(signed: Signed, trusted: Trusted, root: Path, cache: Cache, progress: Progress) -> Lock:
    record = signed.record
    at_hand = {name: trusted.locks.get(kept.digest) for name, kept in record.source.lock.items()}
    content = {name: one for name, one in at_hand.items() if one is not None}
    if len(content) == len(at_hand):
        return files.parse(content)
    with recording.opened(root, offline=True, progress=progress) as store, cache.scratch() as scratch:
        return files.read(store.restore(record, scratch / "checkout"))


def _of_file(path: Path) -> Found:
    try:
        with path.open("rb") as file:
            return Found(str(path), file.read(canonical.LIMIT + 1))
    except FileNotFoundError:
        raise UsageError(f"there is no {path}") from None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error
