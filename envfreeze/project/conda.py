"""The conda side of a project: `[conda]`, its environment file, and what the file says to the other sides."""

from __future__ import annotations

import functools
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement

from envfreeze.errors import UsageError
from envfreeze.oci.platform import Platform
from envfreeze.project import places, requirements
from envfreeze.project.included import read_with_includes
from envfreeze.project.keys import VARIABLE
from envfreeze.project.model import CondaSettings
from envfreeze.project.moments import moment, span
from envfreeze.project.urls import expand, is_url
from envfreeze.project.validation import Written
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.project.environment_yml import Environment, PipLine
    from envfreeze.project.model import PipSettings

USUAL = ("environment.yml", "environment.yaml")
"""Environment files that are found without being named, in this order."""

_MACHINES = {platform.conda_subdir: platform.machine for platform in map(Platform.parse, Platform.SUPPORTED)}
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
_USERINFO = re.compile(r"://(?P<user>[^/@]*)@")
_TOKEN = re.compile(r"/t/(?P<token>[^/]+)/")
_LOCATION = re.compile(
    r"(?P<option>-i|--index-url|--extra-index-url|-f|--find-links)(?:\s*=\s*|\s+|(?<=-[if]))(?P<value>\S+)"
)


class CondaSide(Struct, frozen=True):
    """What an environment file and `[conda]` come to.

    Attributes:
        file: the environment file, relative to the project.
        environment: what it says.
        settings: the project's `conda`.
        files: the environment file and the requirements files that its `pip:` section includes.

    """

    file: str
    environment: Environment
    settings: CondaSettings
    files: Mapping[str, bytes]

    def platforms(self, asked: Sequence[Platform], *, written: bool) -> tuple[Platform, ...]:
        """Choose the image's platforms.

        Args:
            asked: those of `[image] platform`.
            written: whether the user wrote them, or they are the default.

        Raises:
            UsageError: the environment file is for none of them, or not for one that is asked for.

        """
        named = self.environment.platforms
        if not named:
            return tuple(asked)
        known = {platform.conda_subdir: platform for platform in map(Platform.parse, Platform.SUPPORTED)}
        if not written:
            chosen = tuple(known[name] for name in dict.fromkeys(named) if name in known)
            if chosen:
                return chosen
            raise UsageError(
                f"{self.file}: platforms names {', '.join(named)}, none of which an image can be made for",
                hint=f"add one of {', '.join(known)}",
            )
        for platform in asked:
            if platform.conda_subdir not in named:
                raise UsageError(
                    f"{self.file}: platforms does not name {platform.conda_subdir}, and [image] platform "
                    f"asks for {platform}",
                    hint=f"add {platform.conda_subdir} to platforms, or leave [image] platform out",
                )
        return tuple(asked)


def beside_lock(written: Written, values: Mapping[str, Any], lock: str) -> CondaSettings | None:
    """Read what `[conda]` says of packages that are taken from a lock file; None: nothing.

    Raises:
        UsageError: it names an environment file or channels, which the lock file already decided.

    """
    if "conda" not in written.values:
        return None
    for key in ("environment", "channels"):
        if values[key] is not None:
            raise written.error(
                f"conda.{key}", f"says what is solved, and the packages are taken from {lock}", "leave it out"
            )
    return CondaSettings(
        environment=lock,
        channels=(),
        locations=(),
        specs={},
        channel_priority=values["channel-priority"],
        exclude_newer=None,
        allow_link_scripts=tuple(values["allow-link-scripts"]),
        name_map=dict(values["name-map"]),
    )


