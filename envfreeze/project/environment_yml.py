"""An environment file, as conda writes it and conda-lock extends it. Pure: it reads no other file.

The keys are conda's (https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html)
and, from conda-lock, `platforms`, `pip-repositories`, `category`, `allow-pypi-requests` and the selectors in
comments, like `# [linux64]`: a line with one counts for some platforms only
(https://conda.github.io/conda-lock/src_environment_yml/). What is wrong is told with its file, key and line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from envfreeze.errors import UsageError
from envfreeze.project.model import CondaSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

KEYS = (
    "name",
    "channels",
    "dependencies",
    "variables",
    "prefix",
    "platforms",
    "category",
    "pip-repositories",
    "allow-pypi-requests",
)
"""All keys that an environment file may have."""

SELECTORS: Mapping[str, frozenset[str]] = {
    "linux-64": frozenset({"linux64", "unix", "linux"}),
    "linux-aarch64": frozenset({"aarch64", "unix", "linux"}),
}
"""The selectors that hold for each channel folder."""

_ELSEWHERE = frozenset({"ppc64le", "osx", "osx64", "arm64", "win", "win64"})
_COMMENT = re.compile(r"(?P<before>.*?\S)\s*#[^\[\]]*\[(?P<selector>[^\[\]]+)\][^()\[\]]*")
_DEFAULTS_HINT = (
    "envfreeze asks no company's servers that nobody named: name the channels, as in `channels: "
    "[conda-forge]`, or Anaconda's own by their URLs"
)


@dataclass(frozen=True, slots=True)
class PipLine:
    """A line of the `pip:` section: a requirement or an option, and its line in the file."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What the file asks for on one platform.

    Attributes:
        specs: match specs for conda, in the file's order.
        pip: lines of the `pip:` section.

    """

    specs: tuple[CondaSpec, ...]
    pip: tuple[PipLine, ...]


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment file.

    Attributes:
        name: of the environment; None: not said.
        channels: in the file's order, without `nodefaults`; empty: none is named.
        platforms: channel folders that the file is for, among others `osx-arm64`; empty: not said.
        variables: environment variables that conda would set.
        pip_repositories: further package indexes.
        dependencies: by channel folder.

    """

    name: str | None
    channels: tuple[str, ...]
    platforms: tuple[str, ...]
    variables: Mapping[str, str]
    pip_repositories: tuple[str, ...]
    dependencies: Mapping[str, Dependencies]


