"""uv as a child process: the one place that knows its command line, its environment and its errors.

uv resolves for a platform and a Python that the machine need not have. It gets everything from its
arguments: no configuration file and no variable of the machine moves a resolution.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, NetworkError, ResolutionError, UntrustedError
from envfreeze.locking import guard, unparsed
from envfreeze.locking.indexes import Indexes, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

# What remains of UV_*: where uv keeps its cache, how it reaches and authenticates with an index. Whatever
# else such a variable says would change the answer from one machine to the next.
_KEPT = re.compile(
    r"UV_(CACHE_DIR|NO_CACHE|CREDENTIALS_DIR|KEYRING_PROVIDER|INSECURE_HOST|NATIVE_TLS|SYSTEM_CERTS|"
    r"HTTP_\w+|REQUEST_TIMEOUT|CONCURRENT_\w+|INDEX_\w+_(USERNAME|PASSWORD))"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NOISE = re.compile(r"warning: The requested Python version .*|Resolved \d+ packages? in .*")
_NETWORK = re.compile(
    r"error sending request|Failed to fetch|dns error|tcp connect error|timed out|"
    r"could not be queried due to|the network was disabled|Network connectivity is disabled|"
    r"error decoding response body|Request failed after|returned a 403 Forbidden",
    re.IGNORECASE,
)
_UNREADABLE = re.compile(
    r"unexpected (?:JSON|HTML)|Unsupported `Content-Type`|Failed to read metadata", re.IGNORECASE
)
_CUT_SHORT = re.compile(
    r"Failed to extract archive|unexpected end of file|Failed to read from zip", re.IGNORECASE
)
_FIRST_INDEX = re.compile(r"`(?P<name>[^`]+)` was found on \S+, but not at the requested version")
_YANKED = re.compile(r"`(?P<what>[^`]+)` is yanked(?P<why> \(reason: .*\))?")
_WARNING = re.compile(r"^warning: (.*)$", re.MULTILINE)
_BUILD = re.compile(r"Failed to (?:download and )?build `([^`]+)`")
_FILE = re.compile(r"Failed to download `(?P<what>[^`]+ @ [^`]+)`")
_IGNORED = re.compile(r"Ignoring unsupported option in `(?P<file>[^`]+)`: `(?P<option>--[\w-]+)`")
_INSTEAD = {
    "--pre": 'set `prerelease = "allow"` under [tool.uv] of pyproject.toml',
    "--trusted-host": "set the variable UV_INSECURE_HOST",
}
_GIT = re.compile(r"Git operation failed|failed to (?:clone|fetch)", re.IGNORECASE)
_DAMAGED = re.compile(r"Failed to extract|Invalid (?:tar|zip)|unsafe ", re.IGNORECASE)
_OFFLINE = re.compile(r"network was disabled|connectivity is disabled", re.IGNORECASE)
_AUTHENTICATION = re.compile(r"\b(401|403)\b|authentication credentials", re.IGNORECASE)


class BuildWantedError(ResolutionError):
    """uv wanted to build a package, to learn what it depends on.

    Attributes:
        package: as uv names it, `name==1.0` or `name @ URL`; empty where it does not know the name yet.
        folder: of the unpacked sources.

    """

    def __init__(self, package: str, folder: str) -> None:
        super().__init__(f"{package or folder} would have to be built")
        self.package = package
        self.folder = folder


def compile_pylock(
    arguments: Sequence[str],
    *,
    folder: Path,
    indexes: Indexes,
    offline: bool,
    shown_as: Mapping[str, str],
    python: Path,
    configuration: Path | None = None,
    secrets: Mapping[str, str] | None = None,
    annotated: bool = False,
    meanwhile: Callable[[], object] | None = None,
) -> tuple[str, ...]:
    """Run `uv pip compile` in a folder.

    Args:
        arguments: what to resolve, for what, and where to write it.
        folder: the working directory, which relative paths in requirements start from.
        indexes: where to look.
        offline: take from uv's cache only.
        shown_as: paths of temporary files, and what an error calls them.
        python: an interpreter of `guard`, which builds nothing.
        configuration: a uv.toml with what is known of packages; None: nothing is.
        secrets: further environment variables, with users and passwords.
        annotated: write a requirements file that says who needs each package and which index it comes from,
            instead of a pylock.toml.
        meanwhile: called while uv runs; what it raises ends uv.

    Returns:
        What uv warns of (yanked files, files without a date), one sentence each.

    Raises:
        UsageError: a requirement cannot be read.
        BuildWantedError: uv would have to build a package to learn what it depends on.
        ResolutionError: uv found no answer; its explanation is in the message.
        UntrustedError: a source that it had to look into is damaged.
        NetworkError: an index could not be reached or refused to answer.
        MachineError: uv is missing or cannot run.

    """
    command = [binary(), "pip", "compile", "--format", "requirements.txt" if annotated else "pylock.toml"]
    command.append("--no-config" if configuration is None else f"--config-file={configuration}")
    # The interpreter would only run builds of metadata; version and platform stand in the arguments.
    command += ["--python", str(python), "--no-python-downloads", "--no-build-isolation"]
    command += ["--no-progress", "--color", "never", "--no-header"]
    command += ["--annotation-style=split", "--emit-index-annotation"] if annotated else ["--no-annotate"]
    if indexes.no_index:
        command.append("--no-index")
    if indexes.find_links and not _fit_a_variable(indexes.find_links):
        command += [f"--find-links={place}" for place in indexes.find_links]
    if offline:
        command.append("--offline")
    status, said = _run([*command, *arguments], folder, _environment(indexes, secrets or {}), meanwhile)
    if status != 0:
        if wrong := unparsed.of_uv(_of_error(_clean(said)), folder, shown_as):
            raise wrong
        for path, name in shown_as.items():
            said = said.replace(path, name)
        raise _error(status, _clean(said), keyring=indexes.keyring)
    return tuple(_warnings(_clean(said)))


def _fit_a_variable(places: Sequence[str]) -> bool:
    return not any("," in place for place in places)


def binary() -> str:
    """Give the path of uv.

    Raises:
        MachineError: it is not installed.

    """
    try:
        from uv import find_uv_bin  # noqa: PLC0415 - heavy

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise MachineError(
            "uv, which resolves Python packages, is not installed beside envfreeze",
            hint="run `python -m pip install uv` in envfreeze's environment",
        ) from error


def _environment(indexes: Indexes, secrets: Mapping[str, str]) -> dict[str, str]:
    """Give the child's environment; URLs travel in it because others can read a command line."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "RUST_")) or _KEPT.fullmatch(name)
    }
    # A fetch of a private repository must fail, not wait for a password that nobody is asked for.
    kept["GIT_TERMINAL_PROMPT"] = "0"
    kept["UV_KEYRING_PROVIDER"] = "subprocess" if indexes.keyring else "disabled"
    further = [f"{index.name}={index.url}" for index in indexes.named if not index.explicit]
    further += indexes.extra
    default = indexes.default
    if default is not None and indexes.default_name is not None:
        default = f"{indexes.default_name}={default}"
    if default is not None:
        kept["UV_DEFAULT_INDEX"] = default
    if further:
        kept["UV_INDEX"] = " ".join(further)
    if indexes.find_links and _fit_a_variable(indexes.find_links):
        kept["UV_FIND_LINKS"] = ",".join(indexes.find_links)
    return {**kept, **secrets}


