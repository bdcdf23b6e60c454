"""The commands of a wheel: entry points made into scripts, and shebang lines.

The text of a script is part of writer version 1.
"""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass

from envfreeze.errors import UntrustedError
from envfreeze.oci.paths import path_problem

_SECTIONS = ("console_scripts", "gui_scripts")
_OBJECT = re.compile(r"(?P<module>[\w.]+)\s*(?::\s*(?P<attribute>[\w.]+)\s*)?(?:\[.*\]\s*)?")
SHEBANG = b"#!python"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A command that calls a function.

    Attributes:
        name: of the command.
        module: dotted module.
        attribute: dotted attribute of the module that is called.

    """

    name: str
    module: str
    attribute: str


def read_entry_points(text: bytes) -> list[EntryPoint]:
    """Read the commands in `entry_points.txt`, sorted by name (packaging.python.org, "Entry points").

    Raises:
        UntrustedError: the file cannot be read, or a command's name would not stay in its folder.

    """
    # No section of that name can be written, so none gives the others its entries.
    parser = configparser.ConfigParser(
        delimiters=("=",), strict=False, interpolation=None, default_section="]"
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    try:
        parser.read_string(text.decode())
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UntrustedError(f"entry_points.txt cannot be read: {error}") from error
    found: dict[str, EntryPoint] = {}
    for section in _SECTIONS:
        for name, value in parser[section].items() if parser.has_section(section) else ():
            found[name] = entry_point(name, value)
    return [found[name] for name in sorted(found)]


def entry_point(name: str, value: str) -> EntryPoint:
    """Read one command: its name and `module:attribute`, extras in square brackets left out.

    Raises:
        UntrustedError: its name would not stay in its folder, or it names no function.

    """
    if "/" in name or path_problem(name) is not None or any(not letter.isprintable() for letter in name):
        raise UntrustedError(f"the entry point's name {name!r} is no plain file name")
    match = _OBJECT.fullmatch(value.strip())
    if match is None or match["attribute"] is None:
        raise UntrustedError(f"the entry point {name!r} names no function: {value!r}")
    for part in (*match["module"].split("."), *match["attribute"].split(".")):
        if not part.isidentifier():
            raise UntrustedError(f"the entry point {name!r} names no function: {value!r}")
    return EntryPoint(name, match["module"], match["attribute"])


def script(command: EntryPoint, interpreter: str) -> bytes:
    """The text of a command that calls its entry point."""
    imported = command.attribute.split(".")[0]
    return (
        f"#!{interpreter}\n"
        "import sys\n"
        f"from {command.module} import {imported}\n"
        'if __name__ == "__main__":\n'
        f"    sys.exit({command.attribute}())\n"
    ).encode()


def wants_interpreter(start: bytes) -> bool:
    """Whether a script begins with `#!python`, the placeholder for the environment's interpreter."""
    return start.startswith(SHEBANG)


def rewrite_shebang(text: bytes, interpreter: str) -> bytes:
    """Put the environment's interpreter in place of a first line that begins with `#!python`.

    Arguments on that line are dropped, as pip and the reference installer do.
    """
    return b"#!" + interpreter.encode() + b"\n" + text.partition(b"\n")[2]
