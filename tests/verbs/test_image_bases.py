"""An image of a registry as the base: locked by digest, built on, verified; and what can be wrong with it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import shutil
import tarfile

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.oci import layout
from envfreeze.replacing import replace

CUDA = {
    "Env": [
        "PATH=/usr/local/cuda/bin:/usr/bin:/bin",
        "CUDA_VERSION=12.8.1",
        "NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=550,driver<551",
        "NV_CUDNN_VERSION=9.8.0.87-1",
        "LD_LIBRARY_PATH=/usr/local/cuda/lib64",
    ],
    "Entrypoint": ["/opt/nvidia/nvidia_entrypoint.sh"],
    "Labels": {"maintainer": "NVIDIA"},
    "ExposedPorts": {"8888/tcp": {}},
}
RELEASE = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
NAME = "nvidia/cuda"
GZIP = b"\x1f\x8b"


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        yield served


@pytest.fixture(scope="module")
def assembled():
    """The layers that envfreeze assembled of the archive's packages, once they are there."""
    return []


@pytest.fixture
def suite_image(small_project, registry_server, assembled):
    """Make what envfreeze assembles of the archive's packages, without an environment, into a base."""

    def layers():
        work = small_project(where="base")
        assert work.run("lock").code == 0
        assert work.run("build", "--no-record").code == 0
        image = layout.read(work.root / ".envfreeze" / "image")
        made = json.loads(image.config)["history"]
        kept = [
            layer
            for layer, entry in zip(image.layers, made, strict=True)
            if entry["created_by"].startswith(("deb", "system"))
        ]
        found = [in_memory(registry_server, layer) for layer in kept]
        shutil.rmtree(work.root)
        shutil.rmtree(work.cache)
        return found

    def make(further=None, settings=CUDA):
        if not assembled:
            assembled.extend(layers())
        top = registry_server.layer_of({"etc/os-release": RELEASE, **(further or {})})
        return registry_server.image_of([*assembled, top], settings=settings)

    return make


def in_memory(registry_server, layer):
    with layer.open() as blob:
        return registry_server.MemoryLayer(blob.read(), layer.diff_id, layer.media_type)


@pytest.fixture
def work(small_project, registry, suite_image):
    """A project on a base that looks like NVIDIA's, which has a Python."""
    registry.push(suite_image(), NAME, "12.8")
    work = small_project()
    use(work, f"{registry.host}/{NAME}:12.8")
    return work


def use(work, base, *lines):
    text = (work.root / "envfreeze.toml").read_text()
    work.write(
        "envfreeze.toml", text.replace("[image]\n", "\n".join(["[image]", f'base = "{base}"', *lines, ""]))
    )
    work.commit()


def ok(ended):
    assert ended.code == 0, ended.stderr
    return ended


def test_lock_build_and_verify_on_an_image(work, registry):
    ok(work.run("lock"))
    (target,) = files.read(work.root).targets
    base = registry.manifests[NAME]["12.8"][1]
    assert target.image.manifest == Digest.of(base)
    assert target.image.env["NVIDIA_REQUIRE_CUDA"] == "cuda>=12.8 brand=tesla,driver>=550,driver<551"
    assert (target.image.distribution, target.image.codename) == ("debian", "trixie")
    assert (target.image.interpreter, target.python, target.glibc) == (
        "/usr/bin/python3.13",
        "3.13.5",
        "2.41",
    )
    assert not target.base.packages
    work.commit()
    built = ok(work.run("build"))
    image = layout.read(work.root / ".envfreeze" / "image")
    assert work.built() == built.digest
    below = [Digest.parse(layer["digest"]) for layer in json.loads(base)["layers"]]
    assert [layer.digest for layer in image.layers][: len(below)] == below
    assert ok(work.run("verify", str(built.digest))).stdout == "identical\n"
    settings = json.loads(image.config)["config"]
    assert settings["Env"] == [
        "PATH=/opt/venv/bin:/usr/local/cuda/bin:/usr/bin:/bin",
        *CUDA["Env"][1:],
        "VIRTUAL_ENV=/opt/venv",
        "LANG=C.UTF-8",
    ]
    assert settings["Entrypoint"] == CUDA["Entrypoint"]
    assert settings["Cmd"] == ["python", "train.py"]
    assert settings["ExposedPorts"] == {"8888/tcp": {}}
    assert settings["Labels"] == {"maintainer": "NVIDIA"}


