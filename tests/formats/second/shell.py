"""The part of a shell that `os-layers.md` asks for: which alternatives does a postinst surely install?

Part of the second implementation; like the rest of it written from the documentation ("Arguments that are
known") and not from envfreeze.
"""

from __future__ import annotations

import fnmatch
import re
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import starmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Words = list[str | None]
    """A command's words; None for one that is not known."""
    Outcome = bool | None
    """How a command ends: well, badly, or not known."""


# ------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True)
class Part:
    """A piece of a word: a text, a variable, or (both empty) what is not known."""

    text: str | None = None
    name: str = ""
    quoted: bool = False


@dataclass(frozen=True)
class Word:
    raw: str
    parts: tuple[Part, ...]


Token = Word | str
"""A word, or an operator as it is written; a line feed is one."""

OPERATOR = re.compile(r";;|&&|\|\||[;&|()\n]")
REDIRECTION = re.compile(r"\d*(<<-?|>>|[<>]&|<>|>\||[<>])[ \t]*")
VARIABLE = re.compile(r"\$(?:(\d|[A-Za-z_]\w*|[@*#?$!-])|\{(\w+|[@*#])\})")


class Lexer:
    def __init__(self, text: str) -> None:
        self.text, self.at = text.replace("\\\n", ""), 0
        self.tokens: list[Token] = []
        documents: list[str] = []
        while self.at < len(self.text):
            if found := re.compile(r"[ \t]+|#[^\n]*").match(self.text, self.at):
                self.at = found.end()
            elif found := REDIRECTION.match(self.text, self.at):
                self.at = found.end()
                target = self.word().raw
                if found[1].startswith("<<"):
                    documents.append(target.strip("'\"\\"))
            elif found := OPERATOR.match(self.text, self.at):
                self.at = found.end()
                self.tokens.append(found[0])
                while found[0] == "\n" and documents:
                    end = re.compile(rf"^\t*{re.escape(documents.pop(0))}$\n?", re.MULTILINE)
                    closed = end.search(self.text, self.at)
                    self.at = closed.end() if closed else len(self.text)
            else:
                self.tokens.append(self.word())

    def word(self) -> Word:
        start, parts, quoted = self.at, [], False
        while self.at < len(self.text):
            here = self.text[self.at]
            if not quoted and here in " \t\n;&|()<>":
                break
            self.at += 1
            if here == '"':
                quoted = not quoted
                parts.append(Part("", quoted=True))
            elif here == "'" and not quoted:
                end = self.text.index("'", self.at)
                parts.append(Part(self.text[self.at : end], quoted=True))
                self.at = end + 1
            elif here == "\\":
                following = self.text[self.at : self.at + 1]
                kept = here if quoted and following not in '$`"\\' else ""
                parts.append(Part(kept + following, quoted=True))
                self.at += 1
            elif here in "$`":
                parts.append(self.expansion(here, quoted))
            else:
                parts.append(Part(here, quoted=quoted))
        return Word(self.text[start : self.at], tuple(parts))

    def expansion(self, here: str, quoted: bool) -> Part:
        found = VARIABLE.match(self.text, self.at - 1)
        if here == "$" and found:
            self.at = found.end()
            return Part(name=found[1] or found[2], quoted=quoted)
        if here == "`":
            self.at = re.compile(r"(?:\\.|[^`\\])*`", re.DOTALL).match(self.text, self.at).end()  # type: ignore[union-attr]
        elif self.text[self.at : self.at + 1] in {"(", "{"}:
            self.closed()
        else:
            return Part("$", quoted=quoted)
        return Part(quoted=quoted)

    def closed(self) -> None:
        """Go behind the bracket that closes the one here."""
        opening = self.text[self.at]
        closing, depth = {"(": ")", "{": "}"}[opening], 0
        while self.at < len(self.text):
            here = self.text[self.at]
            self.at += 1
            if here == "\\":
                self.at += 1
            elif here == "'":
                self.at = self.text.index("'", self.at) + 1
            depth += (here == opening) - (here == closing)
            if not depth:
                return