def read_conda(
    root: Path,
    written: Written,
    values: Mapping[str, Any],
    *,
    newest: Any,  # noqa: ANN401 - TOML
    configured: bool,
) -> CondaSide | None:
    """Read the conda side of a project.

    Args:
        root: the project's folder, resolved.
        written: the configuration, for errors.
        values: the checked values of `[conda]`.
        newest: `[pip] exclude-newer`, as TOML reads it; a span of time is not looked at.
        configured: there is a configuration, so that only a `[conda]` in it makes a conda side.

    Returns:
        The conda side; None: the project has none.

    Raises:
        UsageError: a file is missing or wrong, a variable is not set, or no channel is named.
        MachineError: a file cannot be read.

    """
    if configured and "conda" not in written.values:
        return None
    name = values["environment"] or next((usual for usual in USUAL if (root / usual).exists()), None)
    if name is None:
        if not configured:
            return None
        raise written.error(
            "conda",
            f"needs an environment file, and there is no {' or '.join(USUAL)}",
            'name it: environment = "conda.yml"',
        )
    from envfreeze.project.environment_yml import parse  # noqa: PLC0415 - only where there is one

    name = name.removeprefix("./")
    blame = functools.partial(_blame, written, name)
    content = places.read(places.inside(root, root / name, blame), blame)
    environment = parse(content, name)
    channels = tuple(values["channels"] or environment.channels)
    if not channels:
        raise UsageError(
            f"{name} names no channels",
            hint="add them, as in `channels: [conda-forge]`, or set [conda] channels",
        )
    settings = CondaSettings(
        environment=name,
        channels=channels,
        locations=_locations(written, name, channels, named_by_key=values["channels"] is not None),
        specs={subdir: found.specs for subdir, found in environment.dependencies.items()},
        channel_priority=values["channel-priority"],
        exclude_newer=_newest(written, values["exclude-newer"], newest),
        allow_link_scripts=tuple(values["allow-link-scripts"]),
        name_map=dict(values["name-map"]),
        overridden=values["channels"] is not None,
    )
    return CondaSide(name, environment, settings, {name: content})


def join_pip(
    root: Path, side: CondaSide, pip: PipSettings, platforms: Sequence[Platform]
) -> tuple[PipSettings, dict[str, bytes]]:
    """Add the `pip:` section to the project's pip requirements.

    A line that counts for some of the platforms only gets a marker that says so.

    Returns:
        The joined settings, and the content of the requirements files that the section includes.

    Raises:
        UsageError: a line cannot be locked.

    """
    section = Written(side.file, "", {})
    joined = _Joined()
    for line, marker in _by_platform(side, [platform.conda_subdir for platform in platforms]):
        where = f"{side.file}, line {line.line}"
        # The reading of requirements files judges the line too, at its place in the environment file.
        included = requirements.includes(("\n" * (line.line - 1) + line.text).encode(), side.file)
        location = _LOCATION.fullmatch(line.text)
        if marker and line.text.startswith("-"):
            raise UsageError(f"{where}: an option cannot have a selector", hint="leave the selector out")
        if included:
            joined.include(root, side.file, included[0])
        elif location is not None:
            joined.locate(location["option"], location["value"], section, side.file)
        elif line.text.startswith("-") and not line.text.startswith(("-e", "--editable")):
            raise UsageError(
                f"{where}: the option {line.text.split()[0]} cannot be locked",
                hint="leave it out, or set the key of [pip] that does the same",
            )
        else:
            joined.dependencies.append(_marked(line.text, marker, where))
    joined.extra += _urls(section, "pip-repositories", side.environment.pip_repositories)
    return (
        replace(
            pip,
            requirements=tuple(dict.fromkeys([*pip.requirements, *joined.requirement_files])),
            dependencies=tuple(dict.fromkeys([*pip.dependencies, *joined.dependencies])),
            constraints=tuple(dict.fromkeys([*pip.constraints, *joined.constraint_files])),
            index_url=pip.index_url or joined.index,
            extra_index_urls=tuple(dict.fromkeys([*pip.extra_index_urls, *joined.extra])),
            find_links=tuple(dict.fromkeys([*pip.find_links, *joined.find_links])),
        ),
        joined.contents,
    )


