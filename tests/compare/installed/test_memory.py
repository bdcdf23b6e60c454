"""Memory does not grow with the number of files, whatever is wrong with them."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from dataclasses import dataclass

from envfreeze.compare import reading
from envfreeze.compare.entries import REBUILT
from envfreeze.compare.installed import Origin, judge, origins
from envfreeze.compare.installed.hashed import hashed
from envfreeze.compare.installed.sides import SLOT, Sides
from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.entry import file
from envfreeze.oci.image import ImageValue
from envfreeze.progress import SILENT

SITE = "opt/venv/lib/python3.13/site-packages"


@dataclass(frozen=True)
class Held:
    """A layer in memory."""

    tar: bytes
    media_type: str = media.LAYER

    @property
    def digest(self):
        return Digest.of(self.tar)

    @property
    def diff_id(self):
        return self.digest

    @property
    def size(self):
        return len(self.tar)

    def open(self):
        return io.BytesIO(self.tar)


def layer_of(paths, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for path in paths:
            info = tarfile.TarInfo(path)
            info.mode, info.size = mode, 1
            tar.addfile(info, io.BytesIO(b"x"))
    return Held(out.getvalue())


def peak(count, mode):
    """Bytes that judging takes at most, and the verdict."""
    paths = [f"{SITE}/package/{number:06}.py" for number in range(count)]
    layer = layer_of([*paths, *(f"srv/{number:06}/x" for number in range(count))], mode)
    image = ImageValue(b"{}", b"{}", (layer,))
    with Sides() as sides:
        job = reading.Job(layer, "one", SLOT, REBUILT, 0)
        marker = Origin(origins.PIP, "package", "1", f"{SITE}/package/000000.py")
        tracemalloc.start()
        try:
            reading.read(sides, [job], "reading", SILENT)
            sides.expect(marker, (one for path in paths for one in hashed([file(path, b"x")])))
            found = judge(sides, image, closed=[SITE])
            return tracemalloc.get_traced_memory()[1], found
        finally:
            tracemalloc.stop()


def test_memory_does_not_grow_with_what_is_tolerated_or_nobody_s():
    small, _ = peak(100, 0o600)
    large, found = peak(1_200, 0o600)
    assert found.level.value == "packages"
    assert large < small + (2 << 20)
