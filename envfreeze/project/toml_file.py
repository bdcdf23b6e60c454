"""Reads a TOML file of the project, with errors that name it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tomli

from envfreeze.errors import MachineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


def read_toml(root: Path, name: str) -> dict[str, Any] | None:
    """Read `root/name`; None where there is no such file.

    Raises:
        UsageError: it is not TOML.
        MachineError: it cannot be read.

    """
    try:
        text = (root / name).read_bytes().decode()
        return tomli.loads(text)
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise UsageError(f"{name} is a folder, not a file") from error
    except OSError as error:
        raise MachineError(
            f"{root / name} cannot be read: {error.strerror}", hint="check its permissions"
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} is not UTF-8 text, at byte {error.start}") from error
    except RecursionError as error:
        raise UsageError(f"{name} is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, and integers beyond what Python converts
        raise UsageError(f"{name} is not valid TOML: {error}") from error
