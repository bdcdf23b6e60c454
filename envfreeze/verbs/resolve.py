"""A whole lock from what the project asks for now, beside the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import entropy
from envfreeze.locking.model import SCHEMA, WRITER, CondaSources, Lock, Runtime
from envfreeze.replacing import replace
from envfreeze.verbs.wish import BASE, PYTHON

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envfreeze.locking.model import Target
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


def digests(project: Project, last: Lock | None = None) -> dict[str, Digest]:
    """Give the digest of each file that says what the project wants.

    Of a lock that was taken from another tool's these are also the folders that wheels were built from: only
    that lock names them.
    """
    found = {name: Digest.of(content) for name, content in project.inputs.items()}
    if project.pip.lock is not None and last is not None:
        found |= _folders(project, last.targets)
    return found


def _folders(project: Project, targets: Iterable[Target]) -> dict[str, Digest]:
    sources = (wheel.source for target in targets for wheel in target.wheels)
    paths = {source.url for source in sources if source is not None and source.kind == "directory"}
    if not paths:
        return {}
    from envfreeze.project import folders  # noqa: PLC0415 - heavy

    return {
        f"<folder {path}>": Digest.of(folders.listing(project.root / path))
        for path in sorted(paths)
        if (project.root / path).is_dir()
    }


def resolve(project: Project, inputs: dict[str, Digest], before: Lock | None, wish: Wish) -> Lock:
    """Resolve every platform of a project; where `before` still fits and may stay, it stays."""
    from envfreeze.layers.plan import plan  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.locking import pip  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.verbs import targets as sides  # noqa: PLC0415 - with it

    last = {target.platform: target for target in before.targets} if before is not None else {}
    targets = [
        sides.resolved(project, platform, last.get(platform), wish) for platform in project.image.platforms
    ]
    _check_upgraded(wish.upgrade_packages, targets)
    if project.pip.lock is not None:
        inputs = digests(project) | _folders(project, targets)
    made = Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs=inputs,
        exclude_newer=pip.cutoff(project),
        runtime=runtime(project, targets),
        targets=tuple(replace(target, layers=plan(target)) for target in targets),
    )
    return _with_conda_sources(made, project)


def _with_conda_sources(made: Lock, project: Project) -> Lock:
    """The lock with what conda-lock says of its inputs, after conda-lock has read what was locked."""
    subdirs = [target.platform.conda_subdir for target in made.targets if target.conda]
    if not subdirs:
        return made
    from envfreeze.locking.conda import judged  # noqa: PLC0415 - heavy
    from envfreeze.locking.conda import lockfile as conda_lockfile  # noqa: PLC0415 - with it

    if project.pip.lock is None:
        made = replace(made, conda=judged.sources(project, subdirs))
    else:
        made = replace(made, conda=_imported_sources(made, project.pip.lock, subdirs))
    judged.check(conda_lockfile.render(made, project.root))
    return made


def _imported_sources(made: Lock, source: str, subdirs: Sequence[str]) -> CondaSources:
    """What conda-lock.yml says of packages that another lock, not an environment file, asked for."""
    digest = made.inputs[source]
    packages = [package for target in made.targets for package in target.conda]
    return CondaSources(
        environment=source,
        channels=tuple(dict.fromkeys(package.channel for package in packages)),
        content_hash=dict.fromkeys(sorted(subdirs), digest.hex),
    )


def _check_upgraded(names: Sequence[str], targets: Sequence[Target]) -> None:
    known = {wheel.name for target in targets for wheel in target.wheels}
    known |= {deb.name for target in targets for deb in target.base.packages}
    known |= {package.name for target in targets for package in target.conda}
    known |= {BASE for target in targets if target.image is not None}
    known |= {PYTHON for target in targets if target.standalone is not None}
    for name in names:
        if not {name, canonicalize_name(name)} & known:
            raise UsageError(f"{name} cannot be upgraded: nothing that is locked has that name")


def runtime(project: Project, targets: Iterable[Target]) -> Runtime:
    """Give what an image of these targets says of how it is run."""
    image = project.image
    packages: dict[str, str] = {}
    for target in targets:
        packages |= {package.name: package.version for package in target.conda}
        packages |= {wheel.name: wheel.version for wheel in target.wheels}
    env = {**entropy.variables(project.entropy.seed, packages), **image.env}
    return Runtime(
        env={name: env[name] for name in sorted(env)},
        labels={name: image.labels[name] for name in sorted(image.labels)},
        include=image.include,
        user=image.user,
        workdir=image.workdir,
        entrypoint=image.entrypoint,
        cmd=image.cmd,
    )
