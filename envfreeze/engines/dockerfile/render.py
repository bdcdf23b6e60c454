"""The templates, and what makes text of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import envfreeze
from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.sandbox import SandboxedEnvironment

DOCKERFILE = "Dockerfile.j2"


def templates() -> Path:
    """The folder of the templates: in an installation inside the package, in a checkout beside it.

    Raises:
        MachineError: it is missing.

    """
    package = Path(envfreeze.__file__).parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / DOCKERFILE).is_file():
            return folder
    raise MachineError(
        f"the templates of Dockerfiles are missing beside {package}", hint="install envfreeze again"
    )


def render(values: Mapping[str, object]) -> str:
    """Render the Dockerfile."""
    return _environment().get_template(DOCKERFILE).render(values)


def _environment() -> SandboxedEnvironment:
    from jinja2 import FileSystemLoader, StrictUndefined  # noqa: PLC0415 - heavy
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 - with it

    return SandboxedEnvironment(
        loader=FileSystemLoader(templates()),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
