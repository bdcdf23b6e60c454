"""Any two stacks of layers are the same tree for `compare` exactly where an overlay of them is."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.compare.images import compare
from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.oci import media
from envfreeze.oci.image import ImageValue
from envfreeze.oci.manifest import manifest_json

DIRECTORY = "directory"


class Blob:
    """A layer in memory."""

    media_type = media.LAYER

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.digest = self.diff_id = Digest.of(data)
        self.size = len(data)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


def overlay(stack):
    """What a container would see: path to content, or `DIRECTORY`."""
    tree: dict[str, object] = {}
    for members in stack:
        for path in members:
            folder, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                drop(tree, folder)
            elif name.startswith(".wh."):
                hidden = f"{folder}/{name[4:]}".lstrip("/")
                drop(tree, hidden)
                tree.pop(hidden, None)
        for path, content in members.items():
            if "/.wh." not in f"/{path}":
                if content != DIRECTORY:
                    drop(tree, path)
                tree[path] = content
            # What is in a directory makes it one, also what deletes.
            tree |= dict.fromkeys((str(above) for above in Path(path).parents if above.name), DIRECTORY)
    return tree


def drop(tree, folder):
    for path in [path for path in tree if path.startswith(f"{folder}/")]:
        del tree[path]


def layer(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in members.items():
            info = tarfile.TarInfo(path)
            if content == DIRECTORY:
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return Blob(out.getvalue())


def image(stack):
    blobs = tuple(layer(members) for members in stack)
    return ImageValue(manifest_json(b"{}", blobs), b"{}", blobs)


def sound(members):
    """No file where a directory has to be, and every directory that something is in is listed."""
    folders = {str(above) for path in members for above in Path(path).parents} - {"."}
    if any(members.get(folder, DIRECTORY) != DIRECTORY for folder in folders):
        return None
    whole = dict(members) | dict.fromkeys(folders, DIRECTORY)
    return {path: whole[path] for path in sorted(whole)}


CONTENT = st.sampled_from([b"1", b"2"])
MEMBERS = (
    st.dictionaries(
        st.sampled_from(
            [
                "a",
                "b",
                "d",
                "d/x",
                "d/y",
                "d/e/z",
                "d/e",
                ".wh.a",
                ".wh.d",
                "d/.wh.x",
                "d/.wh.e",
                "d/.wh..wh..opq",
            ]
        ),
        CONTENT,
        max_size=4,
    )
    .map(
        lambda members: sound(
            {
                path: b"" if "/.wh." in f"/{path}" else DIRECTORY if path == "d/e" else content
                for path, content in members.items()
            }
        )
    )
    .filter(lambda members: members is not None)
)
STACKS = st.lists(MEMBERS, max_size=4)


@settings(max_examples=80, deadline=None)
@given(STACKS, STACKS)
def test_images_are_the_same_tree_where_their_overlays_are(one, other):
    verdict = compare(image(one), image(other))
    assert verdict.level.reaches(Level.TREE) == (overlay(one) == overlay(other)), verdict.findings


@settings(max_examples=80, deadline=None)
@given(STACKS, st.randoms())
def test_images_that_share_layers_are_the_same_tree_where_their_overlays_are(stack, random):
    other = [members for members in stack if random.random() > 0.3]
    if random.random() > 0.5:
        random.shuffle(other)
    if stack and random.random() > 0.5:
        other.insert(random.randrange(len(other) + 1), random.choice(stack))
    verdict = compare(image(stack), image(other))
    assert verdict.level.reaches(Level.TREE) == (overlay(stack) == overlay(other)), verdict.findings


@settings(max_examples=60, deadline=None)
@given(STACKS, st.randoms())
def test_of_large_images_no_verdict_is_better_than_the_truth(stack, random):
    other = [members for members in stack if random.random() > 0.3]
    random.shuffle(other)
    with pytest.MonkeyPatch.context() as patch:
        # As if what both share were more than is read for every path.
        patch.setattr("envfreeze.compare.explain._CHEAP", 0)
        verdict = compare(image(stack), image(other))
    assert not verdict.level.reaches(Level.TREE) or overlay(stack) == overlay(other), verdict.findings
