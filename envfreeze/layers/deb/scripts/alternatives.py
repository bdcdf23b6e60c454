"""Read `update-alternatives --install` as scripts call it (update-alternatives(1))."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.deb.scripts.trace import Command

_INSTALL = len(("link", "name", "path", "priority"))
_SLAVE = len(("link", "name", "path"))


@dataclass(frozen=True, slots=True)
class Alternative:
    """One choice that a package offers.

    Attributes:
        link: the generic path, absolute: `/usr/bin/awk`.
        name: of the link in /etc/alternatives: `awk`.
        path: the choice: `/usr/bin/mawk`.
        priority: the highest wins.
        slaves: link, name and path of what follows the choice.

    """

    link: str
    name: str
    path: str
    priority: int
    slaves: tuple[tuple[str, str, str], ...]


def alternative(command: Command) -> Alternative | None:
    """Read a call of `update-alternatives --install`; None for other calls and for computed arguments."""
    arguments = [argument for argument in command.arguments if argument is not None]
    if command.name != "update-alternatives" or len(arguments) != len(command.arguments):
        return None
    groups = list(_groups(arguments))
    installs = [values for option, values in groups if option == "--install"]
    slaves = [
        (values[0], values[1], values[2]) for option, values in groups if option in {"--slave", "--follower"}
    ]
    if len(installs) != 1:
        return None
    link, name, path, priority = installs[0]
    try:
        number = int(priority)
    except ValueError:
        return None
    triples = [(link, name, path), *slaves]
    if not all(_is_path(link) and _is_path(path) and _is_name(name) for link, name, path in triples):
        return None
    return Alternative(link, name, path, number, tuple(slaves))


def _groups(arguments: list[str]) -> Iterator[tuple[str, list[str]]]:
    at = 0
    while at < len(arguments):
        option = arguments[at]
        count = {"--install": _INSTALL, "--slave": _SLAVE, "--follower": _SLAVE}.get(option, 0)
        values = arguments[at + 1 : at + 1 + count]
        if len(values) == count:
            yield option, values
        at += 1 + count


def _is_path(path: str) -> bool:
    return path.startswith("/") and path_problem(path[1:]) is None and not set(path) & set("*?[\n")


def _is_name(name: str) -> bool:
    return bool(name) and not set(name) & set("/ \t\n\0*?[\\") and not name.startswith((".wh.", "-"))
