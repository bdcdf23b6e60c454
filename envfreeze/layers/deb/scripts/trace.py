"""Follow a maintainer script through a fresh installation and note every command that it would reach.

Nothing is run. What the script is told is known: `configure` and no earlier version for a postinst,
`install` for a preinst (deb-postinst(5), deb-preinst(5)). What depends on the machine is not known; then
both branches are followed. So the result may hold too much, and holds too little only where a script
computes the name of a command.
"""

from __future__ import annotations

import contextlib
import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.layers.deb.scripts import shell
from envfreeze.layers.deb.scripts.conditions import compare_versions, holds
from envfreeze.layers.deb.scripts.words import Literal, Parameter, ShellSyntaxError, Substitution, Word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ARGUMENTS = {"preinst": ("install",), "postinst": ("configure", "")}
"""What dpkg calls a script with when the package is installed for the first time."""

_STEPS = 20_000
_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Command:
    """A command that would be reached.

    Attributes:
        name: without a folder: `adduser`.
        arguments: None for each that is not known.
        text: as a person would write it, with `…` for what is not known.
        writes: files that its output goes to; None for each that is not known.

    """

    name: str
    arguments: tuple[str | None, ...]
    text: str
    writes: tuple[str | None, ...] = ()


class _ExitError(Exception):
    """The script has ended."""


class _ReturnError(Exception):
    """A function has ended."""


Truth = bool | None


def trace(script: str, kind: str) -> tuple[Command, ...]:
    """List the commands that a script would reach, in order.

    Args:
        script: its text.
        kind: `preinst` or `postinst`.

    Raises:
        ShellSyntaxError: the script is not understood.

    """
    follower = _Follower(list(ARGUMENTS[kind]), {"DPKG_ROOT": "", "DPKG_MAINTSCRIPT_NAME": kind})
    with contextlib.suppress(_ExitError, _ReturnError):
        follower.follow(shell.parse(script))
    return tuple(follower.commands)


