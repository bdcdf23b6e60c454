"""`Record`: which image was built from which commit and which lock, in values.

Values only: how a record is written as a line is in `lines`, where the lines live in `store`. A record
names no host, no user, no folder of a machine and no secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.digest import Digest
    from envfreeze.oci.platform import Platform

SCHEMA = 1
"""The version of the lines' format (docs/formats/record-1.md)."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file whose bytes can be had again.

    Attributes:
        digest: sha256 of its bytes.
        blob: id of the git object that holds them; None outside git.

    """

    digest: Digest
    blob: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a build started from.

    Attributes:
        commit: the commit checked out then, 40 or 64 hexadecimal characters; None outside git and before
            the first commit.
        project: path of the project's folder inside the repository, POSIX, `.` for its root.
        dirty: tracked or included files were not as in the commit.
        patch: what leads from the commit to those files, as `git apply` reads it; None where nothing does.
        lock: name of each lock file to its bytes.
        included: `included.digest_of` over the project files that go into the image; None where none do.

    """

    commit: str | None
    project: str
    dirty: bool
    patch: KeptFile | None
    lock: Mapping[str, KeptFile]
    included: Digest | None


@dataclass(frozen=True, slots=True)
class RecordedLayer:
    """A layer: digest of the blob and digest of its tar."""

    digest: Digest
    diff_id: Digest


@dataclass(frozen=True, slots=True)
class RecordedImage:
    """The image of one platform, its layers in the order of the image."""

    platform: Platform
    manifest: Digest
    config: Digest
    layers: tuple[RecordedLayer, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One build.

    Attributes:
        at: when it ended, UTC, `2026-09-12T07:55:41Z`.
        engine: `native`, `docker`, `podman` or `buildah`.
        engine_version: of the envfreeze that built.
        writer: the version of the byte rules that the image follows.
        digest: what the build printed: of the index where there are several platforms, else of the manifest.
        manifests: the image of each platform, in the order of the index.
        source: what it was built from.
        reused: digests of layers that were taken ready-made instead of built from their artifacts, sorted.
        tools: the programs that the engine is, each with its version: `{"docker": "28.5.2"}`; empty for
            `native`.

    """

    at: str
    engine: str
    engine_version: str
    writer: int
    digest: Digest
    manifests: tuple[RecordedImage, ...]
    source: Snapshot
    reused: tuple[Digest, ...] = ()
    tools: Mapping[str, str] = field(default_factory=dict)

    @property
    def commit(self) -> str | None:
        """The commit that was built, as `Snapshot.commit`."""
        return self.source.commit

    def names(self, digest: Digest) -> bool:
        """Whether the digest is that of this build's index, or of a manifest or a config in it."""
        return digest == self.digest or any(
            digest in (image.manifest, image.config) for image in self.manifests
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of one `envfreeze verify`.

    Attributes:
        at: when it ended, as in `Record`.
        version: of the envfreeze that verified.
        digest: the `Record.digest` of the build that was repeated.
        level: `identical`, `layers`, `tree`, `packages` or `different`.
        commit: `Snapshot.commit` of the build.

    """

    at: str
    version: str
    digest: Digest
    level: str
    commit: str | None


def moment(when: datetime | None = None) -> str:
    """Write a moment (now, where None) as records do, UTC in whole seconds."""
    return (when or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