def test_a_locked_base_is_not_asked_for_again(work, registry):
    ok(work.run("lock"))
    registry.asked.clear()
    before = work.lock_files()
    assert ok(work.run("lock")).stdout == "unchanged\n"
    work.replace("requirements.txt", "gamma\n", "gamma\nbeta\n")
    ok(work.run("lock"))
    assert ok(work.run("lock", "--check")).stdout == "current\n"
    assert not registry.asked
    assert before != work.lock_files()


def test_a_tag_that_is_pushed_again_or_deleted_leaves_the_lock_as_it_is(work, registry, suite_image):
    ok(work.run("lock"))
    old = ok(work.run("build", "--no-record")).digest
    was = files.read(work.root).targets[0].image.manifest
    registry.push(suite_image({"usr/local/cuda/version.json": b"12.8.2"}), NAME, "12.8")
    assert ok(work.run("build", "--no-record")).digest == old
    said = ok(work.run("lock", "--outdated"))
    assert f"{registry.host}/{NAME}:12.8 {was} -> " in said.stdout
    assert "base" in said.stdout
    del registry.manifests[NAME]["12.8"]
    shutil.rmtree(work.cache)
    assert ok(work.run("lock")).stdout == "unchanged\n"
    assert ok(work.run("build", "--no-record")).digest == old
    ended = work.run("lock", "--upgrade")
    assert ended.code == 4
    assert f"{registry.host}/{NAME}:12.8 is not in the registry" in ended.stderr


def test_the_base_moves_alone_when_it_is_told_to(work, registry, suite_image):
    ok(work.run("lock"))
    wheels = files.read(work.root).targets[0].wheels
    moved = registry.push(suite_image({"usr/local/cuda/version.json": b"12.8.2"}), NAME, "12.8")
    work.site.add_wheel("beta", work.site.files["/wheels/beta-1.0-py3-none-any.whl"], "2.0")
    said = ok(work.run("lock", "--upgrade-package", "base"))
    (target,) = files.read(work.root).targets
    assert target.image.manifest == moved
    assert target.wheels == wheels
    assert "base, linux/amd64: 1 moved" in said.stderr


def test_what_was_deleted_comes_from_a_mirror_or_the_cache(work, registry, registry_server):
    ok(work.run("lock"))
    digest = ok(work.run("build", "--no-record")).digest
    with registry_server.serve() as mirror:
        mirror.blobs[f"kept/{NAME}"] = registry.blobs.pop(NAME)
        registry.manifests.pop(NAME)
        assert ok(work.run("build", "--no-record", "--offline")).digest == digest
        shutil.rmtree(work.cache)
        ended = work.run("build", "--no-record")
        assert ended.code == 4
        assert f"{registry.host}/{NAME}@sha256:" in ended.stderr
        places = {"ENVFREEZE_REGISTRY_MIRRORS": f"{registry.host}={mirror.host}/kept"}
        assert ok(work.run("build", "--no-record", **places)).digest == digest


def test_a_mirror_of_the_configuration_stands_in_the_lock(work, registry, registry_server):
    with registry_server.serve() as mirror:
        mirror.manifests[f"kept/{NAME}"] = registry.manifests.pop(NAME)
        mirror.blobs[f"kept/{NAME}"] = registry.blobs.pop(NAME)
        work.write(
            "envfreeze.toml",
            (work.root / "envfreeze.toml").read_text()
            + f'\n[registry]\nmirrors = {{ "{registry.host}" = "{mirror.host}/kept" }}\n',
        )
        ok(work.run("lock"))
        (target,) = files.read(work.root).targets
        assert target.image.places == (f"{mirror.host}/kept/{NAME}", f"{registry.host}/{NAME}")
        shutil.rmtree(work.cache)
        ok(work.run("build", "--no-record"))


