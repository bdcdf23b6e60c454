"""`base = "cuda"`: the base that a stack needs, chosen from what was locked (gpu-rules R7 and R8).

Wheels that bring CUDA need none of NVIDIA's images: then it is a plain base. Packages that use the system's
libraries get the image that has them, of the CUDA that they and the machines of the project agree on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from envfreeze.errors import ResolutionError
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.gpu.flavour import Tag
    from envfreeze.gpu.model import Stack, Version
    from envfreeze.gpu.needs import CudaNeed
    from envfreeze.gpu.tables import Tables
    from envfreeze.locking.model import Target
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish

CUDA: Final = "cuda"
"""What `[image] base` says to have it chosen."""

PLAIN: Final = "apt:debian/trixie"
"""The base of a stack that needs no CUDA of the system's."""

REPOSITORY: Final = "nvidia/cuda"

_MAJOR = re.compile(r"-cuda([0-9]{2})x?$|-cu([0-9]{2})$")
_PYTHONS: Final = {"3.12": "ubuntu24.04", "3.10": "ubuntu22.04", "3.8": "ubuntu20.04"}
"""The Ubuntu that has a Python: packages.ubuntu.com, python3 of noble, jammy and focal."""


def asked(project: Project) -> bool:
    """Whether the base is to be chosen."""
    return project.image.base == CUDA


def settled(project: Project, target: Target) -> Project:
    """The project with the base that was chosen for a locked target."""
    return _on(project, _reference(target)) if asked(project) else project


def resolved(
    project: Project,
    platform: Platform,
    last: Target | None,
    wish: Wish,
    resolve: Callable[[Project, Platform, Target | None, Wish], Target],
) -> Target:
    """Resolve a target on the base that it turns out to need.

    Args:
        project: what asks.
        platform: of the image.
        last: what was locked before; its base is where the search begins.
        wish: what may move, and what may be used.
        resolve: resolves a target on a base that the project names.

    Raises:
        ResolutionError: there is no image with the CUDA that is needed.
        NetworkError: the registry cannot be asked.
        EnvfreezeError: as `resolve`.

    """
    reference = PLAIN if last is None or wish.upgrade else _reference(last)
    looking = replace(wish, review=False)
    seen: list[str] = []
    while reference not in seen:
        seen.append(reference)
        found = resolve(_on(project, reference), platform, last, looking)
        reference = _chosen(project, found, reference, wish)
    # With that base all is looked into; what was resolved on the way is in the caches.
    return resolve(_on(project, reference), platform, last, wish)


def _on(project: Project, reference: str) -> Project:
    return replace(project, image=replace(project.image, base=reference))


def _reference(target: Target) -> str:
    return target.base.reference if target.image is None else target.image.reference


def _chosen(project: Project, target: Target, reference: str, wish: Wish) -> str:
    from envfreeze.gpu import update  # noqa: PLC0415 - only where a base is chosen
    from envfreeze.gpu.flavour import candidates, library_path, saving  # noqa: PLC0415 - with it
    from envfreeze.locking.gpu import stack_of  # noqa: PLC0415 - with it

    known = update.current()
    # The base itself is what is looked for: it is no evidence.
    stack = stack_of(replace(target, image=None), tables=known)
    needed = _need(project, stack, target)
    need = needed.need
    where = f"{target.platform}: base"
    if need == "nothing":
        wish.progress.note(f"{where} {PLAIN}: {_why_plain(stack)}")
        for tag in candidates(stack, "runtime", tables=known, platform=str(target.platform))[:1]:
            if text := saving(stack, tag):
                wish.progress.note(f"{target.platform}: {text}")
        return PLAIN
    stack = _with_cuda(project, stack, known)
    tags = candidates(
        stack,
        need,
        os_preference=_systems(project),
        tables=known,
        available=None if wish.offline else _listed(project, wish),
        platform=str(target.platform),
    )
    if reference in {_named(tag) for tag in tags} and not wish.upgrade:
        return reference
    if not tags:
        raise ResolutionError(
            f"{where}: {REPOSITORY} has no {need} image of CUDA {stack.cuda} for {target.platform}",
            hint="name an image: `base` in [image]",
        )
    chosen = tags[0]
    wish.progress.note(f"{where} {_named(chosen)}: {'; '.join(needed.reasons)}")
    if chosen.end_of_life:
        wish.progress.warn(
            f"{where} {_named(chosen)} is no longer kept up, and such tags get deleted: copy it into a "
            "registry of your own"
        )
    if text := library_path(stack, chosen):
        wish.progress.warn(f"{target.platform}: {text}")
    return _named(chosen)


def _named(tag: Tag) -> str:
    return f"{REPOSITORY}:{tag.name}"


def _listed(project: Project, wish: Wish) -> tuple[str, ...]:
    from envfreeze.oci.registry import Registries, tags  # noqa: PLC0415 - only where one is asked

    with Registries(mirrors=project.mirrors, progress=wish.progress) as registries:
        return tags(REPOSITORY, registries=registries)


def _need(project: Project, stack: Stack, target: Target) -> CudaNeed:
    """What of the system's CUDA is needed: as the project says, else what no package brings."""
    from envfreeze.gpu.needs import CudaNeed, cuda_need  # noqa: PLC0415 - only where a base is chosen
    from envfreeze.locking.gpu import packages_of  # noqa: PLC0415 - with it

    flavour = None if project.gpu is None else project.gpu.flavour
    if flavour is not None:
        return CudaNeed(flavour, (f"[gpu] asks for flavour {flavour}",))
    return cuda_need(stack, packages_of(target))


def _with_cuda(project: Project, stack: Stack, known: Tables) -> Stack:
    """The stack with the CUDA that the base is to have, where no package says one.

    That of the framework's own builds where the tables know it, else the newest that the fleet's driver runs
    natively, of the major version that a package is built for.
    """
    if stack.cuda is not None:
        return stack
    own = {(package.name, package.version) for package in stack.frameworks}
    for lock in known.framework_locks:
        if lock.cuda is not None and (lock.framework, str(lock.version)) in own:
            return replace(stack, cuda=lock.cuda, toolkit=max(lock.toolkits, default=None))
    majors = {int(found[1] or found[2]) for one in stack.frameworks if (found := _MAJOR.search(one.name))}
    limit = _native(project, known)
    fitting = [
        row.cuda
        for row in known.cudarts
        if not row.end_of_life
        and (not majors or row.cuda.major in majors)
        and (limit is None or row.cuda.minor <= limit)
    ]
    if not fitting:
        return stack
    newest = max(fitting)
    return replace(stack, cuda=newest.minor, toolkit=newest)


def _native(project: Project, known: Tables) -> Version | None:
    if project.gpu is None or project.gpu.driver is None:
        return None
    from envfreeze.gpu.driver import supported  # noqa: PLC0415 - only where a driver is named
    from envfreeze.gpu.model import Machine, Version  # noqa: PLC0415 - with it

    return supported(Machine(driver=Version.parse(project.gpu.driver)), known).cuda


def _systems(project: Project) -> tuple[str, ...]:
    from envfreeze.gpu.flavour import SYSTEMS  # noqa: PLC0415 - only where a base is chosen

    first = _PYTHONS.get(project.image.python or "")
    return SYSTEMS if first is None else (first, *(system for system in SYSTEMS if system != first))


def _why_plain(stack: Stack) -> str:
    if stack.cuda is None:
        return "nothing that is locked uses CUDA"
    return f"{stack.evidence[0].source} brings CUDA {stack.cuda}"
