"""Records as lines."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci.platform import Platform
from envfreeze.records import lines
from envfreeze.records.model import (
    KeptFile,
    Record,
    RecordedImage,
    RecordedLayer,
    Snapshot,
    Verification,
    moment,
)
from envfreeze.replacing import replace

digests = st.binary(min_size=32, max_size=32).map(lambda raw: Digest(raw.hex()))
ids = st.sampled_from([20, 32]).flatmap(lambda size: st.binary(min_size=size, max_size=size)).map(bytes.hex)
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
parts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\\\0\n\r"), min_size=1, max_size=9
).filter(lambda part: part not in {".", ".."} and part.lower() != ".git")
projects = st.just(".") | st.lists(parts, min_size=1, max_size=3).map("/".join)
kept = st.builds(KeptFile, digest=digests, blob=st.none() | ids)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)).map(  # noqa: DTZ001 - made UTC below
    lambda when: moment(when.replace(tzinfo=UTC))
)
snapshots = st.builds(
    Snapshot,
    commit=st.none() | ids,
    project=projects,
    dirty=st.booleans(),
    patch=st.none(),
    lock=st.dictionaries(parts, kept, max_size=4),
    included=st.none() | digests,
) | st.builds(
    Snapshot,
    commit=ids,
    project=projects,
    dirty=st.just(True),
    patch=kept,
    lock=st.dictionaries(parts, kept, max_size=4),
    included=st.none() | digests,
)
images = st.builds(
    RecordedImage,
    platform=st.sampled_from(Platform.SUPPORTED).map(Platform.parse),
    manifest=digests,
    config=digests,
    layers=st.lists(st.builds(RecordedLayer, digests, digests), max_size=4).map(tuple),
)
records = st.builds(
    Record,
    at=moments,
    engine=st.sampled_from(["native", "docker"]),
    engine_version=texts,
    writer=st.integers(1, 99),
    digest=digests,
    manifests=st.lists(images, max_size=2).map(tuple),
    source=snapshots,
    reused=st.lists(digests, max_size=3).map(tuple),
    tools=st.dictionaries(st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True), texts, max_size=3),
)
verifications = st.builds(
    Verification,
    at=moments,
    version=texts,
    digest=digests,
    level=st.sampled_from(["identical", "layers", "tree", "packages", "different"]),
    commit=st.none() | ids,
)

A_BUILD: dict[str, Any] = {
    "at": "2026-09-12T07:55:41Z",
    "commit": "c" * 40,
    "digest": f"sha256:{'1' * 64}",
    "dirty": True,
    "engine": "native",
    "engine_version": "0.1.0",
    "included": None,
    "kind": "build",
    "lock": {"envfreeze.lock": {"blob": "b" * 40, "digest": f"sha256:{'2' * 64}"}},
    "manifests": [
        {
            "config": f"sha256:{'3' * 64}",
            "layers": [[f"sha256:{'4' * 64}", f"sha256:{'5' * 64}"]],
            "manifest": f"sha256:{'1' * 64}",
            "platform": "linux/amd64",
        }
    ],
    "patch": {"blob": "d" * 40, "digest": f"sha256:{'6' * 64}"},
    "project": "models/größe",
    "reused": [],
    "schema": 1,
    "writer": 1,
}


def written(**changes: object) -> bytes:
    return json.dumps({**A_BUILD, **changes}).encode()


@given(records | verifications)
def test_what_was_rendered_is_parsed_to_the_same(line: Record | Verification) -> None:
    text = lines.render(line)
    assert lines.parse(text) == line
    assert b"\n" not in text


@given(records)
def test_a_line_begins_with_its_moment_so_that_sorted_lines_are_in_order(record: Record) -> None:
    assert lines.render(record).startswith(f'{{"at":"{record.at}",'.encode())


def test_a_build_is_one_line_of_canonical_json() -> None:
    record = lines.parse(written())
    assert isinstance(record, Record)
    assert (
        lines.render(record)
        == (
            '{"at":"2026-09-12T07:55:41Z",'
            f'"commit":"{"c" * 40}",'
            f'"digest":"sha256:{"1" * 64}",'
            '"dirty":true,"engine":"native","engine_version":"0.1.0","included":null,"kind":"build",'
            f'"lock":{{"envfreeze.lock":{{"blob":"{"b" * 40}","digest":"sha256:{"2" * 64}"}}}},'
            f'"manifests":[{{"config":"sha256:{"3" * 64}",'
            f'"layers":[["sha256:{"4" * 64}","sha256:{"5" * 64}"]],'
            f'"manifest":"sha256:{"1" * 64}","platform":"linux/amd64"}}],'
            f'"patch":{{"blob":"{"d" * 40}","digest":"sha256:{"6" * 64}"}},'
            '"project":"models/größe","reused":[],"schema":1,"writer":1}'
        ).encode()
    )


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=9,
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_a_record_or_untrusted(text: bytes) -> None:
    with contextlib.suppress(UntrustedError):
        lines.parse(text)


@given(st.sampled_from(sorted(A_BUILD)), st.none() | st.booleans() | st.integers() | texts | st.lists(texts))
def test_any_value_of_any_key_is_read_or_untrusted(key: str, value: object) -> None:
    with contextlib.suppress(UntrustedError):
        lines.parse(written(**{key: value}))


@pytest.mark.parametrize("key", sorted(A_BUILD))
def test_no_key_may_be_missing(key: str) -> None:
    rest = {name: value for name, value in A_BUILD.items() if name != key}
    with pytest.raises(UntrustedError, match=f"has no '{key}'"):
        lines.parse(json.dumps(rest).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"project": "../elsewhere"},
        {"project": "/etc"},
        {"project": "a//b"},
        {"project": "a/.git/hooks"},
        {"project": ""},
        {"lock": {"../envfreeze.lock": A_BUILD["patch"]}},
        {"lock": {"a/b": A_BUILD["patch"]}},
        {"lock": {".git": A_BUILD["patch"]}},
        {"lock": {"": A_BUILD["patch"]}},
        {"lock": {"envfreeze.lock": {"blob": "--help", "digest": A_BUILD["digest"]}}},
        {"lock": {"envfreeze.lock": None}},
        {"lock": []},
        {"commit": "HEAD"},
        {"commit": "C" * 40},
        {"commit": None},
        {"dirty": False},
        {"dirty": 1},
        {"digest": "1" * 64},
        {"digest": f"sha512:{'1' * 64}"},
        {"writer": True},
        {"writer": 0},
        {"writer": 1.0},
        {"writer": "1"},
        {"at": "2026-02-30T00:00:00Z"},
        {"at": "2026-02-03 00:00:00"},
        {"engine": "Native"},
        {"manifests": {}},
        {"manifests": [{**A_BUILD["manifests"][0], "platform": "windows/amd64"}]},
        {"manifests": [{**A_BUILD["manifests"][0], "layers": [[A_BUILD["digest"]]]}]},
        {"kind": 3},
        {"schema": 0},
    ],
)
def test_a_wrong_value_is_untrusted(changes: dict[str, object]) -> None:
    with pytest.raises(UntrustedError, match="the record is damaged"):
        lines.parse(written(**changes))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        b'{"schema":1,"schema":1}',
        b'{"schema":NaN}',
        b'{"schema":' + b"1" * 5000 + b"}",
        written()[:-20],
        written() + written(),
        b" " * (lines.LIMIT + 1),
        written(engine_version="\ud800"),
    ],
)
def test_what_is_no_record_is_untrusted(text: bytes) -> None:
    with pytest.raises(UntrustedError):
        lines.parse(text)


def test_a_newer_schema_is_named() -> None:
    with pytest.raises(UntrustedError, match="has schema 2, and this envfreeze reads schema 1") as caught:
        lines.parse(b'{"schema":2,"kind":"whatever"}')
    assert "newer" in caught.value.hint


def test_unknown_keys_and_kinds_are_passed_over() -> None:
    assert lines.parse(written(colour="blue")) == lines.parse(written())
    assert lines.parse(written(kind="attestation")) is None


def test_what_cannot_be_read_back_is_not_written() -> None:
    record = lines.parse(written())
    assert isinstance(record, Record)
    with pytest.raises(UntrustedError, match="not UTF-8"):
        lines.render(replace(record, source=replace(record.source, project="models\udcff")))
    with pytest.raises(UntrustedError):
        lines.render(replace(record, source=replace(record.source, project="..")))


def test_a_record_names_its_index_manifests_and_configs() -> None:
    record = lines.parse(written())
    assert isinstance(record, Record)
    image = record.manifests[0]
    assert all(record.names(digest) for digest in (record.digest, image.manifest, image.config))
    assert not record.names(image.layers[0].digest)


def test_a_moment_is_utc_in_seconds() -> None:
    when = datetime(2026, 9, 12, 9, 55, 41, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert moment(when) == "2026-09-12T07:55:41Z"
    assert datetime.now(UTC) - datetime.fromisoformat(moment()) < timedelta(minutes=1)
