"""Images with conda packages, assembled from locks that are made here."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile

import pytest

from envfreeze.digest import Digest
from envfreeze.engines.native import assemble
from envfreeze.errors import NetworkError, UntrustedError, UsageError
from envfreeze.layers.plan import plan
from envfreeze.locking.model import SCHEMA, WRITER, AptBase, Lock, Runtime, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

BASE = AptBase("apt:debian/trixie", (), (), ())
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SITE = "opt/conda/lib/python3.13/site-packages"


@pytest.fixture
def channel(conda_channel, tmp_path):
    with conda_channel.serve(tmp_path / "channel") as served:
        served.add(*conda_channel.every_kind())
        yield served


@pytest.fixture
def cache(tmp_path):
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


def lock_of(packages, wheels=(), *, python="3.13.5", **runtime):
    target = Target(
        platform=Platform.parse("linux/amd64"),
        python=python,
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=BASE,
        wheels=tuple(sorted(wheels, key=lambda wheel: wheel.name)),
        conda=tuple(sorted(packages, key=lambda package: package.name)),
    )
    settings = {"include": (), "user": None, "workdir": "/app", "entrypoint": None, "cmd": None}
    return Lock(
        schema=SCHEMA,
        writer=WRITER,
        inputs={},
        exclude_newer=None,
        runtime=Runtime({}, {}, **settings | runtime),
        targets=(replace(target, layers=plan(target)),),
    )


@pytest.fixture
def build(cache, tmp_path):
    """Assemble a lock of one target; what came of it, and its one image."""

    def make(lock, *, into=cache, **options):
        assembly = assemble(lock, root=tmp_path, cache=into, progress=SILENT, **options)
        (made,) = assembly.images
        assert not validate(made.image)
        return assembly, made

    return make


@pytest.fixture
def wheel(tmp_path):
    """Make a wheel in a folder; what a lock says of it."""

    def make(name, members, *, entry_points="", **changes):
        info = f"{name}-1.0.dist-info"
        members = {
            **members,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
            f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
            **({f"{info}/entry_points.txt": entry_points.encode()} if entry_points else {}),
        }
        rows = [
            f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
            f"{len(data)}\n"
            for path, data in members.items()
        ]
        members[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"]).encode()
        path = tmp_path / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        size = path.stat().st_size
        locked = Wheel(name, "1.0", path.name, Digest.of_file(path), size, path.as_uri())
        return replace(locked, **changes)

    return make


def files(image):
    """Path to its member and content, the uppermost layer's."""
    found = {}
    for layer in image.layers:
        with layer.open() as blob:
            data = gzip.decompress(blob.read())
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                content = tar.extractfile(member).read() if member.isreg() else b""
                found[member.name] = member, content
    return found


def config(made):
    return json.loads(made.image.config)


def environment(made):
    return dict(variable.split("=", 1) for variable in config(made)["config"]["Env"])


# ------------------------------------------------------------------------------------------- the image


def test_conda_packages_lie_between_the_system_and_the_wheels(channel, build):
    lock = lock_of(channel.locked(name) for name in ("python", "zlib", "pure"))
    _, made = build(lock)
    order = ["debs", "system", "conda", "wheels", "environment"]
    kinds = [layer.kind for layer in made.target.layers]
    assert kinds == sorted(kinds, key=order.index)
    assert "conda" in kinds
    texts = [entry["created_by"] for entry in config(made)["history"]]
    assert any(text.startswith("conda-") and "zlib 1.3.1" in text for text in texts)
    found = files(made.image)
    assert found["opt/conda/bin/python3.13"][0].mode == 0o755
    assert found["opt/conda/lib/libz.so"][0].linkname == "libz.so.1.3.1"
    installed = [content for path, (_, content) in found.items() if "conda-meta" not in path]
    assert not any(b"placehold" in content for content in installed)


def test_where_conda_provides_python_its_prefix_is_the_environment(channel, build, wheel):
    script = {"alpha/__init__.py": b"x = 1\n", "alpha-1.0.data/scripts/run": b"#!python\nprint(1)\n"}
    alpha = wheel(
        "alpha", script, entry_points="[console_scripts]\nalpha = alpha:main\n", requested=True, direct=True
    )
    packages = [channel.locked("python", requested=True), channel.locked("zlib"), channel.locked("pure")]
    _, made = build(lock_of(packages, [alpha]))
    assert environment(made) == {
        "PATH": f"/opt/conda/bin:{SYSTEM_PATH}",
        "CONDA_PREFIX": "/opt/conda",
        "LANG": "C.UTF-8",
    }
    found = files(made.image)
    assert not any(path.startswith("opt/venv") or path.endswith("pyvenv.cfg") for path in found)
    assert found[f"{SITE}/alpha/__init__.py"][1] == b"x = 1\n"
    assert found[f"{SITE}/alpha-1.0.dist-info/REQUESTED"][1] == b""
    for command in ("alpha", "run", "pure"):
        assert found[f"opt/conda/bin/{command}"][1].startswith(b"#!/opt/conda/bin/python3.13\n")
    history = found["opt/conda/conda-meta/history"][1].decode()
    assert history.endswith('# update specs: ["python"]\n')
    assert history.count("+") == 3


