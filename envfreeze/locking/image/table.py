"""A base that is an image, as a table of `envfreeze.lock` (docs/formats/lock-1.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking.model import ImageBase, ImageLayer
from envfreeze.oci import media
from envfreeze.oci.paths import path_problem
from envfreeze.oci.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking import toml
    from envfreeze.locking.strict import Table


def render(image: ImageBase) -> Mapping[str, toml.Value]:
    """Write the table."""
    table: dict[str, toml.Value] = {"reference": image.reference, "manifest": str(image.manifest)}
    if image.index is not None:
        table["index"] = str(image.index)
    table |= {"config": str(image.config), "config-size": image.config_size, "places": image.places}
    known = {
        "distribution": image.distribution,
        "release": image.release,
        "codename": image.codename,
        "interpreter": image.interpreter,
    }
    table |= {key: value for key, value in known.items() if value}
    table["layers"] = [
        {
            "digest": str(layer.digest),
            "diff-id": str(layer.diff_id),
            "size": layer.size,
            "media-type": layer.media_type,
        }
        for layer in image.layers
    ]
    table["env"] = dict(sorted(image.env.items()))
    return table


def parse(table: Table) -> ImageBase:
    """Read what `render` wrote.

    Raises:
        EditedError: it is not that.

    """
    image = ImageBase(
        reference=table.string("reference"),
        manifest=table.digest("manifest"),
        index=table.optional_digest("index"),
        config=table.digest("config"),
        config_size=table.size("config-size"),
        places=tuple(_place(table, place) for place in table.strings("places")),
        distribution=table.optional_string("distribution") or "",
        release=table.optional_string("release") or "",
        codename=table.optional_string("codename") or "",
        interpreter=_interpreter(table),
        layers=tuple(_image_layer(row) for row in table.tables("layers")),
        env=table.string_map("env"),
    )
    table.finish()
    return image


def _place(table: Table, text: str) -> str:
    try:
        if Reference.parse(text).name == text:
            return text
    except ValueError:
        pass
    raise table.wrong("places", f"{text!r} is not a registry and a repository")


def _interpreter(table: Table) -> str | None:
    path = table.optional_string("interpreter")
    if path is not None and (not path.startswith("/") or path_problem(path[1:]) is not None):
        raise table.wrong("interpreter", f"{path!r} is not an absolute path")
    return path


def _image_layer(row: Table) -> ImageLayer:
    layer = ImageLayer(
        row.digest("digest"), row.digest("diff-id"), row.size("size"), row.string("media-type")
    )
    if layer.media_type not in media.LAYERS:
        raise row.wrong("media-type", f"{layer.media_type!r} is not that of a layer")
    row.finish()
    return layer
