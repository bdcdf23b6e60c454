"""What the conditions of a maintainer script come to: true, false, or not known before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# A fresh installation has no earlier version, and dpkg gives the empty string for it. dpkg(1),
# --compare-versions: lt, le, eq, ne, ge, gt take it for earlier than any version, the -nl ones for later.
_EMPTY_IS_EARLIER = {"lt": True, "le": True, "eq": False, "ne": True, "ge": False, "gt": False}
_EMPTY_IS_LATER = {"lt-nl": False, "le-nl": False, "ge-nl": True, "gt-nl": True}
_OLD_NAMES = {"<": "lt", "<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt", ">": "gt"}

_ABSENT = frozenset({"/run/systemd/system", "/run/systemd/private"})
_FILE_TESTS = frozenset({"-d", "-e", "-f", "-x", "-S", "-r", "-h", "-L"})


def compare_versions(arguments: Sequence[str | None]) -> bool | None:
    """Decide `dpkg --compare-versions A OP B` where A is the version that is not there."""
    if len(arguments) != len(("A", "OP", "B")):
        # An unquoted empty version has vanished; what dpkg makes of that is its usage message.
        return False if len(arguments) == len(("OP", "B")) else None
    first, operator, second = arguments
    if first is None or operator is None or second is None or first != "":
        return None
    operator = _OLD_NAMES.get(operator, operator)
    if second == "":
        return operator in {"le", "eq", "ge", "le-nl", "ge-nl"}
    return (_EMPTY_IS_EARLIER | _EMPTY_IS_LATER).get(operator)


def holds(arguments: Sequence[str | None]) -> bool | None:
    """Decide `test ARGUMENTS` (POSIX, XCU test), and the common `-a` and `-o`."""
    words = list(arguments)
    for joint in ("-o", "-a"):
        if joint in words and len(words) > len(("a", "=", "b")):
            place = words.index(joint)
            truths = {holds(words[:place]), holds(words[place + 1 :])}
            decisive = joint == "-o"
            if decisive in truths:
                return decisive
            return None if None in truths else not decisive
    if words[:1] == ["!"]:
        inner = holds(words[1:])
        return None if inner is None else not inner
    match words:
        case []:
            return False
        case [word]:
            return None if word is None else word != ""
        case [operator, word]:
            return _unary(operator, word)
        case [left, operator, right]:
            return _binary(left, operator, right)
        case _:
            return None


def _unary(operator: str | None, word: str | None) -> bool | None:
    if word is None:
        return None
    if operator == "-z":
        return word == ""
    if operator == "-n":
        return word != ""
    if operator in _FILE_TESTS and (word in _ABSENT or word == ""):
        return False
    return None


def _binary(left: str | None, operator: str | None, right: str | None) -> bool | None:
    if left is None or right is None:
        return None
    if operator in {"=", "=="}:
        return left == right
    if operator == "!=":
        return left != right
    if left.isdigit() and right.isdigit():
        a, b = int(left), int(right)
        results = {"-eq": a == b, "-ne": a != b, "-lt": a < b, "-le": a <= b, "-gt": a > b, "-ge": a >= b}
        return results.get(operator or "")
    return None