@dataclass(slots=True)
class _Follower:
    positional: list[str | None]
    variables: dict[str, str | None]
    commands: list[Command] = field(default_factory=list)
    functions: dict[str, shell.Node] = field(default_factory=dict)
    uncertain: int = 0
    depth: int = 0
    steps: int = 0

    def follow(self, node: shell.Node) -> Truth:  # noqa: C901, PLR0911 - one arm for each kind of node
        self.steps += 1
        if self.steps > _STEPS:
            raise ShellSyntaxError("it does not come to an end")
        match node:
            case shell.Simple():
                return self._simple(node)
            case shell.Sequence(parts):
                truth: Truth = True
                for part in parts:
                    truth = self.follow(part)
                return truth
            case shell.AndOr(parts):
                return self._and_or(parts)
            case shell.Pipeline(parts, negated):
                truth = None
                for part in parts:
                    truth = self._apart(part) if len(parts) > 1 else self.follow(part)
                return truth if truth is None else truth is not negated
            case shell.If(branches):
                return self._if(branches)
            case shell.Case(word, branches):
                return self._case(word, branches)
            case shell.For(name, words, body):
                self._for(name, words, body)
            case shell.While(condition, body):
                with self._perhaps():
                    self.follow(condition)
                    self._forget(body)
                    self.follow(body)
            case shell.Subshell(body, writes):
                if writes:
                    self._note("", (), "", writes)
                return self._apart(body)
            case shell.Function(name, body):
                self.functions[name] = body
                return True
        return None

    @contextlib.contextmanager
    def _perhaps(self) -> Iterator[None]:
        """Follow something that may or may not be reached: afterwards only what both leave equal is known."""
        before = dict(self.variables)
        self.uncertain += 1
        try:
            yield
        finally:
            self.uncertain -= 1
            for name in before.keys() | self.variables.keys():
                if before.get(name) != self.variables.get(name):
                    self.variables[name] = None

    def _apart(self, node: shell.Node) -> Truth:
        """Follow what runs in a process of its own: its variables and its exit stay there."""
        before, positional = dict(self.variables), list(self.positional)
        try:
            return self.follow(node)
        except (_ExitError, _ReturnError):
            return None
        finally:
            self.variables, self.positional = before, positional

    def _forget(self, body: shell.Node) -> None:
        """A loop's body may see what its last turn left: drop what it assigns before following it once."""
        for name in _assigned(body):
            self.variables[name] = None

    def _and_or(self, parts: Sequence[tuple[str, shell.Node]]) -> Truth:
        truth: Truth = True
        for operator, node in parts:
            if operator == "":
                truth = self.follow(node)
            elif truth is None:
                with self._perhaps():
                    other = self.follow(node)
                # `unknown || true` is true and `unknown && false` is false, whichever way it went.
                truth = other if other is (operator == "||") else None
            elif truth is (operator == "&&"):
                truth = self.follow(node)
        return truth

    def _if(self, branches: Sequence[tuple[shell.Node | None, shell.Node]]) -> Truth:
        with contextlib.ExitStack() as stack:
            certain = True
            for condition, body in branches:
                truth = True if condition is None else self.follow(condition)
                if truth is False:
                    continue
                if truth is True:
                    found = self.follow(body)
                    return found if certain else None
                certain = False
                with self._perhaps():
                    self.follow(body)
                stack.enter_context(self._perhaps())
            return True if certain else None

    def _case(self, word: Word, branches: Sequence[tuple[tuple[Word, ...], shell.Node]]) -> Truth:
        value = self._one(word)
        with contextlib.ExitStack() as stack:
            for patterns, body in branches:
                texts = [self._one(pattern) for pattern in patterns]
                if value is not None and any(
                    text is not None and fnmatch.fnmatchcase(value, text) for text in texts
                ):
                    return self.follow(body)
                if value is None or None in texts:
                    with self._perhaps():
                        self.follow(body)
                    stack.enter_context(self._perhaps())
        return None

    def _for(self, name: str, words: Sequence[Word] | None, body: shell.Node) -> None:
        values: list[str | None] = list(self.positional) if words is None else []
        for word in words or ():
            globbed = any(
                isinstance(part, Literal) and not part.quoted and set(part.text) & set("*?[")
                for part in word.parts
            )
            values.extend([None] if globbed else self._fields(word))
        for value in values:
            self.variables[name] = value
            if value is None:
                with self._perhaps():
                    self.follow(body)
            else:
                self.follow(body)

    def _simple(self, node: shell.Simple) -> Truth:
        values = [(name, self._one(word)) for name, word in node.assignments]
        fields = [found for word in node.words for found in self._fields(word)]
        if not fields:
            self.variables.update(values)
            if node.writes:
                self._note("", (), "", node.writes)
            return None if any(self._substitutes(word) for _, word in node.assignments) else True
        name = fields[0]
        if name is None:
            self._note("", tuple(fields), self._shown(node.words), node.writes)
            return None
        arguments = tuple(fields[1:])
        builtin = self._builtin(name, arguments)
        if builtin is not None:
            return builtin()
        if name in self.functions and self.depth < _DEPTH:
            return self._call(name, arguments)
        self._note(name.rpartition("/")[2], arguments, self._shown(node.words), node.writes)
        return _outcome(name, arguments)

    def _builtin(self, name: str, arguments: tuple[str | None, ...]) -> Callable[[], Truth] | None:
        builtins: dict[str, Callable[[tuple[str | None, ...]], Truth]] = {
            "exit": self._exit,
            "return": self._return,
            "shift": self._shift,
            "set": self._set,
            "local": self._declare,
            "export": self._declare,
            "readonly": self._declare,
            "read": self._read,
            "unset": self._read,
            "command": self._command,
        }
        if name not in builtins or (name == "command" and arguments[:1] in {("-v",), ("-V",)}):
            return None
        return lambda: builtins[name](arguments)

    def _exit(self, arguments: tuple[str | None, ...]) -> Truth:
        del arguments
        if not self.uncertain:
            raise _ExitError
        return None

    def _return(self, arguments: tuple[str | None, ...]) -> Truth:
        del arguments
        if not self.uncertain:
            raise _ReturnError
        return None

    def _shift(self, arguments: tuple[str | None, ...]) -> Truth:
        count = arguments[0] if arguments else "1"
        known = count is not None and count.isdigit() and not self.uncertain
        self.positional = self.positional[int(count or 0) :] if known else [None] * len(self.positional)
        return None

    def _set(self, arguments: tuple[str | None, ...]) -> Truth:
        if "--" in arguments:
            self.positional = list(arguments[arguments.index("--") + 1 :])
        return True

    def _declare(self, arguments: tuple[str | None, ...]) -> Truth:
        for argument in arguments:
            name, equals, value = (argument or "").partition("=")
            if equals:
                self.variables[name] = value
        return True

    def _read(self, arguments: tuple[str | None, ...]) -> Truth:
        for argument in arguments:
            if argument is not None:
                self.variables[argument] = None
        return None

    def _command(self, arguments: tuple[str | None, ...]) -> Truth:
        if arguments and arguments[0] is not None:
            shown = " ".join("…" if argument is None else argument for argument in arguments)
            self._note(arguments[0].rpartition("/")[2], arguments[1:], shown, ())
        return None

    def _call(self, name: str, arguments: tuple[str | None, ...]) -> Truth:
        positional, uncertain = self.positional, self.uncertain
        self.positional, self.uncertain = list(arguments), 0
        self.depth += 1
        try:
            return self.follow(self.functions[name])
        except _ReturnError:
            return None
        except _ExitError:
            if uncertain:
                return None
            raise
        finally:
            self.depth -= 1
            self.positional, self.uncertain = positional, uncertain

    def _note(self, name: str, arguments: tuple[str | None, ...], text: str, writes: Sequence[Word]) -> None:
        files = tuple(self._one(word) for word in writes)
        self.commands.append(Command(name, arguments, text, files))

    def _substitutes(self, word: Word) -> bool:
        return any(isinstance(part, Substitution) for part in word.parts)

    def _shown(self, words: Sequence[Word]) -> str:
        shown: list[str] = []
        for word in words:
            texts = []
            for part in word.parts:
                value = self._value(part, follow=False)
                texts.append("…" if value is None else value)
            shown.append("".join(texts))
        return " ".join(shown)

    def _one(self, word: Word) -> str | None:
        """Expand a word to one value, None where it is not known."""
        values = [self._value(part) for part in word.parts]
        return None if None in values else "".join(value for value in values if value is not None)

    def _fields(self, word: Word) -> list[str | None]:
        """Expand a word to the fields that it becomes."""
        if len(word.parts) >= 1 and any(
            isinstance(part, Parameter) and part.name == "@" and not part.operator for part in word.parts
        ):
            return list(self.positional)
        value = self._one(word)
        if value is None:
            return [None]
        quoted = any(not isinstance(part, Substitution) and part.quoted for part in word.parts)
        if quoted or all(isinstance(part, Literal) for part in word.parts):
            return [value]
        return list(value.split())

    def _value(self, part: Literal | Parameter | Substitution, *, follow: bool = True) -> str | None:
        match part:
            case Literal(text):
                return text
            case Substitution(script):
                if follow and script is not None:
                    self._apart(shell.parse(script))
                return None
            case Parameter():
                return self._parameter(part)

    def _parameter(self, part: Parameter) -> str | None:
        value: str | None
        if part.name.isdigit():
            index = int(part.name) - 1
            value = None if index < 0 else self.positional[index] if index < len(self.positional) else ""
        elif part.name == "#":
            value = str(len(self.positional))
        elif part.name in {"@", "*"}:
            known = [text for text in self.positional if text is not None]
            value = " ".join(known) if len(known) == len(self.positional) else None
        else:
            value = self.variables.get(part.name)
        if value is None or part.operator == "":
            return value
        plain = not set(part.operand) & set("$`\"'\\")
        if part.operator in {":-", "-", ":=", "="}:
            return value or (part.operand if plain else None)
        if part.operator in {":+", "+"}:
            return (part.operand if plain else None) if value else ""
        return None


def _outcome(name: str, arguments: tuple[str | None, ...]) -> Truth:
    """Say whether a command succeeds, where that is known."""
    if name in {"true", ":", "echo", "printf", "umask", "trap"}:
        return True
    if name == "false":
        return False
    if name in {"[", "test"}:
        return holds(arguments[:-1] if name == "[" else arguments)
    if name == "dpkg" and arguments[:1] == ("--compare-versions",):
        return compare_versions([argument for argument in arguments[1:] if argument != "--"])
    return None


def _assigned(node: object) -> Iterator[str]:
    """Give every name that a piece of script assigns to."""
    match node:
        case shell.Simple(assignments):
            for name, _ in assignments:
                yield name
        case shell.For(name, _, body):
            yield name
            yield from _assigned(body)
        case tuple():
            for part in node:
                yield from _assigned(part)
        case shell.Sequence(parts) | shell.AndOr(parts) | shell.Pipeline(parts):
            yield from _assigned(parts)
        case shell.If(branches) | shell.Case(_, branches):
            yield from _assigned(branches)
        case shell.While(condition, body):
            yield from _assigned((condition, body))
