"""What a package's maintainer scripts would do on a fresh installation that no rule of envfreeze does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.layers.deb.scripts import harmless
from envfreeze.layers.deb.scripts.alternatives import alternative
from envfreeze.layers.deb.scripts.covered import reason
from envfreeze.layers.deb.scripts.trace import ARGUMENTS, Command, trace
from envfreeze.layers.deb.scripts.words import ShellSyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECTION = re.compile(
    r"^# Automatically added by (\w+)[^\n]*\n.*?^# End automatically added section$", re.MULTILINE | re.DOTALL
)
_COMMENT = re.compile(r"(?m)(?:^|(?<=\s))#.*$")
_SHELLS = re.compile(rb"#!\s*/(?:usr/)?bin/(?:env )?(?:ba|da|)sh\b")
_GRAVE_WORD = re.compile(
    rf"(?<![\w./=-])(?:/\S*/)?({'|'.join(map(re.escape, sorted(harmless.GRAVE)))})(?![\w.=-])"
)
_PYTHON = re.compile(r"python3(\.[0-9]+)?")
_SINKS = frozenset({"/dev/null", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/console"})
_SHOWN = 3
_LONGEST = 100


def review(control: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """Say what a package's scripts do that is not done for it, one sentence each; none where all is covered.

    A script is followed through the branches of a fresh installation (see `trace`); what is not known counts
    as reached. adduser, dpkg-divert, dpkg-statoverride, setcap and systemd-sysusers are named wherever they
    stand.

    Args:
        control: members of control.tar, as `DebPackage.control` has them.
        name: the package.

    """
    sentences: list[str] = []
    if reason(name) is None:
        for kind in ARGUMENTS:
            if kind in control:
                sentences.extend(_script(control[kind], kind, name))
    return tuple(sentences)


def _script(content: bytes, kind: str, name: str) -> list[str]:
    if not _SHELLS.match(content):
        interpreter = content.split(b"\n", 1)[0].removeprefix(b"#!").strip().decode("utf-8", "replace")
        return [f"{name}: its {kind} is a program for {interpreter or 'no interpreter'}, which is not run"]
    try:
        text = _SECTION.sub(_kept_section, content.decode())
        commands = trace(text, kind)
    except (ShellSyntaxError, UnicodeDecodeError) as problem:
        return [f"{name}: its {kind} cannot be read ({problem}), and is not run"]
    sentences = []
    done = [*dict.fromkeys(effect for command in commands for effect in _effects(command))]
    grave = [
        *dict.fromkeys(
            effect for command in commands if command.name in harmless.GRAVE for effect in _effects(command)
        )
    ]
    if done:
        others = [effect for effect in done if effect not in grave]
        listed = _listed([*grave, *others], at_least=len(grave))
        sentences.append(
            f"{name}: its {kind} would {listed}, which {'are' if len(done) > 1 else 'is'} not done"
        )
    reached = {command.name for command in commands}
    unseen = sorted(set(_GRAVE_WORD.findall(_COMMENT.sub("", text))) - reached)
    if unseen:
        listed = _listed(unseen, at_least=len(unseen))
        sentences.append(f"{name}: its {kind} mentions {listed}, though not for a fresh installation")
    return sentences


def _kept_section(match: re.Match[str]) -> str:
    return "" if match[1] in harmless.SECTIONS else match[0]


def _effects(command: Command) -> Iterator[str]:
    if not _is_harmless(command):
        text = " ".join(command.text.split())
        yield f"run `{text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}`"
    for path in command.writes:
        if path is None:
            yield "write a file whose name it computes"
        elif path not in _SINKS and not path.startswith("/tmp/"):  # noqa: S108 - a script's, not ours
            yield f"write {path}"


def _is_harmless(command: Command) -> bool:  # noqa: C901, PLR0911 - one line for each kind
    name, arguments = command.name, command.arguments
    if name == "":
        return command.text == ""
    if name == ".":
        return arguments[:1] == ("/usr/share/debconf/confmodule",)
    if name == "sed":
        return not any(argument is None or argument.startswith("-i") for argument in arguments[:1])
    if name == "find":
        return not {"-delete", "-exec", "-execdir", "-ok"} & set(arguments)
    if name in {"xargs", "env"}:
        return all(argument is None or argument.startswith("-") for argument in arguments)
    if _PYTHON.fullmatch(name):
        return _only_compiles(arguments)
    if name == "ucf":  # forgets a configuration file; without -p it would copy one to its place
        return not {"-p", "--purge"}.isdisjoint(arguments)
    if name == "update-alternatives":
        return alternative(command) is not None or "--install" not in arguments
    if name == "dpkg-divert":
        return _is_harmless_diversion(arguments)
    if name == "dpkg-statoverride":
        return "--list" in arguments
    return name in (
        harmless.QUERIES
        | harmless.DEBCONF
        | harmless.SERVICES
        | harmless.CACHES
        | harmless.REMOVALS
        | harmless.DPKG
    )


def _only_compiles(arguments: tuple[str | None, ...]) -> bool:
    """Say whether Python is only told to make byte code."""
    for index, argument in enumerate(arguments):
        if argument is None:
            return False
        if argument == "-m":
            return arguments[index + 1 : index + 2] in {("py_compile",), ("compileall",)}
        if argument not in harmless.PYTHON_FLAGS:
            return argument.endswith(("/py_compile.py", "/compileall.py"))
    return False


def _is_harmless_diversion(arguments: tuple[str | None, ...]) -> bool:
    """Queries and removals change nothing here; `.usr-is-merged` protects files on the way to merged-usr."""
    if {"--list", "--listpackage", "--truename", "--remove"} & set(arguments):
        return True
    return any(argument is not None and argument.endswith(".usr-is-merged") for argument in arguments)


def _listed(texts: list[str], *, at_least: int = 0) -> str:
    """Join texts with commas and `and`; the first three, or as many as must be named, and a count."""
    shown = texts[: max(_SHOWN, at_least)]
    if len(texts) > len(shown):
        shown = [*shown, f"{len(texts) - len(shown)} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