def test_a_changed_layer_is_refused(work, registry):
    ok(work.run("lock"))
    shutil.rmtree(work.cache)
    for digest, blob in registry.blobs[NAME].items():
        registry.blobs[NAME][digest] = blob[:-1] + bytes([blob[-1] ^ 1])
    ended = work.run("build", "--no-record")
    assert ended.code == 6
    refused = ended.stderr.partition(f"{NAME}@sha256:")[2][:64]
    assert len(refused) == 64
    # What came of another layer until then may stay: the next build goes on from there.
    assert not [path for path in work.leftovers() if refused in path or "/partial/" not in path]


def test_a_layer_whose_tar_is_not_the_configs_is_refused(work, registry, registry_server):
    layer = registry_server.layer_of({"etc/os-release": RELEASE})
    other = registry_server.image_of([layer], diff_ids=[Digest.of(b"another")])
    registry.push(other, NAME, "wrong")
    work.replace("envfreeze.toml", ":12.8", ":wrong")
    ended = work.run("lock")
    assert ended.code == 6
    assert "the image's config says" in ended.stderr


def test_a_seal_holds_the_image_on_a_base(work):
    ok(work.run("lock", "--seal"))
    (target,) = files.read(work.root).targets
    assert ok(work.run("lock", "--check", "--seal")).stdout == "current\n"
    work.replace("envfreeze.toml", 'include = ["train.py"]\n', "")
    ok(work.run("lock", "--seal"))
    assert ok(work.run("build", "--no-record")).digest == files.read(work.root).targets[0].manifest
    assert target.layers


def test_tree_and_why_know_the_base(work, registry):
    ok(work.run("lock"))
    reference = f"{registry.host}/{NAME}:12.8"
    assert f"base (linux/amd64)\n{reference} sha256:" in ok(work.run("tree")).stdout
    assert "[image] base" in ok(work.run("why", "base")).stdout


@pytest.fixture
def bare(small_project, registry, registry_server):
    """A project on a base of the suite that has no Python, and an older C library."""
    libc = "./usr/lib/x86_64-linux-gnu/libc.so.6"
    status = (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.41-11\nArchitecture: amd64\n"
        "Maintainer: x\nDescription: c\n\n"
        "Package: libc-bin\nStatus: install ok installed\nVersion: 2.41-11\nArchitecture: amd64\n"
        "Maintainer: x\nDescription: c\n"
    )
    image = registry_server.image_of(
        [
            {
                "etc/os-release": RELEASE,
                "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n",
                "bin": registry_server.Link("usr/bin"),
                "usr/bin": registry_server.Folder(),
                "usr/bin/sh": registry_server.File(b"\x7fELF", 0o755),
                libc.removeprefix("./"): b"\x7fELF old",
                "usr/lib/x86_64-linux-gnu/gone.so": b"\x7fELF",
                "var": registry_server.Folder(0o775, 0, 50),
                "var/lib/dpkg/status": status.encode(),
                "var/lib/dpkg/info/libc6.list": (
                    b"/.\n/usr\n/usr/lib/x86_64-linux-gnu/libc.so.6\n/usr/lib/x86_64-linux-gnu/gone.so\n"
                ),
                "var/lib/dpkg/info/libc-bin.list": b"/.\n/usr\n",
            }
        ],
        settings={"User": "ada"},
    )
    registry.push(image, "team/bare", "1")
    work = small_project()
    use(work, f"{registry.host}/team/bare:1", 'packages = ["tzdata", "libc6=2.41-12"]')
    return work


def listing(image):
    """Every path of an image, layer upon layer, with what is left after whiteouts; and the whiteouts."""
    found, hidden = {}, set()
    for layer in image.layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            for member in tar:
                folder, _, name = member.name.rpartition("/")
                if name.startswith(".wh."):
                    hidden.add(f"{folder}/{name[4:]}")
                    found.pop(f"{folder}/{name[4:]}")
                else:
                    file = tar.extractfile(member) if member.isfile() else None
                    found[member.name] = member, b"" if file is None else file.read()
    return found, hidden


