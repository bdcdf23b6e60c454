"""Whether a command's script that another installer wrote is the lock's command all the same.

Each installer has words of its own for it, and changes them: what counts is that the same interpreter runs
the same function, and nothing else. So the script is read as Python, never run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from typing import Final, NamedTuple

_SHEBANG: Final = re.compile(rb"#!\s*(?P<program>/[^\s]+)[ \t]*\r?\n")
_LONG: Final = re.compile(
    rb"#!\s*/bin/sh\n'''exec' "
    rb"(?:(?P<quote>[\"']?)(?P<program>/[^\"'\n]+)(?P=quote)"
    rb"|\"\$\(dirname -- \"\$\(realpath -- \"\$0\"\)\"\)\"/'(?P<beside>python[0-9.]*)')"
    rb" \"\$0\" \"\$@\"\n' '''\n"
)
"""For an interpreter whose path is too long for a first line, or with a blank in it (distlib, conda, uv)."""

_INTERPRETER: Final = re.compile(r"python[0-9]*(\.[0-9]+)?t?")
_MAY_IMPORT: Final = frozenset({"re", "sys"})
_TIDYING: Final = (
    "sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])",
    "sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])",
    "sys.argv[0] = sys.argv[0].removesuffix('.exe')",
    "if sys.argv[0].endswith('.exe'):\n    sys.argv[0] = sys.argv[0][:-4]",
    (
        "if sys.argv[0].endswith('-script.pyw'):\n    sys.argv[0] = sys.argv[0][:-11]\n"
        "elif sys.argv[0].endswith('.exe'):\n    sys.argv[0] = sys.argv[0][:-4]"
    ),
)
"""What installers do to the name that a command was started by (pip, installer, conda, uv)."""

_DOES_NOTHING: Final = frozenset(ast.dump(ast.parse(text).body[0]) for text in _TIDYING)
_IS_MAIN: Final = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)


class _Call(NamedTuple):
    """What a script calls: the name that it takes from a module, and the function."""

    module: str
    name: str
    function: str


def is_same_command(expected: bytes, found: bytes) -> bool:
    """Whether a script does what the expected one does.

    Args:
        expected: as envfreeze writes it, or a wheel's own script with the interpreter's path put in.
        found: as the image has it.

    """
    ours, theirs = _taken_apart(expected), _taken_apart(found)
    if ours is None or theirs is None or not _is_same_python(ours[0], theirs[0]):
        return False
    if ours[1] == theirs[1]:
        return True
    if not (_is_utf8(expected) and _is_utf8(found)):
        return False
    called = _called(ours[1])
    return called is not None and called == _called(theirs[1])


def _is_utf8(script: bytes) -> bool:
    """Whether Python reads the script as UTF-8: in another encoding the same bytes are another program."""
    try:
        return tokenize.detect_encoding(io.BytesIO(script).readline)[0] == "utf-8"
    except SyntaxError:
        return False


def interpreter_of(script: bytes) -> str:
    """The path of the program that a script is run by, without the leading slash; empty: it is not named."""
    taken = _taken_apart(script)
    return "" if taken is None else taken[0].lstrip("/")


def _taken_apart(script: bytes) -> tuple[str, bytes] | None:
    """The interpreter and what follows; an interpreter beside the script has no folder."""
    match = _LONG.match(script) or _SHEBANG.match(script)
    if match is None:
        return None
    groups = match.groupdict()
    program = groups["program"] or groups.get("beside") or b""
    return program.decode("utf-8", "replace"), script[match.end() :]


def _is_same_python(ours: str, theirs: str) -> bool:
    """Whether both are a Python of one environment's folder, by whichever of its names."""
    folder, _, _ = ours.rpartition("/")
    other, _, name = theirs.rpartition("/")
    return other in {"", folder} and _INTERPRETER.fullmatch(name) is not None


def _called(text: bytes) -> _Call | None:
    """The one function that a script calls; None where it does anything else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Decoded, since what names an encoding in the first lines that are left is none of the file's.
            body = ast.parse(text.decode()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    left = [one for one in body if not _is_idle(one)]
    if len(left) not in {1, 2} or not isinstance(left[-1], ast.If):
        return None
    main = left[-1]
    if ast.dump(main.test) != _IS_MAIN or main.orelse:
        return None
    inside = [one for one in (*left[:-1], *main.body) if not _is_idle(one)]
    if len(inside) != len(("import", "call")):
        return None
    return _of(inside[0], inside[1])


def _is_idle(one: ast.stmt) -> bool:
    if isinstance(one, ast.Expr):
        return isinstance(one.value, ast.Constant)
    if isinstance(one, ast.Import):
        return all(name.name in _MAY_IMPORT and name.asname is None for name in one.names)
    return ast.dump(one) in _DOES_NOTHING


def _of(imported: ast.stmt, called: ast.stmt) -> _Call | None:
    if not isinstance(imported, ast.ImportFrom) or imported.level or len(imported.names) != 1:
        return None
    name = imported.names[0]
    if name.asname is not None or imported.module is None:
        return None
    text = ast.unparse(called)
    match = re.fullmatch(r"sys\.exit\((?P<function>[\w.]+)\(\)\)", text)
    if match is None or match["function"].split(".")[0] != name.name:
        return None
    return _Call(imported.module, name.name, match["function"])