def parse(content: bytes, file: str, subdirs: Sequence[str] = tuple(SELECTORS)) -> Environment:
    """Read an environment file.

    Args:
        content: the file's.
        file: its name in errors.
        subdirs: the channel folders to read the dependencies for.

    Raises:
        UsageError: it is not YAML, has an unknown key, a value of another kind than is expected, a selector
            or a match spec that nothing reads, or names `defaults`.

    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text, at byte {error.start}") from error
    whole = _Node(file, _compose(text, file))
    keys = dict(whole.members("the file"))
    for key, node in keys.items():
        if key not in KEYS:
            close = get_close_matches(key, KEYS, 1)
            hint = f"did you mean {close[0]}?" if close else f"its keys are {', '.join(KEYS)}"
            raise node.wrong(f"unknown key {key}", hint)
    if "dependencies" not in keys:
        raise UsageError(f"{file} has no dependencies", hint="dependencies: [python=3.13]")
    _check_unused(keys)
    return Environment(
        name=keys["name"].text("name") if "name" in keys else None,
        channels=tuple(_channels(keys.get("channels"))),
        platforms=_texts(keys.get("platforms"), "platforms"),
        variables=_variables(keys.get("variables")),
        pip_repositories=_texts(keys.get("pip-repositories"), "pip-repositories"),
        dependencies={subdir: _dependencies(text, file, subdir) for subdir in subdirs},
    )


def select(text: str, file: str, subdir: str) -> str:
    """Empty the lines whose selector does not hold for a channel folder; line numbers stay.

    Raises:
        UsageError: a selector is not one of conda-lock's.

    """
    return "\n".join(
        line if _holds(line, f"{file}, line {number}", subdir) else ""
        for number, line in enumerate(text.splitlines(), start=1)
    )


def _holds(line: str, where: str, subdir: str) -> bool:
    if line.lstrip().startswith("#"):
        return False
    commented = _COMMENT.fullmatch(line)
    if commented is None:
        return True
    selector = commented["selector"]
    known = frozenset().union(*SELECTORS.values(), _ELSEWHERE)
    if selector not in known:
        raise UsageError(
            f"{where}: [{selector}] is not a selector",
            hint=f"the selectors are {', '.join(sorted(known))}; in a plain comment write no square brackets",
        )
    return selector in SELECTORS[subdir]


class _Node:
    """A node of the YAML document and the file that it stands in."""

    def __init__(self, file: str, node: Any) -> None:  # noqa: ANN401 - PyYAML's
        self.file = file
        self.node = node
        self.line = 1 if node is None else int(node.start_mark.line) + 1

    def wrong(self, problem: str, hint: str = "") -> UsageError:
        return UsageError(f"{self.file}, line {self.line}: {problem}", hint=hint)

    def members(self, key: str) -> Iterator[tuple[str, _Node]]:
        """The keys and values of a mapping."""
        if self._kind != "mapping":
            raise self.wrong(f"{key} must be a mapping, not {self._shown}")
        seen = set()
        for name, value in self.node.value:
            text = _Node(self.file, name).text(f"a key of {key}")
            if text in seen:
                raise _Node(self.file, name).wrong(f"{text} stands there twice")
            seen.add(text)
            yield text, _Node(self.file, value)

    def items(self, key: str) -> list[_Node]:
        """The members of a list; nothing is an empty list."""
        if self._is_null:
            return []
        if self._kind != "sequence":
            raise self.wrong(f"{key} must be a list, not {self._shown}", f"write {key}: and `- …` below it")
        return [_Node(self.file, item) for item in self.node.value]

    def text(self, key: str) -> str:
        """A string; numbers, dates, booleans and nothing are none."""
        if not self.is_text:
            raise self.wrong(f"{key} must be text, not {self._shown}", "put it in quotes")
        return str(self.node.value).strip()

    @property
    def is_text(self) -> bool:
        return self._kind == "scalar" and bool(self.node.tag.endswith(":str"))

    @property
    def is_mapping(self) -> bool:
        return self._kind == "mapping"

    @property
    def _is_null(self) -> bool:
        return self.node is None or bool(self.node.tag.endswith(":null"))

    @property
    def _kind(self) -> str:
        return "null" if self.node is None else str(self.node.id)

    @property
    def _shown(self) -> str:
        if self._is_null:
            return "nothing"
        return f"`{self.node.value}`" if self._kind == "scalar" else f"a {self._kind}"


def _compose(text: str, file: str) -> Any:  # noqa: ANN401 - PyYAML's nodes
    import yaml  # noqa: PLC0415 - only where there is an environment file

    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}, line {mark.line + 1}" if mark is not None else file
        raise UsageError(f"{where}: not YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise UsageError(f"{file} is not YAML: {str(error).splitlines()[0]}") from error


def _check_unused(keys: Mapping[str, _Node]) -> None:
    """Refuse values that would ask for something that envfreeze does not do."""
    category = keys.get("category")
    if category is not None and category.text("category") != "main":
        raise category.wrong(
            f"category {category.text('category')}: an image has one category, main", "leave the key out"
        )
    requests = keys.get("allow-pypi-requests")
    if requests is not None and str(requests.node.value).lower() not in {"true", "yes", "on"}:
        raise requests.wrong(
            "allow-pypi-requests is off, and envfreeze has one index for all of pip",
            "leave the key out and name the index that may be asked: [pip] index-url",
        )


def _channels(node: _Node | None) -> Iterator[str]:
    for item in [] if node is None else node.items("channels"):
        channel = item.text("a channel")
        if channel == "defaults":
            raise item.wrong("`defaults` is no channel but stands for some of a company's", _DEFAULTS_HINT)
        if not channel:
            raise item.wrong("a channel must not be empty")
        if channel != "nodefaults":
            yield channel


def _texts(node: _Node | None, key: str) -> tuple[str, ...]:
    return () if node is None else tuple(item.text(f"a member of {key}") for item in node.items(key))


def _variables(node: _Node | None) -> dict[str, str]:
    variables = {}
    for name, value in [] if node is None else node.members("variables"):
        if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            raise value.wrong(f"variables: {name!r} is not the name of an environment variable")
        if name in {"PATH", "VIRTUAL_ENV", "CONDA_PREFIX"}:
            raise value.wrong(f"variables: {name} cannot be set: it leads to the environment in the image")
        kind = str(value.node.tag).rpartition(":")[2]
        if kind not in {"str", "int", "float"} or "\0" in str(value.node.value):
            raise value.wrong(f"variables: {name} must be text", "put it in quotes")
        variables[name] = str(value.node.value)
    return variables


def _dependencies(text: str, file: str, subdir: str) -> Dependencies:
    root = _Node(file, _compose(select(text, file, subdir), file))
    keys = dict(root.members("the file"))
    specs: list[CondaSpec] = []
    pip: list[PipLine] = []
    has_pip = None
    for item in keys["dependencies"].items("dependencies") if "dependencies" in keys else []:
        if not item.is_mapping:
            specs.append(CondaSpec(_checked(item), item.line))
            continue
        for key, value in item.members("dependencies"):
            if key.startswith("sel("):
                raise item.wrong(
                    f"dependencies: {key} is micromamba's, which conda and conda-lock do not read",
                    "write the selector as a comment behind the package, as in `- numpy  # [linux64]`",
                )
            if key != "pip":
                raise item.wrong(
                    f"dependencies: {key} is not a package manager that can be locked",
                    f"write a conda package as `- {key}=<version>`, pip's below `- pip:`",
                )
            has_pip = value.line if has_pip is None else has_pip
            pip += [_pip_line(line) for line in value.items("pip")]
    if pip and has_pip is not None and not any(_name(spec.text) == "pip" for spec in specs):
        # As conda and conda-lock do: who installs the section needs pip.
        specs.append(CondaSpec("pip", has_pip))
    return Dependencies(tuple(specs), tuple(pip))


def _pip_line(node: _Node) -> PipLine:
    text = node.text("a line of the pip section")
    if "\n" in text:
        raise node.wrong("a line of the pip section goes over several lines")
    return PipLine(text, node.line)


def _checked(node: _Node) -> str:
    """A match spec that the solver can read and that names its package."""
    from rattler import MatchSpec  # noqa: PLC0415 - heavy
    from rattler.exceptions import InvalidChannelError, InvalidMatchSpecError  # noqa: PLC0415 - heavy

    text = node.text("a dependency")
    try:
        spec = MatchSpec(text)
    except (InvalidMatchSpecError, InvalidChannelError) as error:
        reason = str(error).splitlines()[0]
        raise node.wrong(
            f"dependencies: {text!r} is not a match spec: {reason}",
            "for example: numpy=1.26, numpy>=1.26,<2, conda-forge::numpy",
        ) from error
    if text.startswith("defaults::"):
        raise node.wrong("`defaults` is no channel but stands for some of a company's", _DEFAULTS_HINT)
    if "://" in text and "::" not in text:
        raise node.wrong(
            f"dependencies: {text} is a file of a channel, not a package of one",
            "name the package, and its channel under channels",
        )
    if spec.name is not None and spec.name.normalized.startswith("__"):
        raise node.wrong(
            f"dependencies: {text} is a property of the system, not a package",
            "leave it out: it is taken from the base",
        )
    return text


def _name(text: str) -> str:
    from rattler import MatchSpec  # noqa: PLC0415 - heavy

    name = MatchSpec(text).name
    return "" if name is None else str(name.normalized)
