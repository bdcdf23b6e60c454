"""Signed builds against a policy: first whether what is signed counts, then whether the build is allowed.

The first is a matter of trust (`UntrustedError`), the second one of the answer (`AnswerIsNoError`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import AnswerIsNoError, UntrustedError
from envfreeze.oci.reference import full
from envfreeze.progress import SILENT
from envfreeze.records.trust import bills, counted, provenance
from envfreeze.records.trust.patterns import allows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record
    from envfreeze.records.trust.attached import Found
    from envfreeze.records.trust.counted import Counted, Signer
    from envfreeze.records.trust.policy import Policy


@dataclass(frozen=True, slots=True)
class Signed:
    """A build that those who may sign have signed.

    Attributes:
        record: of the build, as it was signed.
        builder: SLSA's `builder.id`, as it was signed.
        source: the repository's address, as it was signed; None: none was.
        signers: who has signed, keys first, each as the policy has them.
        where: where what was signed was found.

    """

    record: Record
    builder: str
    source: str | None
    signers: tuple[Signer, ...]
    where: str


def verified(
    found: Iterable[Found],
    digest: Digest,
    policy: Policy,
    *,
    offline: bool = False,
    progress: Progress = SILENT,
) -> tuple[Signed, ...]:
    """Take what is signed as the policy asks and about this image, newest first.

    Args:
        found: what claims to be signed.
        digest: of the image's manifest or index, or of its config.
        policy: whose signatures count, and how many.
        offline: ask nobody for the public instance's root of trust.
        progress: is warned of what was not as it should be.

    Raises:
        UntrustedError: nothing is; the details say for each why not.
        UsageError: the policy's trusted root is none.
        NetworkError: the public instance's cannot be had.
        MachineError: there is no library to verify bundles with.

    """
    statements, refused = counted.those_of(found, policy, offline=offline, progress=progress)
    good: list[Signed] = []
    for one in statements:
        if bills.is_bill(one.payload):
            continue
        try:
            good.append(_verified(one, digest))
        except UntrustedError as error:
            refused.append(error.message)
    if not good:
        what = "nothing that is attached to it counts" if refused else "nothing signed is attached to it"
        hint = (
            ""
            if refused
            else "sign it where it was built: envfreeze attest IMAGE --key KEY, or --keyless in a CI"
        )
        raise UntrustedError(f"{digest} is not trusted: {what}", hint=hint, details=tuple(refused))
    return tuple(sorted(good, key=lambda one: one.record.at, reverse=True))


def _verified(one: Counted, digest: Digest) -> Signed:
    record, builder, source = provenance.parse(one.payload, one.where)
    if not record.names(digest):
        raise UntrustedError(f"{one.where} is signed, and about {record.digest}: it belongs to another image")
    return Signed(record, builder, source, one.signers, one.where)


def allowed(signed: Sequence[Signed], policy: Policy) -> tuple[Signed, ...]:
    """Take the builds that a policy allows, as far as their records say.

    Raises:
        AnswerIsNoError: it allows none; the details say why not of the newest.

    """
    fine = tuple(one for one in signed if not any(True for _ in _against(one, policy)))
    if not fine:
        raise _no(signed[0], list(_against(signed[0], policy)))
    return fine


def hold_bases(signed: Signed, lock: Lock, policy: Policy) -> None:
    """Hold the bases of a signed build's lock against a policy.

    Raises:
        AnswerIsNoError: it does not allow one of them.

    """
    if policy.bases is None:
        return
    findings = []
    for target in lock.targets:
        image = target.image
        names = [target.base.reference] if image is None else [image.reference, full(image.reference)]
        if image is not None:
            names += [str(one) for one in (image.manifest, image.index) if one is not None]
            names += [f"{full(image.reference)}@{image.manifest}", f"{image.reference}@{image.manifest}"]
        if not any(allows(policy.bases, name) for name in names):
            findings.append(f"the base of {target.platform} is {names[0]}, which is not among bases")
    if findings:
        raise _no(signed, findings)


def _against(signed: Signed, policy: Policy) -> Iterator[str]:
    record = signed.record
    source = record.source
    if not policy.dirty and (source.dirty or source.commit is None):
        what = "files that were not committed" if source.commit else "a folder, and no commit"
        yield f"it was built from {what} (dirty = false)"
    if policy.engines is not None and record.engine not in policy.engines:
        yield f"it was built by the engine {record.engine}, which is not among engines"
    if policy.builders is not None and not allows(policy.builders, signed.builder):
        yield f"it was built on {signed.builder}, which is not among builders"
    if policy.sources is not None and not allows(policy.sources, signed.source or ""):
        yield f"its source is {signed.source or 'not stated'}, which is not among sources"
    if not policy.ready_made and record.reused:
        yield f"{len(record.reused)} layers were taken ready-made (ready-made = false)"


def _no(signed: Signed, findings: list[str]) -> AnswerIsNoError:
    return AnswerIsNoError(
        f"the policy does not allow {signed.record.digest}: {findings[0]}",
        details=tuple(findings[1:]),
        hint="build it as the policy asks, or change the policy",
    )
