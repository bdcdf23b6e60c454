"""What the solver and the channels answer, in the words and classes of envfreeze's errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.conda.channels import redact, without_credentials

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.errors import EnvfreezeError
    from envfreeze.project.model import CondaSettings, CondaSpec

_URL = re.compile(r"(?:https?|file)://[^\s'\")]+")
_STATUS = re.compile(r"HTTP status \w+ error \((?P<code>\d{3})")
_CORRUPT = re.compile(
    r"failed to (?:parse|decode|deserialize)|zstd|Unknown frame|incomplete frame|EOF while|"
    r"invalid or truncated|expected value|at line \d+ column \d+",
    re.IGNORECASE,
)
_LINES = 12
"""How much of the solver's explanation is shown; its trees may have thousands of lines."""


def unsatisfiable(said: str, conda: CondaSettings, specs: Sequence[CondaSpec]) -> ResolutionError:
    """Explain a set of packages that has no solution.

    Args:
        said: the solver's explanation.
        conda: names the environment file.
        specs: what was asked for.

    """
    lines = [
        line.rstrip() for line in redact(said).splitlines() if line.strip() and not line.startswith("Cannot")
    ]
    reason = redact(said).splitlines()[0].removeprefix("Cannot solve the request because of:").strip(" .")
    if reason.startswith("The following packages are incompatible"):
        reason = lines[0].lstrip("├└─│ ") if lines else reason
        lines = lines[1:]
    shown = lines[:_LINES]
    if len(lines) > _LINES:
        shown.append(f"… and {len(lines) - _LINES} more lines of this kind")
    culprits = [
        f"{spec.text} is asked for in {conda.environment}, line {spec.line}"
        for spec in specs
        if re.search(rf"(?<![\w.-]){re.escape(_name(spec.text))}(?![\w-])", said)
    ]
    return ResolutionError(
        f"the conda packages cannot be resolved: {reason}",
        details=(*shown, *culprits),
        hint=_hint(said, conda),
    )


def _hint(said: str, conda: CondaSettings) -> str:
    if "not in requested channel" in said or "excluded because due to strict channel" in said:
        return 'reorder the channels, or set [conda] channel-priority = "disabled"'
    if "cutoff date" in said:
        return "choose a later exclude-newer, or older versions"
    if "__cuda" in said:
        return "say which driver the machines have, [gpu] driver, or ask for the CPU builds of these packages"
    return f"change what {conda.environment} asks for, or add a channel that has it"


def _name(text: str) -> str:
    from rattler import MatchSpec  # noqa: PLC0415 - heavy

    name = MatchSpec(text).name
    return text if name is None else str(name.normalized)


def of_channel(said: str, channel: str, *, offline: bool) -> EnvfreezeError:
    """Explain a channel that cannot be read.

    Args:
        said: the gateway's message, with its causes a line each.
        channel: the channel's URL, where the message names none.
        offline: nothing was to be fetched.

    """
    named = _URL.search(said)
    place = without_credentials(named[0] if named else channel).rstrip(":/")
    lines = [redact(line) for line in said.splitlines() if line.strip()]
    causes = tuple(line.removeprefix("Caused by: ").strip() for line in lines)
    if offline or "no usable repodata cache" in said:
        return NetworkError(
            f"the channel {place} is not in the cache, and nothing is fetched offline",
            hint="run `envfreeze lock` once without --offline",
        )
    status = _STATUS.search(said)
    code = int(status["code"]) if status else 0
    if code in {401, 403}:
        return NetworkError(
            f"the channel {place} does not let us in ({code})",
            hint="give its credentials in ~/.netrc, or as ${NAME} in the channel's URL",
        )
    if code in {404, 410} or "could not find subdir" in said:
        return NetworkError(
            f"there is no channel at {place}: it has no index of noarch packages",
            hint="check its name and address; a channel has a folder noarch with a repodata.json",
            details=causes[1:],
        )
    if code:
        return NetworkError(
            f"the channel {place} answered with status {code}", hint="try again later, or name another mirror"
        )
    if _CORRUPT.search(said):
        return UntrustedError(
            f"the channel {place} has a damaged index: {causes[0] if causes else said}",
            details=causes[1:],
            hint="tell who runs the channel, or name a mirror of it; a login page looks like this too",
        )
    return NetworkError(
        f"the channel {place} cannot be read: {causes[-1] if causes else said}",
        hint="check the network and the channel's address, then try again",
    )
