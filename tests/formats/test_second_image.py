"""An image on an image: both implementations give the same digests."""

from __future__ import annotations

import json

import pytest

STATUS = b"Package: python3.13\nStatus: install ok installed\nArchitecture: amd64\nVersion: 3.13.5-2\n"
ODD = {
    "Env": ["A=1", "PATH=/own/bin:/bin", "A=2", "B=x=y", "LC_ALL=C"],
    "Entrypoint": ["/entry"],
    "OnBuild": ["RUN x"],
    "Labels": {"kept": "yes", "changed": "no"},
    "Volumes": {"/data": {}},
    "User": "1000",
}


@pytest.mark.parametrize(
    ("settings", "packing", "lines"),
    [
        (ODD, "zstd", 'labels = { changed = "yes" }\ncmd = ["x"]'),
        (ODD, "docker", 'entrypoint = ["y"]\nuser = "0"\nenv = { B = "z", AA = "0" }'),
        ({}, "plain", ""),
    ],
)
def test_both_implementations_agree_on_an_image(twice, registry_server, settings, packing, lines):
    with registry_server.serve() as registry:
        layers = [
            {
                "usr/lib/libc.so.6": b"GNU C Library stable release version 2.41.",
                "usr/local/bin/python3.13": registry_server.File(b"\x7fELF", 0o755),
                "usr/local/include/python3.13/patchlevel.h": b'#define PY_VERSION "3.13.5"\n',
            },
            *({f"srv/{number}": b"x" * number} for number in range(1, 30)),
        ]
        image = registry_server.image_of(layers, packing=packing, settings=settings)
        registry.push(image, "team/base", "1")
        (twice.root / "requirements.txt").write_text("")
        (twice.root / "train.py").write_text("print('x')\n")
        (twice.root / "envfreeze.toml").write_text(
            f'[image]\nbase = "{registry.host}/team/base:1"\ninclude = ["train.py"]\n{lines}\n'
        )
        twice.envfreeze("lock")
        twice.envfreeze("build")
        (second,) = twice.second()["images"]
        layout = twice.root / ".envfreeze" / "image"
        (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
        assert entry["digest"] == second["manifest"]
