"""`attest`: sign the record of an image, and attach what was signed to it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, MachineError, UntrustedError, UsageError
from envfreeze.locking import files
from envfreeze.oci import staging
from envfreeze.oci.reference import Reference
from envfreeze.progress import SILENT
from envfreeze.records import statement
from envfreeze.records.git import Repository
from envfreeze.records.trust import attached, provenance, signing
from envfreeze.records.trust.bundle import Bundle
from envfreeze.records.trust.keyless import Keyless
from envfreeze.records.trust.keys import read_private
from envfreeze.records.trust.source import address_of
from envfreeze.store.cache import Cache
from envfreeze.verbs import images, recorded, recording

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.progress import Progress
    from envfreeze.records.model import Record
    from envfreeze.records.store import RecordStore
    from envfreeze.records.trust.identities import Certified
    from envfreeze.records.trust.signing import Made, Who


@dataclass(frozen=True, slots=True)
class AttestOutcome:
    """What `attest` made.

    Attributes:
        digest: the `Record.digest` of the build that was signed.
        subjects: the images that the signature is about.
        keyid: who signed: the sha256 of the public key; None: an identity did.
        repository: registry and repository that has it; None: none has.
        output: the file that has it; None: none has.
        record: what was signed.
        identity: who signed, as the certificate says; None: a key did.

    """

    digest: Digest
    subjects: tuple[Digest, ...]
    keyid: str | None
    repository: str | None
    output: Path | None
    record: Record
    identity: Certified | None = None


def attest(
    image: Digest | str,
    *,
    key: str | Who,
    root: Path,
    output: Path | None = None,
    builder: str = provenance.BUILDER,
    record: Record | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> AttestOutcome:
    """Sign the provenance of an image that was built here.

    Only records on this machine are signed: one that lies beside an image was left there by whoever may push.

    Args:
        image: an image as `images.parse` reads it; one in a registry gets the signed statement attached.
        key: the private key, as `keys.read_private` reads it, or whoever signs without one.
        root: the project's folder.
        output: a file for the signed statement.
        builder: URI of the platform that built, SLSA's `builder.id`.
        record: of the build, which has just ended; None: the newest one on this machine.
        cache: None: the user's.
        progress: told what happens.

    Raises:
        UsageError: there is no such key, identity or record, nowhere to put what was signed, or `builder` is
            no URI.
        UntrustedError: the record or the lock is damaged, the key's password is another, or what Sigstore's
            servers gave does not verify.
        NetworkError: the registry does not have the image, or does not take this; Sigstore's servers do not
            sign.
        MachineError: the file cannot be written.

    """
    if not builder.isprintable():  # above all what is no Unicode, which no statement can hold
        raise UsageError(f"--builder-id {builder!r} is no URI", hint="https://ci.example.org/team, say")
    who = read_private(key, progress=progress) if isinstance(key, str) else key
    if isinstance(who, Keyless):
        who.check()
    text = str(image)
    repository = images.repository_of(text)
    if repository is None and output is None:
        raise UsageError(
            f"{text} is in no registry, so nothing can be attached to it",
            hint="name it where it was pushed to, or write what is signed to a file: --output FILE",
        )
    cache = cache or Cache.open()
    with ExitStack() as stack:
        store = stack.enter_context(recording.opened(root, offline=True, progress=progress))
        digest = recorded.asked(text, root, cache, offline=False, progress=progress)
        chosen = record or _record(digest, store, root)
        scratch = stack.enter_context(cache.scratch())
        lock_files = _lock_files(chosen, root, store, scratch)
        made = provenance.of_build(
            chosen, files.parse(lock_files), source=_address(root, chosen), builder=builder
        )
        about = tuple(statement.subjects(chosen))
        signed: Made | None = None
        if repository is not None:
            from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy

            registries = stack.enter_context(Registries(progress=progress))
            at = Reference.parse(f"{repository}@{chosen.digest}")
            there = attached.found(at, registries=registries)
            signed = signing.signed_before(made, who, there, progress)
        signed = signed or signing.sign(made, who, progress)
        if repository is not None:
            content = [lock_files[name] for name in sorted(chosen.source.lock)]
            attached.put(at, about, signed, content, registries=registries, cache=cache, progress=progress)
        if output is not None:
            _write(output, signed.render())
    identity = signed.signer if isinstance(signed, Bundle) else None
    keyid = None if isinstance(who, Keyless) else who.public.id
    return AttestOutcome(chosen.digest, about, keyid, repository, output, chosen, identity)


def _record(digest: Digest, store: RecordStore, root: Path) -> Record:
    found = store.find(digest)
    if not found:
        raise UsageError(
            f"no record of {digest} on this machine, in {root}",
            hint="sign where it was built, with envfreeze build --push REF --sign-key KEY, or bring the "
            "records here: envfreeze records fetch",
        )
    return found[0]


def _lock_files(record: Record, root: Path, store: RecordStore, scratch: Path) -> Mapping[str, bytes]:
    """The recorded lock files: those in the folder where they are still the same, else restored ones."""
    try:
        here = files.read_bytes(root)
    except EnvfreezeError:
        here = {}
    if _are(here, record):
        return here
    restored = files.read_bytes(store.restore(record, scratch / "checkout"))
    if not _are(restored, record):
        raise UntrustedError(f"the lock that was restored is not the one that {record.digest} was built from")
    return restored


def _are(lock_files: Mapping[str, bytes], record: Record) -> bool:
    return {name: Digest.of(content) for name, content in lock_files.items()} == {
        name: kept.digest for name, kept in record.source.lock.items()
    }


def _address(root: Path, record: Record) -> str | None:
    repository = None if record.source.commit is None else Repository.find(root)
    return None if repository is None else address_of(repository)


def _write(path: Path, content: bytes) -> None:
    try:
        with staging.file(path.absolute()) as file:
            file.write(content)
    except OSError as error:
        raise MachineError(f"{path} cannot be written: {error.strerror}") from error
