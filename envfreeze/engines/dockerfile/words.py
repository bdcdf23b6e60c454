"""Text as a Dockerfile wants it written: values of instructions, so that nothing in them is expanded.

https://docs.docker.com/reference/dockerfile/ (environment replacement, escape, COPY's file name patterns).
"""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "$": "\\$"})
_PATTERN = str.maketrans({"*": "[*]", "?": "[?]", "[": "[[]"})


def value(text: str, what: str) -> str:
    """A value of ENV or LABEL, in quotes.

    Raises:
        UsageError: it has a line break, which a Dockerfile cannot hold.

    """
    if "\n" in text or "\r" in text:
        raise UsageError(
            f"{what} has a line break, which a Dockerfile cannot hold",
            hint="build the image with the native engine: `envfreeze build`",
        )
    return f'"{text.translate(_ESCAPED)}"'


def arguments(words: Sequence[str]) -> str:
    """An argument list in the exec form, whose variables nobody expands."""
    return json.dumps(list(words), ensure_ascii=False)


def copied(sources: Sequence[str], target: str) -> str:
    """The sources and the target of COPY, in JSON; names are names and no patterns."""
    names = [source.translate(_PATTERN) for source in sources]
    return json.dumps([name.replace("$", "\\$") for name in (*names, target)], ensure_ascii=False)


def shell(text: str) -> str:
    """A word of a RUN step in the shell form; BuildKit leaves `$` in it to the shell.

    Raises:
        UsageError: it has a line break, which would end the step.

    """
    if "\n" in text or "\r" in text:
        raise UsageError(f"{text!r} has a line break, which a Dockerfile cannot hold")
    return shlex.quote(text)


def path(text: str) -> str:
    """A path as the only argument of an instruction: all of the line is the path, variables apart."""
    return text.replace("\\", "\\\\").replace("$", "\\$")
