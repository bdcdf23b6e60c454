"""One image against one target of a lock: what the lock puts there is laid beside what the image has."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.compare import causes, reading
from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.compare.installed import Installed, Origin, judge, origins
from envfreeze.compare.installed.expected import lay
from envfreeze.compare.installed.hashed import hashed
from envfreeze.compare.installed.insides import looked_into
from envfreeze.compare.installed.sides import SLOT, Sides
from envfreeze.compare.model import Finding, Kind, finding
from envfreeze.compare.names import layer_names
from envfreeze.engines.native.contents import Contents, pieces
from envfreeze.errors import MachineError, NetworkError, UsageError
from envfreeze.layers.files import file_entries, included
from envfreeze.locking.image import pulled
from envfreeze.oci.image import FileLayer
from envfreeze.verbs.artifacts_at_hand import AtHand, obtain
from envfreeze.verbs.installed_places import find

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from envfreeze.locking.image.inventory import Inventory, LayerContents
    from envfreeze.locking.model import ImageLayer, Lock, Target
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Holding:
    """Holds images against a lock.

    Attributes:
        lock: the lock.
        folder: its folder, with the project's files.
        cache: has the artifacts, or gets them.
        scratch: a folder for inflated packages.
        offline: fetch nothing.
        progress: told what happens.
        workers: threads; None: one per processor.

    """

    lock: Lock
    folder: Path
    cache: Cache
    scratch: Path
    offline: bool
    progress: Progress
    workers: int | None = None

    def compare(self, image: Image, target: Target) -> Installed:
        """Compare an image with the target of its platform.

        Raises:
            UntrustedError: the image or an artifact is damaged, or not what it should be.
            NetworkError: a registry does not give a layer of the image.
            MachineError: there is no room.

        """
        with Sides() as sides, ExitStack() as stack:
            names = layer_names(image)
            jobs = [
                reading.Job(layer, names[position], SLOT, REBUILT, position)
                for position, layer in enumerate(image.layers)
            ]
            reading.read(sides, jobs, "reading the image", self.progress)
            said, whole_base = self._base(sides, image, target)
            places = find(sides, target)
            said += places.said
            at_hand = obtain(
                target,
                cache=self.cache,
                root=self.folder,
                offline=self.offline,
                progress=self.progress,
            )
            beneath = self._beneath(image, target)
            chosen = pieces(target, at_hand.lost, system=beneath is not None or target.image is None)
            contents = stack.enter_context(
                Contents(
                    target,
                    at_hand.files,
                    scheme=places.scheme,
                    conda=places.conda,
                    scratch=self.scratch,
                    beneath=beneath,
                )
            )
            lay(sides, contents, chosen, self.progress, workers=self.workers)
            self._project(sides)
            found = judge(
                sides,
                image,
                closed=places.closed(target),
                lost=_lost(target, at_hand),
                said=said,
                whole_base=whole_base,
            )
            return looked_into(found, sides, contents, chosen, image, self.scratch)

    def _base(self, sides: Sides, image: Image, target: Target) -> tuple[list[Finding], bool]:
        """Expect what the base holds; what is to be said of it, and whether it is known."""
        base = target.image
        if base is None:
            return [], True
        origin = Origin(origins.BASE, base.reference)
        count = len(base.layers)
        if [layer.diff_id for layer in image.layers[:count]] == [layer.diff_id for layer in base.layers]:
            sides.keep_base(origin, count, in_image=True)
            return [], True
        try:
            blobs = pulled.obtain(
                base, base.layers, cache=self.cache, offline=self.offline, progress=self.progress
            )
        except NetworkError as error:
            what = f"its layers are not those of {base.reference}, which cannot be had: {error.message}"
            return [finding(Kind.UNCHECKED, "base image", what, causes.ARTIFACT_GONE)], False
        jobs = [
            reading.Job(
                FileLayer(one.digest, one.diff_id, one.size, one.media_type, blobs[one.digest]),
                f"{base.reference}, layer {number + 1}",
                SLOT,
                REFERENCE,
                number,
            )
            for number, one in enumerate(base.layers)
        ]
        reading.read(sides, jobs, "reading the base", self.progress)
        sides.keep_base(origin, count, in_image=False)
        what = f"its lowest layers are not those of {base.reference}; their files were compared"
        return [finding(Kind.LAYER_BOUNDARIES, "base image", what, causes.OTHER_BUILDER)], True

    def _beneath(self, image: Image, target: Target) -> Inventory | None:
        """What the base holds, for the rules that stand for maintainer scripts; None: there is no need."""
        base = target.image
        if base is None or not target.base.packages:
            return None
        there = {layer.diff_id: layer for layer in image.layers}

        def told(layer: ImageLayer) -> LayerContents | None:
            from envfreeze.locking.image.reading import read_stream  # noqa: PLC0415 - with images only

            found = there.get(layer.diff_id)
            if found is None:
                return None
            with found.open() as blob:
                return read_stream(blob, found.media_type, found.diff_id, f"layer {layer.digest} of the base")

        try:
            return pulled.look(
                base, cache=self.cache, offline=self.offline, progress=self.progress, told=told
            )
        except NetworkError as error:
            self.progress.note(error.message)
            return None

    def _project(self, sides: Sides) -> None:
        """Expect the project's own files, where they are there."""
        runtime, folder = self.lock.runtime, self.folder
        if not runtime.include:
            return
        try:
            entries = file_entries(folder, included(folder, runtime.include), runtime.workdir)
        except (UsageError, MachineError) as error:
            self.progress.warn(f"the project's files are not compared: {error.message}")
            return
        new = [
            one
            for one in hashed(entries)
            # A folder that the layers below have keeps its mode.
            if one.digest or one.member.link or sides.find(REFERENCE, one.member.path) is None
        ]
        sides.expect(Origin(origins.PROJECT, "the project's files"), new)


def _lost(target: Target, at_hand: AtHand) -> Mapping[Origin, str]:
    """The packages whose artifacts cannot be had, and why."""
    lost = at_hand.lost
    python = () if target.standalone is None else (target.standalone,)
    named = [
        *((origins.DPKG, deb.name, deb.version, deb.digest) for deb in target.base.packages),
        *((origins.PYTHON, "python-build-standalone", one.version, one.digest) for one in python),
        *((origins.CONDA, one.name, f"{one.version}-{one.build}", one.digest) for one in target.conda),
        *((origins.PIP, wheel.name, wheel.version, wheel.digest) for wheel in target.wheels),
    ]
    return {
        Origin(kind, name, version): lost[digest] for kind, name, version, digest in named if digest in lost
    }
