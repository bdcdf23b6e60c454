"""What a platform's first stage begins with: the layers of an assembled base, or an image by its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines import native
from envfreeze.engines.dockerfile import conda as explicit
from envfreeze.engines.native.base import Base
from envfreeze.errors import UsageError
from envfreeze.layers.plan import plan
from envfreeze.oci import canonical
from envfreeze.oci.reference import Reference
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envfreeze.engines.dockerfile.means import Means
    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.locking.model import ImageBase, Target

_ROOT = {"", "0", "root", "0:0", "root:root"}


@dataclass(frozen=True, slots=True)
class BasePart:
    """The base of a platform.

    Attributes:
        image: reference with tag and digest; None: it is assembled from `layers`.
        named: what the project calls it: `apt:debian/trixie`, or a reference.
        packages: how many OS packages the layers are made of.
        layers: the layers of an assembled base, paths in the folder, lowest first.
        python: the layer of a Python that is no package, likewise.
        release: what that Python is, `3.12.13+20260807`; None: there is none.
        conda: layers of conda packages, likewise.
        conda_packages: how many packages these are made of.
        user: who the image's own config says that it runs as, where that is not root.
        config: the image's config; None without an image.
        notes: what the user should know.

    """

    image: str | None
    named: str
    packages: int
    layers: tuple[str, ...]
    python: tuple[str, ...]
    release: str | None
    conda: tuple[str, ...]
    conda_packages: int
    user: str | None
    config: bytes | None
    notes: tuple[str, ...]


def write(target: Target, means: Means, staged: Staged) -> BasePart:
    """Put a target's base, and the layers of its conda packages, into the folder.

    Raises:
        UsageError: the base triggers builds of its own.
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact is not what was locked.

    """
    config = None if target.image is None else _config(target.image, means)
    settings = {} if config is None else canonical.parse(config, "the config of the base").get("config") or {}
    _check_triggers(target.image, settings)
    layers, notes = _layers(target, means, staged)
    if target.conda:
        staged.text(f"{target.platform.slug}/{explicit.NAME}", explicit.explicit(target))
    user = settings.get("User") or ""
    return BasePart(
        image=None if target.image is None else _reference(target.image),
        named=target.base.reference if target.image is None else target.image.reference,
        packages=len(target.base.packages),
        layers=layers["base"],
        python=layers["python"],
        release=None if target.standalone is None else target.standalone.release,
        conda=layers["conda"],
        conda_packages=len(target.conda),
        user=None if user in _ROOT else user,
        config=config,
        notes=notes,
    )


def _reference(image: ImageBase) -> str:
    """The image where it is asked for first, its tag for people and its digest for the builder."""
    tag = Reference.parse(image.reference).tag
    return f"{image.places[0]}{'' if tag is None else f':{tag}'}@{image.manifest}"


def _config(image: ImageBase, means: Means) -> bytes:
    base = Base(image, cache=means.cache, offline=means.offline, progress=means.progress, trusting=True)
    return base.obtain(lean=True)[1]


def _check_triggers(image: ImageBase | None, settings: Mapping[str, Any]) -> None:
    if image is not None and settings.get("OnBuild"):
        raise UsageError(
            f"[image] base: {image.reference} runs steps of its own in every build upon it (ONBUILD)",
            hint="choose another base, or leave them out with the native engine: `envfreeze build`",
        )


def _layers(
    target: Target, means: Means, staged: Staged
) -> tuple[Mapping[str, tuple[str, ...]], tuple[str, ...]]:
    """Make the layers that are added as they are: those of the native engine, to the byte.

    Gives their paths in the folder by what they are (`base`, `python`, `conda`), and what was found in them.
    """
    alone = replace(target, wheels=(), layers=(), manifest=None)
    if target.image is not None:
        # Its OS packages are installed by its own dpkg.
        alone = replace(alone, base=replace(target.base, packages=()))
    alone = replace(alone, layers=plan(alone))
    paths: dict[str, list[str]] = {"base": [], "python": [], "conda": []}
    if target.image is not None and not target.conda and target.standalone is None:
        return dict.fromkeys(paths, ()), ()
    runtime = replace(means.lock.runtime, include=(), user=None)
    made = native.assemble(
        replace(means.lock, targets=(alone,), runtime=runtime),
        root=means.project.root,
        cache=means.cache,
        progress=means.progress,
        offline=means.offline,
        authenticate=means.authenticate,
        lean=True,
    )
    (image,) = made.images
    own = image.image.layers[len(image.image.layers) - len(alone.layers) :]
    for planned, layer in zip(alone.layers, own, strict=True):
        # Without conda the environment is made where its packages are installed.
        kind = "conda" if planned.kind == "environment" else planned.kind
        if kind == "conda" and not target.conda:
            continue
        kind = kind if kind in paths else "base"
        name = f"{target.platform.slug}/{kind}/{planned.name}.tar.gz"
        staged.artifact(name, means.cache.layout.blob(layer.digest), layer.digest, layer.size)
        paths[kind].append(name)
    return {kind: tuple(found) for kind, found in paths.items()}, made.notes
