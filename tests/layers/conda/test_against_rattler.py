"""rattler's own installer, on the same packages: the same tree, but for what the pages say is ours."""

from __future__ import annotations

import asyncio
import stat

import pytest
from rattler import Channel, Gateway, Subdir, install, solve

OURS = {"conda-meta", "CACHEDIR.TAG"}


def tree(root):
    """Path to what is there: mode and content of a file, target of a link."""
    found = {}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if relative.parts[0] in OURS or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            found[str(relative)] = "link", str(path.readlink())
        else:
            found[str(relative)] = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    return found


@pytest.fixture
def by_rattler(conda_channel, tmp_path):
    """Serve packages and have rattler install them as if into /opt/conda; the folder."""

    async def run(url, names):
        records = await solve(
            sources=[Channel(url)],
            specs=names,
            platforms=["linux-64", "noarch"],
            gateway=Gateway(cache_dir=tmp_path / "gateway"),
        )
        await install(
            records,
            target_prefix=tmp_path / "prefix",
            cache_dir=tmp_path / "packages",
            alternative_target_prefix="/opt/conda",
            show_progress=False,
            platform=Subdir("linux-64"),
        )

    def make(packages):
        with conda_channel.serve(tmp_path / "channel") as channel:
            channel.add(*packages)
            channel.index()
            asyncio.run(run(channel.url, [built.index["name"] for built in packages]))
        return tmp_path / "prefix"

    return make


def test_packages_of_every_kind_lie_as_rattler_lays_them(conda_channel, by_rattler, lay_out):
    packages = conda_channel.every_kind()
    theirs, ours = tree(by_rattler(packages)), tree(lay_out(packages))
    assert ours.keys() == theirs.keys()
    for command in ("bin/pure", "bin/pure-admin"):
        # The text of a command is each installer's own; whom it runs is not.
        (_, their_text), (_, our_text) = theirs.pop(command), ours.pop(command)
        assert their_text.splitlines()[0] == our_text.splitlines()[0] == b"#!/opt/conda/bin/python3.13"
    assert ours == theirs


def test_awkward_prefixes_are_replaced_as_rattler_does(conda_channel, by_rattler, lay_out):
    old = conda_channel.PLACEHOLDER.encode()
    long = b"d/" * 60
    contents = {
        "text": {
            "empty": b"",
            "nothing to replace": b"#!/bin/sh\n",
            "no line feed": b"#!" + old + b"/bin/perl",
            "in every line": b"#!" + old + b"/bin/sh\n" + old + b"\n" + old + old,
            "not at the beginning": b"\n#!" + old + b"/" + long + b"perl\n",
            "too long": b"#!" + old + b"/" + long + b"perl -w -x\nprint;\n",
            "too long, with blanks": b"#!   " + old + b"/" + long + b"perl\t-w\r\nprint;\n",
            "long but none of ours": b"#!/usr/bin/env " + b"x" * 200 + b"\n",
            "not UTF-8": b"\xff\xfe" + old + b"\xff\n",
            "cut off": old[:-1],
        },
        "binary": {
            "empty": b"",
            "alone": old,
            "no NUL behind it": b"\0\0" + old + b"/lib",
            "twice in a string": old + b":" + old + b"/x\0after",
            "many strings": (old + b"/lib\0") * 50 + b"\x01" * 300,
            "over a mebibyte": b"\x07" * (1 << 20) + old + b"/share\0" + b"\x07" * 17,
        },
    }
    for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        wide = f"one {conda_channel.PLACEHOLDER}/x\0two\0{conda_channel.PLACEHOLDER}/\0end".encode(encoding)
        contents["text"][encoding] = contents["binary"][encoding] = wide
        contents["binary"][f"{encoding} and UTF-8"] = old + b"/x\0\0\0\0" + wide + b"\0\0\0\0" + old + b"\0"
    paths = {
        f"share/{mode}/{name}": conda_channel.Item(content, prefix=mode)
        for mode, files in contents.items()
        for name, content in files.items()
    }
    packages = [conda_channel.package("awkward", paths=paths)]
    assert tree(lay_out(packages)) == tree(by_rattler(packages))