@dataclass(slots=True)
class _Joined:
    """What the lines of a `pip:` section add."""

    requirement_files: list[str] = field(default_factory=list)
    constraint_files: list[str] = field(default_factory=list)
    dependencies: list[str] = field(default_factory=list)
    index: str | None = None
    extra: list[str] = field(default_factory=list)
    find_links: list[str] = field(default_factory=list)
    contents: dict[str, bytes] = field(default_factory=dict)

    def include(self, root: Path, file: str, included: requirements.Include) -> None:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), included.path))
        where = f"{file}, line {included.line}: {included.option}"
        self.contents |= read_with_includes(
            root, path, lambda problem: UsageError(f"{where} {path} {problem}")
        )
        kind = self.requirement_files if included.option in {"-r", "--requirement"} else self.constraint_files
        kind.append(path)

    def locate(self, option: str, value: str, section: Written, file: str) -> None:
        if option in {"-f", "--find-links"}:
            (place,) = expand(section, "pip", [value])
            if "://" not in place:
                place = posixpath.normpath(posixpath.join(posixpath.dirname(file), place))
            self.find_links.append(place)
        elif option == "--extra-index-url":
            self.extra += _urls(section, "pip", [value])
        else:
            (self.index,) = _urls(section, "pip", [value])


def _urls(section: Written, key: str, values: Sequence[str]) -> tuple[str, ...]:
    urls = expand(section, key, values)
    if not all(map(is_url, urls)):
        raise section.error(key, "names an index that is not a URL", "an index is an http:// or https:// URL")
    return urls


def _by_platform(side: CondaSide, subdirs: Sequence[str]) -> list[tuple[PipLine, str]]:
    """The lines of all platforms, each with the marker that it needs: empty where all have it."""
    lines: dict[PipLine, list[str]] = {}
    for subdir in subdirs:
        for line in side.environment.dependencies[subdir].pip:
            lines.setdefault(line, []).append(subdir)
    return [
        (
            line,
            ""
            if len(having) == len(subdirs)
            else " or ".join(f"platform_machine == '{_MACHINES[subdir]}'" for subdir in having),
        )
        for line, having in sorted(lines.items(), key=lambda item: item[0].line)
    ]


def _marked(text: str, marker: str, where: str) -> str:
    if not marker:
        return text
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise UsageError(
            f"{where}: {text} cannot have a selector", hint="write a marker of pip's instead"
        ) from error
    own = requirement.marker
    requirement.marker = Marker(marker if own is None else f"({own}) and ({marker})")
    return str(requirement)


def _blame(written: Written, name: str, problem: str) -> UsageError:
    if "conda" in written.values:
        return written.error("conda.environment", f"{name!r} {problem}")
    return UsageError(f"{name} {problem}")


def _locations(
    written: Written, file: str, channels: Sequence[str], *, named_by_key: bool
) -> tuple[str, ...]:
    """Put the environment's variables into the channels.

    A password in the file itself would be in every clone, and in the lock as well.
    """
    source, key = (written, "conda.channels") if named_by_key else (Written(file, "", {}), "channels")
    braced = [_VARIABLE.sub(r"${\1}", channel) for channel in channels]
    for channel in braced:
        user, token = _USERINFO.search(channel), _TOKEN.search(channel)
        secrets = [*(user["user"].split(":") if user else ()), *([token["token"]] if token else ())]
        if any(not re.fullmatch(VARIABLE, secret) for secret in secrets):
            raise source.error(
                key,
                "has a URL that holds a user, a password or a token",
                "write ${NAME} for an environment variable there, or keep them in ~/.netrc",
            )
        if channel == "defaults":
            raise source.error(key, "names `defaults`, which is no channel", "name channels by their URLs")
    return expand(source, key, braced)


def _newest(written: Written, own: Any, shared: Any) -> datetime | None:  # noqa: ANN401 - TOML
    key, value = ("conda", own) if own is not None else ("pip", shared)
    try:
        return None if value is None or (own is None and span(value) is not None) else moment(value)
    except ValueError as error:
        raise written.error(f"{key}.exclude-newer", f"is not in the calendar: {value}") from error