Node = tuple[Any, ...]
"""A kind and what belongs to it."""


class Parser:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self) -> str:
        """Give the next token as it is written; empty at the end."""
        if self.at == len(self.tokens):
            return ""
        token = self.tokens[self.at]
        return token.raw if isinstance(token, Word) else token

    def accept(self, *wanted: str) -> bool:
        self.at += (found := self.peek() in wanted)
        return found

    def expect(self, wanted: str) -> None:
        if not self.accept(wanted):
            raise ValueError(f"{wanted!r} is missing before {self.peek()!r}")

    def word(self) -> Word:
        token = self.tokens[self.at]
        if isinstance(token, str):
            raise TypeError(f"a word is missing before {token!r}")
        self.at += 1
        return token

    def list(self, *ends: str) -> Node:
        """Read commands up to one of these words."""
        commands = []
        while True:
            while self.accept("\n", ";", "&"):
                pass
            if self.peek() in {"", *ends}:
                return ("list", commands)
            commands.append(self.and_or())

    def and_or(self) -> Node:
        left = self.pipeline()
        while (operator := self.peek()) in {"&&", "||"}:
            self.at += 1
            while self.accept("\n"):
                pass
            left = (operator, left, self.pipeline())
        return left

    def pipeline(self) -> Node:
        if self.accept("!"):
            return ("!", self.pipeline())
        commands = [self.command()]
        while self.accept("|"):
            commands.append(self.command())
        return commands[0] if len(commands) == 1 else ("pipe", commands)

    def command(self) -> Node:
        if self.accept("if"):
            return self.condition()
        if self.accept("case"):
            return self.case()
        if self.accept("for"):
            return self.loop()
        if self.accept("while", "until"):
            return ("while", self.list("do"), self.body("do", "done"))
        if self.peek() == "{":
            return self.body("{", "}")
        if self.peek() == "(":
            return ("pipe", [self.body("(", ")")])
        return self.simple()

    def body(self, opening: str, closing: str) -> Node:
        self.expect(opening)
        body = self.list(closing)
        self.expect(closing)
        return body

    def simple(self) -> Node:
        """Read a simple command, or the definition of a function."""
        words = []
        while self.at < len(self.tokens) and isinstance(self.tokens[self.at], Word):
            words.append(self.word())
            if self.peek() == "(" and len(words) == 1:
                self.at += 1
                self.expect(")")
                while self.accept("\n"):
                    pass
                return ("define", words[0].raw, self.command())
        if not words and self.peek() not in {"\n", ";", ""}:
            raise ValueError(f"a command is missing before {self.peek()!r}")
        return ("simple", words)

    def condition(self) -> Node:
        asked = self.list("then")
        self.expect("then")
        body = self.list("elif", "else", "fi")
        if self.accept("elif"):
            return ("if", asked, body, self.condition())
        otherwise = self.list("fi") if self.accept("else") else ("list", [])
        self.expect("fi")
        return ("if", asked, body, otherwise)

    def case(self) -> Node:
        subject, branches = self.word(), []
        while self.accept("\n"):
            pass
        self.expect("in")
        while True:
            while self.accept("\n"):
                pass
            if self.accept("esac"):
                return ("case", subject, branches)
            self.accept("(")
            patterns = [self.word()]
            while self.accept("|"):
                patterns.append(self.word())
            self.expect(")")
            branches.append((patterns, self.list(";;", "esac")))
            self.accept(";;")

    def loop(self) -> Node:
        name, words = self.word().raw, None
        if self.accept("in"):
            words = []
            while self.peek() not in {"\n", ";"}:
                words.append(self.word())
        while self.accept("\n", ";"):
            pass
        return ("for", name, words, self.body("do", "done"))


# ---------------------------------------------------------------------------------------------- following


class Ended(Exception):  # noqa: N818 - no error
    """The script, or (by its argument) the function, goes no further."""


EMPTY_VERSION = {"lt", "le", "ne", "gt-nl", "ge-nl", "<<", "<=", "<"}
"""Comparisons of dpkg that hold for an empty first version and one that is not."""


