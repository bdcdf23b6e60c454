"""What conda-lock itself says: the content hash of its inputs, and whether it reads what was written.

Importing it takes a second, so it is asked only where something is locked anew.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UsageError
from envfreeze.locking.conda import lockfile
from envfreeze.locking.conda.channels import redact
from envfreeze.locking.model import CondaSources

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.project.model import Project


_OPTION = re.compile(rb"^[ \t]*-[ \t]+[\"']?--?[a-zA-Z].*$", re.MULTILINE)


def sources(project: Project, subdirs: Sequence[str]) -> CondaSources:
    """Where a project's conda side comes from, with the content hash that conda-lock computes of it.

    The hash is over conda-lock's default virtual packages: those `conda-lock lock --check-input-hash` uses.

    Args:
        project: with a conda side.
        subdirs: the channel folders that are locked.

    Raises:
        UsageError: conda-lock cannot read the environment file.

    """
    conda = project.conda
    assert conda is not None, "a project with a conda side"  # noqa: S101 - the caller looked
    with _quiet(), tempfile.TemporaryDirectory(prefix="envfreeze-lock-") as scratch:
        from conda_lock.content_hash import compute_content_hashes  # noqa: PLC0415 - heavy
        from conda_lock.src_parser import make_lock_spec  # noqa: PLC0415 - heavy
        from conda_lock.virtual_package import default_virtual_package_repodata  # noqa: PLC0415 - heavy

        # The bytes that the inputs' digests are of, and no map of names from the network: none is needed.
        file = Path(scratch) / Path(conda.environment).name
        # conda-lock knows no options in a `pip:` section, which pip itself does.
        file.write_bytes(_OPTION.sub(b"", project.inputs[conda.environment]))
        names = Path(scratch) / "names.json"
        names.write_text("{}", encoding="utf-8")
        try:
            spec = make_lock_spec(
                src_files=[file],
                channel_overrides=list(conda.channels) if conda.overridden else None,
                platform_overrides=list(subdirs),
                mapping_url=str(names),
            )
            hashes = compute_content_hashes(spec, default_virtual_package_repodata())
        except (ValueError, RuntimeError, AttributeError, TypeError, KeyError) as error:
            raise UsageError(
                f"{conda.environment}: conda-lock cannot read it: {redact(str(error)).splitlines()[0]}",
                hint="write it as conda's documentation does",
            ) from error
        return CondaSources(
            environment=conda.environment,
            channels=tuple(channel.url for channel in spec.channels),
            content_hash={subdir: hashes[subdir] for subdir in sorted(subdirs)},
        )


def check(content: bytes) -> None:
    """Let conda-lock's models read a `conda-lock.yml`.

    Raises:
        MachineError: they refuse it: envfreeze and the installed conda-lock do not fit together.

    """
    with _quiet():
        from conda_lock.lockfile.v1.models import Lockfile  # noqa: PLC0415 - heavy

        try:
            Lockfile.model_validate(lockfile.load(content))
        except ValueError as error:
            raise MachineError(
                f"the installed conda-lock does not read what was locked: {str(error).splitlines()[0]}",
                hint="run `pip install --upgrade envfreeze conda-lock`",
            ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """conda-lock tells of lines that selectors leave out, which is what they are for."""
    logger = logging.getLogger("conda_lock")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        # What it ships inside itself announces its own end.
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
