"""The build folder of one wheel that needs a compiler: its devel stage, its tools, its source, and the build.

The stage to build is `STAGE`; the wheel is in its folder `1`, and once more, built otherwise, in `2`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from envfreeze.engines.dockerfile import context, installer, instructions, render
from envfreeze.engines.dockerfile.folder import DOCKERFILE, BuildFolder, finish
from envfreeze.engines.dockerfile.means import Means
from envfreeze.engines.dockerfile.project_files import Copies
from envfreeze.engines.dockerfile.staged import Staged
from envfreeze.layers.plan import plan
from envfreeze.locking.model import SCHEMA, WRITER, Lock, Runtime, Target
from envfreeze.oci import staging
from envfreeze.project.model import DockerSettings
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.sources.compiled import Job
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

STAGE = "wheels"
"""The stage that holds what was compiled."""

TEMPLATE = "envfreeze/wheels.Dockerfile.j2"

_ARCHIVE = "archive"
"""The source's file in the folder: what it is called elsewhere is not for a shell to read."""


def write(
    job: Job, project: Project, into: Path, *, cache: Cache, progress: Progress, offline: bool = False
) -> BuildFolder:
    """Write the folder.

    Args:
        job: the wheel.
        project: whose indexes serve the tools, and whose `[docker] network` counts.
        into: a folder that is not there yet.
        cache: where artifacts and layers are.
        progress: told what happens.
        offline: fetch nothing.

    Raises:
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact is not what was locked.
        MachineError: the disk is full, or the folder may not be written.

    """
    project = replace(project, docker=DockerSettings(network=project.docker.network))
    target = _target(job)
    runtime = Runtime({}, {}, (), None, "/", None, None)
    lock = Lock(SCHEMA, WRITER, {}, None, runtime, (target,))
    means = Means(lock, project, cache=cache, progress=progress, offline=offline)
    with staging.folder(into) as folder:
        staged = Staged(folder)
        parts = context.parts(means, staged)
        staged.artifact(f"source/{_ARCHIVE}", job.archive, job.source.digest, job.source.size)
        staged.text(f"source/{_ARCHIVE}.sha256", f"{job.source.digest.hex}  /envfreeze/source/{_ARCHIVE}\n")
        about = {
            "env": dict(job.env),
            "sdist": job.source.kind in {"sdist", "archive"},
            "subdirectory": job.source.subdirectory or "",
        }
        staged.text("source/compile.json", json.dumps(about, indent=1, sort_keys=True) + "\n")
        if not target.wheels:
            installer.write(target, means, staged)
        values = {
            **context.values(means, parts, Copies((), ()), job.devel.digest),
            # In a comment, which a line break would end.
            "what": " ".join(job.source.url.split()),
        }
        text = render.render(project, values, template=TEMPLATE)
        found = instructions.read(text)
        instructions.check(found, text, [target.platform.architecture])
        digest = finish(staged, text)
    return BuildFolder(
        path=into,
        dockerfile=into / DOCKERFILE,
        platforms=(target.platform,),
        stages=instructions.stages(found),
        notes=(),
        digest=digest,
    )


def _target(job: Job) -> Target:
    """The devel stage as a target whose wheels are the tools of the build."""
    devel = job.devel
    target = Target(
        platform=job.target.platform,
        python=devel.python,
        glibc=devel.glibc,
        manylinux=job.target.manylinux,
        base=devel.base,
        wheels=job.source.requires,
        conda=job.conda,
        image=devel.image,
        standalone=job.standalone,
    )
    return replace(target, layers=plan(target))
