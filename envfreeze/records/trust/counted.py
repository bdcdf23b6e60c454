"""Whose signatures count: what claims to be signed, against the keys and identities of a policy.

Envelopes and bundles of the same statement count together, so that two who sign one after the other are two
signatures. Each bundle has one signer, an envelope may have several.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.progress import SILENT
from envfreeze.records.trust import bundle as bundles
from envfreeze.records.trust import envelope as envelopes
from envfreeze.records.trust import roots, sigstore_library
from envfreeze.records.trust.identities import Certified
from envfreeze.records.trust.keys import PublicKey
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sigstore.models import TrustedRoot

    from envfreeze.progress import Progress
    from envfreeze.records.trust.attached import Found
    from envfreeze.records.trust.identities import Identity
    from envfreeze.records.trust.policy import Policy

Signer: TypeAlias = PublicKey | Certified
"""Who has signed."""

_Entry: TypeAlias = str | tuple[str, str]
"""An entry of a policy: a key's id, or the patterns of an identity."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A statement that as many have signed as a policy asks.

    Attributes:
        payload: the statement.
        signers: those whose signatures count, keys first, each as the policy has them.
        where: where it was found first.

    """

    payload: bytes
    signers: tuple[Signer, ...]
    where: str


def those_of(
    found: Iterable[Found], policy: Policy, *, offline: bool = False, progress: Progress = SILENT
) -> tuple[list[Counted], list[str]]:
    """Take the statements that count, and say of the rest why they do not, a sentence each.

    Args:
        found: what claims to be signed.
        policy: whose signatures count, and how many.
        offline: ask nobody for the public instance's root of trust.
        progress: is warned of what was not as it should be.

    Raises:
        UsageError: the policy's trusted root is none.
        NetworkError: the public instance's cannot be had.
        MachineError: there is no library to verify bundles with.

    """
    reader = _Reader(policy, offline, progress)
    signers: dict[bytes, dict[_Entry, Signer]] = {}
    where: dict[bytes, str] = {}
    refused: list[str] = []
    for one in found:
        try:
            payload, by = reader.read(one)
        except UntrustedError as error:
            refused.append(error.message)
            continue
        where.setdefault(payload, one.where)
        signers.setdefault(payload, {}).update(by)
    good = []
    order: list[_Entry] = [*(key.id for key in policy.keys), *map(_entry, policy.identities)]
    for payload, by in signers.items():
        in_order = tuple(by[entry] for entry in order if entry in by)
        if len(in_order) >= policy.signatures:
            good.append(Counted(payload, in_order, where[payload]))
            continue
        who = ", ".join(map(str, in_order)) or "nobody"
        refused.append(
            f"{where[payload]}: of those who may sign {who} has signed what is in it, and "
            f"{policy.signatures} must have"
        )
    return good, refused


def _entry(identity: Identity) -> tuple[str, str]:
    return identity.issuer, identity.subject


class _Reader:
    def __init__(self, policy: Policy, offline: bool, progress: Progress) -> None:
        self._policy, self._offline, self._progress = policy, offline, progress

    def read(self, one: Found) -> tuple[bytes, dict[_Entry, Signer]]:
        """Give what is signed, and by whom of the policy.

        Raises:
            UntrustedError: it is damaged, or a bundle that does not count.

        """
        if one.damage:
            raise UntrustedError(f"{one.where}: {one.damage}")
        document = canonical.parse(one.content, one.where)
        envelope = bundles.envelope_of(document) if bundles.is_bundle(document) else document
        if envelope is None:
            return self._bundle(one)
        read = envelopes.of_document(envelope, one.where)
        return read.payload, {key.id: key for key in envelopes.signers(read, self._policy.keys)}

    def _bundle(self, one: Found) -> tuple[bytes, dict[_Entry, Signer]]:
        if not self._policy.identities:
            raise UntrustedError(f"{one.where} is signed by an identity, and the policy names keys alone")
        with sigstore_library.told(self._progress):
            read = bundles.verify(one.content, self._root, one.where)
        for identity in self._policy.identities:
            if identity.fits(read.signer):
                return read.payload, {_entry(identity): replace(read.signer, name=identity.name)}
        raise UntrustedError(f"{one.where} is signed by {read.signer}, whom the policy does not name")

    @cached_property
    def _root(self) -> TrustedRoot:
        if self._policy.trusted_root is not None:
            return roots.read_root(self._policy.trusted_root)
        return roots.public(offline=self._offline).trusted_root