def test_python_and_packages_are_added_to_what_the_base_has(bare):
    ok(bare.run("lock"))
    (target,) = files.read(bare.root).targets
    assert [deb.name for deb in target.base.packages] == ["libc6", "python3.13", "tzdata"]
    assert (target.python, target.glibc, target.image.interpreter) == ("3.13.5", "2.41", None)
    ok(bare.run("build", "--no-record"))
    bare.built()
    image = layout.read(bare.root / ".envfreeze" / "image")
    found, hidden = listing(image)
    status = found["var/lib/dpkg/status"][1].decode()
    assert [line for line in status.splitlines() if line.startswith(("Package", "Version"))] == [
        "Package: libc6",
        "Version: 2.41-12",
        "Package: libc-bin",
        "Version: 2.41-11",
        "Package: python3.13",
        "Version: 3.13.5-2",
        "Package: tzdata",
        "Version: 2026a-1",
    ]
    assert hidden == {"usr/lib/x86_64-linux-gnu/gone.so"}
    assert found["usr/lib/x86_64-linux-gnu/libc.so.6"][1] == b"\x7fELF" * 500
    assert b"ada" in found["etc/passwd"][1]
    assert (found["var"][0].mode, found["var"][0].gid) == (0o775, 50)
    assert json.loads(image.config)["config"]["User"] == "ada"
    assert b"home = /usr/bin\n" in found["opt/venv/pyvenv.cfg"][1]


def test_a_user_of_the_base_may_run_the_image(bare):
    bare.replace("envfreeze.toml", "[image]\n", '[image]\nuser = "ada"\n')
    ok(bare.run("lock"))
    ok(bare.run("build", "--no-record"))
    bare.replace("envfreeze.toml", '"ada"', '"adda"')
    ok(bare.run("lock"))
    ended = bare.run("build", "--no-record")
    assert ended.code == 2
    assert "'ada', which is one" in ended.stderr


def test_an_unpinned_package_of_the_base_stays_as_it_is(bare):
    bare.replace("envfreeze.toml", '"libc6=2.41-12"', '"libc6"')
    ok(bare.run("lock"))
    assert "libc6" not in [deb.name for deb in files.read(bare.root).targets[0].base.packages]
    assert ok(bare.run("lock", "--check")).stdout == "current\n"
    bare.replace("envfreeze.toml", '["tzdata", "libc6"]', '["libc6"]')
    assert "tzdata" in bare.run("lock", "--check").stderr


ROOT = {"bin": "usr/bin", "etc/os-release": RELEASE, "usr/lib/libc.so.6": b"GNU C Library version 2.41"}


@pytest.mark.parametrize(
    ("contents", "lines", "words"),
    [
        ({"lib/ld-musl-x86_64.so.1": b""}, (), "has musl for its C library"),
        ({"etc/x": b""}, (), "has no C library"),
        (
            {**ROOT, "opt/venv/pyvenv.cfg": b"", "opt/envfreeze/venv/pyvenv.cfg": b""},
            (),
            "has a /opt/venv and a /opt/envfreeze/venv of its own",
        ),
        (
            {**ROOT, "etc/os-release": b'ID=rocky\nPRETTY_NAME="Rocky 9"\n'},
            ('python-source = "distribution"',),
            "has no Python, and Rocky 9 has no packages",
        ),
        (ROOT, ('python-source = "base"',), "a Python that fits is wanted; "),
        (
            {
                **ROOT,
                "etc/os-release": b'ID=rocky\nPRETTY_NAME="Rocky 9"\n',
                "usr/local/bin/python3.12": b"x",
            },
            ('packages = ["git"]',),
            "git cannot be added: the base is Rocky 9",
        ),
        ({**ROOT, "bin/sh": b""}, ('python-source = "distribution"',), "has /bin apart from /usr/bin"),
        (
            {**ROOT, "usr/local/bin/python3.12": b"x"},
            ('python = "3.11"', 'python-source = "distribution"'),
            "has Python 3.12.4, and Debian",
        ),
    ],
)
def test_a_base_that_cannot_be_is_refused_with_the_reason(
    small_project, registry, registry_server, contents, lines, words
):
    layer = {
        path: registry_server.Link(what) if isinstance(what, str) else what
        for path, what in contents.items()
        if not (path == "bin" and "bin/sh" in contents)
    }
    image = registry_server.image_of(
        [layer], settings={"Env": ["PYTHON_VERSION=3.12.4", "PATH=/usr/local/bin"]}
    )
    registry.push(image, "team/odd", "1")
    work = small_project()
    use(work, f"{registry.host}/team/odd:1", *lines)
    ended = work.run("lock")
    assert ended.code == 2, ended.stderr
    assert words in ended.stderr
    assert ended.stderr.count("error:") == 1


