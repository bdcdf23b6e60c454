"""Who has the page of conda packages gets the same layers."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.layers.conda import open_conda
from envfreeze.layers.conda.record import history
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci.entry import in_order
from envfreeze.oci.layer import write_layer

HERE = Path(__file__).parent

SECOND = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from second.conda import Conda, history
from second.layer import write_layer
locked = json.loads(sys.stdin.read())
digests = {
    one["filename"]: write_layer("x", Conda(Path(one["path"]), one, "3.13").entries).digest for one in locked
}
print(json.dumps({"digests": digests, "history": history(locked).decode()}))
"""


def odd(kit):
    """What the packages of every kind leave out."""
    old = kit.PLACEHOLDER
    texts = {
        "share/first-line": f"#!{old}/{'d/' * 60}perl -w\n{old}\n",
        "share/python": f"#!  {old}/{'d/' * 60}python3 -s\n",
        "share/words": f"{old}{old}\n#!{old}/bin/sh",
        "share/nothing": "",
    }
    binary = (
        f"{old}/x:{old}\0\0{old}".encode()
        + f"a {old}/\0b\0{old}".encode("utf-16-le")
        + old.encode("utf-32-be")
    )
    return [
        kit.package(
            "odd",
            paths={
                **{path: kit.Item(text.encode(), prefix="text") for path, text in texts.items()},
                "lib/odd.so": kit.Item(binary, 0o700, prefix="binary"),
                "lib/also.so": kit.Item(hardlink="lib/odd.so"),
                "lib/text.so": kit.Item(hardlink="lib/odd.so", prefix="text"),
                "lib/plain": kit.Item(b"x" * 2_000_000, 0o755),
                "lib/linked": kit.Item(hardlink="lib/plain"),
                "lib/again": kit.Item(hardlink="lib/linked"),
                "share/empty": kit.Item(directory=True),
            },
            index={"license": "", "license_family": "BSD", "arch": 3, "timestamp": 1.5, "features": "mkl"},
        ),
        kit.package(
            "quoted",
            legacy=True,
            old_info=True,
            paths={"a b": kit.Item(f"{old}\0".encode()), "c": kit.Item(b"c")},
            info={"has_prefix": f"# one\n'{old}' binary \"a b\"\nc\n".encode()},
        ),
    ]


@pytest.mark.parametrize("where", ["https://conda.example.org/channel", "file:///home/someone/channel"])
def test_both_implementations_agree_on_every_conda_package(conda_channel, tmp_path, where):
    packages = [*conda_channel.every_kind(), *odd(conda_channel)]
    ours, locked = {}, []
    for built in packages:
        path = tmp_path / built.filename
        path.write_bytes(built.content)
        package = built.locked(where, requested=built.index["name"] in {"odd", "pure"})
        opening = open_conda(path, package, tmp_path, prefix=CONDA_PREFIX, python="3.13")
        with opening as content, (tmp_path / "layer").open("wb") as layer:
            ours[built.filename] = str(write_layer(in_order(content.entries), layer.fileno()).digest)
        fields = dataclasses.asdict(package)
        del fields["digest"]
        locked.append({**fields, "sha256": package.digest.hex, "path": str(path)})
    lock = [built.locked(where, requested=built.index["name"] in {"odd", "pure"}) for built in packages]
    done = subprocess.run(
        [sys.executable, "-c", SECOND, str(HERE)],
        input=json.dumps(locked),
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["digests"] == ours
    assert said["history"] == history(lock).decode()
