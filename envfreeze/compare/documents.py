"""What differs between the documents of two images: their manifests and configs, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from envfreeze.compare import causes
from envfreeze.compare.model import UNKNOWN, Finding, Kind, finding
from envfreeze.compare.secrecy import in_urls, of_variable
from envfreeze.oci import canonical, media

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.model import Cause
    from envfreeze.oci.image import Image

_CONFIG: Final = "config"
_MANIFEST: Final = "manifest"
_ABSENT: Final = "absent"
_LONGEST: Final = 300
_BASE_DIGEST: Final = "Labels.org.opencontainers.image.base.digest"

_EXECUTION: Final = {
    "Env": Kind.CONFIG_ENV,
    "Labels": Kind.CONFIG_LABEL,
    "Entrypoint": Kind.CONFIG_COMMAND,
    "Cmd": Kind.CONFIG_COMMAND,
    "Shell": Kind.CONFIG_COMMAND,
    "ArgsEscaped": Kind.CONFIG_COMMAND,
    "Healthcheck": Kind.CONFIG_COMMAND,
    "User": Kind.CONFIG_USER,
    "WorkingDir": Kind.CONFIG_WORKDIR,
}
"""Of `config` in a config (image-spec, config.md); what is not here is `CONFIG_OTHER`."""

_TOP: Final = {
    "os": Kind.PLATFORM,
    "architecture": Kind.PLATFORM,
    "variant": Kind.PLATFORM,
    "os.version": Kind.PLATFORM,
    "os.features": Kind.PLATFORM,
    "created": Kind.CONFIG_TIME,
    "history": Kind.CONFIG_HISTORY,
}
"""Of a config itself; what is not here says who built it and how: `author`, `docker_version`."""

_BUILDERS_OWN: Final = frozenset(
    {"Image", "Hostname", "Domainname", "AttachStdin", "AttachStdout", "AttachStderr"}
)
"""Fields of `config` that Docker once wrote about the container that it built in."""

# Docker wrote these where there was nothing to say; a container runs the same without them.
_EMPTY: Final[tuple[object, ...]] = ("", None, False, (), [], {})


def compare_manifests(reference: Image, rebuilt: Image) -> Iterator[Finding]:
    """Compare two manifests; blobs with equal content and another form are told by layer elsewhere.

    Raises:
        UntrustedError: one is not a JSON object.

    """
    old = canonical.parse(reference.manifest, "the reference's manifest")
    new = canonical.parse(rebuilt.manifest, "the other manifest")
    before, after = _type(old), _type(new)
    if before != after:
        yield finding(Kind.MEDIA_TYPE, _MANIFEST, f"{before} -> {after}", causes.OTHER_COMPRESSOR)
    was, now = (_of_config(document) for document in (old, new))
    if was != now:
        yield finding(Kind.MEDIA_TYPE, _MANIFEST, f"config: {was} -> {now}", causes.OTHER_COMPRESSOR)
    for name, was, now in differing(_annotations(old), _annotations(new)):
        yield finding(
            Kind.MANIFEST, _MANIFEST, f"annotation {name} {shown(was)} -> {shown(now)}", causes.OTHER_BUILDER
        )


def compare_configs(reference: bytes, rebuilt: bytes) -> Iterator[Finding]:
    """Compare two configs; `rootfs` tells of the layers, which are compared themselves.

    Raises:
        UntrustedError: one is not a JSON object.

    """
    if reference == rebuilt:
        return
    old = canonical.parse(reference, "the reference's config")
    new = canonical.parse(rebuilt, "the other config")
    found = False
    before, after = _fields(old), _fields(new)
    for key, was, now in differing(before, after):
        if key == _ORDER and (_ABSENT in (was, now) or sorted(was) != sorted(now)):
            continue  # A variable that is new or gone has been named.
        found = True
        yield _field(key, was, now)
    if _history(old) != _history(new):
        found = True
        yield _history_finding(old, new)
    if not found and old.get("rootfs") == new.get("rootfs"):
        yield finding(Kind.CONFIG_JSON, _CONFIG, "same values, other JSON", causes.OTHER_BUILDER)


_ORDER: Final = "Env order"


def _field(key: str, was: object, now: object) -> Finding:
    what = f"{key} {_value(key, was)} -> {_value(key, now)}"
    kind = _kind(key)
    cause: Cause = causes.SETTINGS
    if key == _BASE_DIGEST:
        cause = causes.RE_PUSHED_BASE
    elif kind is Kind.CONFIG_TIME:
        cause = causes.TIMESTAMPS
    elif kind in {Kind.CONFIG_BUILD, Kind.CONFIG_JSON}:
        cause = causes.OTHER_BUILDER
    elif kind is Kind.PLATFORM:
        cause = UNKNOWN
    return finding(kind, _CONFIG, what, cause)


def _value(key: str, value: object) -> str:
    return shown(value) if value == _ABSENT else of_variable(key.partition(".")[2], shown(value))


def _kind(key: str) -> Kind:
    head = key.partition(".")[0]
    if key in _TOP:
        return _TOP[key]
    if key == _ORDER:
        # No two of them are one variable: a process sees the same environment.
        return Kind.CONFIG_JSON
    if head in _EXECUTION:
        return _EXECUTION[head]
    return Kind.CONFIG_BUILD if key in _BUILDERS_OWN or key.startswith("build.") else Kind.CONFIG_OTHER


def _history_finding(old: dict[str, Any], new: dict[str, Any]) -> Finding:
    before, after = (_steps(document) for document in (old, new))
    if before == after:
        return finding(Kind.CONFIG_HISTORY, _CONFIG, "the moments of its steps", causes.TIMESTAMPS)
    at = next(
        (number for number, (was, now) in enumerate(zip(before, after, strict=False)) if was != now),
        min(len(before), len(after)),
    )
    was, now = (shown(steps[at]) if at < len(steps) else "none" for steps in (before, after))
    what = f"{len(before)} steps -> {len(after)} steps; step {at + 1}: {was} -> {now}"
    return finding(Kind.CONFIG_HISTORY, _CONFIG, what, causes.OTHER_BUILDER)


def _history(document: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    return document.get("history") or []


def _steps(document: dict[str, Any]) -> list[str]:
    listed = _history(document)
    steps = listed if isinstance(listed, list) else [listed]
    return [str(step.get("created_by", "")) if isinstance(step, dict) else shown(step) for step in steps]


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """The config as flat fields: `Env.PATH`, `Labels.maintainer`, `architecture`, `build.author`."""
    fields = {
        key if key in _TOP else f"build.{key}": value
        for key, value in config.items()
        if key not in {"config", "rootfs", "history"} and value not in _EMPTY
    }
    execution = config.get("config")
    for key, value in (execution if isinstance(execution, dict) else {}).items():
        if key == "Env" and isinstance(value, list):
            names = [str(item).partition("=") for item in value]
            fields |= {f"Env.{name}": text for name, _, text in names}
            fields[_ORDER] = [name for name, _, _ in names]
        elif isinstance(value, dict):
            fields |= {f"{key}.{name}": item for name, item in value.items()}
        elif value not in _EMPTY:
            fields[key] = value
    return fields


def differing(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The keys whose values differ, sorted, with both values; `absent` where there is none."""
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if before != after:
            yield key, before, after


def shown(value: object) -> str:
    """A JSON value on one line that ends somewhere."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = in_urls(" ".join(text.split()))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _type(manifest: dict[str, Any]) -> str:
    stated = manifest.get("mediaType")
    # The OCI's manifest need not state its own (image-spec, manifest.md).
    return stated if isinstance(stated, str) else media.MANIFEST


def _of_config(manifest: dict[str, Any]) -> str:
    config = manifest.get("config")
    stated = config.get("mediaType") if isinstance(config, dict) else None
    return stated if isinstance(stated, str) else _ABSENT


def _annotations(manifest: dict[str, Any]) -> dict[str, Any]:
    """The annotations of a manifest and of the descriptors in it."""
    found = _table(manifest.get("annotations"))
    listed = manifest.get("layers")
    layers: Sequence[Any] = listed if isinstance(listed, list) else ()
    for number, entry in enumerate(layers, 1):
        if isinstance(entry, dict):
            found |= {
                f"{key} of layer {number}": value for key, value in _table(entry.get("annotations")).items()
            }
    return found


def _table(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
