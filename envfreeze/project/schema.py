"""The JSON schema of envfreeze.toml, for editors (draft 2020-12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.project.keys import TABLES

if TYPE_CHECKING:
    from envfreeze.project.keys import Key, Table


def schema() -> dict[str, Any]:
    """Describe envfreeze.toml, and with it the table `[tool.envfreeze]` of pyproject.toml.

    The schema says what can be said of a value alone. Whether a file exists, a date is in the calendar or an
    environment variable is set is checked where the configuration is read.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "envfreeze.toml",
        "description": "What envfreeze freezes. Every key has a default.",
        "type": "object",
        "additionalProperties": False,
        "properties": {table.name: _table(table) for table in TABLES},
    }


def _table(table: Table) -> dict[str, Any]:
    described: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: _key(key) for key in table.keys},
    }
    required = [key.name for key in table.keys if key.required]
    if required:
        described["required"] = required
    if table.repeated:
        return {"description": table.doc, "type": "array", "items": described}
    return {"description": table.doc, **described}


def _key(key: Key) -> dict[str, Any]:
    described = {"description": f"{key.doc}\n\nExample: {key.example}", **key.kind.schema()}
    if key.default is not None:
        described["default"] = list(key.default) if isinstance(key.default, tuple) else key.default
    return described