def test_a_private_base_shows_no_password_anywhere(work, registry, tmp_path):
    registry.login, registry.scheme = ("ada", "sesame-street"), "bearer"
    (tmp_path / "docker").mkdir()
    auth = base64.b64encode(b"ada:sesame-street").decode()
    (tmp_path / "docker" / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": auth}}}))
    ended = work.run("lock")
    assert ended.code == 4
    assert f"docker login {registry.host}" in ended.stderr
    login = {"DOCKER_CONFIG": str(tmp_path / "docker")}
    locked = ok(work.run("lock", **login))
    built = ok(work.run("build", **login))
    everything = [locked.stdout, locked.stderr, built.stdout, built.stderr]
    everything += [path.read_text(errors="replace") for path in work.root.rglob("*") if path.is_file()]
    for secret in ("sesame-street", auth, "Bearer good"):
        assert not any(secret in text for text in everything)


# ------------------------------------------------------------------- a base that an empty machine has not


@pytest.fixture
def moved(work, registry, tools):
    """The project, pushed; then one of its packages has moved, on a machine that has nothing."""
    ok(work.run("lock"))
    ref = f"{registry.host}/team/train"
    ok(work.run("build", "--no-record", "--push", f"{ref}:main"))
    work.site.add_wheel("gamma", tools.wheel_of("gamma", "2.0"), "2.0")
    ok(work.run("lock", "--upgrade-package", "gamma"))
    work.ref = ref
    return work


def elsewhere(work, name):
    return replace(work, cache=work.cache.with_name(name))


def fetched(registry):
    """The blobs that were asked for since."""
    return {Digest.parse(path.rpartition("/")[2]) for path in registry.paths("/blobs/sha256", "GET")}


def test_a_moved_package_reads_no_layer_of_a_base_that_the_catalogue_tells_of(moved, registry):
    (target,) = files.read(moved.root).targets
    layers = {layer.digest for layer in target.image.layers}
    registry.asked.clear()
    push = (
        "--json",
        "build",
        "--no-record",
        "--push",
        f"{moved.ref}:new",
        "--cache-from",
        f"{moved.ref}:main",
    )
    document = json.loads(ok(elsewhere(moved, "empty").run(*push)).stdout)
    assert not fetched(registry) & layers
    assert document["layers_built"] >= 1
    assert ok(elsewhere(moved, "plain").run("build", "--no-record")).digest == Digest.parse(
        document["digest"]
    )
    # What was told of the base is handed on, and still is no fact of that machine's cache.
    registry.asked.clear()
    again = json.loads(ok(elsewhere(moved, "third").run(*[*push[:-1], f"{moved.ref}:new"])).stdout)
    # The environment, made of what was told, is not: it is made anew.
    assert (again["digest"], again["layers_built"]) == (document["digest"], 1)
    assert not fetched(registry) & layers
    assert ok(elsewhere(moved, "empty").run("build", "--no-record")).digest == Digest.parse(
        document["digest"]
    )
    assert fetched(registry) >= layers


def test_what_a_catalogue_does_not_tell_is_read(moved, registry):
    (target,) = files.read(moved.root).targets
    held = registry.blobs["team/train"]
    lists = [
        name for name, blob in held.items() if blob[:2] == GZIP and b'{"items":' in gzip.decompress(blob)
    ]
    assert len(lists) == len({layer.digest for layer in target.image.layers})
    for name in lists:
        del held[name]
    push = ("build", "--no-record", "--push", f"{moved.ref}:new", "--cache-from", f"{moved.ref}:main")
    digest = ok(elsewhere(moved, "empty").run(*push)).digest
    assert ok(elsewhere(moved, "plain").run("build", "--no-record")).digest == digest
