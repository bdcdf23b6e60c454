"""`--secret` and `--ssh`: what a step of a build may read, and what nobody may be shown.

They are written as for `docker build`:

    --secret id=token,src=token.txt      a file
    --secret id=token,env=TOKEN          an environment variable
    --secret id=TOKEN                    the environment variable of this name, else the file of this name
    --ssh default                        the SSH agent
    --ssh default=~/.ssh/id_ed25519      a key, or the socket of an agent
"""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_KEYS = {"id": "id", "src": "src", "source": "src", "env": "env", "type": "type"}
_SHORTEST = 4
"""Characters of a secret that is taken out of what is shown: a shorter one would blank half the log."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that a step may read.

    Attributes:
        name: the id that the step asks for.
        file: what it is read from, absolute; None: from the variable.
        variable: the environment variable that holds it; None: the file does.
        value: what it says, so that it can be taken out of what is shown.

    """

    name: str
    file: Path | None
    variable: str | None
    value: str = field(repr=False)

    @property
    def spec(self) -> str:
        """How Docker, Podman and Buildah are told."""
        if self.file is None:
            return f"id={self.name},env={self.variable}"
        return f"id={self.name},src={self.file}"


@dataclass(frozen=True, slots=True)
class Ssh:
    """An SSH agent, or keys, that a step may use.

    Attributes:
        name: the id that the step asks for.
        paths: keys, or the socket of an agent; empty: the agent that SSH_AUTH_SOCK names.

    """

    name: str
    paths: tuple[str, ...]

    @property
    def spec(self) -> str:
        """How Docker, Podman and Buildah are told."""
        return f"{self.name}={','.join(self.paths)}" if self.paths else self.name


def parse_secret(text: str, environment: Mapping[str, str] | None = None) -> Secret:
    """Read a `--secret`.

    Args:
        text: as it was written.
        environment: None: this process's own.

    Raises:
        UsageError: it is none, or what it names is not there.

    """
    environment = os.environ if environment is None else environment
    fields = _fields(text)
    name = fields.get("id", "")
    if not _ID.fullmatch(name):
        raise _no_secret(text, "it has no id")
    if fields.get("type", "env" if "env" in fields else "file") not in {"file", "env"}:
        raise _no_secret(text, "its type is neither file nor env")
    if "src" in fields and "env" in fields:
        raise _no_secret(text, "it has a src and an env")
    variable = fields.get("env") or (fields.get("src") if fields.get("type") == "env" else None)
    if variable is None and "src" not in fields:
        # BuildKit's rule: a bare id is a variable of this name, else a file.
        variable = name if name in environment else None
    if variable is not None:
        if variable not in environment:
            raise UsageError(f"--secret {name}: there is no environment variable {variable}")
        return Secret(name, None, variable, environment[variable])
    file = Path(fields.get("src", name)).expanduser().absolute()
    try:
        value = file.read_text(errors="replace")
    except OSError as error:
        raise UsageError(f"--secret {name}: {file} cannot be read: {error.strerror}") from error
    return Secret(name, file, None, value)


def parse_ssh(text: str, environment: Mapping[str, str] | None = None) -> Ssh:
    """Read an `--ssh`.

    Args:
        text: as it was written.
        environment: None: this process's own.

    Raises:
        UsageError: it is none, or what it names is not there.

    """
    environment = os.environ if environment is None else environment
    name, equals, rest = text.partition("=")
    if not _ID.fullmatch(name) or (equals and not rest):
        raise UsageError(f"--ssh {text!r} is none", hint="as in: --ssh default, or --ssh default=KEY")
    if not equals:
        if not environment.get("SSH_AUTH_SOCK"):
            raise UsageError(
                f"--ssh {name}: no SSH agent runs here (SSH_AUTH_SOCK is not set)",
                hint=f"eval $(ssh-agent) && ssh-add, or name a key: --ssh {name}=~/.ssh/id_ed25519",
            )
        return Ssh(name, ())
    paths = tuple(str(Path(path).expanduser().absolute()) for path in rest.split(","))
    for path in paths:
        if not Path(path).exists():
            raise UsageError(f"--ssh {name}: there is no {path}")
    return Ssh(name, paths)


def hidden(secrets: Iterable[Secret]) -> tuple[str, ...]:
    """The texts that may not be shown: every line of every secret, the longest first."""
    lines = {line.strip() for secret in secrets for line in (secret.value, *secret.value.splitlines())}
    return tuple(sorted((line for line in lines if len(line) >= _SHORTEST), key=len, reverse=True))


def _fields(text: str) -> dict[str, str]:
    """The fields of a spec, which is a line of CSV as BuildKit reads it; names in any case."""
    try:
        (row,) = csv.reader([text])
    except (csv.Error, ValueError):
        raise _no_secret(text, "it is no line of CSV") from None
    fields: dict[str, str] = {}
    for item in row:
        key, equals, value = item.partition("=")
        if not equals:
            # Not shown: it may be the secret itself.
            raise _no_secret(text, "it has a part that is no KEY=VALUE")
        known = _KEYS.get(key.strip().lower())
        if known is None or known in fields:
            raise _no_secret(text, f"{key.strip()!r} has no meaning there")
        fields[known] = value
    return fields


def _no_secret(text: str, why: str) -> UsageError:
    # What was written may hold the secret itself, by mistake: only its id is shown.
    shown = re.search(r"id=([\w.-]+)", text)
    return UsageError(
        f"--secret {shown[1] if shown else ''}".rstrip() + f" cannot be read: {why}",
        hint="as in: --secret id=token,src=token.txt, or --secret id=token,env=TOKEN",
    )