def _run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    meanwhile: Callable[[], object] | None = None,
) -> tuple[int, str]:
    """Run it to its end: status and standard error."""
    try:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            process_group=0,
        )
    except OSError as error:
        raise MachineError(f"uv cannot be run ({command[0]}): {error.strerror}") from error
    with child:
        try:
            if meanwhile is not None:
                meanwhile()
            _, said = child.communicate()
        except BaseException:
            # The group, because uv runs git.
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            raise
    return child.returncode, said.decode("utf-8", "replace")


def _clean(said: str) -> str:
    lines = (line.rstrip() for line in _COLOURS.sub("", said).splitlines())
    kept = "\n".join(line for line in lines if not _NOISE.fullmatch(line))
    return redact(kept).strip()


def _of_error(said: str) -> str:
    """Give what uv says of its failure; before it stand warnings, and what its children wrote."""
    found = re.search(r"^error: ", said, re.MULTILINE)
    return said[found.end() :] if found else said


def _warnings(said: str) -> Iterator[str]:
    """What of uv's warnings a user should read, one sentence each."""
    undated = 0
    for warning in _WARNING.findall(said):
        if yanked := _YANKED.match(warning):
            yield (
                f"{yanked['what']} is yanked{yanked['why']}; it is locked all the same, since the project or "
                "the lock pins it"
            )
        elif "missing an upload date" in warning:
            undated += 1
        elif ignored := _IGNORED.match(warning):
            instead = _INSTEAD.get(ignored["option"], "it has no effect here")
            yield f"{ignored['file']}: the option {ignored['option']} is not followed; {instead}"
        else:
            yield warning
    if undated:
        yield (
            f"{undated} file{' has' if undated == 1 else 's have'} no upload date on the index and "
            "cannot be taken under exclude-newer"
        )


