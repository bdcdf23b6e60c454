"""Split shell text into words and operators (POSIX XCU 2.2 "Quoting", 2.3 "Token Recognition").

Expansions stay as they are written; here-documents are passed over.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field


class ShellSyntaxError(ValueError):
    """The script is not understood."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Text of a word; `quoted` text is neither split nor a pattern."""

    text: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name` or `${name<operator><operand>}`; the operand is raw text."""

    name: str
    operator: str
    operand: str
    quoted: bool


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(script)` or `` `script` ``; None for arithmetic, which runs nothing."""

    script: str | None


@dataclass(frozen=True, slots=True)
class Word:
    """One word, in parts."""

    parts: tuple[Literal | Parameter | Substitution, ...]

    @property
    def plain(self) -> str | None:
        """The word where it is unquoted literal text, which reserved words must be."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Literal) and not self.parts[0].quoted:
            return self.parts[0].text
        return None


@dataclass(frozen=True, slots=True)
class Operator:
    """`;`, `&&`, `(`, `>`, a newline, ..."""

    text: str


Token = Word | Operator

_OPERATORS = re.compile(r"&&|\|\||;;&?|;&|<<-|<<<|<<|>>|>&|<&|<>|>\||&>>?|[;&|()<>\n]")
_PLAIN = re.compile(r"[^\s;&|()<>\"'`$\\]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SPECIAL = re.compile(r"[0-9@*#?$!-]")
_PARAMETER = re.compile(r"(#?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(.*)", re.DOTALL)
_PARAMETER_OPERATOR = re.compile(r":?[-+=?]|##?|%%?|/.*|:.*|\^.*|,.*|\[.*", re.DOTALL)


def tokens(text: str) -> list[Token]:
    """Split a text; the last token is a newline.

    Raises:
        ShellSyntaxError: a quotation is not closed.
        IndexError: the text ends within an expansion.

    """
    return _Lexer(text).tokens()


@dataclass(slots=True)
class _Lexer:
    text: str
    at: int = 0
    found: list[Token] = field(default_factory=list)
    here: list[tuple[str, bool]] = field(default_factory=list)

    def tokens(self) -> list[Token]:
        while self.at < len(self.text):
            if self.text.startswith("\\\n", self.at):
                self.at += 2
            elif self.text[self.at].isspace() and self.text[self.at] != "\n":
                self.at += 1
            elif self.text[self.at] == "#":
                self.at = self._line_end()
            elif operator := _OPERATORS.match(self.text, self.at):
                self._operator(operator[0])
            else:
                self._word()
        return [*self.found, Operator("\n")]

    def _operator(self, text: str) -> None:
        self.at += len(text)
        self.found.append(Operator(text))
        if text == "\n" and self.here:
            for delimiter, tabs in self.here:
                self._skip_here_document(delimiter, tabs=tabs)
            self.here.clear()

    def _word(self) -> None:
        start = self.at
        parts: list[Literal | Parameter | Substitution] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if match := _PLAIN.match(self.text, self.at):
                parts.append(Literal(match[0], quoted=False))
                self.at = match.end()
            elif character == "'":
                end = self._find("'", self.at + 1)
                parts.append(Literal(self.text[self.at + 1 : end], quoted=True))
                self.at = end + 1
            elif character == '"':
                self.at += 1
                self._double_quoted(parts)
            elif character == "\\":
                if not self.text.startswith("\\\n", self.at):
                    parts.append(Literal(self.text[self.at + 1 : self.at + 2], quoted=True))
                self.at += 2
            elif character in "$`":
                parts.append(self._expansion(quoted=False))
            else:
                break
        word = Word(_joined(parts))
        before = self.found[-1] if self.found else None
        number = self.text[start : self.at].isdigit() and self.text[self.at : self.at + 1] in {"<", ">"}
        if number:
            return  # the number of a file descriptor belongs to the redirection
        if isinstance(before, Operator) and before.text in {"<<", "<<-"}:
            delimiter = "".join(part.text for part in word.parts if isinstance(part, Literal))
            self.here.append((delimiter, before.text == "<<-"))
        self.found.append(word)

    def _double_quoted(self, parts: list[Literal | Parameter | Substitution]) -> None:
        parts.append(Literal("", quoted=True))
        while self.text[self.at] != '"':
            character = self.text[self.at]
            if character == "\\" and self.text[self.at + 1] in '$`"\\\n':
                if self.text[self.at + 1] != "\n":
                    parts.append(Literal(self.text[self.at + 1], quoted=True))
                self.at += 2
            elif character in "$`":
                parts.append(self._expansion(quoted=True))
            else:
                parts.append(Literal(character, quoted=True))
                self.at += 1
        self.at += 1

    def _expansion(self, *, quoted: bool) -> Literal | Parameter | Substitution:
        if self.text[self.at] == "`":
            end = self.at + 1
            while self.text[end] != "`":
                end += 2 if self.text[end] == "\\" else 1
            script = re.sub(r"\\([$`\\])", r"\1", self.text[self.at + 1 : end])
            self.at = end + 1
            return Substitution(script)
        if self.text.startswith("$((", self.at):
            self.at = self._balanced(self.at + 1, "(", ")")
            return Substitution(None)
        if self.text.startswith("$(", self.at):
            end = self._balanced(self.at + 1, "(", ")")
            script = self.text[self.at + 2 : end - 1]
            self.at = end
            return Substitution(script)
        if self.text.startswith("${", self.at):
            end = self._balanced(self.at + 1, "{", "}")
            inner = self.text[self.at + 2 : end - 1]
            self.at = end
            return _parameter(inner, quoted=quoted)
        name = _NAME.match(self.text, self.at + 1) or _SPECIAL.match(self.text, self.at + 1)
        if name is None:
            self.at += 1
            return Literal("$", quoted=True)
        self.at = name.end()
        return Parameter(name[0], "", "", quoted)

    def _balanced(self, start: int, opening: str, closing: str) -> int:
        """Give the place behind the bracket that closes the one at `start`."""
        depth = 0
        at = start
        while True:
            character = self.text[at]
            if character == "\\":
                at += 1
            elif character == "'" and opening == "(":
                at = self._find("'", at + 1)
            elif character == '"':
                at = self._quote_end(at)
            elif character == opening:
                depth += 1
            elif character == closing:
                depth -= 1
                if depth == 0:
                    return at + 1
            at += 1

    def _quote_end(self, at: int) -> int:
        at += 1
        while self.text[at] != '"':
            if self.text[at] == "\\":
                at += 1
            elif self.text.startswith("$(", at):
                at = self._balanced(at + 1, "(", ")") - 1
            at += 1
        return at

    def _skip_here_document(self, delimiter: str, *, tabs: bool) -> None:
        while self.at < len(self.text):
            end = self._line_end()
            line = self.text[self.at : end]
            self.at = min(end + 1, len(self.text))
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return

    def _line_end(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def _find(self, character: str, start: int) -> int:
        end = self.text.find(character, start)
        if end < 0:
            raise ShellSyntaxError(f"a {character} is not closed")
        return end


def _parameter(inner: str, *, quoted: bool) -> Parameter:
    match = _PARAMETER.fullmatch(inner)
    if match is None:
        return Parameter("", "?", inner, quoted)
    if match[1]:
        return Parameter(match[2], "length", "", quoted)
    operator = _PARAMETER_OPERATOR.match(match[3])
    text = operator[0] if operator else ""
    return Parameter(match[2], text, match[3][len(text) :], quoted)


def _joined(
    parts: list[Literal | Parameter | Substitution],
) -> tuple[Literal | Parameter | Substitution, ...]:
    """Join neighbouring literals of one kind."""
    joined: list[Literal | Parameter | Substitution] = []
    for part in parts:
        last = joined[-1] if joined else None
        if isinstance(part, Literal) and isinstance(last, Literal) and last.quoted == part.quoted:
            joined[-1] = Literal(last.text + part.text, part.quoted)
        else:
            joined.append(part)
    return tuple(joined)