@dataclass
class Shell:
    """Follows a script; `commands` are those it may run."""

    variables: dict[str, str | None] = field(default_factory=dict)
    arguments: Words = field(default_factory=lambda: ["configure", ""])
    functions: dict[str, Node] = field(default_factory=dict)
    commands: list[Words] = field(default_factory=list)
    depth: int = 0

    def run(self, node: Node) -> Outcome:
        kind, *rest = node
        names = {
            "list": "each",
            "&&": "both",
            "||": "either",
            "!": "negated",
            "if": "branch",
            "for": "each_word",
        }
        follow: Callable[..., Outcome] = getattr(self, names.get(kind, kind) + "_")
        return follow(*rest)

    def each_(self, commands: Sequence[Node]) -> Outcome:
        outcome: Outcome = True
        for command in commands:
            outcome = self.run(command)
        return outcome

    def both_(self, left: Node, right: Node) -> Outcome:
        outcome = self.run(left)
        if outcome is None:
            self.maybe(right)
        return self.run(right) if outcome else outcome

    def either_(self, left: Node, right: Node) -> Outcome:
        outcome = self.run(left)
        if outcome is None:
            self.maybe(right)
        return self.run(right) if outcome is False else outcome

    def negated_(self, node: Node) -> Outcome:
        outcome = self.run(node)
        return None if outcome is None else not outcome

    def pipe_(self, nodes: Sequence[Node]) -> Outcome:
        for node in nodes:
            self.maybe(node)
        return None

    def branch_(self, asked: Node, body: Node, otherwise: Node) -> Outcome:
        outcome = self.run(asked)
        if outcome is not None:
            return self.run(body if outcome else otherwise)
        self.maybe(body, otherwise)
        return None

    def while_(self, asked: Node, body: Node) -> Outcome:
        if self.run(asked) is not False:
            self.maybe(body)
        return None

    def each_word_(self, name: str, words: Sequence[Word] | None, body: Node) -> Outcome:
        for value in self.arguments if words is None else self.expand(words):
            self.variables[name] = value
            if value is None:
                self.maybe(body)
            else:
                self.run(body)
        return None

    def case_(self, subject: Word, branches: Sequence[tuple[Sequence[Word], Node]]) -> Outcome:
        (value,) = self.expand([subject], split=False)
        possible = []
        for patterns, body in branches:
            known = self.expand(patterns, split=False)
            if value is None or None in known:
                possible.append(body)
            elif any(fnmatch.fnmatchcase(value, pattern or "") for pattern in known):
                if not possible:
                    return self.run(body)
                possible.append(body)
                break
        self.maybe(*possible, ("list", []))
        return None

    def define_(self, name: str, body: Node) -> Outcome:
        self.functions[name] = body
        return True

    def maybe(self, *nodes: Node) -> None:
        """Follow one of these, or if it is one only: that or nothing."""
        before, ways = dict(self.variables), []
        for node in nodes if len(nodes) > 1 else (*nodes, ("list", [])):
            self.variables = dict(before)
            with suppress(Ended):
                self.run(node)
            ways.append(self.variables)
        names = {name for way in ways for name in way}
        first = ways[0]
        self.variables = {
            name: first.get(name) if all(way.get(name) == first.get(name) for way in ways) else None
            for name in names
        }

    def simple_(self, words: Sequence[Word]) -> Outcome:
        rest = list(words)
        while rest and (found := re.match(r"([A-Za-z_]\w*)=", rest[0].raw)):
            self.assign(found[1], rest.pop(0))
        if not rest:
            return True
        name, *arguments = self.expand(rest)
        if name in {"local", "export", "readonly"}:
            for word in rest[1:]:
                if found := re.match(r"(\w+)=", word.raw):
                    self.assign(found[1], word)
            return True
        if name in {"exit", "return"}:
            raise Ended(name)
        if name in self.functions and self.depth < 20:
            return self.call(self.functions[name], arguments)
        if name == "shift":
            self.arguments = self.arguments[1:]
        if name == "set" and arguments[:1] == ["--"]:
            self.arguments = arguments[1:]
        self.commands.append([name, *arguments])
        return self.outcome(name, arguments)

    def call(self, body: Node, arguments: Words) -> Outcome:
        outer, self.arguments = self.arguments, arguments
        self.depth += 1
        try:
            return self.run(body)
        except Ended as ended:
            if ended.args[:1] != ("return",):
                raise
            return None
        finally:
            self.arguments = outer
            self.depth -= 1

    def outcome(self, name: str | None, arguments: Words) -> Outcome:
        if name in {"true", ":", "set", "shift", "update-alternatives"}:
            return True
        if name == "false":
            return False
        if name in {"[", "test"}:
            return self.test(arguments[:-1] if name == "[" else arguments)
        if name == "dpkg" and arguments[:2] == ["--compare-versions", ""] and len(arguments) == 4:
            return arguments[2] in EMPTY_VERSION if arguments[3] else None
        return None

    def test(self, words: Words) -> Outcome:
        for operator, decisive in (("-o", True), ("-a", False)):
            if operator in words[1:-1]:
                at = words.index(operator)
                outcomes = {self.test(words[:at]), self.test(words[at + 1 :])}
                return decisive if decisive in outcomes else None if None in outcomes else not decisive
        match words:
            case []:
                return False
            case ["!", *rest] if rest:
                outcome = self.test(rest)
                return None if outcome is None else not outcome
            case ["-d" | "-e", "/run/systemd/system"]:
                return False
            case ["-n" | "-z" as operator, str(value)]:
                return bool(value) == (operator == "-n")
            case [str(left), "=" | "==" | "!=" as operator, str(right)]:
                return (left == right) == (operator != "!=")
            case [str(value)]:
                return bool(value)
        return None

    def assign(self, name: str, word: Word) -> None:
        # The parts before the = are the name's characters, each a part of its own.
        parts = word.parts[len(name) + 1 :]
        (self.variables[name],) = self.expand([Word("", parts)], split=False)

    def expand(self, words: Sequence[Word], *, split: bool = True) -> Words:
        return [text for word in words for text in self.texts(word, split=split)]

    def texts(self, word: Word, *, split: bool) -> Iterator[str | None]:
        if [part.name for part in word.parts if part.text != ""] == ["@"]:
            yield from self.arguments
            return
        values = list(starmap(self.value, ((part,) for part in word.parts)))
        if None in values:
            yield None
            return
        text = "".join(value or "" for value in values)
        if not split or any(part.quoted for part in word.parts):
            yield text
        elif any(part.name for part in word.parts):
            yield from text.split()
        else:
            yield None if re.search(r"[*?\[]", text) and text != "[" else text

    def value(self, part: Part) -> str | None:
        if part.text is not None:
            return part.text
        if part.name.isdigit() and part.name != "0":
            return (self.arguments + [""] * 9)[int(part.name) - 1]
        if part.name == "#":
            return str(len(self.arguments))
        return self.variables.get(part.name)


# ------------------------------------------------------------------------------------------- alternatives


@dataclass
class Choice:
    """What one `update-alternatives --install` asks for; `followers`: name to generic path and path."""

    generic: str
    name: str
    path: str
    priority: int
    followers: dict[str, tuple[str, str]]


def alternatives_of(postinst: str) -> list[Choice]:
    if "update-alternatives" not in postinst:
        return []
    shell = Shell()
    with suppress(Ended):
        shell.run(Parser(Lexer(postinst).tokens).list())
    found = []
    for command in shell.commands:
        words = [word for word in command if word is not None]
        if words[:1] == ["update-alternatives"] and "--install" in words and len(words) == len(command):
            at = words.index("--install") + 1
            generic, name, path, priority = words[at : at + 4]
            more = words[at + 4 :]
            slaves = [
                more[at + 1 : at + 4] for at, word in enumerate(more) if word in {"--slave", "--follower"}
            ]
            followers = {follower: (link, target) for link, follower, target in slaves}
            found.append(Choice(generic, name, path, int(priority), followers))
    return found
