"""A Release file: who signed it, what it is, how old it is, and the digests of the indexes it covers.

Format: https://wiki.debian.org/DebianRepository/Format, "Release" files. Only what `verify` returns, the
content that the signature covers, is ever parsed. Nothing here reads a file, a clock or the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.apt import keyring as keyrings

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pysequoia

NAMES = ("Suite", "Codename")
"""The fields that say what an index is of."""

CLOCK_SKEW = timedelta(days=1)
"""How far in the future an index may be dated, for clocks that are wrong."""

_SHA256_COLUMNS = 3


@dataclass(frozen=True, slots=True)
class IndexFile:
    """What a Release file says of an index: its digest and its size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Release:
    """What a Release file says.

    Attributes:
        names: its `Suite` and its `Codename`, where it has them, by field.
        date: when it was made.
        valid_until: when it expires; None: never.
        by_hash: indexes can be fetched by digest.
        lists_all: packages for all architectures have an index of their own, `binary-all`, and are not in
            that of each architecture.
        automatic: its versions are preferred because they are newer; False for backports and
            experimental, which are taken only where no other index has the package.
        files: path under the suite's folder to digest and size.

    """

    names: Mapping[str, str]
    date: datetime
    valid_until: datetime | None
    by_hash: bool
    lists_all: bool
    automatic: bool
    files: Mapping[str, IndexFile]


def verify(
    document: bytes,
    keyring: bytes,
    *,
    where: str,
    signature: bytes | None = None,
    now: datetime | None = None,
) -> bytes:
    """Check the signature of a Release file and return the content that it covers.

    Args:
        document: an InRelease file, which is a clear-signed OpenPGP message; with `signature` a Release file.
        keyring: OpenPGP certificates, binary or armoured, one of which has to have signed it.
        where: the file's place, for messages.
        signature: the content of Release.gpg, detached signatures, binary or armoured; one has to be valid.
        now: the present moment; certificates that have expired by then do not count. None: all count.

    Raises:
        UntrustedError: it is not signed, or not by any of the certificates, or was changed since.
        UsageError: the keyring is none.

    """
    certificates = keyrings.certificates(keyring, where=f"the keyring for {where}")
    expired = [] if now is None else [one for one in certificates if one.expiration and one.expiration < now]
    asked: list[str] = []
    live = [one for one in certificates if one not in expired]
    content = _covered(document, signature, live, asked, where)
    if content is not None:
        return content
    for one in expired:
        if one.expiration and _covered(document, signature, [one], [], where) is not None:
            raise UntrustedError(
                f"{where} is signed by {one.fingerprint.upper()}, which expired on {iso(one.expiration)}",
                hint="get the archive's present key; --allow-stale-index accepts the old one",
            )
    signers = ", ".join(dict.fromkeys(key.upper() for key in asked))
    known = ", ".join(one.fingerprint.upper() for one in certificates)
    named = f" (it names {signers})" if signers else ""
    raise UntrustedError(
        f"{where} has no valid signature of a key of this archive{named}",
        hint="the file was changed, or is another archive's, or its key is another one now: use another "
        "mirror, or get the archive's key from its publisher",
        details=(f"the keyring has {known}",),
    )


def _covered(
    document: bytes,
    signature: bytes | None,
    certificates: list[pysequoia.Cert],
    asked: list[str],
    where: str,
) -> bytes | None:
    """Return what is signed, None where no certificate signed it; `asked` gets the keys that did."""
    import pysequoia  # noqa: PLC0415 - heavy

    def store(key_ids: list[str]) -> list[pysequoia.Cert]:
        asked.extend(key_ids)
        return certificates

    if signature is None:
        if b"-----BEGIN PGP SIGNED MESSAGE-----" not in document:
            raise UntrustedError(
                f"{where} is not signed",
                hint="it may be another server's error page; check [image] mirror and the host's apt sources",
            )
        try:
            result = pysequoia.verify(bytes=document, store=store)
        except (RuntimeError, ValueError):
            return None
        content: bytes | None = result.bytes
        return content if result.valid_sigs and content else None
    for one in _signatures(signature, where):
        try:
            if pysequoia.verify(bytes=document, store=store, signature=one).valid_sigs:
                return document
        except (RuntimeError, ValueError):
            continue
    return None


