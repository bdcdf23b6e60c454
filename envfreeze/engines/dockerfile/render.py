"""The templates, and what makes text of them: ours, and a user's own that extends ours.

A template of a user's runs in jinja's sandbox, may use files of the project only, and gets an error with its
file and line for whatever is wrong with it.
"""

from __future__ import annotations

import re
import traceback
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import envfreeze
from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from jinja2.nodes import Template
    from jinja2.sandbox import SandboxedEnvironment

    from envfreeze.project.model import Project

DOCKERFILE = "envfreeze/Dockerfile.j2"
"""What a template of a user's extends."""

_BLANK = re.compile(r"\n{3,}")
_HINT = "what a template may use is in docs/reference/dockerfile.md"


def templates() -> Path:
    """The folder of the templates: in an installation inside the package, in a checkout beside it.

    Raises:
        MachineError: it is missing.

    """
    package = Path(envfreeze.__file__).parent
    for folder in (package / "templates", package.parent / "templates"):
        if (folder / "Dockerfile.j2").is_file():
            return folder
    raise MachineError(
        f"the templates of Dockerfiles are missing beside {package}", hint="install envfreeze again"
    )


def script(name: str) -> str:
    """The text of a script that runs while an image is built."""
    return (templates() / "scripts" / name).read_text(encoding="utf-8")


def render(project: Project, values: Mapping[str, object], *, template: str = DOCKERFILE) -> str:
    """Render a Dockerfile.

    Args:
        project: its `[docker] template` extends ours where there is one.
        values: what the templates are given.
        template: ours.

    Raises:
        UsageError: the user's template is wrong; file and line are named.

    """
    from jinja2 import TemplateNotFound, TemplateSyntaxError  # noqa: PLC0415 - heavy

    own = project.docker.template
    environment = _environment(project.root)
    try:
        if own is not None:
            _check(environment, own)
        text = environment.get_template(own or template).render(values)
    except UsageError:
        raise
    except TemplateSyntaxError as error:
        raise UsageError(f"{error.name}:{error.lineno}: {error.message}", hint=_HINT) from error
    except TemplateNotFound as error:
        raise UsageError(
            f"[docker] template: there is no {error.name}",
            hint="a template, and what it includes, are files of the project",
        ) from error
    except Exception as error:
        # Whatever an expression of the user's raised while it ran.
        raise UsageError(f"{_place(error, project.root, own or template)}: {error}", hint=_HINT) from error
    return _BLANK.sub("\n\n", text).strip("\n") + "\n"


def plain(template: str, values: Mapping[str, object], *, filters: Mapping[str, Callable[[str], str]]) -> str:
    """Render a template of ours that no user extends.

    Args:
        template: its name, `envfreeze/...`.
        values: what it is given.
        filters: further filters, by name.

    """
    environment = _environment(templates())
    environment.filters.update(filters)
    return environment.get_template(template).render(values).rstrip("\n") + "\n"


def _environment(root: Path) -> SandboxedEnvironment:
    from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined  # noqa: PLC0415 - heavy
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415 - with it

    ours = PrefixLoader({"envfreeze": FileSystemLoader(templates())})
    return SandboxedEnvironment(
        loader=ChoiceLoader([ours, FileSystemLoader(root)]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _check(environment: SandboxedEnvironment, name: str) -> None:
    """Refuse a template that does not extend ours, or has a block that ours has not."""
    from jinja2 import nodes  # noqa: PLC0415 - heavy

    ours = {block.name for block in _parsed(environment, DOCKERFILE).find_all(nodes.Block)}
    tree = _parsed(environment, name)
    bases = [node.template for node in tree.find_all(nodes.Extends)]
    if not any(isinstance(base, nodes.Const) and base.value == DOCKERFILE for base in bases):
        raise UsageError(
            f"{name}:1: the template does not extend envfreeze's",
            hint=f'its first line is: {{% extends "{DOCKERFILE}" %}}',
        )
    for block in tree.find_all(nodes.Block):
        if block.name not in ours:
            close = get_close_matches(block.name, ours, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(ours))}"
            raise UsageError(f"{name}:{block.lineno}: there is no block {block.name!r}", hint=hint)


def _parsed(environment: SandboxedEnvironment, name: str) -> Template:
    if environment.loader is None:
        raise ValueError(name)
    source, file, _ = environment.loader.get_source(environment, name)
    return environment.parse(source, name, file)


def _place(error: Exception, root: Path, name: str) -> str:
    """File and line of the template that an error came from; jinja writes them into the traceback."""
    folders = {f"{root}/": "", f"{templates()}/": "envfreeze/"}
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for folder, shown in folders.items():
            if frame.filename.startswith(folder) and frame.filename.endswith((".j2", name)):
                return f"{shown}{frame.filename.removeprefix(folder)}:{frame.lineno}"
    return name
