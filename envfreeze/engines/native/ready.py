"""Layers that a registry has ready-made: a sealed lock's, and those of a named image's catalogue.

Nobody checks that such a layer is made of the locked artifacts: the seal or whoever pushed the catalogue is
believed. So a record says which they were, and `verify` never takes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.engines.native import catalog
from envfreeze.engines.native.catalog_lists import unpack, unpack_contents
from envfreeze.errors import NetworkError
from envfreeze.locking.image import reading
from envfreeze.oci import media
from envfreeze.oci.entry import parents
from envfreeze.oci.registry.blobs import present
from envfreeze.oci.registry.image import RegistryLayer
from envfreeze.oci.registry.referrers import PartElsewhere, listed, parts_of
from envfreeze.oci.verified import open_blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.engines.native.catalog import Catalog, Entry
    from envfreeze.engines.native.owners import Path
    from envfreeze.locking.image.inventory import LayerContents
    from envfreeze.locking.model import ImageLayer, LayerSeal, PlannedLayer
    from envfreeze.oci.descriptor import Descriptor
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class ReadyLayer:
    """A layer that is somewhere.

    Attributes:
        seal: its digests and size.
        layer: opens it from there.

    """

    seal: LayerSeal
    layer: RegistryLayer


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    catalog: Catalog


class ReadyLayers:
    """What registries have ready-made.

    Args:
        named: images whose catalogues are believed (`--cache-from`), the first to ask first.
        sealed: repositories in which the layers of a seal are looked for.
        registries: the connection, which must outlive the layers.
        cache: where layers are put when they are opened.
        progress: told what is missing.

    """

    def __init__(
        self,
        named: Sequence[Reference],
        sealed: Sequence[str],
        *,
        registries: Registries,
        cache: Cache,
        progress: Progress,
    ) -> None:
        self._named = tuple(named)
        self._sealed = tuple(dict.fromkeys((*sealed, *(one.name for one in named))))
        self._registries = registries
        self._cache = cache
        self._progress = progress
        self._loaded: tuple[_Source, ...] | None = None
        self._paths: dict[str, list[Path]] = {}

    def offer(self, layers: Mapping[str, PlannedLayer]) -> dict[str, ReadyLayer]:
        """Say which layers are somewhere: keys to the layers of the plan, keys to what there is.

        Raises:
            UntrustedError: a catalogue is malformed.

        """
        found: dict[str, ReadyLayer] = {}
        for name in self._sealed:
            wanted = {
                key: one.seal for key, one in layers.items() if one.seal is not None and key not in found
            }
            found |= self._in(name, wanted)
        for source in self._sources():
            entries = {key: source.catalog.layers.get(catalog.name_of(key)) for key in layers.keys() - found}
            found |= self._in(source.name, {key: entry.seal for key, entry in entries.items() if entry})
        return found

    def _in(self, name: str, wanted: Mapping[str, LayerSeal]) -> dict[str, ReadyLayer]:
        """Those that a repository really has."""
        if not wanted:
            return {}
        blobs = {seal.digest: seal.size for seal in wanted.values()}
        try:
            there = present(self._registries, name, blobs)
        except NetworkError as error:
            self._progress.warn(f"ready layers are not taken from {name}: {error.message}")
            return {}
        return {
            key: ReadyLayer(
                seal,
                RegistryLayer(
                    *(seal.digest, seal.diff_id, seal.size, media.LAYER_GZIP, name),
                    registries=self._registries,
                    cache=self._cache,
                ),
            )
            for key, seal in wanted.items()
            if seal.digest in there
        }

    def verdict(self, keys: Iterable[str]) -> tuple[str, ...] | None:
        """What a catalogue says was found when the layers of these keys were held against each other."""
        name = catalog.name_of_all(keys)
        found = (source.catalog.verdicts.get(name) for source in self._sources())
        return next((verdict for verdict in found if verdict is not None), None)

    def room(self, keys: Iterable[str], files: Sequence[str]) -> Mapping[str, tuple[int, int, int]] | None:
        """What a catalogue says of a project's files above the layers of these keys."""
        name = catalog.name_of_room(keys, files)
        above = {folder for file in files for folder in parents(file)}
        for source in self._sources():
            found = source.catalog.rooms.get(name)
            if found is not None and found.keys() <= above:
                return found
        return None

    def knows(self, key: str) -> bool:
        """Whether the paths of a layer can be had."""
        return self._entry(key) is not None

    def paths(self, keys: Sequence[str]) -> dict[str, list[Path]]:
        """The paths of layers.

        Raises:
            NetworkError: they cannot be had.
            UntrustedError: they are malformed.

        """
        wanted = {key: entry for key in keys if key not in self._paths and (entry := self._entry(key))}
        for source in dict.fromkeys(name for name, _ in wanted.values()):
            blobs = {key: entry.paths for key, (name, entry) in wanted.items() if name == source}
            files = self._registries.fetch(self._cache, (source,), blobs.values())
            for key, blob in blobs.items():
                self._paths[key] = unpack(files[blob.digest].read_bytes(), f"{source}@{blob.digest}")
        return {key: self._paths[key] for key in keys if key in self._paths}

    def clashes(self, key: str) -> tuple[str, ...]:
        """What the OS packages of a layer overwrite of each other."""
        found = self._entry(key)
        return () if found is None else found[1].clashes

    def dist_info(self) -> dict[Digest, str]:
        """The names of the `.dist-info` folders of wheels."""
        found: dict[Digest, str] = {}
        for source in self._sources():
            found = {**source.catalog.dist_info, **found}
        return found

    def beside(self, key: str) -> tuple[LayerSeal, PartElsewhere, tuple[str, ...]] | None:
        """All that is known of a layer, for a catalogue of one's own; its paths stay where they are."""
        found = self._entry(key)
        if found is None:
            return None
        name, entry = found
        return (
            entry.seal,
            PartElsewhere(entry.paths, name, partial(self._open, name, entry.paths)),
            entry.clashes,
        )

    def contents(self, layer: ImageLayer) -> LayerContents | None:
        """What a catalogue says of a base's layer; None: nothing, or it cannot be had.

        Raises:
            UntrustedError: it is malformed.

        """
        found = self._contents(layer)
        if found is None:
            return None
        name, blob = found
        try:
            file = self._registries.fetch(self._cache, (name,), (blob,))[blob.digest]
        except NetworkError:
            return None  # the layer itself is read
        return unpack_contents(file.read_bytes(), f"{name}@{blob.digest}")

    def contents_beside(self, layer: ImageLayer) -> PartElsewhere | None:
        """What a catalogue says of a base's layer, for a catalogue of one's own; it stays where it is."""
        found = self._contents(layer)
        if found is None:
            return None
        name, blob = found
        return PartElsewhere(blob, name, partial(self._open, name, blob))

    def _contents(self, layer: ImageLayer) -> tuple[str, Descriptor] | None:
        name = catalog.name_of(reading.key_of(layer))
        found = ((source.name, source.catalog.contents.get(name)) for source in self._sources())
        return next(((where, blob) for where, blob in found if blob is not None), None)

    def _open(self, name: str, blob: Descriptor) -> BinaryIO:
        files = self._registries.fetch(self._cache, (name,), (blob,))
        return open_blob(files[blob.digest], blob.digest, blob.size)

    def _entry(self, key: str) -> tuple[str, Entry] | None:
        name = catalog.name_of(key)
        found = ((source.name, source.catalog.layers.get(name)) for source in self._sources())
        return next(((where, entry) for where, entry in found if entry is not None), None)

    def _sources(self) -> tuple[_Source, ...]:
        if self._loaded is None:
            self._loaded = tuple(source for one in self._named for source in self._read(one))
        return self._loaded

    def _read(self, reference: Reference) -> list[_Source]:
        """The catalogues of an image; with a warning none where there is no image, or nobody answers."""
        try:
            at = reference.at(self._registries.document(reference).digest)
            found = listed(at, registries=self._registries, artifact_type=catalog.TYPE)
            documents = [
                self._registries.read(reference.name, part)
                for one in found
                for part in parts_of(at, one, registries=self._registries)
                if part.media_type == catalog.TYPE
            ]
        except NetworkError as error:
            self._progress.warn(f"no layers are taken from {reference}: {error.message}")
            return []
        if not documents:
            self._progress.warn(
                f"no layers are taken from {reference}: no envfreeze has left a catalogue there"
            )
        return [_Source(reference.name, catalog.read(one, f"the catalogue of {at}")) for one in documents]
