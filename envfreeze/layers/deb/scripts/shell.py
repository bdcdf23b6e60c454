"""Read the POSIX shell language (XCU 2, "Shell Command Language") as far as maintainer scripts use it.

The result is a syntax tree; nothing is expanded or run here. Whoever follows it is in `trace`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from envfreeze.layers.deb.scripts.words import (
    Literal,
    Operator,
    ShellSyntaxError,
    Substitution,
    Token,
    Word,
    tokens,
)


@dataclass(frozen=True, slots=True)
class Simple:
    """A simple command: assignments, words and the files that its redirections write."""

    assignments: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    writes: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`."""

    parts: tuple[Node, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class AndOr:
    """Pipelines joined by `&&` and `||`; the first one's operator is empty."""

    parts: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Commands one after the other."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class If:
    """Conditions with their bodies; the last condition is None for `else`."""

    branches: tuple[tuple[Node | None, Node], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A word, and patterns with their bodies."""

    word: Word
    branches: tuple[tuple[tuple[Word, ...], Node], ...]


@dataclass(frozen=True, slots=True)
class For:
    """A loop over words; None for the positional parameters."""

    name: str
    words: tuple[Word, ...] | None
    body: Node


@dataclass(frozen=True, slots=True)
class While:
    """A loop whose number of turns is not known."""

    condition: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Subshell:
    """`( ... )`, or any compound command with redirections."""

    body: Node
    writes: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function's definition."""

    name: str
    body: Node


Node = Simple | Pipeline | AndOr | Sequence | If | Case | For | While | Subshell | Function

_REDIRECTIONS = frozenset({"<<-", "<<<", "<<", ">>", ">&", "<&", "<>", ">|", "<", ">", "&>", "&>>"})
_WRITING = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=")
_CLOSING = frozenset({"then", "else", "elif", "fi", "do", "done", "esac", "}"})


def parse(script: str) -> Node:
    """Read a whole script.

    Raises:
        ShellSyntaxError: it is not understood.

    """
    try:
        return _Parser(tokens(script)).whole()
    except (IndexError, RecursionError) as problem:
        raise ShellSyntaxError("it ends in the middle of a command") from problem


@dataclass(slots=True)
class _Parser:
    tokens: list[Token]
    at: int = 0

    def whole(self) -> Node:
        body = self._sequence(frozenset())
        if self.at < len(self.tokens):
            raise ShellSyntaxError(f"unexpected {self._shown()}")
        return body

    def _shown(self) -> str:
        token = self.tokens[self.at]
        return repr(token.text if isinstance(token, Operator) else token.plain)

    def _operator(self, *texts: str) -> bool:
        if self.at >= len(self.tokens):
            return False
        token = self.tokens[self.at]
        return isinstance(token, Operator) and token.text in texts

    def _reserved(self) -> str | None:
        if self.at >= len(self.tokens):
            return None
        token = self.tokens[self.at]
        return token.plain if isinstance(token, Word) else None

    def _expect(self, word: str) -> None:
        self._newlines()
        if self._reserved() != word:
            raise ShellSyntaxError(f"{word!r} is missing before {self._shown()}")
        self.at += 1

    def _newlines(self) -> None:
        while self._operator("\n"):
            self.at += 1

    def _sequence(self, ends: frozenset[str]) -> Node:
        parts: list[Node] = []
        while True:
            while self._operator("\n", ";", "&"):
                self.at += 1
            if self.at >= len(self.tokens) or self._operator(")", ";;", ";&", ";;&"):
                break
            word = self._reserved()
            if word in ends or word in _CLOSING:
                break
            parts.append(self._and_or())
        return Sequence(tuple(parts))

    def _and_or(self) -> Node:
        parts: list[tuple[str, Node]] = [("", self._pipeline())]
        while self._operator("&&", "||"):
            operator = self.tokens[self.at]
            self.at += 1
            self._newlines()
            parts.append((operator.text if isinstance(operator, Operator) else "", self._pipeline()))
        return parts[0][1] if len(parts) == 1 else AndOr(tuple(parts))

    def _pipeline(self) -> Node:
        negated = False
        while self._reserved() == "!":
            negated = not negated
            self.at += 1
        parts = [self._command()]
        while self._operator("|"):
            self.at += 1
            self._newlines()
            parts.append(self._command())
        return parts[0] if len(parts) == 1 and not negated else Pipeline(tuple(parts), negated)

    def _command(self) -> Node:
        compound = self._compound()
        if compound is None:
            return self._simple()
        writes = self._redirections()
        return Subshell(compound, writes) if writes else compound

    def _compound(self) -> Node | None:
        if self._operator("("):
            self.at += 1
            body = self._sequence(frozenset())
            if not self._operator(")"):
                raise ShellSyntaxError("a ( is not closed")
            self.at += 1
            return Subshell(body, ())
        readers = {
            "if": self._if,
            "case": self._case,
            "for": self._for,
            "while": self._while,
            "until": self._while,
            "{": self._group,
            "function": self._function,
        }
        word = self._reserved()
        if word in readers:
            self.at += 1
            return readers[word]()
        following = self.tokens[self.at + 1 : self.at + 3]
        if word is not None and following == [Operator("("), Operator(")")]:
            return self._function()
        return None

    def _if(self) -> Node:
        branches: list[tuple[Node | None, Node]] = []
        while True:
            condition = self._sequence(frozenset({"then"}))
            self._expect("then")
            branches.append((condition, self._sequence(frozenset({"elif", "else", "fi"}))))
            if self._reserved() != "elif":
                break
            self.at += 1
        if self._reserved() == "else":
            self.at += 1
            branches.append((None, self._sequence(frozenset({"fi"}))))
        self._expect("fi")
        return If(tuple(branches))

    def _case(self) -> Node:
        word = self._take_word()
        self._expect("in")
        branches: list[tuple[tuple[Word, ...], Node]] = []
        self._newlines()
        while self._reserved() != "esac":
            if self._operator("("):
                self.at += 1
            patterns = [self._take_word()]
            while self._operator("|"):
                self.at += 1
                patterns.append(self._take_word())
            if not self._operator(")"):
                raise ShellSyntaxError(f"a case pattern is not closed before {self._shown()}")
            self.at += 1
            branches.append((tuple(patterns), self._sequence(frozenset({"esac"}))))
            if self._operator(";;", ";&", ";;&"):
                self.at += 1
            self._newlines()
        self.at += 1
        return Case(word, tuple(branches))

    def _for(self) -> Node:
        name = self._take_word().plain or ""
        self._newlines()
        words: list[Word] | None = None
        if self._reserved() == "in":
            self.at += 1
            words = []
            while not self._operator("\n", ";"):
                words.append(self._take_word())
        while self._operator("\n", ";"):
            self.at += 1
        return For(name, None if words is None else tuple(words), self._do())

    def _while(self) -> Node:
        condition = self._sequence(frozenset({"do"}))
        return While(condition, self._do())

    def _do(self) -> Node:
        self._expect("do")
        body = self._sequence(frozenset({"done"}))
        self._expect("done")
        return body

    def _group(self) -> Node:
        body = self._sequence(frozenset({"}"}))
        self._expect("}")
        return body

    def _function(self) -> Node:
        name = self._take_word().plain or ""
        while self._operator("(", ")"):
            self.at += 1
        self._newlines()
        body = self._compound()
        if body is None:
            raise ShellSyntaxError(f"the function {name} has no body")
        self._redirections()
        return Function(name, body)

    def _simple(self) -> Node:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        writes: list[Word] = []
        start = self.at
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            if isinstance(token, Operator):
                if token.text not in _REDIRECTIONS:
                    break
                writes.extend(self._redirection())
                continue
            self.at += 1
            assignment = _assignment(token)
            if assignment is not None and not words:
                assignments.append(assignment)
            else:
                words.append(token)
        if self.at == start:
            raise ShellSyntaxError(f"unexpected {self._shown()}")
        return Simple(tuple(assignments), tuple(words), tuple(writes))

    def _redirections(self) -> tuple[Word, ...]:
        writes: list[Word] = []
        while self._operator(*_REDIRECTIONS):
            writes.extend(self._redirection())
        return tuple(writes)

    def _redirection(self) -> list[Word]:
        operator = self.tokens[self.at]
        self.at += 1
        target = self._take_word()
        return [target] if isinstance(operator, Operator) and operator.text in _WRITING else []

    def _take_word(self) -> Word:
        token = self.tokens[self.at]
        if not isinstance(token, Word):
            raise ShellSyntaxError(f"unexpected {self._shown()}")
        self.at += 1
        return token


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word.parts[0] if word.parts else None
    if not isinstance(first, Literal) or first.quoted:
        return None
    match = _ASSIGNMENT.match(first.text)
    if match is None:
        return None
    rest = first.text[match.end() :]
    parts = ((Literal(rest, quoted=False),) if rest else ()) + word.parts[1:]
    # `x+=y` depends on what x was, which is followed no further.
    return match[1], Word((Substitution(None),)) if "+" in match[0] else Word(parts)
