"""Who logs in where: what `docker login` and `podman login` have left on this machine.

`config.json` in `$DOCKER_CONFIG` or `~/.docker` (https://docs.docker.com/reference/cli/docker/login/), or the
file that `$REGISTRY_AUTH_FILE` names, with the same `auths`. Passwords stay in this process; no message has
one.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.reference import HUB

if TYPE_CHECKING:
    from collections.abc import Mapping

_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "registry-1.docker.io", HUB)
"""Where Docker keeps its hub's login, for reasons of history."""

_HELPER = re.compile(r"[A-Za-z0-9._-]+")
_NOT_FOUND = "credentials not found"
_TOKEN_USER = "<token>"  # noqa: S105 - docker-credential-helpers' word for "the secret is an identity token"
_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Login:
    """A login to a registry.

    Attributes:
        user: its name; empty where there is only a token.
        password: its password.
        token: an identity token (OAuth 2 refresh token) instead of a password; empty: there is none.

    """

    user: str
    password: str = field(repr=False)
    token: str = field(default="", repr=False)


def find(registry: str, environ: Mapping[str, str] = os.environ) -> Login | None:
    """Find the login for a registry; None: nobody has logged in.

    Args:
        registry: host and port, as in `Reference.registry`.
        environ: names the files.

    Raises:
        UsageError: a file is not what Docker writes.
        MachineError: a file cannot be read, or a credential helper fails.

    """
    for path in _files(environ):
        document = _read(path)
        if document is not None and (found := _of(document, path, registry)) is not None:
            return found
    return None


def _files(environ: Mapping[str, str]) -> list[Path]:
    named = environ.get("REGISTRY_AUTH_FILE")
    folder = environ.get("DOCKER_CONFIG")
    if folder is None and (home := environ.get("HOME")):
        folder = f"{home}/.docker"
    return [*([Path(named)] if named else []), *([Path(folder) / "config.json"] if folder else [])]


def _read(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        # The parser's message might repeat what stands there.
        raise UsageError(f"{path} is not JSON", hint="log in again: docker login REGISTRY") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path} is not a JSON object", hint="log in again: docker login REGISTRY")
    return document


def _of(document: Mapping[str, Any], path: Path, registry: str) -> Login | None:
    keys = _HUB_KEYS if registry == HUB else (registry, f"https://{registry}", f"http://{registry}")
    helpers, store = document.get("credHelpers"), document.get("credsStore")
    for key in keys:
        if isinstance(helpers, dict) and isinstance(helpers.get(key), str):
            return _helped(helpers[key], key)
    auths = document.get("auths")
    for key in keys:
        for written in (key, f"{key.rstrip('/')}/", f"{key}/v1/", f"{key}/v2/"):
            entry = auths.get(written) if isinstance(auths, dict) else None
            if isinstance(entry, dict) and (found := _login(entry, path, written)) is not None:
                return found
    if isinstance(store, str) and store:
        for key in keys:
            if (found := _helped(store, key)) is not None:
                return found
    return None


def _login(entry: Mapping[str, Any], path: Path, key: str) -> Login | None:
    token = entry.get("identitytoken")
    user, password = entry.get("username", ""), entry.get("password", "")
    encoded = entry.get("auth")
    if isinstance(encoded, str) and encoded:
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise UsageError(
                f"{path}: the login for {key} cannot be read", hint=f"log in again: docker login {key}"
            ) from None
        password = password.rstrip("\0")  # docker's own writer pads with it
    if isinstance(token, str) and token:
        return Login(str(user), "", token)
    return Login(str(user), str(password)) if user else None


def _helped(name: str, key: str) -> Login | None:
    """Ask a credential helper (https://github.com/docker/docker-credential-helpers, "Development")."""
    program = f"docker-credential-{name}"
    if not _HELPER.fullmatch(name):
        raise UsageError(f"{name!r} in Docker's config.json is not the name of a credential helper")
    try:
        done = subprocess.run(
            [program, "get"],
            input=key,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise MachineError(
            f"the credential helper {program} is not installed, and Docker's config.json names it for {key}",
            hint=f"install it, or take it out of config.json and run: docker login {key}",
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MachineError(f"the credential helper {program} does not answer for {key}") from error
    if done.returncode != 0:
        if _NOT_FOUND in f"{done.stdout}{done.stderr}".lower():
            return None
        raise MachineError(
            f"the credential helper {program} failed for {key} (exit status {done.returncode})",
            hint=f"try it: echo {key} | {program} get",
        )
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise MachineError(f"the credential helper {program} gave no login for {key}") from None
    return Login("", "", secret) if user == _TOKEN_USER else Login(user, secret)
