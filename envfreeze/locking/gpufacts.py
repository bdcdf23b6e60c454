"""`[target.gpu]` of `envfreeze.lock`: what a target brings of CUDA (docs/formats/lock-1.md)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, get_args

from envfreeze.locking.model import FleetVerdict, GpuFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking import toml
    from envfreeze.locking.strict import Table

_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)*")


def table(facts: GpuFacts) -> Mapping[str, toml.Value]:
    """Write the table."""
    versions = {"cuda": facts.cuda, "runtime": facts.runtime, "toolkit": facts.toolkit, "cudnn": facts.cudnn}
    written: dict[str, toml.Value] = {
        name: version for name, version in versions.items() if version is not None
    }
    written["sources"] = facts.sources
    written["tables"] = str(facts.tables)
    written["fleet"] = [_row(verdict) for verdict in facts.fleet]
    written["env"] = dict(sorted(facts.env.items()))
    if facts.labels:
        written["labels"] = dict(sorted(facts.labels.items()))
    return written


def read(table: Table) -> GpuFacts:
    """Read it.

    Raises:
        EditedError: it is not as `table` writes it.

    """
    facts = GpuFacts(
        cuda=_version(table, "cuda"),
        runtime=_version(table, "runtime"),
        toolkit=_version(table, "toolkit"),
        cudnn=_version(table, "cudnn"),
        sources=table.strings("sources"),
        tables=table.digest("tables"),
        fleet=tuple(_verdict(row) for row in table.tables("fleet")),
        env=table.string_map("env"),
        labels=table.string_map("labels") if "labels" in table.keys() else {},  # noqa: SIM118 - no mapping
    )
    table.finish()
    return facts


def _version(table: Table, key: str) -> str | None:
    text = table.optional_string(key)
    if text is not None and not _VERSION.fullmatch(text):
        raise table.wrong(key, f"{text!r} is not a version")
    return text


def _row(verdict: FleetVerdict) -> Mapping[str, toml.Value]:
    row: dict[str, toml.Value] = {}
    if verdict.driver is not None:
        row["driver"] = verdict.driver
    if verdict.gpu is not None:
        row["gpu"] = verdict.gpu
    row["verdict"] = verdict.word
    return row


def _verdict(row: Table) -> FleetVerdict:
    from envfreeze.gpu.model import Word  # noqa: PLC0415 - only where there are verdicts

    word, words = row.string("verdict"), sorted(get_args(Word))
    if word not in words:
        raise row.wrong("verdict", f"{word!r} is not one of {', '.join(words)}")
    verdict = FleetVerdict(row.optional_string("driver"), row.optional_string("gpu"), word)
    row.finish()
    return verdict
