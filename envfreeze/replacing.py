"""`replace` for both kinds of records: Structs of msgspec and dataclasses.

Python 3.13 has it as `copy.replace`.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Type checkers hold the fields of this one against the record; a Struct is a dataclass to them.
    from dataclasses import replace
else:

    def replace(record: object, /, **changes: object) -> object:
        """Give a record that differs in these fields."""
        if hasattr(record, "__struct_fields__"):
            from msgspec.structs import replace as changed  # noqa: PLC0415 - there, since a Struct is

            return changed(record, **changes)
        return dataclasses.replace(record, **changes)


__all__ = ["replace"]