def test_what_activating_the_environment_would_do_is_said_once(channel, build):
    packages = [channel.locked("zlib"), channel.locked("data")]
    assembly, _ = build(lock_of(packages))
    (note,) = assembly.notes
    assert note.startswith("the conda environment is not activated in the image: what ")
    assert "/opt/conda/etc/conda/activate.d/zlib.sh would set belongs into [image] env" in note
    again, _ = build(lock_of(packages))
    assert again.notes == assembly.notes
    assert not build(lock_of([channel.locked("data")]))[0].notes


def test_where_conda_provides_no_python_the_bases_venv_comes_first(channel, build, wheel):
    _, made = build(lock_of([channel.locked("zlib")], [wheel("alpha", {"alpha.py": b"x = 1\n"})]))
    assert environment(made) == {
        "PATH": f"/opt/venv/bin:/opt/conda/bin:{SYSTEM_PATH}",
        "VIRTUAL_ENV": "/opt/venv",
        "LANG": "C.UTF-8",
    }
    found = files(made.image)
    assert "opt/venv/pyvenv.cfg" in found
    assert "opt/venv/lib/python3.13/site-packages/alpha.py" in found
    assert "opt/conda/lib/libz.so.1.3.1" in found
    assert "opt/conda/conda-meta/history" in found


def test_an_image_without_conda_packages_has_nothing_of_conda(build):
    _, made = build(lock_of([]))
    assert not any("conda" in path for path in files(made.image))
    assert "conda" not in made.image.config.decode()


def test_the_bytes_of_conda_layers_are_part_of_writer_version_1(conda_channel, cache, build):
    # Golden: other bytes for these packages are another image for everyone who has them. bzip2 has one
    # encoder, so that the packages are the same files everywhere, which those in zstd are not.
    package = conda_channel.package(
        "golden",
        legacy=True,
        depends=["zlib"],
        paths={
            "bin/golden": conda_channel.Item(
                f"#!{conda_channel.PLACEHOLDER}/bin/sh\n".encode(), 0o755, prefix="text"
            ),
            "lib/golden.so": conda_channel.Item(
                f"{conda_channel.PLACEHOLDER}/lib\0\1\2".encode(), prefix="binary"
            ),
            "lib/again.so": conda_channel.Item(hardlink="lib/golden.so", prefix="binary"),
            "lib/a": conda_channel.Item(b"a" * 70_000),
            "lib/b": conda_channel.Item(hardlink="lib/a"),
            "lib/link.so": conda_channel.Item(symlink="golden.so"),
        },
    )
    digest = Digest.of(package.content)
    assert digest.hex == "0efae241719a1d6a436698514e7d203318ba5713d3cb2d8cae87586b3fa07659"
    with cache.writer() as blob:
        blob.write(package.content)
        blob.commit(digest)
    _, made = build(lock_of([package.locked("https://conda.example.org/channel")]), offline=True)
    (layer,) = (layer for layer in made.target.layers if layer.kind == "conda")
    assert str(layer.seal.digest) == "sha256:8627e501bf328b0612cbeb3ffb1e1c54ba823ec6a6827fa8b2b3288c4a04133c"


# --------------------------------------------------------------------------------------------- the cache


def test_layers_that_are_known_are_not_made_again_and_nothing_is_fetched(channel, build):
    lock = lock_of(channel.locked(name) for name in ("python", "zlib", "pure", "tools"))
    first, made = build(lock)
    assert (first.reused, first.built) == (0, len(made.target.layers))
    channel.asked.clear()
    second, again = build(lock, offline=True)
    assert (second.built, second.reused) == (0, len(made.target.layers))
    assert again.image.digest == made.image.digest
    assert not channel.asked


def test_two_machines_and_any_number_of_workers_give_one_image(channel, build, tmp_path):
    lock = lock_of(channel.locked(built.index["name"]) for built in channel.built.values())
    _, made = build(lock, workers=4)
    with Cache.open(tmp_path / "other") as other:
        _, again = build(lock, into=other, workers=1)
    _, unaided = build(lock, reuse=False)
    assert again.image.digest == unaided.image.digest == made.image.digest


def test_another_python_makes_the_layers_anew_whose_modules_move(channel, build, conda_channel):
    def of(python):
        minor = python.rpartition(".")[0]
        built = conda_channel.package(
            "python", python, paths={f"bin/python{minor}": conda_channel.Item(b"x", 0o755)}
        )
        channel.add(built)
        packages = [channel.locked(name) for name in ("zlib", "pure", "data")]
        return lock_of([*packages, built.locked(channel.url)], python=python)

    _, before = build(of("3.13.5"))
    assembly, after = build(of("3.12.7"))
    changed = {
        layer.packages
        for layer, other in zip(before.target.layers, after.target.layers, strict=True)
        if layer.seal != other.seal
    }
    named = {name for packages in changed for name in packages}
    assert {"pure", "python"} <= named
    assert "zlib" not in named
    assert assembly.built < len(after.target.layers)
    assert "opt/conda/lib/python3.12/site-packages/pure/cli.py" in files(after.image)


