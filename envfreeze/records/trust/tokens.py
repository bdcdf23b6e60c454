"""Identity tokens: the word of an OpenID Connect provider for who runs this.

A token is worth the identity for the minutes that it lasts. It comes from a file, from a variable or from the
CI, never from the command line, which every process of the machine can read, and stands in no message.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.errors import MachineError, NetworkError, UsageError
from envfreeze.records.trust import sigstore_library

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sigstore.oidc import IdentityToken

VARIABLE: Final = "SIGSTORE_ID_TOKEN"
"""The environment variable with a token, which GitLab's `id_tokens` can set and sigstore's tools read too."""

_LONGEST = 1 << 16
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
_ANSWERED = re.compile(r"( \(|(?<=encountered an error):).*", re.DOTALL)
"""The end of what the library says: it quotes what was answered."""

_GITLAB = "in .gitlab-ci.yml: id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}"
_GITHUB = "in GitHub Actions: permissions: id-token: write; forks' pull requests never have it"


@dataclass(frozen=True, slots=True)
class Source:
    """Where tokens are looked for; each `find` looks anew, since tokens last minutes and builds longer.

    Attributes:
        file: has the token; None: the variable, or the CI.
        environ: the environment.

    """

    file: Path | None = None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    _poured: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def find(self) -> IdentityToken:
        """Find a token that is good now.

        Raises:
            UsageError: there is none, or it is none, is for others than Sigstore, or has expired.
            NetworkError: the CI should give one, and does not.
            MachineError: the file cannot be read, or the library is missing.

        """
        sigstore_library.needed_for("signing without a key")
        from sigstore.oidc import IdentityError, IdentityToken  # noqa: PLC0415 - heavy

        raw, where = self._given()
        if raw is None:
            raw, where = _ambient(), "the identity token of this CI"
        try:
            return IdentityToken(raw)
        except (IdentityError, TypeError):  # the latter: times or an issuer of another type
            # What is wrong with it, in its words, could quote it.
            raise UsageError(
                f"{where} is no identity token for Sigstore, or it has expired",
                hint="it is a JWT with the audience sigstore that lasts minutes: get one right before",
            ) from None

    def _given(self) -> tuple[str | None, str]:
        if self._poured:
            return self._poured[0], f"what came from {self.file}"
        if self.file is not None:
            if _TOKEN.fullmatch(str(self.file)):
                raise UsageError(
                    "--identity-token has a token itself, where its file belongs",
                    hint=f"every process of the machine can read a command line: put it into {VARIABLE}",
                )
            try:
                with self.file.open("rb") as stream:
                    text = stream.read(_LONGEST).decode("ascii", "replace").strip()
                    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                        self._poured.append(text)  # a pipe is read once
                    return text, f"what is in {self.file}"
            except FileNotFoundError:
                raise UsageError(f"there is no identity token {self.file}") from None
            except OSError as error:
                raise MachineError(f"{self.file} cannot be read: {error.strerror}") from error
        return self.environ.get(VARIABLE) or None, f"what is in {VARIABLE}"


def _ambient() -> str:
    """Ask the CI, in the ways that the library knows."""
    from subprocess import SubprocessError  # noqa: PLC0415 - some CIs have a program that is asked

    from id import GitHubOidcPermissionCredentialError  # noqa: PLC0415 - heavy
    from sigstore.oidc import IdentityError, detect_credential  # noqa: PLC0415 - heavy
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - heavy

    try:
        found = detect_credential()
    except IdentityError as error:
        if isinstance(error.__cause__, GitHubOidcPermissionCredentialError):
            raise UsageError("this job may not ask for an identity token", hint=_GITHUB) from None
        said = _ANSWERED.sub("", str(error))
        if said.startswith("GitLab:"):  # which has a variable, and no server that is asked
            raise UsageError(
                f"this job has no identity token: there is no {VARIABLE}", hint=_GITLAB
            ) from None
        raise NetworkError(f"this CI does not give an identity token: {said}") from None
    except (HTTPError, OSError, SubprocessError, ValueError) as error:
        raise NetworkError(f"this CI does not give an identity token ({type(error).__name__})") from None
    if not found:
        raise UsageError(
            "there is no identity to sign with",
            hint=f"run it in a CI that gives identity tokens, put one into {VARIABLE} or into a file "
            "(--identity-token FILE), or sign with a key: --key",
        )
    return found