def _signatures(data: bytes, where: str) -> list[pysequoia.Sig]:
    import pysequoia  # noqa: PLC0415 - heavy

    try:
        packets = list(pysequoia.packet.PacketPile.from_bytes(keyrings.binary(data, where=f"{where}.gpg")))
        return [pysequoia.Sig.from_bytes(bytes(packet)) for packet in packets]
    except (RuntimeError, ValueError, UsageError):
        raise UntrustedError(
            f"{where}.gpg is not an OpenPGP signature",
            hint="it may be another server's error page; check the archive's address",
        ) from None


def parse(content: bytes, *, where: str) -> Release:
    """Read the content of a Release file.

    Raises:
        UntrustedError: a needed field is missing or cannot be read.

    """
    from debian.deb822 import Deb822  # noqa: PLC0415 - heavy

    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UntrustedError(f"{where} is not UTF-8") from None
    fields = Deb822(text)
    if "Date" not in fields:
        raise UntrustedError(f"{where} has no Date, so its age cannot be told")
    if "SHA256" not in fields:
        raise UntrustedError(f"{where} has no SHA256 digests")
    until = fields.get("Valid-Until")
    return Release(
        names={field: fields[field] for field in NAMES if fields.get(field)},
        date=_moment(fields["Date"], field="Date", where=where),
        valid_until=_moment(until, field="Valid-Until", where=where) if until else None,
        by_hash=fields.get("Acquire-By-Hash", "").lower() == "yes",
        lists_all="all" in fields.get("Architectures", "").split()
        and "Packages" not in fields.get("No-Support-for-Architecture-all", "").split(),
        automatic=fields.get("NotAutomatic", "").lower() != "yes",
        files=_files(fields["SHA256"], where=where),
    )


def check(
    release: Release,
    *,
    suite: str,
    named_in: Collection[str] = NAMES,
    now: datetime,
    locked: datetime | None,
    allow_stale: bool,
    where: str,
) -> None:
    """Refuse a Release file that is not the one asked for, or not of this time.

    Args:
        release: the file's content.
        suite: the suite asked for. A signature alone does not tell one suite of an archive from another.
        named_in: the fields of which one has to name it; none: an archive without suites has no name for it
            to have. Debian's `Suite` changes when a release becomes
            oldstable; Ubuntu's updates and security suites have the `Codename` of the release itself.
        now: the present moment.
        locked: date of the index that was locked before; an older one would undo security updates.
        allow_stale: accept an index that has expired or is older than the locked one.
        where: the file's place, for messages.

    Raises:
        UntrustedError: it is refused.

    """
    if named_in and suite not in (release.names.get(field) for field in named_in):
        named = ", ".join(f"{field}: {value}" for field, value in release.names.items()) or "no suite at all"
        raise UntrustedError(
            f"{where} names {named}, but {suite} was asked for",
            hint="the mirror serves another suite in its place; use another, or check the suite's name",
        )
    if release.date > now + CLOCK_SKEW:
        raise UntrustedError(
            f"{where} is dated {iso(release.date)}, in the future",
            hint=f"this machine's clock says {iso(now)}; set it right, or use another mirror",
        )
    if allow_stale:
        return
    if release.valid_until is not None and release.valid_until < now:
        raise UntrustedError(
            f"{where} expired on {iso(release.valid_until)}",
            hint="use a mirror that is up to date; --allow-stale-index accepts it",
        )
    if locked is not None and release.date < locked:
        raise UntrustedError(
            f"{where} of {iso(release.date)} is older than the locked one of {iso(locked)}",
            hint="the mirror is behind or was rolled back; --allow-stale-index accepts it",
        )


def iso(moment: datetime) -> str:
    """Write a moment as the lock has it: `2026-09-12T07:55:41Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str, *, field: str, where: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        raise UntrustedError(f"{where}: cannot read {field}: {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _files(table: str, *, where: str) -> dict[str, IndexFile]:
    files = {}
    for line in table.splitlines():
        columns = line.split()
        if not columns:
            continue
        if len(columns) != _SHA256_COLUMNS or not columns[1].isdecimal():
            raise UntrustedError(f"{where}: cannot read a line of SHA256: {line.strip()!r}")
        try:
            digest = Digest.parse(columns[0])
        except ValueError as error:
            raise UntrustedError(f"{where}: cannot read a line of SHA256: {error}") from None
        # Flat archives write `./Packages`.
        files[columns[2].removeprefix("./")] = IndexFile(digest, int(columns[1]))
    return files