def _error(
    status: int, said: str, *, keyring: bool
) -> ResolutionError | NetworkError | MachineError | UntrustedError:
    if guard.MARK in said:
        built = _BUILD.search(said)
        wanted = said.partition(guard.MARK)[2].partition("\n")[0].strip()
        return BuildWantedError(built[1] if built else "", wanted)
    said = _of_error(said)
    if status < 0:
        return MachineError(f"uv was ended by {signal.Signals(-status).name}", details=_details(said))
    if built := _BUILD.match(said):
        return _source_error(built[1], said)
    message, details = said.partition("\n")[0], _details(said)
    if _CUT_SHORT.search(said):
        return NetworkError(
            f"a file of the package index is damaged, or came only in part: {message}",
            hint="try again; if it stays so, exclude that version and tell whoever keeps the index",
            details=details,
        )
    if _UNREADABLE.search(said):
        return NetworkError(
            f"the package index gave an answer that cannot be read: {message}",
            hint="open the address in a browser: a proxy or a sign-in page may answer in the index's place",
            details=details,
        )
    if not _NETWORK.search(said):
        return ResolutionError(
            f"the Python packages cannot be resolved: {message}",
            hint=_hint(said),
            details=tuple(line for line in details if "--index-strategy" not in line),
        )
    return _network_error(message, said, details, keyring=keyring)


def _network_error(message: str, said: str, details: tuple[str, ...], *, keyring: bool) -> NetworkError:
    if _OFFLINE.search(said):
        hint = "run it without --offline"
    elif _AUTHENTICATION.search(said):
        hint = "give its credentials in ~/.netrc, in UV_INDEX_<NAME>_PASSWORD, or as ${NAME} in its URL"
        if keyring:
            hint += "; what the keyring says: keyring get URL USER"
    else:
        hint = "check the network and the index's address, then try again"
    if file := _FILE.match(message):
        hint = hint.replace("the index's address", "the address")
        return NetworkError(f"{file['what']} could not be fetched", hint=hint, details=details)
    return NetworkError(f"the package index did not answer: {message}", hint=hint, details=details)


def _hint(said: str) -> str:
    if found := _FIRST_INDEX.search(said):
        return (
            f"{found['name']} is on several indexes and taken from the first that has it; name the one "
            f'that is meant: [[pip.index]] name, url, packages = ["{found["name"]}"]'
        )
    return "change the requirements or constraints that it names"


def _source_error(package: str, said: str) -> ResolutionError | NetworkError | UntrustedError:
    """Tell of a source that uv could not read to learn what the package depends on."""
    causes = tuple(
        line.strip().removeprefix("cause: ")
        for line in said.partition("\nhint:")[0].splitlines()[1:]
        if line.strip()
    )
    if _NETWORK.search(said) or _GIT.search(said):
        return NetworkError(
            f"{package} could not be fetched",
            details=causes[-3:],
            hint="check its address, and that git needs no password to be typed for it",
        )
    if "hash mismatch" in said.lower():
        return UntrustedError(
            f"{package}: its file has another sha256 than the index states",
            details=causes,
            hint="try again later, or take another version, and report it to the index",
        )
    if _DAMAGED.search(said):
        return UntrustedError(
            f"{package}: its sdist is damaged, or would be unpacked outside its folder",
            details=causes[-1:],
            hint="take another version, and report it to the index",
        )
    return ResolutionError(
        f"{package} has no wheel for the target, and its sdist does not even tell what it depends on",
        details=causes[-1:],
        hint="pin a version that has a wheel",
    )


def _details(said: str) -> tuple[str, ...]:
    return tuple(line.strip().removeprefix("cause: ") for line in said.splitlines()[1:] if line.strip())
