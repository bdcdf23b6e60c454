"""An image on an image, and a Python that is no package: both implementations give the same digests."""

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


@pytest.mark.parametrize("taken", [False, True])
def test_both_implementations_agree_on_a_python_that_is_no_package(
    twice, registry_server, standalone_archive, tmp_path, taken
):
    kit = standalone_archive
    name = kit.filename("3.12.13")
    odd = {
        "python": kit.folder(),
        "python/empty": kit.folder(0o700),
        "python/lib/hard": kit.hardlink("python/bin/python3.12"),
        "python/lib/hard-script": kit.hardlink("python/bin/python3.12-config"),
        "python/bin/hard-script": kit.hardlink("python/bin/python3.12-config"),
        "python/lib/hard-compiled": kit.hardlink(
            "python/lib/python3.12/__pycache__/os.cpython-312.opt-1.pyc"
        ),
        "python/lib/python3.12/json/__pycache__": kit.folder(),
        "python/lib/python3.12/large": kit.Item(bytes(range(256)) * 9000),
        "python/lib/python3.12/build-details.json": kit.Item(b'{"base_prefix": "/install"}'),
        "python/lib/pkgconfig/odd.pc": kit.Item(
            b"/install a/install /installed -I/install\n-L/install/lib:/install;./install/x (/install)"
        ),
        "python/lib/python3.12/_sysconfig_vars__linux_x86_64-linux-gnu.json": kit.Item(
            b'{"CC": "clang -pthread", "CXX": "/usr/bin/aarch64-linux-gnu-g++", "AR": "/tools/x/bin/llvm-ar",'
            b' "LD": "clang clang clang-21 /tools/x/y/bin/ar gcc"}'
        ),
    }
    (tmp_path / name).write_bytes(kit.archive(kit.small(further=odd)))
    (tmp_path / "index.json").write_bytes(
        kit.index({name: (tmp_path / name).read_bytes()}, {name: (tmp_path / name).as_uri()})
    )
    theirs = {"opt/venv/pyvenv.cfg": b"home = /usr/bin\n", "opt/python": b"a file\n"} if taken else {}
    layers = [
        {"usr/lib/libc.so.6": b"GNU C Library stable release version 2.28.", **theirs},
        *({f"srv/{number}": b"x"} for number in range(18)),
    ]
    with registry_server.serve() as registry:
        registry.push(registry_server.image_of(layers), "team/base", "1")
        (twice.root / "requirements.txt").write_text("")
        (twice.root / "envfreeze.toml").write_text(
            f'[image]\nbase = "{registry.host}/team/base:1"\npython = "3.12"\n'
            f'python-index = "{(tmp_path / "index.json").as_uri()}"\n'
        )
        twice.envfreeze("lock")
        first = twice.first()
        second = twice.second()
    assert first["digest"] == second["digest"]
    lock = (twice.root / "envfreeze.lock").read_text()
    assert ('prefix = "/opt/envfreeze/venv"' in lock) is taken
    assert ('prefix = "/opt/envfreeze/python"' in lock) is taken