def test_who_asked_for_a_package_changes_the_environments_layer_alone(channel, build):
    packages = [channel.locked("python"), channel.locked("zlib")]
    _, before = build(lock_of(packages))
    assembly, after = build(lock_of([replace(packages[0], requested=True), packages[1]]))
    assert assembly.built == 1
    assert before.image.digest != after.image.digest


def test_a_layer_that_was_allowed_its_scripts_is_not_taken_where_they_are_not(channel, build, conda_channel):
    channel.add(conda_channel.with_scripts())
    build(lock_of([channel.locked("scripted", allowed_scripts=True)]))
    with pytest.raises(UntrustedError, match=r"scripted-1\.0-0\.conda: it has link scripts"):
        build(lock_of([channel.locked("scripted")]))


# ------------------------------------------------------------------------------ who wants the same path


def clobbering(conda_channel, channel, **paths):
    for name, files_of in paths.items():
        channel.add(
            conda_channel.package(
                name, paths={path: conda_channel.Item(content) for path, content in files_of.items()}
            )
        )
    return [channel.locked(name) for name in paths]


def test_of_two_conda_packages_with_one_path_the_later_one_is_written_and_it_is_said(
    conda_channel, channel, build
):
    packages = clobbering(
        conda_channel,
        channel,
        first={"share/x": b"1", "share/same": b"s"},
        second={"share/x": b"2", "share/same": b"s"},
    )
    assembly, made = build(lock_of(packages))
    winner = [name for layer in made.target.layers for name in layer.packages if name in {"first", "second"}][
        -1
    ]
    (note,) = assembly.notes
    assert note.startswith(f"the conda package {winner} overwrites 1 of the files of the conda package ")
    assert note.endswith(": /opt/conda/share/x")
    assert files(made.image)["opt/conda/share/x"][1] == (b"2" if winner == "second" else b"1")


def test_a_wheel_over_a_conda_package_is_said(channel, build, wheel):
    over = wheel("pure", {"pure/cli.py": b"other\n"})
    packages = [channel.locked(name) for name in ("python", "pure")]
    assembly, _ = build(lock_of(packages, [over]))
    (note,) = assembly.notes
    assert note.startswith("pure overwrites 1 of the files of the conda package pure: ")


@pytest.mark.parametrize(
    "member", ["scripts/python", "scripts/python3.13", "data/bin/python3", "data/conda-meta/history"]
)
def test_a_wheel_that_would_replace_condas_interpreter_or_its_records_is_refused(
    channel, build, wheel, member
):
    evil = wheel("evil", {f"evil-1.0.data/{member}": b"#!/bin/sh\n"})
    with pytest.raises(UntrustedError, match=r"evil-1\.0-py3-none-any\.whl: .* belongs to the environment"):
        build(lock_of([channel.locked("python")], [evil]))


def test_a_path_through_another_packages_link_is_refused(conda_channel, channel, build):
    channel.add(
        conda_channel.package("links", paths={"lib/data": conda_channel.Item(symlink="../share")}),
        conda_channel.package("under", paths={"lib/data/x": conda_channel.Item(b"x")}),
    )
    with pytest.raises(UntrustedError) as caught:
        build(lock_of([channel.locked("links"), channel.locked("under")]))
    assert "the conda package under installs /opt/conda/lib/data/x through the link" in caught.value.message


def test_project_files_do_not_go_into_the_prefix(channel, build, tmp_path):
    (tmp_path / "train.py").write_text("x = 1\n")
    for packages in ([channel.locked("zlib")], [channel.locked("python")]):
        lock = lock_of(packages, include=("train.py",), workdir="/opt/conda/app")
        with pytest.raises(UsageError, match="belongs to the environment"):
            build(lock)


# ------------------------------------------------------------------------------------------- bad channels


def test_a_channel_that_has_another_file_than_was_locked_is_refused(channel, build, cache):
    lock = lock_of([channel.locked("zlib")])
    channel.instead["/linux-64/zlib-1.3.1-hb9d3cd8_2.conda"] = channel.find("python").content
    with pytest.raises(UntrustedError) as caught:
        build(lock)
    assert "zlib-1.3.1-hb9d3cd8_2.conda" in caught.value.message
    assert cache.find(lock.targets[0].conda[0].digest) is None


def test_a_package_that_is_gone_is_named(channel, build):
    lock = lock_of([channel.locked("zlib")])
    channel.instead["/linux-64/zlib-1.3.1-hb9d3cd8_2.conda"] = 404
    with pytest.raises(NetworkError, match=r"zlib-1\.3\.1-hb9d3cd8_2\.conda"):
        build(lock)


def test_credentials_are_put_in_for_the_download_and_nowhere_else(channel, build):
    channel.credentials = "ada:secret"
    lock = lock_of([channel.locked("zlib")])
    _, made = build(lock, authenticate=lambda url: url.replace("://", "://ada:secret@"))
    content = b"".join(data for _, data in files(made.image).values())
    assert b"secret" not in content + made.image.config
    assert f'"url":"{lock.targets[0].conda[0].url}"'.encode() in content
